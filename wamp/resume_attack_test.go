package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestResumeCountsWhatIsDelivered is asked with what has been delivered, also where the
// reader is late.
func TestResumeCountsWhatIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		handle(t, join(t, r), "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
			for n := range 100 {
				_ = inv.Progress(wamp.Args(n))
			}
			<-ctx.Done()
			return ctx.Err()
		})
		var d wamp.Delivered
		res := s.Call(t.Context(), "com.x", wamp.Args(0), wamp.Resume(func(x wamp.Delivered) (wamp.Payload, bool) { d = x; return wamp.Payload{}, false }))
		<-time.After(time.Second)
		r.Cut(s.ID())
		n := 0
		for v := range res {
			if v.Progress {
				n++
			}
		}
		if n != 100 || d.Count != 100 {
			t.Errorf("%d, %+v", n, d.Count)
		}
	})
}

// TestResumeEndsWithItsSession drains or closes the session of a call that is being resumed,
// with and without a connection.
func TestResumeEndsWithItsSession(t *testing.T) {
	for _, how := range []string{"Drain", "Close"} {
		for _, offline := range []bool{false, true} {
			if how == "Drain" && offline {
				continue // TestDrainOffline
			}
			t.Run(fmt.Sprint(how, offline), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s := join(t, r, wamp.WithReconnect(quick()))
					handle(t, join(t, r, wamp.WithReconnect(quick())), "com.x", numbering)
					res := s.Call(context.Background(), "com.x", wamp.Args(0, 1000), after(1000))
					<-res
					if offline {
						r.RefuseDials(1<<30, errors.New("no"))
					}
					r.Cut(s.ID())
					if offline {
						<-time.After(time.Second)
					}
					began := time.Now()
					var err error
					if how == "Drain" {
						err = s.Drain(context.Background())
					} else {
						err = s.Close(context.Background())
					}
					if took := time.Since(began); took > 3*time.Second {
						t.Errorf("%v, %v", took, err)
					}
					_, err = res.Final()
					if !errors.Is(err, wamp.ErrSessionClosed) {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestDrainOffline drains a session without a connection, whose call waits for one.
func TestDrainOffline(t *testing.T) {
	for _, resume := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r, wamp.WithReconnect(quick()))
			handle(t, join(t, r, wamp.WithReconnect(quick())), "com.x", numbering)
			var o []wamp.CallOption
			if resume {
				o = append(o, after(1000))
			}
			res := s.Call(context.Background(), "com.x", wamp.Args(0, 1000), append(o, wamp.Progressive())...)
			<-res
			r.RefuseDials(1<<30, errors.New("no"))
			r.Cut(s.ID())
			<-time.After(time.Second)
			began := time.Now()
			err := s.Drain(context.Background())
			if time.Since(began) > 2*time.Second {
				t.Errorf("resume %v: %v %v", resume, time.Since(began), err)
			}
			_, _ = res.Final()
		})
	}
}

// TestResumeTimeout has a reader that is away for longer than the timeout of its call, which
// is for the callee.
func TestResumeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		handle(t, join(t, r), "com.x", numbering)
		go func() {
			for range 2 {
				<-time.After(15 * time.Second)
				r.Cut(s.ID())
			}
		}()
		n := 0
		for res := range s.Call(t.Context(), "com.x", wamp.Args(0, 50), wamp.Timeout(3*time.Second), after(50)) {
			if res.Err != nil {
				t.Error(res.Err)
			}
			if n++; n%20 == 0 {
				<-time.After(5 * time.Second)
			}
		}
		if n != 50 {
			t.Errorf("%d results", n)
		}
	})
}

// TestResumeAsksOnceJoined has no connection: the function of Resume is asked once there is
// one, not before.
func TestResumeAsksOnceJoined(t *testing.T) {
	for name, b := range map[string]wamp.Backoff{"Random": quick(), "plain": {Min: time.Second, Max: time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r, wamp.WithReconnect(b))
			handle(t, join(t, r, wamp.WithReconnect(quick())), "com.x", numbering)
			asked := time.Time{}
			began := time.Now()
			res := s.Call(context.Background(), "com.x", wamp.Args(0, 1000), wamp.Progressive(), wamp.Resume(func(wamp.Delivered) (wamp.Payload, bool) {
				asked = time.Now()
				return wamp.Payload{}, false
			}))
			<-res
			r.RefuseDials(1<<30, errors.New("no"))
			r.Cut(s.ID())
			<-time.After(20 * time.Second)
			if !asked.IsZero() {
				t.Errorf("%s: asked after %v, without a connection", name, asked.Sub(began))
			}
			r.RefuseDials(0, nil)
			for range res {
			}
			if asked.IsZero() {
				t.Errorf("%s: it was not asked", name)
			}
		})
	}
}

// TestResumeFunctionBlocks has a function that blocks while the session is closed.
func TestResumeFunctionBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		handle(t, join(t, r), "com.x", numbering)
		free := make(chan struct{})
		results := s.Call(context.Background(), "com.x", wamp.Args(0, 9), wamp.Resume(func(wamp.Delivered) (wamp.Payload, bool) { <-free; return wamp.Payload{}, false }))
		<-results
		r.Cut(s.ID())
		<-time.After(10 * time.Second)
		began := time.Now()
		err := s.Close(context.Background())
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("Close took %v: %v", took, err)
		}
		synctest.Wait()
		ended := false
		for more := true; more && !ended; {
			select {
			case _, ok := <-results:
				ended = !ok
			default:
				more = false
			}
		}
		if !ended {
			t.Error("the stream has not ended with its session")
		}
		close(free)
	})
}

// TestResumeGivesUpWhatKillsLinks has a call that ends each link, from the first or once it
// was resumed. It is given up, as an idempotent one.
func TestResumeGivesUpWhatKillsLinks(t *testing.T) {
	for _, with := range []string{"first", "later", "idempotent"} {
		t.Run(with, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithReconnect(quick()))
				handle(t, join(t, r), "com.x", numbering)
				calls := 0
				r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
					if x.Message.Type.String() == "CALL" {
						if calls++; with != "later" || calls > 1 {
							go r.Cut(s.ID())
							return wamptest.Drop()
						}
					}
					return wamptest.Pass()
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				option := after(9)
				if with == "idempotent" {
					option = wamp.Idempotent()
				}
				results := s.Call(ctx, "com.x", wamp.Args(0, 9), option)
				if with == "later" {
					<-results
					r.Cut(s.ID())
				}
				_, err := results.Final()
				var unknown *wamp.OutcomeUnknown
				if calls > 10 || !errors.As(err, &unknown) {
					t.Errorf("%d calls, %v", calls, err)
				}
			})
		})
	}
}
