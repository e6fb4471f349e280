package wamp_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// numbering is a callee that sends the numbering behind the one it is given, one a second, up
// to the second one it is given, which is its result.
func numbering(ctx context.Context, inv *wamp.Invocation) error {
	var after, last int
	if err := inv.Scan(&after, &last); err != nil {
		return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
	}
	for n := after + 1; n < last; n++ {
		if err := inv.Progress(wamp.Args(n)); err != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return inv.Return(wamp.Args(last))
}

// after makes a Resume that goes on behind the last number.
func after(last int) wamp.CallOption {
	return wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) {
		var n int
		if d.Count > 0 && d.Last.Scan(&n) != nil {
			return wamp.Payload{}, false
		}
		return wamp.Args(n, last), true
	})
}

// TestResumeGoesOn cuts links and restarts routers under streams of each form.
func TestResumeGoesOn(t *testing.T) {
	const last = 60
	forms := map[string]func(ctx context.Context, s *wamp.Session, more ...wamp.CallOption) (all []int, resumed int, err error){
		"Session.Call": func(ctx context.Context, s *wamp.Session, more ...wamp.CallOption) (all []int, resumed int, err error) {
			for r := range s.Call(ctx, "com.x", wamp.Args(0, last), append(more, after(last))...) {
				if err = r.Err; err != nil {
					break
				}
				if r.Resumed {
					resumed++
				}
				var n int
				err = r.Scan(&n)
				all = append(all, n)
			}
			return all, resumed, err
		},
		"Stream": func(ctx context.Context, s *wamp.Session, more ...wamp.CallOption) (all []int, resumed int, err error) {
			for n, err := range wamp.Stream[int](ctx, s, "com.x", wamp.Args(0, last), append(more, after(last))...) {
				if err != nil {
					return all, 5, err
				}
				all = append(all, n)
			}
			return all, 5, nil
		},
	}
	for name, form := range forms {
		for _, backoff := range []wamp.Backoff{quick(), {FailFast: true}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, callee := join(t, r, wamp.WithReconnect(backoff)), join(t, r, wamp.WithReconnect(quick()))
					handle(t, callee, "com.x", numbering)
					go func() {
						<-time.After(5500 * time.Millisecond)
						r.Cut(s.ID())
						<-time.After(5500 * time.Millisecond)
						r.Restart()
						<-time.After(5500 * time.Millisecond)
						r.RefuseDials(3, errors.New("not now"))
						r.Cut(s.ID())
						<-time.After(10 * time.Second)
						r.Restart() // the callee is away for a while
						r.Cut(s.ID())
						<-time.After(15 * time.Second)
						r.CutAll()
					}()
					all, resumed, err := form(t.Context(), s)
					if err != nil || len(all) != last || resumed < 4 {
						t.Fatalf("%v, %d times resumed, %v", all, resumed, err)
					}
					for i, n := range all {
						if n != i+1 {
							t.Fatalf("%v", all)
						}
					}
				})
			})
		}
	}
}

