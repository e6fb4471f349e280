package wamptest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// cutting are the ways to cut a link in the place of an answer, or before a request to
// com.example.bad is done.
var cutting = map[string]func(r *wamptest.Router){
	"CutBefore": func(r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.bad", Lose: wamptest.CutBefore})
	},
	"CutAfter": func(r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.bad", Lose: wamptest.CutAfter})
	},
	"CutLink": func(r *wamptest.Router) {
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Message.URI == "com.example.bad" {
				return wamptest.CutLink()
			}
			return wamptest.Pass()
		})
	},
}

// Answers from before the cut arrive, also those that Delay holds back, and nothing behind it.
func TestCutBehindEarlierAnswers(t *testing.T) {
	for name, cut := range cutting {
		for _, late := range []time.Duration{0, 5 * time.Second} {
			t.Run(name+" "+late.String(), func(t *testing.T) {
				for range 20 {
					bubble(t, func(t *testing.T, r *wamptest.Router) {
						c := join(t, r)
						cut(r)
						r.Delay(late)
						for range 3 {
							c.publish("com.example.good", options("acknowledge", true))
						}
						c.publish("com.example.bad", options("acknowledge", true))
						c.publish("com.example.good", options("acknowledge", true))
						for i := range 3 {
							if m := c.expect(proto.Published); m.Request != proto.ID(i+1) {
								t.Errorf("%d is %d", i, m.Request)
							}
						}
						if err := c.expectEnd(); !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Error(err)
						}
						synctest.Wait()
						if s := r.Stats(); s.Links != 0 || s.Sessions != 0 || s.Held != 0 {
							t.Errorf("%+v", s)
						}
					})
				}
			})
		}
	}
}

// So it is over sockets.
func TestCutBehindEarlierAnswersOverSockets(t *testing.T) {
	r := wamptest.NewRouter(t)
	r.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.bad", Lose: wamptest.CutAfter})
	for _, d := range ways(t, r) {
		c := dial(t, d, "cbor")
		c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		for range 20 {
			c.publish("com.example.good", options("acknowledge", true))
		}
		c.publish("com.example.bad", options("acknowledge", true))
		for range 20 {
			c.expect(proto.Published)
		}
		c.expectEnd()
	}
}

// A client that does not read, or whose link is stalled, is cut all the same, and its
// session is gone at once.
func TestCutOfADeafClient(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: time.Second, Lose: wamptest.CutAfter})
		c := join(t, r)
		c.publish("com.example.x", nil)
		synctest.Wait()
		r.Stall(c.id)
		time.Sleep(time.Second)
		synctest.Wait()
		c.expectNothing()
		if n := r.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
		time.Sleep(time.Second)
		c.expectEnd()

		c = join(t, r)
		c.publish("com.example.x", nil)
		synctest.Wait()
		r.StopReading(c.id)
		time.Sleep(time.Second)
		c.expectEnd()
		synctest.Wait()
		if n := r.Stats().Links; n != 0 {
			t.Errorf("%d links", n)
		}
	})
}

// The progressive results come before the cut.
func TestCutBehindProgressiveResults(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.CutAfter})
			callee, caller, _, inv := running(t, r)
			var want []int64
			for i := range 10 {
				callee.yield(inv, true, i)
				want = append(want, int64(i))
			}
			callee.yield(inv, false)
			if got := caller.args(proto.Result, 10); !slices.Equal(got, want) {
				t.Errorf("%v", got)
			}
			caller.expectEnd()
			settled(t, r, callee)
		})
	}
}

// What a client learns of two requests of which the second one is cut.
func TestCutAndOtherOutcomes(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := connect(t.Context(), r, wamp.WithReconnect(wamp.Backoff{}))
			t.Cleanup(func() { s.Close(context.Background()) })
			r.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.bad", Lose: wamptest.CutAfter, Times: 1})
			good := s.Publish(t.Context(), "com.example.good", wamp.Args(1), wamp.Acknowledge())
			bad := s.Publish(t.Context(), "com.example.bad", wamp.Args(2), wamp.Acknowledge())
			if _, err := good.Wait(); err != nil {
				t.Error(err)
			}
			var unknown *wamp.OutcomeUnknown
			if _, err := bad.Wait(); !errors.As(err, &unknown) {
				t.Error(err)
			}
		})
	}
}
