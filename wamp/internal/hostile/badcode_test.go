package hostile_test

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
		log.Has(t, "DEBUG", "registration ended with its context", "com.example.own")
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
				log.Has(t, "connection lost")
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
