//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The advanced RPC features that Crossbar has, and what becomes of those that
// it lacks. One transport is enough: the matrix has the others.
var rpcCell = cell{"ws", codec.CBOR}

// named registers a procedure that answers with a name.
func named(t *testing.T, s *wamp.Session, procedure, name string, options ...wamp.RegisterOption) *wamp.Service {
	t.Helper()
	reg, err := s.Handle(context.WithoutCancel(limit(t)), procedure, func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(name, inv.Procedure()))
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// who calls and returns who answered, and as what procedure.
func who(t *testing.T, s *wamp.Session, procedure string) (name, as string) {
	t.Helper()
	r, err := s.Call(limit(t), procedure, wamp.Args()).Final()
	if err = errors.Join(err, r.Scan(&name, &as)); err != nil {
		t.Fatalf("%s: %v", procedure, err)
	}
	return name, as
}

func TestSharedRegistration(t *testing.T) {
	s := rpcCell.join(t)
	p := joinPartner(t, rpcCell)
	for policy, want := range map[wamp.InvokePolicy][]string{
		wamp.RoundRobin: {"one", "two", "three", "one", "two", "three"},
		wamp.First:      {"one", "one", "one", "one", "one", "one"},
		wamp.Last:       {"three", "three", "three", "three", "three", "three"},
		wamp.Random:     nil,
	} {
		uri := rpcCell.uri("go", "shared."+string(policy))
		for _, name := range []string{"one", "two", "three"} {
			named(t, rpcCell.join(t), uri, name, wamp.Invoke(policy))
		}
		var got []string
		for i := range 6 {
			if i%2 == 0 {
				name, _ := who(t, s, uri)
				got = append(got, name)
				continue
			}
			r := p.ask(t, "call", request{"uri": uri})
			if r.Result == nil || len(r.Result.Args) == 0 {
				t.Fatalf("autobahn-python: %+v", r)
			}
			name, err := untag(r.Result.Args[0])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(name))
		}
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
		_, err := s.Register(limit(t), uri, wamp.Invoke(map[bool]wamp.InvokePolicy{true: wamp.Last, false: wamp.First}[policy == wamp.First]))
		var peer *wamp.Error
		if !errors.As(err, &peer) || peer.URI != "wamp.error.procedure_exists_with_different_invocation_policy" {
			t.Errorf("another policy beside %s: %v", policy, err)
		}
	}
}

func TestPatternBasedRegistration(t *testing.T) {
	s := rpcCell.join(t)
	base := rpcCell.uri("go", "pattern")
	callee := rpcCell.join(t)
	named(t, callee, base+".order.get", "exact")
	named(t, callee, base+".order", "long prefix", wamp.Match(wamp.Prefix))
	named(t, callee, base, "prefix", wamp.Match(wamp.Prefix))
	named(t, callee, "org..pattern", "wildcard", wamp.Match(wamp.Wildcard))
	for procedure, want := range map[string]string{
		base + ".order.get": "exact", base + ".order.put": "long prefix", base + ".stock": "prefix", "org.any.pattern": "wildcard",
	} {
		if name, as := who(t, s, procedure); name != want || as != procedure {
			t.Errorf("%s: %q as %q, want %q", procedure, name, as, want)
		}
	}
}

// Crossbar tells who calls by the caller's permissions, whatever is asked, and
// always tells who has answered.
func TestCallerIdentification(t *testing.T) {
	s, callee := rpcCell.join(t), rpcCell.join(t)
	for uri, known := range map[string]bool{"com.open.who": true, rpcCell.uri("go", "who"): false} {
		var got wamp.Peer
		if _, err := callee.Handle(limit(t), uri, func(_ context.Context, inv *wamp.Invocation) error {
			got = inv.Caller()
			return nil
		}, wamp.DiscloseCaller()); err != nil {
			t.Fatal(err)
		}
		r, err := s.Call(limit(t), uri, wamp.Args(), wamp.DiscloseMe()).Final()
		if err != nil {
			t.Fatal(err)
		}
		if want := (wamp.Peer{Session: s.ID(), AuthID: s.Details().AuthID, AuthRole: s.Details().AuthRole}); known != (got == want) {
			t.Errorf("%s: %+v", uri, got)
		}
		if by := r.Callee(); by.Session != callee.ID() {
			t.Errorf("%s: answered by %+v", uri, by)
		}
	}
}

