package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// badContext is a context one of whose methods panics or ends its goroutine, from
// the beginning or once it has ended.
type badContext struct {
	context.Context
	method string
	slip   func()
	late   bool
}

func (c *badContext) do(method string) {
	if c.method == method && (!c.late || c.Context.Err() != nil) {
		c.slip()
	}
}

func (c *badContext) Done() <-chan struct{}       { c.do("Done"); return c.Context.Done() }
func (c *badContext) Err() error                  { c.do("Err"); return c.Context.Err() }
func (c *badContext) Value(key any) any           { c.do("Value"); return c.Context.Value(key) }
func (c *badContext) Deadline() (time.Time, bool) { c.do("Deadline"); return c.Context.Deadline() }

// listContext ends with an error that has no comparison, or with none.
type listContext struct {
	context.Context
	err error
}

func (c listContext) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return c.err
}

func (listContext) Value(any) any { return nil }

// onceContext answers once for its deadline.
type onceContext struct {
	context.Context
	has   bool
	asked int
}

func (c *onceContext) Deadline() (time.Time, bool) {
	if c.asked++; c.asked > 1 {
		panic("asked again")
	}
	return time.Now().Add(time.Hour), c.has
}

// The deadline of a context that derives from a user's is not asked for on the
// actor.
func TestDeadlineIsAskedForOnce(t *testing.T) {
	for _, has := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, c := join(t, r), join(t, r)
			handle(t, c, "com.example.own", echo)
			ctx, cancel := context.WithCancel(&onceContext{Context: t.Context(), has: has})
			defer cancel()
			if _, err := s.Call(ctx, "com.example.own", wamp.Args()).Final(); err != nil {
				t.Error(err)
			}
			answers(t, s)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		ctx, cancel := context.WithCancel(&onceContext{Context: t.Context(), asked: 1})
		defer cancel()
		if _, err := s.Call(ctx, "com.example.own", wamp.Args()).Final(); err == nil || !strings.Contains(err.Error(), "the context panicked: asked again") {
			t.Error(err)
		}
		if _, err := s.Publish(ctx, "com.example.topic", wamp.Args()).Wait(); err == nil {
			t.Error("published under a context that panics")
		}
	})
}

