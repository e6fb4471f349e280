package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a handler does, and what its caller gets: a URI, "" for a result, and
// the arguments.
func TestHandlerOutcomes(t *testing.T) {
	secret := errors.New("the password is swordfish")
	for name, tt := range map[string]struct {
		handler wamp.Handler
		uri     string
		args    []any
		kwargs  map[string]any
	}{
		"nothing":   {func(context.Context, *wamp.Invocation) error { return nil }, "", nil, nil},
		"an empty":  {func(_ context.Context, inv *wamp.Invocation) error { return inv.Return() }, "", nil, nil},
		"a payload": {func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(1).With("k", 2)) }, "", []any{int64(1)}, map[string]any{"k": int64(2)}},
		"twice": {func(_ context.Context, inv *wamp.Invocation) error {
			err := inv.Return(wamp.Args("first"))
			for i, again := range []error{inv.Return(wamp.Args("second")), inv.Fail(secret), inv.Decline(), inv.Progress(wamp.Args(1))} {
				if !errors.Is(again, wamp.ErrAnswered) {
					t.Errorf("end %d after the first: %v", i, again)
				}
			}
			return err
		}, "", []any{"first"}, nil},
		"an error after the result": {func(_ context.Context, inv *wamp.Invocation) error {
			return errors.Join(inv.Return(wamp.Args("first")), secret)
		}, "", []any{"first"}, nil},
		"progress unasked": {func(_ context.Context, inv *wamp.Invocation) error {
			return errors.Join(inv.Progress(wamp.Args("nobody wants it")), inv.Return(wamp.Args(inv.Progressive())))
		}, "", []any{false}, nil},
		"an error of its own": {func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("com.example.error.full", wamp.Args("text", 5).With("free", 0))
		}, "com.example.error.full", []any{"text", int64(5)}, map[string]any{"free": int64(0)}},
		"a wrapped error": {func(context.Context, *wamp.Invocation) error {
			return fmt.Errorf("deep inside: %w", wamp.NewError("com.example.error.full", wamp.Args("text")))
		}, "com.example.error.full", []any{"text"}, nil},
		"a sentinel":         {func(context.Context, *wamp.Invocation) error { return wamp.ErrInvalidArgument }, proto.ErrURIInvalidArgument, nil, nil},
		"a wrapped sentinel": {func(context.Context, *wamp.Invocation) error { return fmt.Errorf("no: %w", wamp.ErrNotAuthorized) }, proto.ErrURINotAuthorized, nil, nil},
		"any error":          {func(context.Context, *wamp.Invocation) error { return secret }, proto.ErrURIRuntimeError, nil, nil},
		"canceled":           {func(context.Context, *wamp.Invocation) error { return context.Canceled }, proto.ErrURICanceled, nil, nil},
		"a deadline":         {func(context.Context, *wamp.Invocation) error { return context.DeadlineExceeded }, proto.ErrURITimeout, nil, nil},
		"declined":           {func(_ context.Context, inv *wamp.Invocation) error { return inv.Decline() }, proto.ErrURINoAvailableCallee, []any{"no callee takes the call"}, nil},
		"a panic":            {func(context.Context, *wamp.Invocation) error { panic("swordfish") }, proto.ErrURIRuntimeError, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				handle(t, s, "com.example.proc", tt.handler)
				handle(t, s, "com.example.echo", echo)
				res, err := s.Call(t.Context(), "com.example.proc", wamp.Args()).Final()
				var peer *wamp.Error
				if (tt.uri == "") != (err == nil) || err != nil && (!errors.As(err, &peer) || peer.URI != tt.uri || wamp.ErrorURI(err) != tt.uri) {
					t.Fatalf("%v, want %q", err, tt.uri)
				}
				args, err1 := res.Args()
				kwargs, err2 := res.Kwargs()
				if err1 != nil || err2 != nil || !reflect.DeepEqual(args, tt.args) || !reflect.DeepEqual(kwargs, tt.kwargs) {
					t.Errorf("%v %v, want %v %v", args, kwargs, tt.args, tt.kwargs)
				}
				if err != nil && strings.Contains(err.Error(), "swordfish") {
					t.Errorf("the caller is told %v", err)
				}
				if err != nil && len(tt.args) > 0 && !strings.Contains(err.Error(), tt.args[0].(string)) {
					t.Errorf("the text is missing from %v", err)
				}
				synctest.Wait()
				if panicked := name == "a panic"; strings.Contains(log.String(), "panicked") != panicked ||
					panicked && !strings.Contains(log.String(), "com.example.proc") {
					t.Errorf("log: %s", log.String())
				}
				alive(t, s)
				empty(t, s)
			})
		})
	}
}

