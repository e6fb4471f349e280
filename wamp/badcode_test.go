package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// badError is an error one of whose methods panics, or ends its goroutine.
type badError struct {
	method string
	slip   func()
}

func (e *badError) do(method string) {
	if e.method == method {
		e.slip()
	}
}
func (e *badError) Error() string { e.do("Error"); return "a bad error" }
func (e *badError) Unwrap() error { e.do("Unwrap"); return nil }
func (e *badError) Is(error) bool { e.do("Is"); return false }
func (e *badError) As(any) bool   { e.do("As"); return false }

// listError has no comparison.
type listError []error

func (listError) Error() string { return "a list" }

// loopError wraps itself.
type loopError struct{}

func (*loopError) Error() string   { return "a loop" }
func (e *loopError) Unwrap() error { return e }

// eachBadError runs f with errors that must not be trusted.
func eachBadError(t *testing.T, f func(t *testing.T, bad error)) {
	t.Helper()
	all := map[string]error{"a nil pointer": (*badError)(nil), "without comparison": listError{}, "wraps itself": new(loopError),
		"wrapped": fmt.Errorf("over: %w", &badError{"Is", func() { panic("a slip") }})}
	for _, method := range []string{"Error", "Unwrap", "Is", "As"} {
		all[method+" panics"] = &badError{method, func() { panic("a slip") }}
		all[method+" goexits"] = &badError{method, runtime.Goexit}
	}
	for name, bad := range all {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, bad) }) })
	}
}

// answers checks that a session works, without anybody's help.
func answers(t *testing.T, s *wamp.Session) {
	t.Helper()
	if _, err := s.Call(within(t, time.Second), "com.example.none", wamp.Args()).Final(); wamp.ErrorURI(err) != proto.ErrURINoSuchProcedure {
		t.Error("the session does not work")
	}
}

// The cause of a context is an error of the user's, which the actor must not ask.
func TestBadErrorAsCause(t *testing.T) {
	eachBadError(t, func(t *testing.T, bad error) {
		r := wamptest.NewRouter(t)
		var log logged
		s, c := join(t, r, log.Option()), join(t, r)
		hung(t, c, "com.example.hang")
		ctx, cancel := context.WithCancelCause(t.Context())
		ends := []func(){}
		results := s.Call(ctx, "com.example.hang", wamp.Args())
		chunks := s.CallStream(ctx, "com.example.hang", make(chan wamp.Payload))
		acks := s.PublishStream(ctx, "com.example.topic", make(chan wamp.Payload))
		states := s.States(ctx)
		sub, err := s.Subscribe(ctx, "com.example.topic")
		if err != nil {
			t.Fatal(err)
		}
		reg, err := s.Register(ctx, "com.example.own")
		if err != nil {
			t.Fatal(err)
		}
		_, changes, err := meta.Of(s).FollowSessions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, func() { lastErr(results) }, func() { lastErr(chunks) }, func() { allAcks(acks) }, toEnd(states), toEnd(sub.Events()),
			toEnd(reg.Invocations()), toEnd(changes))
		synctest.Wait()
		cancel(bad)
		for i, end := range ends {
			endsWithin(t, fmt.Sprint("stream ", i), 0, func() error { end(); return nil })
		}
		for i, err := range []error{lastErr(s.Call(ctx, "com.example.hang", wamp.Args())), lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(), wamp.Acknowledge())), sub.Err(), reg.Err()} {
			if op := (*wamp.OpError)(nil); err == nil || !errors.As(err, &op) {
				t.Errorf("operation %d: no error", i)
			}
		}
		log.Has(t, "INFO", "registration", "com.example.own")
		answers(t, s)
	})
}

func toEnd[T any](ch <-chan T) func() {
	return func() {
		for range ch {
		}
	}
}

// What handlers and producers return costs their invocation and stream.
func TestBadErrorOfHandlers(t *testing.T) {
	eachBadError(t, func(t *testing.T, bad error) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		handle(t, s, "com.example.returns", func(context.Context, *wamp.Invocation) error { return bad }, wamp.Concurrency(1))
		handle(t, s, "com.example.fails", func(_ context.Context, inv *wamp.Invocation) error { _ = inv.Fail(bad); return nil }, wamp.Concurrency(1))
		reg, err := s.Register(t.Context(), "com.example.channel")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for inv := range reg.Invocations() {
				go func() { _ = inv.Fail(bad) }()
			}
		}()
		for _, procedure := range []string{"com.example.returns", "com.example.returns", "com.example.fails", "com.example.fails", "com.example.channel"} {
			if _, err := c.Call(within(t, time.Second), procedure, wamp.Args()).Final(); wamp.ErrorURI(err) != proto.ErrURIRuntimeError {
				t.Errorf("%s: %v", procedure, err)
			}
		}
		produce := func(context.Context, func(wamp.Payload) error) error { return bad }
		begun := func(_ context.Context, send func(wamp.Payload) error) error {
			return errors.Join(send(wamp.Args(1)), bad)
		}
		for _, p := range []func(context.Context, func(wamp.Payload) error) error{produce, begun} {
			if lastErr(s.CallFunc(t.Context(), "com.example.channel", p)) == nil {
				t.Error("CallFunc: no error")
			}
			if acks := allAcks(s.PublishFunc(t.Context(), "com.example.topic", p)); acks[len(acks)-1].Err == nil {
				t.Error("PublishFunc: no error")
			}
		}
		answers(t, s)
		if err := endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) }); err != nil {
			t.Error(err)
		}
	})
}

