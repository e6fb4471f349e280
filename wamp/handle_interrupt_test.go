package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A handler that does not end when it is interrupted keeps its place, but not its
// caller waiting.
func TestHandlerThatIgnoresItsInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
		s, c := join(t, r, log.Option()), join(t, r)
		wake := make(chan struct{})
		late := make(chan error, 1)
		handle(t, s, "com.example.deaf", func(_ context.Context, inv *wamp.Invocation) error {
			<-wake
			late <- inv.Return(wamp.Args("late"))
			return nil
		}, wamp.Concurrency(1))
		reg, err := s.Register(t.Context(), "com.example.channel")
		if err != nil {
			t.Fatal(err)
		}
		for _, procedure := range []string{"com.example.deaf", "com.example.channel"} {
			ctx, cancel := context.WithCancel(t.Context())
			results := c.Call(ctx, procedure, wamp.Args(), wamp.CancelMode(wamp.Kill), wamp.KillGrace(time.Hour))
			synctest.Wait()
			start := time.Now()
			cancel()
			_, err := results.Final()
			if took := time.Since(start); took != 10*time.Second || !errors.Is(err, wamp.ErrCanceled) {
				t.Errorf("%s: after %v: %v", procedure, took, err)
			}
		}
		log.Has(t, "ERROR", "com.example.deaf", "has not ended")
		if inv := <-reg.Invocations(); inv.Context().Err() == nil {
			t.Error("the invocation goes on")
		}
		waiting := c.Call(t.Context(), "com.example.deaf", wamp.Args())
		synctest.Wait()
		if n := len(waiting); n != 0 {
			t.Error("its place was given to another one")
		}
		p.take()
		close(wake)
		if err := <-late; err != nil {
			t.Errorf("the late answer: %v", err)
		}
		if _, err := waiting.Final(); err != nil {
			t.Error(err)
		}
		if got := p.take(proto.Yield, proto.Error); len(got) != 1 {
			t.Errorf("%d answers were sent, one of them too late", len(got))
		}
	})
}

// registered is a registration with a handler, or with a channel.
type registered interface {
	ID() wamp.ID
	Err() error
	Unregister(ctx context.Context) error
}

// What waits for a handler when the registration ends is answered, each once;
// Drain lets it finish.
func TestWaitingInvocationsAreAnswered(t *testing.T) {
	const n, slots = 300, 2
	for name, end := range map[string]func(*wamptest.Router, *wamp.Session, registered, context.CancelFunc){
		"ctx": func(_ *wamptest.Router, _ *wamp.Session, _ registered, cancel context.CancelFunc) { cancel() },
		"unregister": func(_ *wamptest.Router, _ *wamp.Session, reg registered, _ context.CancelFunc) {
			_ = reg.Unregister(context.Background())
		},
		"revoked": func(r *wamptest.Router, _ *wamp.Session, reg registered, _ context.CancelFunc) {
			r.RevokeRegistration(reg.ID(), "com.example.reason")
		},
		"drain": func(_ *wamptest.Router, s *wamp.Session, _ registered, _ context.CancelFunc) {
			_ = s.Drain(context.Background())
		},
	} {
		for _, byChannel := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, c := join(t, r, wamp.CloseTimeout(time.Hour)), join(t, r)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				work := func(_ context.Context, inv *wamp.Invocation) error {
					<-time.After(time.Second)
					return inv.Return(wamp.Args(1))
				}
				var reg registered
				if byChannel {
					read, err := s.Register(ctx, "com.example.work")
					if err != nil {
						t.Fatal(err)
					}
					reg = read
					for range slots {
						go func() {
							for inv := range read.Invocations() {
								_ = work(inv.Context(), inv)
							}
						}()
					}
				} else {
					served, err := s.Handle(ctx, "com.example.work", work, wamp.Concurrency(slots))
					if err != nil {
						t.Fatal(err)
					}
					reg = served
				}
				results := make([]wamp.Results, n)
				for i := range results {
					results[i] = c.Call(t.Context(), "com.example.work", wamp.Args(i))
				}
				<-time.After(1500 * time.Millisecond)
				ended := time.Now()
				end(r, s, reg, cancel)
				good, refused := 0, 0
				for i, res := range results {
					ctx, stop := context.WithTimeout(t.Context(), time.Hour)
					select {
					case last := <-res:
						switch {
						case last.Err == nil:
							good++
						case errors.Is(last.Err, wamp.ErrNoAvailableCallee), errors.Is(last.Err, wamp.ErrUnavailable):
							refused++
						default:
							t.Errorf("%s: call %d: %v", name, i, last.Err)
						}
					case <-ctx.Done():
						t.Fatalf("%s, channel %v: call %d was never answered", name, byChannel, i)
					}
					stop()
				}
				switch {
				case name == "drain":
					if good != n {
						t.Errorf("Drain, channel %v: %d results, %d refused", byChannel, good, refused)
					}
				case good < slots || good > 3*slots || good+refused != n || time.Since(ended) > 2*time.Second:
					t.Errorf("%s, channel %v: %d results, %d refused, after %v", name, byChannel, good, refused, time.Since(ended))
				}
				if name != "drain" {
					if err := endsWithin(t, "Drain", 0, func() error { return s.Drain(context.Background()) }); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
}