// Handle runs as many invocations at once as Concurrency says; the others wait
// their turn, in order.
func TestHandlerConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		begun, goOn := make(chan int, 10), make(chan struct{})
		handle(t, s, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error {
			begun <- number(t, inv.Payload)
			<-goOn
			return inv.Return(inv.Payload)
		}, wamp.Concurrency(2))
		var calls []wamp.Results
		for i := range 6 {
			calls = append(calls, s.Call(t.Context(), "com.example.proc", wamp.Args(i)))
			synctest.Wait()
		}
		for running := 2; running <= 6; running += 2 {
			if len(begun) != 2 {
				t.Fatalf("%d are running", len(begun))
			}
			if a, b := <-begun, <-begun; a+b != 2*running-3 { // the two next, in either order
				t.Errorf("%d and %d are running", a, b)
			}
			goOn <- struct{}{}
			goOn <- struct{}{}
			synctest.Wait()
		}
		for i, c := range calls {
			if res, err := c.Final(); err != nil || number(t, res.Payload) != i {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

// What the router says about who calls, who publishes and what was matched.
func TestHandleDetails(t *testing.T) {
	const topicID, procID = 10, 20
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, peer := join(t, r), join(t, r)
		d := peer.Details()
		me := wamp.Peer{Session: d.Session, AuthID: d.AuthID, AuthRole: d.AuthRole}
		type seen struct {
			caller    wamp.Peer
			procedure string
			trust     bool
		}
		calls := make(chan seen, 1)
		look := func(_ context.Context, inv *wamp.Invocation) error {
			_, trust := inv.TrustLevel()
			calls <- seen{inv.Caller(), inv.Procedure(), trust}
			return nil
		}
		exact := handle(t, s, "com.example.exact", look)
		prefix := handle(t, s, "com.prefix", look, wamp.Match(wamp.Prefix))
		if exact.ID() == 0 || exact.ID() == prefix.ID() || exact.Procedure() != "com.example.exact" || prefix.Procedure() != "com.prefix" {
			t.Errorf("registrations %d %s, %d %s", exact.ID(), exact.Procedure(), prefix.ID(), prefix.Procedure())
		}
		for _, tt := range []struct {
			procedure string
			options   []wamp.CallOption
			want      seen
		}{
			{"com.example.exact", nil, seen{procedure: "com.example.exact"}},
			{"com.example.exact", []wamp.CallOption{wamp.DiscloseMe()}, seen{me, "com.example.exact", false}},
			{"com.prefix.any", []wamp.CallOption{wamp.DiscloseMe()}, seen{me, "com.prefix.any", false}},
		} {
			if _, err := peer.Call(t.Context(), tt.procedure, wamp.Args(), tt.options...).Final(); err != nil {
				t.Fatal(err)
			}
			if got := <-calls; got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		}
		sub := subscribe(t, s, "com.example.topic")
		wild := subscribe(t, s, "com..topic", wamp.Match(wamp.Wildcard))
		if sub.Topic() != "com.example.topic" || wild.Topic() != "com..topic" || sub.ID() == 0 || sub.ID() == wild.ID() {
			t.Errorf("subscriptions %d %s, %d %s", sub.ID(), sub.Topic(), wild.ID(), wild.Topic())
		}
		id, err := peer.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge()).Wait()
		if err != nil || !id.Valid() {
			t.Fatal(id, err)
		}
		for what, ev := range map[string]wamp.Event{"exact": <-sub.Events(), "wildcard": <-wild.Events()} {
			if ev.Topic != "com.example.topic" || ev.Publication != id || ev.Publisher() != (wamp.Peer{}) || ev.Retained || ev.Lost != 0 || ev.AfterGap {
				t.Errorf("%s: %+v", what, ev)
			}
		}
		peer.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.DiscloseMe())
		if ev := <-sub.Events(); ev.Publisher() != me {
			t.Errorf("%+v", ev.Publisher())
		}
	})
	synctest.Test(t, func(t *testing.T) { // what the router in memory never says
		script := wamptest.NewScript(t, wamptest.Welcome(),
			wamptest.Expect(proto.Subscribe), wamptest.Answer(&proto.Message{Type: proto.Subscribed, ID: topicID}),
			wamptest.Expect(proto.Register), wamptest.Answer(&proto.Message{Type: proto.Registered, ID: procID}),
			say(m{36, topicID, 1, d{"retained": true}}, m{36, topicID, 2, d{"publisher": 5}}, m{68, 1, procID, d{"trustlevel": 3, "caller": 6}}))
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, s)
		sub := subscribe(t, s, "com.example.topic", wamp.GetRetained())
		reg, err := s.Register(t.Context(), "com.example.proc")
		if err != nil {
			t.Fatal(err)
		}
		if ev := <-sub.Events(); !ev.Retained || ev.Publication != 1 {
			t.Errorf("%+v", ev)
		}
		if ev := <-sub.Events(); ev.Retained || ev.Publisher().Session != 5 {
			t.Errorf("%+v", ev)
		}
		if inv := <-reg.Invocations(); inv.Caller().Session != 6 {
			t.Errorf("%+v", inv.Details.Map())
		} else if level, ok := inv.TrustLevel(); level != 3 || !ok {
			t.Errorf("trust level %d, %v", level, ok)
		}
	})
}