// badConn is a connection whose methods return an error of the user's.
type badConn struct {
	transport.Conn
	read, write, ping atomic.Pointer[error]
}

func failing(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *badConn) Read() ([]byte, error) {
	b, err := c.Conn.Read()
	if bad := failing(&c.read); bad != nil {
		return nil, bad
	}
	return b, err
}

func (c *badConn) Write(b *transport.Batch) error {
	if bad := failing(&c.write); bad != nil {
		return bad
	}
	return c.Conn.Write(b)
}

func (c *badConn) Ping(ctx context.Context) error {
	if bad := failing(&c.ping); bad != nil {
		return bad
	}
	return c.Conn.Ping(ctx)
}

// What a connection, a dialer and a provider return is a loss, or a failed
// attempt.
func TestBadErrorOfConnections(t *testing.T) {
	for _, where := range []string{"Read", "Write", "Ping", "dialer", "provider"} {
		t.Run(where, func(t *testing.T) {
			eachBadError(t, func(t *testing.T, bad error) {
				var log logged
				var last *badConn
				dials, logins := 0, 0
				r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")))
				options := []wamp.Option{log.Option(), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second}),
					wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
						if dials++; where == "dialer" && dials > 1 && dials < 4 {
							return nil, bad
						}
						conn, err := r.Dial(ctx, p)
						last = &badConn{Conn: conn}
						return last, err
					}),
					wamp.WithAuth(authn.Ticket("joe", func(context.Context, authn.Request) (string, error) {
						if logins++; where == "provider" && logins > 1 && logins < 4 {
							return "", bad
						}
						return "t", nil
					}, authn.AllowPlaintext())), wamp.WithReconnect(quick())}
				s, err := wamp.Connect(t.Context(), "", "realm1", options...)
				if err != nil {
					t.Fatal(err)
				}
				id := s.ID()
				go toEnd(s.States(t.Context()))()
				switch where {
				case "Read":
					last.read.Store(&bad)
				case "Write":
					last.write.Store(&bad)
				case "Ping":
					last.ping.Store(&bad)
				default:
					r.Cut(id)
				}
				s.Call(t.Context(), "com.example.none", wamp.Args()) // something is written, and something comes
				<-time.After(10 * time.Minute)
				if answers(t, s); s.ID() == id {
					t.Error("it did not come back")
				}
				log.Has(t, "the connection is lost")
				if where != "dialer" && where != "provider" && s.Err() != nil {
					t.Error("it has ended")
				}
				if err := endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What the library makes of an error of the user's is still that error.
func TestErrorsOfUsersAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine := &badError{}
		dial := func(context.Context, []transport.Protocol) (transport.Conn, error) { return nil, mine }
		_, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(dial))
		if found := (*badError)(nil); !errors.Is(err, mine) || !errors.As(err, &found) || found != mine || !strings.Contains(err.Error(), "a bad error") {
			t.Error(err)
		}
		// A library's error below counts as what it is.
		refused := fmt.Errorf("my dialer: %w", overError{&transport.HandshakeError{Status: 401}})
		n := 0
		_, err = wamp.Connect(t.Context(), "", "realm1", wamp.WithReconnect(wamp.Backoff{Initial: true, Attempts: 3}), wamp.WithTransport(
			func(context.Context, []transport.Protocol) (transport.Conn, error) { n++; return nil, refused }))
		if err == nil || n != 1 {
			t.Errorf("%d attempts: %v", n, err)
		}
	})
}

type overError struct{ err error }

func (e overError) Error() string { return e.err.Error() }
func (e overError) Unwrap() error { return e.err }

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

// saying is a marshaler that fails with an error of the user's.
type saying struct{ err error }

func (m saying) MarshalJSON() ([]byte, error) { return nil, m.err }
func (m saying) MarshalCBOR() ([]byte, error) { return nil, m.err }

