package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A timeout that is too long for a time.Duration is a long one, and none that has
// passed.
func TestLongTimeoutOfAnInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ms := range []int64{1 << 62, 1<<63/1_000_000 + 1, 1<<63 - 1} {
			for _, option := range []wamp.CallOption{wamp.Progressive(), wamp.DiscloseMe()} {
				r := wamptest.NewRouter(t, wamptest.WithSend(func(_ proto.ID, m *proto.Message) wamptest.Action {
					if m.Type == proto.Invocation {
						m.Options = m.Options.With("timeout", ms)
					}
					return wamptest.Pass()
				}))
				s, c := join(t, r), join(t, r)
				handle(t, s, "com.example.slow", func(ctx context.Context, inv *wamp.Invocation) error {
					<-time.After(time.Hour)
					return ctx.Err()
				}, wamp.ForwardTimeout())
				if _, err := c.Call(t.Context(), "com.example.slow", wamp.Args(), option).Final(); err != nil {
					t.Errorf("%d ms: %v", ms, err)
				}
			}
		}
	})
}

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