// Every way in which a subscription or a registration ends, its reason, and
// what goes out for it.
func TestHandleEnds(t *testing.T) {
	type ends struct {
		closed func() bool // waits for the channel
		err    func() error
		id     wamp.ID
		leave  func(ctx context.Context) error
	}
	why := errors.New("had enough")
	for what, begin := range map[string]func(t *testing.T, ctx context.Context, s *wamp.Session) ends{
		"subscription": func(t *testing.T, ctx context.Context, s *wamp.Session) ends {
			sub, err := s.Subscribe(ctx, "com.example.topic")
			if err != nil {
				t.Fatal(err)
			}
			return ends{func() bool { _, open := <-sub.Events(); return !open }, sub.Err, sub.ID(), sub.Unsubscribe}
		},
		"registration": func(t *testing.T, ctx context.Context, s *wamp.Session) ends {
			reg, err := s.Register(ctx, "com.example.proc")
			if err != nil {
				t.Fatal(err)
			}
			return ends{func() bool { _, open := <-reg.Invocations(); return !open }, reg.Err, reg.ID(), reg.Unregister}
		},
	} {
		leaves, revoked, key, own := proto.Unsubscribe, proto.Unsubscribed, "subscription", wamp.ErrUnsubscribed
		if what == "registration" {
			leaves, revoked, key, own = proto.Unregister, proto.Unregistered, "registration", wamp.ErrUnregistered
		}
		for _, tt := range []struct {
			name string
			end  func(t *testing.T, r *wamptest.Router, s *wamp.Session, e ends, cancel context.CancelCauseFunc)
			is   []error
			sent int // UNSUBSCRIBE or UNREGISTER
		}{
			{"by hand", func(t *testing.T, _ *wamptest.Router, _ *wamp.Session, e ends, _ context.CancelCauseFunc) {
				for range 2 { // the second time it is over already
					if err := e.leave(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}, []error{own}, 1},
			{"by its context", func(_ *testing.T, _ *wamptest.Router, _ *wamp.Session, _ ends, cancel context.CancelCauseFunc) {
				cancel(why)
			},
				[]error{why, context.Canceled, wamp.ErrCanceled}, 1},
			{"by the router", func(t *testing.T, r *wamptest.Router, s *wamp.Session, e ends, _ context.CancelCauseFunc) {
				if _, err := r.Send(s.ID(), &proto.Message{Type: revoked, Options: proto.Dict{{Key: key, Value: e.id}, {Key: "reason", Value: proto.ErrURINotAuthorized}}}); err != nil {
					t.Error(err)
				}
				e.closed()
				var gone *wamp.RevokedError
				if !errors.As(e.err(), &gone) || gone.ID != e.id || gone.Reason != proto.ErrURINotAuthorized {
					t.Errorf("%v", e.err())
				}
				if err := e.leave(t.Context()); err != nil {
					t.Errorf("leaving what is gone: %v", err)
				}
			}, []error{wamp.ErrNotAuthorized}, 0},
			{"with the session", func(t *testing.T, _ *wamptest.Router, s *wamp.Session, _ ends, _ context.CancelCauseFunc) {
				closeIt(t, s)
			},
				[]error{wamp.ErrSessionClosed}, 0},
		} {
			t.Run(what+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var p tap
					r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
					s := join(t, r)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					e := begin(t, ctx, s)
					if e.err() != nil {
						t.Error(e.err())
					}
					tt.end(t, r, s, e, cancel)
					if !e.closed() {
						t.Error("the channel is open")
					}
					for _, is := range tt.is {
						if !errors.Is(e.err(), is) {
							t.Errorf("%v is not %v", e.err(), is)
						}
					}
					synctest.Wait()
					if n := len(p.take(leaves)); n != tt.sent {
						t.Errorf("%d times %s", n, leaves)
					}
				})
			})
		}
	}
}