func panics(f func()) (yes bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { yes = recover() != nil }()
		f()
	}()
	<-done
	return yes
}

// What a marshaler says costs the operation.
func TestBadErrorOfMarshalers(t *testing.T) {
	for _, serializer := range []codec.Codec{codec.CBOR, codec.JSON} {
		eachBadError(t, func(t *testing.T, bad error) {
			if e, ok := bad.(*badError); strings.Contains(t.Name(), "itself") || ok && e != nil && !panics(e.slip) { //nolint:errorlint // as it is
				return // that costs the caller's goroutine
			}
			r := wamptest.NewRouter(t)
			s, c := join(t, r, wamp.WithSerializers(serializer)), join(t, r)
			v := wamp.Args(saying{bad})
			for i, err := range []error{
				lastErr(s.Call(t.Context(), "com.example.none", v)),
				lastAck(s.Publish(t.Context(), "com.example.topic", v)),
				lastAck(s.PublishStream(t.Context(), "com.example.topic", filled(v))),
				lastErr(s.CallStream(t.Context(), "com.example.none", filled(wamp.Args(1), v))),
			} {
				if encode := (*wamp.EncodeError)(nil); !errors.As(err, &encode) && i < 3 || err == nil {
					t.Errorf("operation %d: %v", i, err == nil)
				}
			}
			handle(t, s, "com.example.returns", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(v) })
			if _, err := c.Call(within(t, time.Second), "com.example.returns", wamp.Args()).Final(); wamp.ErrorURI(err) != proto.ErrURIInvalidPayload {
				t.Error(err)
			}
			answers(t, s)
		})
	}
}

// Values that no constructor has made, and bounds that are too large, are errors.
func TestOddValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		only := func(_ any, err error) error { return err }
		var n int
		noMore := wamp.Results(nil)
		s := join(t, r)
		handle(t, s, "com.example.echo", echo)
		results := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
		if _, err := results.Final(); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"nil Results":    only(noMore.Final()),
			"read Results":   only(results.Final()),
			"nil Acks":       only(wamp.Acks(nil).Wait()),
			"Raw":            wamp.Raw(nil, []byte("[1]"), nil).Scan(&n),
			"serializer":     only(wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithSerializers(codec.JSON, nil))),
			"window":         only(wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithWindow(1, math.MaxInt))),
			"no Payload":     wamp.Payload{}.Scan(&n),
			"Call of Raw":    lastErr(s.Call(t.Context(), "com.example.echo", wamp.Raw(nil, []byte("[1]"), nil))),
			"Publish of Raw": lastAck(s.Publish(t.Context(), "com.example.topic", wamp.Raw(nil, []byte("[1]"), nil))),
		} {
			if err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		for _, err := range noMore.All() {
			if err == nil {
				t.Error("nil Results have a result")
			}
		}
	})
}

// The longest times and the largest bounds are as good as none.
func TestLargestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = time.Duration(math.MaxInt64)
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.AckTimeout(long), wamp.CloseTimeout(long), wamp.DialTimeout(long), wamp.LoginTimeout(long), wamp.WithMemory(math.MaxInt64),
			wamp.WithOutbound(math.MaxInt), wamp.WithWindow(math.MaxInt, 1<<10), wamp.WithKeepalive(wamp.Keepalive{Interval: long, Timeout: long}),
			wamp.WithReconnect(wamp.Backoff{Min: long, Max: long, Time: long, Hold: long, Attempts: math.MaxInt}))
		handle(t, s, "com.example.echo", echo, wamp.ChunkIdle(long), wamp.Concurrency(math.MaxInt), wamp.Buffer(math.MaxInt, math.MaxInt))
		subscribe(t, s, "com.example.topic", wamp.Buffer(math.MaxInt, math.MaxInt))
		far, cancel := context.WithDeadline(t.Context(), time.Unix(1<<60, 0))
		defer cancel()
		for i, err := range []error{
			lastErr(s.Call(far, "com.example.echo", wamp.Args(1), wamp.Timeout(long), wamp.PassDeadline(true))),
			lastErr(s.Call(far, "com.example.echo", wamp.Args(1), wamp.KillGrace(long), wamp.CancelMode(wamp.Kill), wamp.Buffer(math.MaxInt, math.MaxInt))),
			lastErr(s.CallStream(far, "com.example.echo", filled(wamp.Args(1), wamp.Args(2)))),
			lastAck(s.PublishStream(far, "com.example.topic", filled(wamp.Args(1)))),
		} {
			if err != nil {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		if err := endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) }); err != nil {
			t.Error(err)
		}
	})
}
