//go:build interop

package interop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// TestRouterKilled kills the router with SIGKILL while sessions over every
// transport have work under way: each notices at once, everything pending ends
// with an error, and nothing of it stays. Then the router is started again,
// and everybody can join.
func TestRouterKilled(t *testing.T) {
	type client struct {
		cell
		s    *wamp.Session
		call wamp.Results
		sub  *wamp.Subscription
		reg  *wamp.Registration
		inv  *wamp.Invocation
	}
	callee := cell{"raw", codec.CBOR}.join(t)
	if _, err := callee.Handle(limit(t), "com.interop.killed.hang", func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, wamp.Concurrency(100)); err != nil {
		t.Fatal(err)
	}
	var clients []*client
	for _, kind := range kinds {
		for _, cd := range codecs {
			c := &client{cell: cell{kind, cd}}
			c.s = c.join(t)
			c.call = c.s.Call(limit(t), "com.interop.killed.hang", wamp.Args(), wamp.Progressive())
			var err error
			if c.sub, err = c.s.Subscribe(limit(t), "com.interop.killed.topic"); err != nil {
				t.Fatal(err)
			}
			if c.reg, err = c.s.Register(limit(t), c.uri("go", "killed")); err != nil {
				t.Fatal(err)
			}
			// an invocation that is under way when it happens
			_ = callee.Call(limit(t), c.uri("go", "killed"), wamp.Args())
			select {
			case c.inv = <-c.reg.Invocations():
			case <-time.After(patience):
				t.Fatalf("%v: no invocation", c.cell)
			}
			clients = append(clients, c)
		}
	}
	started := false
	t.Cleanup(func() {
		if !started { // other tests need the router
			rigScript(t, "start")
		}
	})
	rigScript(t, "kill")
	for _, c := range clients {
		t.Run(c.String(), func(t *testing.T) {
			matrix.check(t, c.String(), "killed", func(t *testing.T) {
				select {
				case <-c.s.Done():
				case <-time.After(prompt):
					t.Fatal("the loss was not noticed")
				}
				var lost *wamp.LinkError
				if err := c.s.Err(); !errors.As(err, &lost) || !errors.Is(err, wamp.ErrSessionClosed) {
					t.Errorf("Err() %v", err)
				}
				if _, err := c.call.Final(); !errors.As(err, &lost) {
					t.Errorf("the pending call: %v", err)
				}
				if _, more := <-c.sub.Events(); more || !errors.Is(c.sub.Err(), wamp.ErrSessionClosed) {
					t.Errorf("the subscription: more %v, %v", more, c.sub.Err())
				}
				if _, more := <-c.reg.Invocations(); more || !errors.Is(c.reg.Err(), wamp.ErrSessionClosed) {
					t.Errorf("the registration: more %v, %v", more, c.reg.Err())
				}
				select {
				case <-c.inv.Context().Done():
				case <-time.After(prompt):
					t.Error("the invocation was not interrupted")
				}
				if err := c.inv.Return(wamp.Args(1)); err == nil {
					t.Error("Return without a router gave no error")
				}
			})
		})
	}
	// nobody listens: a typed error at once, no hang
	start := time.Now()
	if _, err := wamp.Connect(limit(t), rig.URLs["raw"], realm); err == nil {
		t.Error("joined a router that is not there")
	} else if took := time.Since(start); took > prompt {
		t.Errorf("Connect took %v: %v", took, err)
	}
	rigScript(t, "start")
	started = true
	for _, c := range clients {
		idle(t, c.join(t))
	}
}
