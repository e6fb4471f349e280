package wamp_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// leavings are the ways to leave a session.
var leavings = map[string]func(*wamp.Session, context.Context) error{"Close": (*wamp.Session).Close, "Drain": (*wamp.Session).Drain}

// leftBehind is a handler that leaves a goroutine behind, which leaves the session with its
// context.
type leftBehind struct {
	s            *wamp.Session
	leave        func(*wamp.Session, context.Context) error
	outcome      chan error
	began, ended atomic.Int32
}

func newLeftBehind(s *wamp.Session, leave func(*wamp.Session, context.Context) error) *leftBehind {
	return &leftBehind{s: s, leave: leave, outcome: make(chan error, 1)}
}

// handle is the handler, the one that leaves or another, which takes its time.
func (l *leftBehind) handle(ctx context.Context, leaves bool) error {
	l.began.Add(1)
	defer l.ended.Add(1)
	if !leaves {
		<-time.After(100 * time.Millisecond)
		return nil
	}
	go func() {
		<-time.After(50 * time.Millisecond)
		l.outcome <- l.leave(l.s, context.WithoutCancel(ctx))
	}()
	return nil
}

// TestCloseLeftBehindByHandler has a goroutine that a handler of events has left behind,
// with its context. It is not inside of that handler: it waits for all that run.
func TestCloseLeftBehindByHandler(t *testing.T) {
	for name, leave := range leavings {
		for _, most := range []int{1, 2} {
			t.Run(fmt.Sprint(name, most), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, other := join(t, r), join(t, r)
					l := newLeftBehind(s, leave)
					consumer(t, s, func(ctx context.Context, n int) error { return l.handle(ctx, n == 0) }, wamp.Concurrency(most))
					publish(t, other, "com.example.topic", 0, 10)
					if err := <-l.outcome; err != nil {
						t.Error(err)
					}
					if b, e := l.began.Load(), l.ended.Load(); b != e || name == "Drain" && e != 10 {
						t.Errorf("%s has not waited: %d began, %d ended, of 10", name, b, e)
					}
					<-time.After(time.Minute)
				})
			})
		}
	}
}

// TestCloseLeftBehindByInvocation has the same of the handler of an invocation.
func TestCloseLeftBehindByInvocation(t *testing.T) {
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				l := newLeftBehind(s, leave)
				handle(t, s, "com.example.x", func(ctx context.Context, inv *wamp.Invocation) error { return l.handle(ctx, inv.NArgs() == 0) })
				other.Call(t.Context(), "com.example.x", wamp.Args(1))
				other.Call(t.Context(), "com.example.x", wamp.Args())
				if err := <-l.outcome; err != nil {
					t.Error(err)
				}
				if b, e := l.began.Load(), l.ended.Load(); b != e {
					t.Errorf("%s has not waited: %d began, %d ended", name, b, e)
				}
				<-time.After(time.Minute)
			})
		})
	}
}

// TestCloseInsideTwoHandlers has two handlers of events that leave at once. Neither waits
// for the other.
func TestCloseInsideTwoHandlers(t *testing.T) {
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				outcomes := make(chan error, 2)
				consumer(t, s, func(ctx context.Context, _ int) error {
					<-time.After(time.Millisecond)
					outcomes <- leave(s, ctx)
					return nil
				}, wamp.Concurrency(2))
				publish(t, other, "com.example.topic", 0, 2)
				for range 2 {
					if err := <-outcomes; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestCloseInsideTwoInvocations has two invocations that leave at once.
func TestCloseInsideTwoInvocations(t *testing.T) {
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				outcome := make(chan error, 2)
				handle(t, s, "com.example.x", func(ctx context.Context, inv *wamp.Invocation) error {
					<-time.After(time.Millisecond)
					outcome <- leave(s, ctx)
					return nil
				})
				other.Call(t.Context(), "com.example.x", wamp.Args(1))
				other.Call(t.Context(), "com.example.x", wamp.Args())
				for range 2 {
					if err := <-outcome; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestDrainIsCut has a Drain that waits, and meanwhile somebody closes, drains too, or the
// link is lost.
func TestDrainIsCut(t *testing.T) {
	for name, cut := range map[string]func(r *wamptest.Router, s *wamp.Session){
		"Close": func(_ *wamptest.Router, s *wamp.Session) { _ = s.Close(context.Background()) },
		"Drain": func(_ *wamptest.Router, s *wamp.Session) { _ = s.Drain(context.Background()) },
		"cut":   func(r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				consumer(t, s, func(ctx context.Context, _ int) error { <-ctx.Done(); return nil })
				publish(t, other, "com.example.topic", 0, 10)
				synctest.Wait()
				done := make(chan error, 1)
				start := time.Now()
				go func() { done <- s.Drain(within(t, time.Hour)) }()
				synctest.Wait()
				cut(r, s)
				err := <-done
				if took := time.Since(start); took > 10*time.Second || err != nil {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

// TestCloseWithHandlersThatHoldTheLinkBack leaves a session whose slow handlers hold its
// link back.
func TestCloseWithHandlersThatHoldTheLinkBack(t *testing.T) {
	for _, history := range []bool{false, true} {
		for _, leave := range []string{"Close", "Drain", "Close inside", "Drain inside", "slow Drain"} {
			for _, most := range []int{1, 3} {
				t.Run(fmt.Sprint(history, leave, most), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
						s, other := join(t, r), join(t, r)
						wake := make(chan struct{})
						var ran atomic.Int32
						outcome := make(chan error, 1)
						options := []wamp.SubscribeOption{wamp.Concurrency(most), wamp.OverflowBlock(), wamp.Buffer(4, 1000)}
						if history {
							options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: 5}))
						}
						_, err := s.SubscribeFunc(t.Context(), "com.example.topic", func(ctx context.Context, ev wamp.Event) error {
							n := ran.Add(1)
							switch {
							case leave == "slow Drain":
								<-time.After(10 * time.Millisecond)
							case n == 1 && leave == "Close inside":
								<-time.After(time.Millisecond)
								outcome <- s.Close(ctx)
							case n == 1 && leave == "Drain inside":
								<-time.After(time.Millisecond)
								outcome <- s.Drain(ctx)
							default:
								<-wake
							}
							return nil
						}, options...)
						if err != nil {
							t.Fatal(err)
						}
						publish(t, other, "com.example.topic", 0, 200)
						synctest.Wait()
						start := time.Now()
						switch leave {
						case "Close":
							err = s.Close(t.Context())
						case "Drain", "slow Drain":
							err = s.Drain(t.Context())
						default:
							err = <-outcome
						}
						took := time.Since(start)
						if took > 15*time.Second || ran.Load() == 0 {
							t.Errorf("%v after %v, %d handled", err, took, ran.Load())
						}
						close(wake)
					})
				})
			}
		}
	}
}
