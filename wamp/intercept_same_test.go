package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// sameWorld is a world in which something is done, and what is seen of it.
type sameWorld struct {
	t     *testing.T
	r     *wamptest.Router
	s, sl *wamp.Session
	out   []string
	began time.Time
}

func (w *sameWorld) say(format string, args ...any) {
	w.out = append(w.out, fmt.Sprint(time.Since(w.began).Round(time.Millisecond), " ")+fmt.Sprintf(format, args...))
}

// read reads a call to its end.
func (w *sameWorld) read(name string, results wamp.Results) {
	n := 0
	for r := range results {
		if n++; r.Progress {
			continue
		}
		args, _ := r.Args()
		if len(fmt.Sprint(args)) > 100 {
			args = nil
		}
		w.say("%s: %d %v %v", name, n, args, r.Err)
	}
}

// slowly is a handler of many progressive results, then of a result after 5 s, or one second
// behind an interrupt.
func slowly(ctx context.Context, inv *wamp.Invocation) error {
	for n := range 200 {
		if err := inv.Progress(wamp.Args(n)); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		<-time.After(time.Second)
		return inv.Return(wamp.Args("interrupted"))
	case <-time.After(5 * time.Second):
	}
	return inv.Return(wamp.Args("done"))
}

// TestInterceptNothingIsTheSame does everything twice: with interceptors that do nothing, and
// without any. What is seen is the same, and at the same time. It is not where consumers do not
// read: with interceptors a channel has no room of its own.
func TestInterceptNothingIsTheSame(t *testing.T) {
	for name, f := range sameCases {
		t.Run(name, func(t *testing.T) {
			var outs [][]string
			for _, with := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					o := append(idle(with), wamp.WithReconnect(quick()))
					r := wamptest.NewRouter(t)
					w := &sameWorld{t: t, r: r, s: join(t, r, o...), sl: join(t, r, o...), began: time.Now()}
					f(w)
					<-time.After(time.Minute) // handlers that were interrupted end, before Close would name them
					synctest.Wait()
					outs = append(outs, w.out)
				})
			}
			if len(outs) != 2 || len(outs[0]) == 0 || !slices.Equal(outs[0], outs[1]) {
				t.Errorf("without and with:\n%s", strings.Join(slices.Concat(outs...), "\n"))
			}
		})
	}
}