// A router that refuses, or does not answer, a SUBSCRIBE or REGISTER.
func TestHandleRefused(t *testing.T) {
	for typ, begin := range map[proto.MessageType]func(ctx context.Context, s *wamp.Session) error{
		proto.Subscribe: func(ctx context.Context, s *wamp.Session) error {
			_, err := s.Subscribe(ctx, "com.example.topic")
			return err
		},
		proto.Register: func(ctx context.Context, s *wamp.Session) error {
			_, err := s.Register(ctx, "com.example.proc")
			return err
		},
	} {
		t.Run(typ.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refuse := &proto.Message{Type: proto.Error, URI: proto.ErrURINotAuthorized}
				done := map[proto.MessageType]proto.MessageType{proto.Subscribe: proto.Subscribed, proto.Register: proto.Registered}
				undo := map[proto.MessageType]proto.MessageType{proto.Subscribe: proto.Unsubscribe, proto.Register: proto.Unregister}
				script := wamptest.NewScript(t, wamptest.Welcome(),
					wamptest.Expect(typ), wamptest.Answer(refuse, wamp.Args("not you")),
					wamptest.Expect(typ), wamptest.Sleep(3*time.Second), wamptest.Answer(&proto.Message{Type: done[typ], ID: 9}), // too late
					wamptest.Expect(undo[typ], func(m *proto.Message) error {
						if m.ID != 9 {
							return fmt.Errorf("id %d", m.ID)
						}
						return nil
					}))
				s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.AckTimeout(2*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				var peer *wamp.Error
				if err := begin(t.Context(), s); !errors.Is(err, wamp.ErrNotAuthorized) || !errors.As(err, &peer) || !strings.Contains(err.Error(), "not you") {
					t.Errorf("%v", err)
				}
				start := time.Now()
				if err := begin(t.Context(), s); !errors.Is(err, wamp.ErrAckTimeout) || time.Since(start) != 2*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				script.Wait()
				closeIt(t, s)
			})
		})
	}
}

// Done tells at once that a registration is over, also while its handler is busy.
func TestServiceDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		v := handle(t, s, "com.example.slow", func(ctx context.Context, _ *wamp.Invocation) error {
			<-ctx.Done()
			return ctx.Err()
		}, wamp.Concurrency(1))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 3 {
			c.Call(ctx, "com.example.slow", wamp.Args())
		}
		synctest.Wait()
		select {
		case <-v.Done():
			t.Error("it is over")
		default:
		}
		r.RevokeRegistration(v.ID(), "com.example.reason")
		synctest.Wait()
		var revoked *wamp.RevokedError
		select {
		case <-v.Done():
		default:
			t.Error("nobody is told")
		}
		if !errors.As(v.Err(), &revoked) || v.Procedure() != "com.example.slow" || v.Refused() != 0 {
			t.Error(v.Err())
		}
	})
}

// Handle and Close at the same time: nothing that Handle starts outlives
// Close, and neither waits for the other.
func TestHandleWhileClosing(t *testing.T) {
	r := wamptest.NewRouter(t)
	for range 200 {
		s := join(t, r)
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				if _, err := s.Handle(t.Context(), "com.example.echo", echo); err != nil && !errors.Is(err, wamp.ErrSessionClosed) &&
					!errors.Is(err, wamp.ErrProcedureAlreadyExists) {
					t.Error(err)
				}
			})
		}
		closeIt(t, s)
		both.Wait()
	}
}
