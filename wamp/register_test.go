package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// shared registers a procedure with several sessions, which answer with their
// number.
func shared(t *testing.T, r *wamptest.Router, n int, procedure string, options ...wamp.RegisterOption) []*wamp.Session {
	t.Helper()
	var callees []*wamp.Session
	for i := range n {
		s := join(t, r)
		callees = append(callees, s)
		handle(t, s, procedure, func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(i)) }, options...)
	}
	return callees
}

func TestSharedRegistration(t *testing.T) {
	for policy, want := range map[wamp.InvokePolicy][]int{
		wamp.RoundRobin: {0, 1, 2, 0, 1, 2, 0, 1, 2},
		wamp.First:      {0, 0, 0, 0, 0, 0, 0, 0, 0},
		wamp.Last:       {2, 2, 2, 2, 2, 2, 2, 2, 2},
		wamp.Random:     nil,
	} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, other := slowRig(t)
				shared(t, r, 3, "com.example.shared", wamp.Invoke(policy))
				var got []int
				for range 9 {
					res, err := s.Call(t.Context(), "com.example.shared", wamp.Args()).Final()
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, number(t, res.Payload))
				}
				if want != nil && !slices.Equal(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
				for _, p := range []wamp.InvokePolicy{wamp.Single, wamp.RoundRobin, wamp.First} {
					_, err := other.Register(t.Context(), "com.example.shared", wamp.Invoke(p))
					if (err == nil) != (p == policy) {
						t.Errorf("policy %s beside %s: %v", p, policy, err)
					}
				}
			})
		})
	}
}

func TestShardedRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := slowRig(t)
		callees := shared(t, r, 3, "com.example.sharded", wamp.Invoke(wamp.RoundRobin))
		where := func() map[string]int {
			out := map[string]int{}
			for i := range 60 {
				key := fmt.Sprint("key", i)
				res, err := s.Call(t.Context(), "com.example.sharded", wamp.Args(), wamp.RoutingKey(key)).Final()
				if err != nil {
					t.Fatal(err)
				}
				out[key] = number(t, res.Payload)
			}
			return out
		}
		first := where()
		if !maps.Equal(first, where()) {
			t.Error("a key has moved while nothing changed")
		}
		used := map[int]bool{}
		for _, n := range first {
			used[n] = true
		}
		if len(used) != 3 {
			t.Errorf("%d callees of 3 were used", len(used))
		}
		closeIt(t, callees[1])
		for key, n := range where() {
			if first[key] != 1 && n != first[key] || n == 1 {
				t.Errorf("%s has moved from %d to %d", key, first[key], n)
			}
		}
		// All: the result of each, with its callee, then the end.
		results := map[wamp.ID]int{}
		var last wamp.Result
		for res := range s.Call(t.Context(), "com.example.sharded", wamp.Args(), wamp.RunMode(wamp.All)) {
			if last = res; res.Progress {
				if err := res.CalleeErr(); err != nil {
					t.Error(err)
				}
				results[res.Callee().Session] = number(t, res.Payload)
			}
		}
		want := map[wamp.ID]int{callees[0].ID(): 0, callees[2].ID(): 2}
		if !maps.Equal(results, want) || last.Err != nil || last.NArgs() != 0 {
			t.Errorf("%v, want %v: %v", results, want, last.Err)
		}
		// One that fails does not end the others.
		broken := join(t, r)
		handle(t, broken, "com.example.sharded", func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("com.example.error.broken", wamp.Args("text"))
		}, wamp.Invoke(wamp.RoundRobin))
		failed := 0
		for res := range s.Call(t.Context(), "com.example.sharded", wamp.Args(), wamp.RunMode(wamp.All)) {
			var peer *wamp.Error
			if err := res.CalleeErr(); errors.As(err, &peer) {
				failed++
				var text string
				if peer.URI != "com.example.error.broken" || peer.Payload.Scan(&text) != nil || text != "text" || res.Callee().Session != broken.ID() {
					t.Errorf("%v by %+v", err, res.Callee())
				}
			}
			if res.Err != nil {
				t.Error(res.Err)
			}
		}
		if failed != 1 {
			t.Errorf("%d have failed", failed)
		}
	})
}

func TestPatternBasedRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := slowRig(t)
		for name, match := range map[string]wamp.MatchPolicy{
			"com.example.order.get": wamp.Exact,
			"com.example.order":     wamp.Prefix,
			"com.example":           wamp.Prefix,
			"com.example..get":      wamp.Wildcard,
			"com...get":             wamp.Wildcard,
		} {
			handle(t, join(t, r), name, func(_ context.Context, inv *wamp.Invocation) error {
				return inv.Return(wamp.Args(name, inv.Procedure()))
			}, wamp.Match(match))
		}
		for procedure, want := range map[string]string{
			"com.example.order.get": "com.example.order.get",
			"com.example.order.put": "com.example.order",
			"com.example.stock.get": "com.example",
			"com.other.stock.get":   "com...get",
		} {
			res, err := s.Call(t.Context(), procedure, wamp.Args()).Final()
			var by, called string
			if err = errors.Join(err, res.Scan(&by, &called)); err != nil || by != want || called != procedure {
				t.Errorf("%s was answered by %q as %q, want %q: %v", procedure, by, called, want, err)
			}
		}
		if _, err := s.Call(t.Context(), "org.example.order", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Error(err)
		}
	})
}

// Running invocations of a revoked registration go on and are answered.
func TestRegistrationRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, callee := slowRig(t)
		reg, err := callee.Register(t.Context(), "com.example.revoked")
		if err != nil {
			t.Fatal(err)
		}
		results := s.Call(t.Context(), "com.example.revoked", wamp.Args())
		inv := <-reg.Invocations()
		if n := r.RevokeRegistration(reg.ID(), "com.example.reason"); n != 1 {
			t.Fatalf("%d callees", n)
		}
		if _, open := <-reg.Invocations(); open {
			t.Error("the channel is open")
		}
		var revoked *wamp.RevokedError
		if !errors.As(reg.Err(), &revoked) || revoked.ID != reg.ID() || revoked.Reason != "com.example.reason" {
			t.Error(reg.Err())
		}
		if inv.Context().Err() != nil {
			t.Error("the running invocation was interrupted")
		}
		if err := inv.Return(wamp.Args(1)); err != nil {
			t.Error(err)
		}
		if _, err := results.Final(); err != nil {
			t.Error(err)
		}
		if _, err := s.Call(t.Context(), "com.example.revoked", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Error(err)
		}
		if err := reg.Unregister(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