// force_reregister takes the procedure away from its callee, who is told.
func TestRegistrationRevocation(t *testing.T) {
	uri := rpcCell.uri("go", "forced")
	s, old := rpcCell.join(t), rpcCell.join(t)
	was := named(t, old, uri, "old")
	named(t, rpcCell.join(t), uri, "new", wamp.Set("force_reregister", true))
	select {
	case <-was.Done():
	case <-time.After(patience):
		t.Fatal("the old callee is not told")
	}
	var revoked *wamp.RevokedError
	if !errors.As(was.Err(), &revoked) || revoked.Reason != "wamp.error.unregistered" || revoked.ID != was.ID() {
		t.Error(was.Err())
	}
	if name, _ := who(t, s, uri); name != "new" {
		t.Error(name)
	}
	if err := old.Err(); err != nil {
		t.Error(err)
	}
}

// concurrency is the router's: a call too many is refused by it.
func TestRouterConcurrency(t *testing.T) {
	s, callee := rpcCell.join(t), rpcCell.join(t)
	reg, err := callee.Register(limit(t), rpcCell.uri("go", "two"), wamp.Set("concurrency", 2))
	if err != nil {
		t.Fatal(err)
	}
	one := s.Call(limit(t), reg.Procedure(), wamp.Args())
	two := s.Call(limit(t), reg.Procedure(), wamp.Args())
	running := []*wamp.Invocation{<-reg.Invocations(), <-reg.Invocations()}
	_, err = s.Call(limit(t), reg.Procedure(), wamp.Args()).Final()
	if wamp.ErrorURI(err) != "crossbar.error.max_concurrency_reached" {
		t.Error(err)
	}
	for _, inv := range running {
		if err := inv.Return(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range []wamp.Results{one, two} {
		if _, err := r.Final(); err != nil {
			t.Error(err)
		}
	}
}

// What Crossbar does not announce is never sent: it would break on some of it.
func TestRPCFeaturesThatAreMissing(t *testing.T) {
	s, callee := rpcCell.join(t), rpcCell.join(t)
	uri := rpcCell.uri("go", "missing")
	named(t, callee, uri, "name")
	chunks := make(chan wamp.Payload, 2)
	chunks <- wamp.Args(1)
	chunks <- wamp.Args(2).Last()
	_, sharded := s.Call(limit(t), uri, wamp.Args(), wamp.RoutingKey("k")).Final()
	_, all := s.Call(limit(t), uri, wamp.Args(), wamp.RunMode(wamp.All)).Final()
	_, forward := callee.Register(limit(t), uri+".x", wamp.ForwardTimeout())
	_, stream := s.CallStream(limit(t), uri, chunks).Final()
	for feature, err := range map[proto.Feature][]error{
		proto.ShardedRegistration: {sharded, all}, proto.CallTimeout: {forward}, proto.ProgressiveCallInvocations: {stream},
	} {
		for _, err := range err {
			var missing *wamp.FeatureError
			if !errors.As(err, &missing) || missing.Feature != feature {
				t.Errorf("%s: %v", feature, err)
			}
		}
	}
	// Timeouts are ours.
	reg, err := callee.Register(limit(t), uri+".hang")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	results := s.Call(limit(t), uri+".hang", wamp.Args(), wamp.Timeout(300*time.Millisecond))
	inv := <-reg.Invocations()
	if _, told := inv.Details.Get("timeout"); told {
		t.Error("Crossbar was sent a timeout, which it takes for seconds")
	}
	if _, err := results.Final(); !errors.Is(err, wamp.ErrTimeout) || time.Since(start) > patience {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	select {
	case <-inv.Context().Done():
	case <-time.After(prompt):
		t.Error("the callee is not interrupted")
	}
	_ = inv.Fail(wamp.ErrCanceled)
	if name, _ := who(t, s, uri); name != "name" {
		t.Error(name)
	}
}
