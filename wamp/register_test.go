package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestCallerIdentification(t *testing.T) {
	for name, tt := range map[string]struct {
		router   []wamptest.Option
		call     []wamp.CallOption
		register []wamp.RegisterOption
		known    bool
		refused  bool
	}{
		"nobody asks":             {},
		"the caller asks":         {call: []wamp.CallOption{wamp.DiscloseMe()}, known: true},
		"the callee asks":         {register: []wamp.RegisterOption{wamp.DiscloseCaller()}, known: true},
		"the dealer refuses":      {router: []wamptest.Option{wamptest.WithoutDisclosure()}, call: []wamp.CallOption{wamp.DiscloseMe()}, refused: true},
		"the dealer cannot do it": {router: []wamptest.Option{wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallerIdentification))}, call: []wamp.CallOption{wamp.DiscloseMe()}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, callee := slowRig(t, tt.router...)
				var got wamp.Peer
				handle(t, callee, "com.example.who", func(_ context.Context, inv *wamp.Invocation) error {
					got = inv.Caller()
					return nil
				}, tt.register...)
				_, err := s.Call(t.Context(), "com.example.who", wamp.Args(), tt.call...).Final()
				if tt.refused {
					if !errors.Is(err, wamp.ErrDiscloseMeDisallowed) {
						t.Error(err)
					}
					return
				}
				d := s.Details()
				want := wamp.Peer{Session: s.ID(), AuthID: d.AuthID, AuthRole: d.AuthRole}
				if !tt.known {
					want = wamp.Peer{}
				}
				if err != nil || got != want {
					t.Errorf("%+v, want %+v: %v", got, want, err)
				}
			})
		})
	}
}

func TestCallTrustLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t, wamptest.WithCallTrust(func(_ wamptest.SessionInfo, procedure string) int {
			return len(procedure)
		}))
		handle(t, callee, "com.example.trust", func(_ context.Context, inv *wamp.Invocation) error {
			level, ok := inv.TrustLevel()
			return inv.Return(wamp.Args(level, ok))
		})
		r, err := s.Call(t.Context(), "com.example.trust", wamp.Args()).Final()
		var level int
		var ok bool
		if err = errors.Join(err, r.Scan(&level, &ok)); err != nil || level != len("com.example.trust") || !ok {
			t.Error(level, ok, err)
		}
	})
}

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

// A callee that declines, or has no room, leaves the call to the next.
func TestReroute(t *testing.T) {
	for policy, want := range map[wamp.InvokePolicy]string{wamp.RoundRobin: "second", wamp.First: "second", wamp.Random: "second"} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full: %v", policy, full), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, s, first := slowRig(t)
					if full {
						if _, err := first.Register(t.Context(), "com.example.work", wamp.Invoke(policy), wamp.Buffer(1, 0)); err != nil {
							t.Fatal(err)
						}
						defer first.Close(within(t, time.Second)) // nobody reads
					} else {
						handle(t, first, "com.example.work", func(_ context.Context, inv *wamp.Invocation) error { return inv.Decline() }, wamp.Invoke(policy))
					}
					handle(t, join(t, r), "com.example.work", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args("second")) }, wamp.Invoke(policy))
					answered := 0
					for range 100 {
						res, err := s.Call(within(t, time.Second), "com.example.work", wamp.Args()).Final()
						if full && errors.Is(err, context.DeadlineExceeded) {
							continue // it waits in the first one's buffer
						}
						var who string
						if err = errors.Join(err, res.Scan(&who)); err != nil || who != want {
							t.Fatalf("%q: %v", who, err)
						}
						answered++
					}
					if answered < 50 {
						t.Errorf("%d of 100 were answered", answered)
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.work", func(_ context.Context, inv *wamp.Invocation) error { return inv.Decline() }, wamp.Invoke(wamp.RoundRobin))
		if _, err := s.Call(t.Context(), "com.example.work", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNoAvailableCallee) {
			t.Error(err)
		}
	})
}

// What the dealer lacks fails by its name, before anything is sent.
func TestRPCFeaturesAreNeeded(t *testing.T) {
	call := func(option wamp.CallOption) func(*testing.T, *wamp.Session) error {
		return func(t *testing.T, s *wamp.Session) error {
			_, err := s.Call(t.Context(), "com.example.echo", wamp.Args(), option).Final()
			return err
		}
	}
	register := func(option wamp.RegisterOption) func(*testing.T, *wamp.Session) error {
		return func(t *testing.T, s *wamp.Session) error {
			_, err := s.Register(t.Context(), "com.example.other", option)
			return err
		}
	}
	for feature, use := range map[proto.Feature][]func(*testing.T, *wamp.Session) error{
		proto.ShardedRegistration:      {call(wamp.RoutingKey("k")), call(wamp.RunMode(wamp.All))},
		proto.SharedRegistration:       {register(wamp.Invoke(wamp.First))},
		proto.PatternBasedRegistration: {register(wamp.Match(wamp.Prefix))},
		proto.CallTimeout:              {register(wamp.ForwardTimeout())},
	} {
		synctest.Test(t, func(t *testing.T) {
			var p tap
			r, s, _ := slowRig(t, wamptest.WithFeatures(wamptest.FeaturesWithout(feature)), wamptest.WithHook(p.hook))
			p.take()
			for _, f := range use {
				var missing *wamp.FeatureError
				if err := f(t, s); !errors.As(err, &missing) || missing.Feature != feature || missing.Role != proto.Dealer {
					t.Errorf("%s: %v", feature, err)
				}
			}
			synctest.Wait()
			if sent := p.take(proto.Call, proto.Register); len(sent) > 0 {
				t.Errorf("%s: %d messages were sent", feature, len(sent))
			}
			// A user who knows better says so.
			s = join(t, r, wamp.Assume(feature.String()))
			for _, f := range use {
				var missing *wamp.FeatureError
				if err := f(t, s); errors.As(err, &missing) {
					t.Errorf("%s: assumed, but %v", feature, err)
				}
			}
		})
	}
}