// A context of a user's type costs its operation, on the goroutine of whoever
// has passed it.
func TestContextsThatSlip(t *testing.T) {
	type maker = func(context.Context) context.Context
	all := map[string]maker{
		"a nil pointer": func(context.Context) context.Context { return (*badContext)(nil) },
		"nothing in it": func(context.Context) context.Context { return struct{ context.Context }{} },
		"a list":        func(ctx context.Context) context.Context { return listContext{ctx, listError{}} },
		"no error":      func(ctx context.Context) context.Context { return listContext{ctx, nil} },
	}
	for _, method := range []string{"Done", "Err", "Value", "Deadline"} {
		for how, slip := range map[string]func(){"panics": func() { panic("a slip") }, "goexits": runtime.Goexit} {
			all[method+" "+how] = func(ctx context.Context) context.Context { return &badContext{ctx, method, slip, false} }
			all[method+" "+how+" late"] = func(ctx context.Context) context.Context { return &badContext{ctx, method, slip, true} }
			all[method+" "+how+" below"] = func(ctx context.Context) context.Context {
				return context.WithValue(&badContext{ctx, method, slip, false}, &all, 1)
			}
		}
	}
	for name, mk := range all {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(10))
				s, c := join(t, r), join(t, r)
				hung(t, c, "com.example.hang")
				sub := subscribe(t, s, "com.example.topic")
				reg := handle(t, s, "com.example.own", echo)
				base, cancel := context.WithCancel(t.Context())
				ctx := mk(base)
				// try runs f on a goroutine that may end.
				try := func(what string, f func()) {
					t.Helper()
					endsWithin(t, what, 0, func() error {
						done := make(chan any)
						go func() {
							var p any = "not closed"
							defer func() { done <- p }()
							defer func() { p = recover() }()
							f()
						}()
						if p := <-done; p != nil {
							return fmt.Errorf("%v", p)
						}
						return nil
					})
				}
				var ends []func()
				ended := func(f func()) { ends = append(ends, f) }
				produce := func(_ context.Context, send func(wamp.Payload) error) error { return send(wamp.Args(1)) }
				for what, f := range map[string]func(){
					"Call": func() { ended(toEnd(s.Call(ctx, "com.example.hang", wamp.Args()))) },
					"kill": func() {
						ended(toEnd(s.Call(ctx, "com.example.hang", wamp.Args(), wamp.CancelMode(wamp.Kill), wamp.Progressive())))
					},
					"CallFunc":      func() { ended(toEnd(s.CallFunc(ctx, "com.example.hang", produce))) },
					"CallStream":    func() { ended(toEnd(s.CallStream(ctx, "com.example.hang", make(chan wamp.Payload)))) },
					"Publish":       func() { ended(toEnd(s.Publish(ctx, "com.example.topic", wamp.Args()))) },
					"acked":         func() { ended(toEnd(s.Publish(ctx, "com.example.topic", wamp.Args(), wamp.Acknowledge()))) },
					"PublishFunc":   func() { ended(toEnd(s.PublishFunc(ctx, "com.example.topic", produce))) },
					"PublishStream": func() { ended(toEnd(s.PublishStream(ctx, "com.example.topic", make(chan wamp.Payload)))) },
					"Subscribe": func() {
						if sub, err := s.Subscribe(ctx, "com.example.other"); err == nil {
							ended(toEnd(sub.Events()))
						}
					},
					"FromHistory": func() {
						if sub, err := s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); err == nil {
							ended(toEnd(sub.Events()))
						}
					},
					"History": func() { _, _ = sub.History(ctx, wamp.HistoryQuery{}) },
					"Register": func() {
						if reg, err := s.Register(ctx, "com.example.channel"); err == nil {
							ended(toEnd(reg.Invocations()))
						}
					},
					"Handle": func() {
						if _, err := s.Handle(ctx, "com.example.handled", echo); err == nil {
							if _, err := c.Call(within(t, time.Second), "com.example.handled", wamp.Args()).Final(); err != nil {
								t.Error(err)
							}
						}
					},
					"Ping":      func() { _, _ = s.Ping(ctx) },
					"States":    func() { ended(toEnd(s.States(ctx))) },
					"Testament": func() { _ = s.AddTestament(ctx, wamp.Destroyed, "com.example.topic", wamp.Args()) },
					"Flush":     func() { _ = s.FlushTestaments(ctx, wamp.Destroyed) },
					"Meta":      func() { _, _ = meta.Of(s).CountSessions(ctx) },
					"OnJoin": func() {
						if ch, err := meta.Of(s).OnJoin(ctx); err == nil {
							ended(toEnd(ch))
						}
					},
					"Follow": func() {
						if _, ch, err := meta.Of(s).FollowSessions(ctx); err == nil {
							ended(toEnd(ch))
						}
					},
				} {
					try(what, f)
				}
				synctest.Wait()
				cancel()
				for i, end := range ends {
					try(fmt.Sprint("stream ", i), end)
				}
				try("Unsubscribe", func() { _ = sub.Unsubscribe(ctx) })
				try("Unregister", func() { _ = reg.Unregister(ctx) })
				answers(t, s)
				try("Drain", func() { _ = s.Drain(ctx) })
				try("Close", func() { _ = s.Close(ctx) })
				if err := endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A context of a user's type that does nothing wrong is as good as another: its
// values, its deadline, and the cause of its end.
func TestContextsOfUsers(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		hung(t, c, "com.example.hang")
		why := errors.New("enough")
		base, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 7))
		ctx := &badContext{Context: base}
		values := make(chan any, 1)
		if _, err := s.Handle(ctx, "com.example.own", func(ctx context.Context, _ *wamp.Invocation) error { values <- ctx.Value(key{}); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := lastErr(c.Call(t.Context(), "com.example.own", wamp.Args())); err != nil || <-values != 7 {
			t.Error(err)
		}
		sub, err := s.Subscribe(ctx, "com.example.topic")
		if err != nil {
			t.Fatal(err)
		}
		results := s.Call(ctx, "com.example.hang", wamp.Args())
		synctest.Wait()
		cancel(why)
		toEnd(sub.Events())()
		for i, err := range []error{lastErr(results), sub.Err(), lastErr(s.Call(ctx, "com.example.hang", wamp.Args()))} {
			if !errors.Is(err, why) || !errors.Is(err, context.Canceled) || !errors.Is(err, wamp.ErrCanceled) {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		limited, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := lastErr(s.Call(&badContext{Context: limited}, "com.example.hang", wamp.Args())); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		empty(t, s)
	})
}