// TestResumeEnds has the ends of calls that are not, or not any more, resumed.
func TestResumeEnds(t *testing.T) {
	never := func(d wamp.Delivered) (wamp.Payload, bool) { return wamp.Payload{}, false }
	type setup struct {
		r      *wamptest.Router
		s, sl  *wamp.Session // sl calls, s is its callee
		cancel context.CancelFunc
	}
	for name, c := range map[string]struct {
		resume  func(wamp.Delivered) (wamp.Payload, bool)
		options []wamp.CallOption
		harm    func(x *setup)
		is      func(err error) bool
	}{
		"it says no": {never, nil, func(x *setup) { x.r.Cut(x.s.ID()) }, func(err error) bool {
			var u *wamp.OutcomeUnknown
			return errors.As(err, &u) && u.Delivered == 3 && !errors.Is(err, wamp.ErrSessionClosed)
		}},
		"it panics": {func(wamp.Delivered) (wamp.Payload, bool) { panic("no") }, nil, func(x *setup) { x.r.Cut(x.s.ID()) }, func(err error) bool {
			var u *wamp.OutcomeUnknown
			return err != nil && !errors.As(err, &u)
		}},
		"it calls Goexit": {func(wamp.Delivered) (wamp.Payload, bool) { runtime.Goexit(); return wamp.Payload{}, true }, nil, func(x *setup) { x.r.Cut(x.s.ID()) }, func(err error) bool { return err != nil }},
		"it cannot be sent": {func(wamp.Delivered) (wamp.Payload, bool) { return wamp.Args(make(chan int)), true }, nil, func(x *setup) { x.r.Cut(x.s.ID()) }, func(err error) bool {
			var e *wamp.EncodeError
			return errors.As(err, &e)
		}},
		"ctx ends while it waits": {nil, nil, func(x *setup) {
			x.r.RefuseDials(1<<30, errors.New("not now"))
			x.r.Cut(x.s.ID())
			<-time.After(time.Second)
			x.cancel()
		}, func(err error) bool {
			var e *wamp.CanceledError
			return errors.As(err, &e) && e.Offline != nil && errors.Is(err, context.Canceled)
		}},
		"Timeout runs on": {nil, []wamp.CallOption{wamp.Timeout(2 * time.Second)}, func(x *setup) {
			x.r.RefuseDials(1<<30, errors.New("not now"))
			x.r.Cut(x.s.ID())
		}, func(err error) bool { return errors.Is(err, wamp.ErrTimeout) }},
		"the session closes": {nil, nil, func(x *setup) {
			x.r.RefuseDials(1<<30, errors.New("not now"))
			x.r.Cut(x.s.ID())
			<-time.After(time.Second)
			_ = x.s.Close(context.Background())
		}, func(err error) bool {
			var u *wamp.OutcomeUnknown
			return errors.As(err, &u) && u.Delivered == 3 && errors.Is(err, wamp.ErrSessionClosed)
		}},
		"the callee is gone for good": {nil, nil, func(x *setup) {
			_ = x.sl.Close(context.Background())
			x.r.Cut(x.s.ID())
		}, func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				x := &setup{r: r, s: join(t, r, wamp.WithReconnect(quick())), sl: join(t, r, wamp.WithReconnect(quick()))}
				handle(t, x.sl, "com.x", numbering)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				x.cancel = cancel
				resume := after(100)
				if c.resume != nil {
					resume = wamp.Resume(c.resume)
				}
				results := x.s.Call(ctx, "com.x", wamp.Args(0, 100), append(c.options, resume)...)
				for range 3 {
					if res := <-results; res.Err != nil {
						t.Fatal(res.Err)
					}
				}
				go c.harm(x)
				var last wamp.Result
				began := time.Now()
				for last = range results {
				}
				if !c.is(last.Err) {
					t.Errorf("%v (%#v) after %v", last.Err, last.Err, time.Since(began))
				}
			})
		})
	}
}

// TestResumeIsNotForCancelled has a peer that cancels a call which nobody of ours has
// cancelled.
func TestResumeIsNotForCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		ran := 0
		handle(t, s, "com.x", func(_ context.Context, inv *wamp.Invocation) error { ran++; return wamp.ErrCanceled })
		_, err := s.Call(t.Context(), "com.x", wamp.Args(0, 3), after(3)).Final()
		if !errors.Is(err, wamp.ErrCanceled) || errors.Is(err, context.Canceled) || ran != 1 {
			t.Errorf("ran %d times: %v", ran, err)
		}
	})
}

// TestResumeSlowReader does not read while its link is lost, twice: what has come is
// delivered first.
func TestResumeSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, wamp.WithReconnect(quick())), join(t, r, wamp.WithReconnect(quick()))
		handle(t, callee, "com.x", numbering)
		results := s.Call(t.Context(), "com.x", wamp.Args(0, 200), after(200))
		for range 2 {
			<-time.After(50 * time.Second)
			r.Cut(s.ID())
		}
		<-time.After(50 * time.Second)
		want := 1
		for res := range results {
			if got := number(t, res.Payload); res.Err != nil || got != want {
				t.Fatalf("%d, want %d: %v", got, want, res.Err)
			}
			want++
		}
		if want != 201 {
			t.Error(want)
		}
	})
}
