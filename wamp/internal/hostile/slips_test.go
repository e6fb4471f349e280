package hostile_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What handlers do by mistake costs the invocation, is told to the caller as an
// error, and to the developer in the log.
func TestHandlersThatSlip(t *testing.T) {
	for name, tt := range map[string]struct {
		handler wamp.Handler
		uri     string
		log     []string
	}{
		"panics":  {func(context.Context, *wamp.Invocation) error { panic("a slip") }, proto.ErrURIRuntimeError, []string{"ERROR", "user code panicked", "com.example.slip", "a slip", "slips_test.go"}},
		"nil map": {func(context.Context, *wamp.Invocation) error { nilMap()["a"] = 1; return nil }, proto.ErrURIRuntimeError, []string{"ERROR", "nil map"}},
		"goexits": {func(context.Context, *wamp.Invocation) error { runtime.Goexit(); return nil }, proto.ErrURIRuntimeError, []string{"ERROR", "runtime.Goexit", "slips_test.go"}},
		"error":   {func(context.Context, *wamp.Invocation) error { return errors.New("database is down") }, proto.ErrURIRuntimeError, []string{"WARN", "masked", "com.example.slip", "database is down"}},
		"scan error": {func(_ context.Context, inv *wamp.Invocation) error { var n int; return inv.Scan(&n) }, proto.ErrURIRuntimeError,
			[]string{"WARN", "masked", "args[0]"}},
		"empty URI":      {func(context.Context, *wamp.Invocation) error { return wamp.NewError("", wamp.Args("x")) }, proto.ErrURIRuntimeError, []string{"WARN", "masked", "URI"}},
		"no URI":         {func(context.Context, *wamp.Invocation) error { return &wamp.Error{} }, proto.ErrURIRuntimeError, []string{"WARN", "masked"}},
		"bad URI":        {func(context.Context, *wamp.Invocation) error { return wamp.NewError("bad file", wamp.Args()) }, proto.ErrURIRuntimeError, []string{"WARN", "masked", "bad file"}},
		"empty part":     {func(context.Context, *wamp.Invocation) error { return wamp.NewError("com..x", wamp.Args()) }, proto.ErrURIRuntimeError, []string{"WARN", "masked", "com..x"}},
		"nil Error":      {func(context.Context, *wamp.Invocation) error { var e *wamp.Error; return e }, proto.ErrURIRuntimeError, nil},
		"Error panics":   {func(context.Context, *wamp.Invocation) error { return panickingError{} }, proto.ErrURIRuntimeError, []string{"WARN", "masked", "panics"}},
		"fails with nil": {func(_ context.Context, inv *wamp.Invocation) error { return inv.Fail(nil) }, proto.ErrURIRuntimeError, nil},
		"bad payload": {func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(make(chan int))) }, proto.ErrURIInvalidPayload,
			[]string{"ERROR", "answer not sent", "com.example.slip", "args[0]"}},
		"bad error payload": {func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("com.example.own", wamp.Args(make(chan int)))
		}, proto.ErrURIInvalidPayload,
			[]string{"ERROR", "answer not sent"}},
		"contains itself": {func(_ context.Context, inv *wamp.Invocation) error {
			loop := &tree{}
			loop.Child = []*tree{{Parent: loop}}
			return inv.Return(wamp.Args(loop))
		}, proto.ErrURIInvalidPayload, []string{"ERROR", "answer not sent", "com.example.slip"}},
		"marshaler panics": {func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args(panickingMarshaler{}))
		}, proto.ErrURIInvalidPayload, []string{"ERROR", "user code panicked", "a marshaler", "slips_test.go"}},
		"marshaler goexits": {func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(exitingMarshaler{})) }, proto.ErrURIInvalidPayload, nil},
		"marshaler of an error panics": {func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("com.example.own", wamp.Args(panickingMarshaler{}))
		}, proto.ErrURIInvalidPayload, nil},
		"progress panics": {func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Progress(wamp.Args(panickingMarshaler{}))
		}, proto.ErrURIRuntimeError, []string{"ERROR", "user code panicked", "a marshaler", "slips_test.go"}},
		"progress exits": {func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Progress(wamp.Args(exitingMarshaler{}))
		}, proto.ErrURIRuntimeError, nil},
		"answers, then panics": {func(_ context.Context, inv *wamp.Invocation) error { _ = inv.Return(wamp.Args(1)); panic("behind") }, "",
			[]string{"ERROR", "panicked", "behind"}},
		"two answers": {func(_ context.Context, inv *wamp.Invocation) error {
			_ = inv.Return(wamp.Args(1))
			return errors.New("no")
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, c := join(t, r, log.Option()), join(t, r)
				handle(t, s, "com.example.slip", tt.handler, wamp.Concurrency(1))
				handle(t, s, "com.example.echo", echo)
				for range 3 { // and its place is free again
					_, err := c.Call(within(t, time.Second), "com.example.slip", wamp.Args(), wamp.Progressive()).Final()
					if got := wamp.ErrorURI(err); got != tt.uri || tt.uri == "" && err != nil {
						t.Fatalf("the caller got %v", err)
					}
				}
				alive(t, c)
				if tt.log != nil {
					log.Has(t, tt.log...)
				}
				synctest.Wait()
				if faults := s.Stats().Faults; (faults > 0) != strings.Contains(log.String(), "ERROR") && !strings.Contains(log.String(), "answer not sent") {
					t.Errorf("%d faults were counted", faults)
				}
				if err := endsWithin(t, "Drain", 0, func() error { return s.Drain(context.Background()) }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

type panickingError struct{}

func (panickingError) Error() string { panic("in Error") }

func nilMap() map[string]int { return nil }

type tree struct {
	Parent *tree
	Child  []*tree
}

type panickingMarshaler struct{}

func (panickingMarshaler) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }
func (panickingMarshaler) MarshalCBOR() ([]byte, error) { panic("in MarshalCBOR") }
func (panickingMarshaler) MarshalText() ([]byte, error) { panic("in MarshalText") }

type exitingMarshaler struct{}

func (exitingMarshaler) MarshalJSON() ([]byte, error) { runtime.Goexit(); return nil, nil }
func (exitingMarshaler) MarshalCBOR() ([]byte, error) { runtime.Goexit(); return nil, nil }
func (exitingMarshaler) MarshalText() ([]byte, error) { runtime.Goexit(); return nil, nil }

// Without a logger, what users' code does wrong goes to the default one.
func TestFaultsWithoutLogger(t *testing.T) {
	var log logged
	before := slog.Default()
	slog.SetDefault(log.Logger())
	defer slog.SetDefault(before)
	r := wamptest.NewRouter(t)
	s, c := join(t, r), join(t, r)
	handle(t, s, "com.example.slip", func(context.Context, *wamp.Invocation) error { panic("a slip") })
	if _, err := c.Call(t.Context(), "com.example.slip", wamp.Args()).Final(); wamp.ErrorURI(err) != proto.ErrURIRuntimeError {
		t.Error(err)
	}
	closeIt(t, s)
	if text := log.String(); !strings.Contains(text, "user code panicked") || strings.Contains(text, "session joined") {
		t.Errorf("logged %q", text)
	}
}

// Nil contexts, handlers, producers and options are refused in the caller.
func TestNilIsRefused(t *testing.T) {
	said := regexp.MustCompile(`(context|option|function|producer|handler|target) is (nil|a nil pointer|no pointer)$`)
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		s := join(t, r)
		sub := subscribe(t, s, "com.example.topic")
		reg := handle(t, s, "com.example.echo", echo)
		var none context.Context
		produce := func(context.Context, func(wamp.Payload) error) error { return nil }
		call := func(r wamp.Results) error { _, err := r.Final(); return err }
		ack := func(a wamp.Acks) error { _, err := a.Wait(); return err }
		only := func(_ any, err error) error { return err }
		ch := make(chan wamp.Payload)
		ctx := t.Context()
		for what, err := range map[string]error{
			"Connect":            only(wamp.Connect(none, "", "realm1", wamp.WithTransport(r.Dial))),
			"Connect, option":    only(wamp.Connect(ctx, "", "realm1", wamp.WithTransport(r.Dial), nil)),
			"Connect, transport": only(wamp.Connect(ctx, "", "realm1", wamp.WithTransport(nil))),
			"Call":               call(s.Call(none, "com.example.echo", wamp.Args())),
			"Call, option":       call(s.Call(ctx, "com.example.echo", wamp.Args(), nil)),
			"CallStream":         call(s.CallStream(none, "com.example.echo", ch)),
			"CallStream, nil":    call(s.CallStream(ctx, "com.example.echo", nil)),
			"CallFunc":           call(s.CallFunc(none, "com.example.echo", produce)),
			"CallFunc, nil":      call(s.CallFunc(ctx, "com.example.echo", nil)),
			"Publish":            ack(s.Publish(none, "com.example.topic", wamp.Args())),
			"Publish, acked":     ack(s.Publish(none, "com.example.topic", wamp.Args(), wamp.Acknowledge())),
			"Publish, option":    ack(s.Publish(ctx, "com.example.topic", wamp.Args(), nil)),
			"PublishStream":      ack(s.PublishStream(none, "com.example.topic", ch)),
			"PublishStream, nil": ack(s.PublishStream(ctx, "com.example.topic", nil)),
			"PublishFunc":        ack(s.PublishFunc(none, "com.example.topic", produce)),
			"PublishFunc, nil":   ack(s.PublishFunc(ctx, "com.example.topic", nil)),
			"Subscribe":          only(s.Subscribe(none, "com.example.topic")),
			"Subscribe, option":  only(s.Subscribe(ctx, "com.example.topic", nil)),
			"Register":           only(s.Register(none, "com.example.other")),
			"Register, option":   only(s.Register(ctx, "com.example.other", nil)),
			"Handle":             only(s.Handle(none, "com.example.other", echo)),
			"Handle, nil":        only(s.Handle(ctx, "com.example.other", nil)),
			"Unsubscribe":        sub.Unsubscribe(none),
			"Unregister":         reg.Unregister(none),
			"History":            only(sub.History(none, wamp.HistoryQuery{})),
			"Ping":               only(s.Ping(none)),
			"Close":              s.Close(none),
			"Drain":              s.Drain(none),
			"AddTestament":       s.AddTestament(none, wamp.Destroyed, "com.example.topic", wamp.Args()),
			"FlushTestaments":    s.FlushTestaments(none, wamp.Destroyed),
			"Meta":               only(meta.Of(s).CountSessions(none)),
			"OnJoin":             only(meta.Of(s).OnJoin(none)),
			"Scan, nil pointer":  wamp.Args(1).Scan((*int)(nil)),
			"Scan, no pointer":   wamp.Args(1).Scan(5),
			"ScanKw, nil":        wamp.Kwargs(map[string]any{"a": 1}).ScanKw(nil),
		} {
			if err == nil || !said.MatchString(err.Error()) {
				t.Errorf("%s: %v, which does not say what is nil", what, err)
			}
		}
		if _, _, err := meta.Of(s).FollowSessions(none); err == nil {
			t.Error("FollowSessions: no error")
		}
		for range wamp.Stream[int](none, s, "com.example.echo", wamp.Args(1)) {
			break
		}
		if _, open := <-s.States(none); open {
			t.Error("States: a state")
		}
		alive(t, s)
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

// Producers that panic or exit end their stream and nothing else.
func TestProducersThatSlip(t *testing.T) {
	for name, slip := range map[string]func(){"panics": func() { panic("a slip") }, "goexits": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			var log logged
			r := wamptest.NewRouter(t)
			s := join(t, r, log.Option())
			handle(t, s, "com.example.echo", echo)
			handle(t, s, "com.example.sum", func(_ context.Context, inv *wamp.Invocation) error {
				n := 0
				for range inv.Chunks() {
					n++
				}
				return inv.Return(wamp.Args(n))
			})
			for before := range 3 {
				produce := func(_ context.Context, send func(wamp.Payload) error) error {
					for i := range before {
						if err := send(wamp.Args(i)); err != nil {
							return err
						}
					}
					slip()
					return nil
				}
				if _, err := s.CallFunc(t.Context(), "com.example.sum", produce).Final(); err == nil || !strings.Contains(err.Error(), "producer") {
					t.Errorf("%s behind %d chunks: %v", name, before, err)
				}
				acks := allAcks(s.PublishFunc(t.Context(), "com.example.topic", produce))
				if n := len(acks); n != before+1 || acks[n-1].Err == nil {
					t.Errorf("%s behind %d publishes: %+v", name, before, acks)
				}
			}
			for _, bad := range []any{panickingMarshaler{}, make(chan int)} {
				for i, err := range []error{
					lastErr(s.CallFunc(t.Context(), "com.example.sum", func(_ context.Context, send func(wamp.Payload) error) error { return send(wamp.Args(bad)) })),
					lastErr(s.CallStream(t.Context(), "com.example.sum", filled(wamp.Args(1), wamp.Args(bad)))),
					lastErr(s.Call(t.Context(), "com.example.echo", wamp.Args(bad))),
					lastAck(s.PublishFunc(t.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error { return send(wamp.Args(bad)) })),
					lastAck(s.PublishStream(t.Context(), "com.example.topic", filled(wamp.Args(1), wamp.Args(bad)))),
					lastAck(s.Publish(t.Context(), "com.example.topic", wamp.Args(bad))),
					lastAck(s.Publish(t.Context(), "com.example.topic", wamp.Args(bad), wamp.Acknowledge())),
				} {
					if err == nil {
						t.Errorf("operation %d with %T: no error", i, bad)
					}
				}
			}
			alive(t, s)
			log.Has(t, "ERROR", "producer", map[string]string{"panics": "a slip", "goexits": "Goexit"}[name])
		})
	}
}

func filled(payloads ...wamp.Payload) <-chan wamp.Payload {
	ch := make(chan wamp.Payload, len(payloads))
	for _, p := range payloads {
		ch <- p
	}
	close(ch)
	return ch
}

// Credential providers, dialers and the functions of a policy that panic or exit
// are failed attempts.
func TestProvidersThatSlip(t *testing.T) {
	for name, slip := range map[string]func(){"panics": func() { panic("a slip") }, "goexits": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			var log logged
			r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")))
			asked, dialled := 0, 0
			provider := authn.Ticket("joe", func(context.Context, authn.Request) (string, error) {
				if asked++; asked == 2 {
					slip()
				}
				return "t", nil
			})
			dial := func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
				if dialled++; dialled == 2 {
					slip()
				}
				return r.Dial(ctx, p)
			}
			random := 0
			policy := quick()
			policy.Random = func() float64 {
				if random++; random < 3 {
					slip()
				}
				return 0.5
			}
			policy.Redial = func(error) bool { slip(); return false }
			s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(dial), wamp.WithAuth(provider), wamp.WithReconnect(policy), log.Option())
			if err != nil {
				t.Fatal(err)
			}
			was := s.ID()
			r.Cut(was)
			<-time.After(10 * time.Minute)
			if s.ID() == was || s.Err() != nil || dialled < 4 || asked < 3 {
				t.Errorf("%s: dialled %d times, asked %d times: %v", name, dialled, asked, s.Err())
			}
			for _, what := range []string{"a dialer", "a login", "Backoff.Random", "Backoff.Redial"} {
				if name == "panics" || what != "Backoff.Random" { // which is not asked behind the exit of the other
					log.Has(t, "ERROR", what)
				}
			}
			closeIt(t, s)
			for _, opt := range []wamp.Option{wamp.WithTransport(func(context.Context, []transport.Protocol) (transport.Conn, error) { slip(); return nil, nil }),
				wamp.WithTransport(func(context.Context, []transport.Protocol) (transport.Conn, error) { return nil, nil })} {
				if _, err := wamp.Connect(t.Context(), "", "realm1", opt, log.Option()); err == nil {
					t.Errorf("%s: connected", name)
				}
			}
		})
	}
}