// sameCases are the things that are done.
var sameCases = map[string]func(w *sameWorld){
	"big": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", echo)
		w.read("call", w.s.Call(w.t.Context(), "com.x", wamp.Args(text(1, 1<<20))))
		sub := subscribe(w.t, w.s, "com.t")
		_, err := w.sl.Publish(w.t.Context(), "com.t", wamp.Args(text(1, 1<<20)), wamp.Acknowledge()).Wait()
		ev := <-sub.Events()
		var s string
		w.say("%v %v %v", err, ev.Scan(&s), len(s))
	},
	"too big": func(w *sameWorld) {
		w.read("call", w.s.Call(w.t.Context(), "com.x", wamp.Args(text(1, 17<<20))))
		_, err := w.sl.Publish(w.t.Context(), "com.t", wamp.Args(text(1, 17<<20)), wamp.Acknowledge()).Wait()
		w.say("%v", err)
	},
	"kill": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", slowly)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		w.read("call", w.s.Call(ctx, "com.x", wamp.Args(1), wamp.CancelMode(wamp.Kill)))
		ctx, cancel = context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		_, err := wamp.Call[string](ctx, w.s, "com.x", wamp.Args(1), wamp.CancelMode(wamp.Kill))
		w.say("%v", err)
		ctx, cancel = context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		w.read("prog", w.s.Call(ctx, "com.x", wamp.Args(1), wamp.CancelMode(wamp.Kill), wamp.Progressive()))
	},
	"deadline without timeouts": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", slowly, wamp.ForwardTimeout())
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		w.read("call", w.s.Call(ctx, "com.x", wamp.Args(1)))
		w.read("timeout", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Timeout(time.Second)))
		w.read("timeout p", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Timeout(time.Second), wamp.Progressive()))
		w.read("forward", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Timeout(time.Second), wamp.Progressive()))
	},
	"empty stream": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			for range inv.Chunks() {
				n++
			}
			return inv.Return(wamp.Args(n))
		})
		w.read("none", w.s.CallStream(w.t.Context(), "com.x", upTo(0)))
		w.read("five", w.s.CallStream(w.t.Context(), "com.x", upTo(5)))
		ch := make(chan wamp.Payload, 2)
		ch <- wamp.Args(1).Last()
		w.read("last first", w.s.CallStream(w.t.Context(), "com.x", ch))
		ch <- wamp.Args(1)
		ch <- wamp.Payload{}.Last()
		w.read("last empty", w.s.CallStream(w.t.Context(), "com.x", ch))
		ch <- wamp.Payload{}
		ch <- wamp.Args(2).Last()
		w.read("empty first", w.s.CallStream(w.t.Context(), "com.x", ch))
		ch <- wamp.Args(1)
		ch <- wamp.Args(make(chan int))
		w.read("bad", w.s.CallStream(w.t.Context(), "com.x", ch))
		ch <- wamp.Args(make(chan int))
		w.read("bad first", w.s.CallStream(w.t.Context(), "com.x", ch))
		w.read("error", w.s.CallFunc(w.t.Context(), "com.x", func(_ context.Context, send func(wamp.Payload) error) error {
			_ = send(wamp.Args(1))
			return errors.New("mine")
		}))
		w.read("error first", w.s.CallFunc(w.t.Context(), "com.x", func(_ context.Context, send func(wamp.Payload) error) error {
			return errors.New("mine")
		}))
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		w.read("ctx first", w.s.CallStream(ctx, "com.x", make(chan wamp.Payload)))
		ctx, cancel = context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		ch = make(chan wamp.Payload, 1)
		ch <- wamp.Args(1)
		w.read("ctx later", w.s.CallStream(ctx, "com.x", ch))
		w.read("bad uri", w.s.CallStream(ctx, "com x", ch))
		w.read("nobody", w.s.CallStream(w.t.Context(), "com.nobody", upTo(3)))
	},
	"all": func(w *sameWorld) {
		for range 3 {
			handle(w.t, w.sl, "com.x", echo, wamp.Invoke(wamp.First))
			w.sl = join(w.t, w.r)
		}
		w.read("all", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Progressive(), wamp.RunMode(wamp.All)))
		w.read("all", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.RunMode(wamp.All)))
	},
	"cut": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", slowly)
		go func() { <-time.After(time.Second); w.r.Cut(w.s.ID()) }()
		w.read("call", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Progressive()))
		go func() { <-time.After(time.Second); w.r.Cut(w.s.ID()) }()
		w.read("idempotent", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), wamp.Idempotent()))
		go func() { <-time.After(time.Second); _ = w.s.Close(context.Background()) }()
		w.read("closed", w.s.Call(w.t.Context(), "com.x", wamp.Args(1)))
		w.read("after", w.s.Call(w.t.Context(), "com.x", wamp.Args(1)))
		_, err := w.s.Publish(w.t.Context(), "com.x", wamp.Args(1), wamp.Acknowledge()).Wait()
		w.say("%v", err)
		w.say("%v", allAcks(w.s.PublishStream(w.t.Context(), "com.x", upTo(3))))
		_, err = w.s.Subscribe(w.t.Context(), "com.x")
		w.say("%v", err)
		w.read("after", w.s.CallStream(w.t.Context(), "com.x", upTo(3)))
	},
	"close unread little": func(w *sameWorld) {
		handle(w.t, w.sl, "com.x", countTo)
		res := w.s.Call(w.t.Context(), "com.x", wamp.Args(20), wamp.Progressive())
		<-time.After(10 * time.Second)
		w.say("%v", w.s.Close(context.Background()))
		w.read("call", res)
	},
	"history": func(w *sameWorld) {
		subscribe(w.t, w.sl, "com.h")
		publish(w.t, w.sl, "com.h", 1, 10)
		for _, how := range []string{"Events", "All"} {
			sub, err := w.s.Subscribe(w.t.Context(), "com.h", wamp.FromHistory(wamp.HistoryQuery{}))
			if err != nil {
				w.say("%v", err)
				return
			}
			n := 0
			if how == "Events" {
				for range sub.Events() {
					if n++; n == 9 {
						break
					}
				}
			} else {
				for range sub.All() {
					if n++; n == 9 {
						break
					}
				}
			}
			w.say("%s %d", how, n)
			_ = sub.Unsubscribe(w.t.Context())
		}
		n := 0
		_, err := w.s.SubscribeFunc(w.t.Context(), "com.h", func(_ context.Context, ev wamp.Event) error { n++; return nil }, wamp.FromHistory(wamp.HistoryQuery{}))
		<-time.After(time.Second)
		w.say("%v %d", err, n)
	},
	"acks": func(w *sameWorld) {
		for _, o := range [][]wamp.PublishStreamOption{nil, {wamp.GoOn()}, {wamp.Window(1)}, {wamp.Window(2), wamp.GoOn(), wamp.Idempotent()}} {
			ch := make(chan wamp.Payload, 5)
			ch <- wamp.Args(1)
			ch <- wamp.Args(make(chan int))
			time.AfterFunc(time.Second, func() { // or it may have been taken before the error was seen
				ch <- wamp.Args(2)
				close(ch)
			})
			var errs []error
			for _, a := range allAcks(w.s.PublishStream(w.t.Context(), "com.x", ch, o...)) {
				errs = append(errs, a.Err)
			}
			<-time.After(time.Minute)
			w.say("%v", errs)
		}
	},
	"masked": func(w *sameWorld) {
		for i, e := range []error{errors.New("x"), wamp.ErrNotAuthorized, wamp.Errorf(wamp.ErrInvalidArgument, "line %d", 3), context.Canceled, nil} {
			p := fmt.Sprint("com.e", i)
			handle(w.t, w.sl, p, func(_ context.Context, inv *wamp.Invocation) error {
				if e == nil {
					panic("boom")
				}
				return e
			})
			w.read(p, w.s.Call(w.t.Context(), p, wamp.Args(1)))
		}
	},
	"bad results": func(w *sameWorld) {
		said := make(chan string, 10)
		handle(w.t, w.sl, "com.x", func(_ context.Context, inv *wamp.Invocation) error {
			said <- fmt.Sprint(inv.Progress(wamp.Args(make(chan int))))
			err := inv.Return(wamp.Args(make(chan int)))
			said <- fmt.Sprintf("%v; %v", err, inv.Return())
			return nil
		})
		for _, options := range [][]wamp.CallOption{{wamp.Progressive()}, nil} {
			w.read("call", w.s.Call(w.t.Context(), "com.x", wamp.Args(1), options...))
			w.say("%s", <-said)
			w.say("%s", <-said)
		}
	},
}
