package otelwamp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// work is a procedure that sends results until its context ends.
func work(ctx context.Context, inv *wamp.Invocation) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		if err := inv.Progress(wamp.Args(n)); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// A loop that is left, a ctx that ends: the caller's own wish, which is no failure, and
// the callee knows that it was the other side.
func TestCancelledCall(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, s *wamp.Session){
		"break": func(ctx context.Context, s *wamp.Session) {
			for n, err := range wamp.Stream[int](ctx, s, "com.example.work", wamp.Args()) {
				if err != nil || n == 2 {
					break
				}
			}
		},
		"ctx": func(ctx context.Context, s *wamp.Session) {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			n := 0
			for range s.Call(ctx, "com.example.work", wamp.Args(), wamp.Progressive()) {
				if n++; n == 2 {
					cancel(errors.New("enough"))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				s := join(t, wamptest.NewRouter(t), g.seen(otelwamp.InKwargs("")))
				handle(t, s, "com.example.work", work)
				ctx, over := g.root()
				call(ctx, s)
				over()
				g.wants(`
					internal root
						client com.example.work Unset canceled
							server com.example.work Unset canceled`)
				c, v := g.span(trace.SpanKindClient, "com.example.work"), g.span(trace.SpanKindServer, "com.example.work")
				has(t, c, "wamp.canceled_by", "caller", "error.type", "", "rpc.response.status_code", proto.ErrURICanceled)
				has(t, v, "wamp.canceled_by", "peer", "error.type", "", "rpc.response.status_code", proto.ErrURICanceled)
				if name == "ctx" {
					has(t, c, "wamp.cancel.cause", "enough")
				}
			})
		})
	}
}

// Each end of a call is told from the others, on both sides.
func TestOutcomesOfCalls(t *testing.T) {
	type ends struct {
		status                      codes.Code
		outcome, errorType, uri, by string
	}
	const absent = "none"
	for name, tt := range map[string]struct {
		handler      wamp.Handler
		options      []wamp.CallOption
		call, callee ends
		before       func(t *testing.T, r *wamptest.Router, caller wamp.ID)
		procedure    string
	}{
		"nobody is there": {
			procedure: "com.example.nobody",
			call:      ends{codes.Error, "refused", proto.ErrURINoSuchProcedure, proto.ErrURINoSuchProcedure, ""},
			callee:    ends{outcome: absent},
		},
		"not sent": {
			options: []wamp.CallOption{wamp.RoutingKey("x")},
			call:    ends{codes.Error, "refused", "not_sent", "", ""},
			callee:  ends{outcome: absent},
		},
		"refused": {
			handler: func(context.Context, *wamp.Invocation) error { return wamp.ErrNotAuthorized },
			call:    ends{codes.Error, "refused", proto.ErrURINotAuthorized, proto.ErrURINotAuthorized, ""},
			callee:  ends{codes.Unset, "refused", "", proto.ErrURINotAuthorized, ""},
		},
		"an error of the application": {
			handler: func(context.Context, *wamp.Invocation) error { return wamp.NewError("com.example.empty", wamp.Args()) },
			call:    ends{codes.Error, "error", "com.example.empty", "com.example.empty", ""},
			callee:  ends{codes.Unset, "error", "", "com.example.empty", ""},
		},
		"masked": {
			handler: func(context.Context, *wamp.Invocation) error { return errors.New("the disk is full") },
			call:    ends{codes.Error, "error", proto.ErrURIRuntimeError, proto.ErrURIRuntimeError, ""},
			callee:  ends{codes.Error, "error", "*errors.errorString", proto.ErrURIRuntimeError, ""},
		},
		"a panic": {
			handler: func(context.Context, *wamp.Invocation) error { panic("oops") },
			call:    ends{codes.Error, "error", proto.ErrURIRuntimeError, proto.ErrURIRuntimeError, ""},
			callee:  ends{codes.Error, "panic", "panic", "", ""},
		},
		"too late": {
			handler: work, options: []wamp.CallOption{wamp.Timeout(500 * time.Millisecond)},
			call:   ends{codes.Error, "timeout", proto.ErrURITimeout, proto.ErrURITimeout, ""},
			callee: ends{status: codes.Unset, outcome: "canceled", uri: proto.ErrURICanceled, by: "peer"},
		},
		"cancelled by somebody else": {
			handler: func(context.Context, *wamp.Invocation) error { return wamp.ErrCanceled },
			call:    ends{codes.Error, "canceled", proto.ErrURICanceled, proto.ErrURICanceled, "peer"},
			callee:  ends{codes.Unset, "error", "", proto.ErrURICanceled, ""},
		},
		"the connection is lost": {
			handler: work,
			before:  func(_ *testing.T, r *wamptest.Router, id wamp.ID) { time.AfterFunc(time.Minute, func() { r.Cut(id) }) },
			call:    ends{codes.Error, "unknown", "outcome_unknown", "", ""},
			callee:  ends{codes.Unset, "canceled", "", proto.ErrURICanceled, "peer"},
		},
		"nobody reads": {
			handler: func(_ context.Context, inv *wamp.Invocation) error {
				for inv.Progress(wamp.Args(1)) == nil {
				}
				return nil
			},
			options: []wamp.CallOption{wamp.Progressive(), wamp.Buffer(1, 0), wamp.OverflowFail()},
			call:    ends{codes.Error, "slow_consumer", "slow_consumer", "", ""},
			callee:  ends{codes.Unset, "canceled", "", proto.ErrURICanceled, "peer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				r := wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ShardedRegistration, proto.CallTimeout)))
				s := join(t, r, g.seen(otelwamp.InKwargs("")), wamp.WithReconnect(quick()))
				callee := join(t, r, g.seen(otelwamp.InKwargs("")))
				procedure := "com.example.work"
				if tt.handler != nil {
					handle(t, callee, procedure, tt.handler)
				}
				if tt.before != nil {
					tt.before(t, r, s.ID())
				}
				if tt.procedure != "" {
					procedure = tt.procedure
				}
				ctx, over := g.root()
				results := s.Call(ctx, procedure, wamp.Args(), tt.options...)
				if name == "nobody reads" {
					time.Sleep(time.Minute)
				}
				if err := final(results); err == nil {
					t.Error("the call ended well")
				}
				over()
				check := func(kind trace.SpanKind, want ends) {
					span := g.span(kind, procedure)
					if span.Status.Code != want.status || want.status == codes.Error && span.Status.Description == "" {
						t.Errorf("%s: %v", kind, span.Status)
					}
					if want.outcome != "" {
						has(t, span, "wamp.outcome", want.outcome, "error.type", want.errorType, "rpc.response.status_code", want.uri, "wamp.canceled_by", want.by)
					}
				}
				check(trace.SpanKindClient, tt.call)
				if tt.callee.outcome != absent {
					check(trace.SpanKindServer, tt.callee)
					if c, v := g.span(trace.SpanKindClient, procedure), g.span(trace.SpanKindServer, procedure); v.Parent.SpanID() != c.SpanContext.SpanID() {
						t.Error("the invocation is of another trace")
					}
				}
			})
		})
	}
}

// What a callee that is gone was doing, nobody knows, on its side neither.
func TestLossAtTheCallee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, g.seen(otelwamp.InKwargs(""))), join(t, r, g.seen(otelwamp.InKwargs("")), wamp.WithReconnect(quick()))
		handle(t, callee, "com.example.work", work)
		time.AfterFunc(time.Minute, func() { r.Cut(callee.ID()) })
		ctx, over := g.root()
		err := final(s.Call(ctx, "com.example.work", wamp.Args()))
		over()
		v := g.span(trace.SpanKindServer, "com.example.work")
		has(t, v, "wamp.outcome", "unknown", "error.type", "outcome_unknown")
		if err == nil || v.Status.Code != codes.Error {
			t.Error(err, v.Status)
		}
	})
}

// A call that is resumed is one span, with an invocation below it for each time.
func TestResumedCall(t *testing.T) {
	bubble(t, func(t *testing.T, serializer wamp.Option) {
		g := newRig(t)
		r := wamptest.NewRouter(t)
		s := join(t, r, serializer, g.seen(otelwamp.InKwargs("")), wamp.WithReconnect(quick()))
		callee := join(t, r, g.seen(otelwamp.InKwargs("")))
		handle(t, callee, "com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
			var from int
			if err := inv.Scan(&from); err != nil || inv.RawKwargs() != nil {
				t.Errorf("%v %q", err, inv.RawKwargs())
			}
			if err := inv.Progress(wamp.Args(from)); err != nil || from == 1 {
				<-inv.Context().Done()
				return context.Cause(inv.Context())
			}
			return inv.Return(wamp.Args(from + 1))
		})
		time.AfterFunc(time.Minute, func() { r.Cut(s.ID()) })
		ctx, over := g.root()
		var got []int
		for res := range s.Call(ctx, "com.example.count", wamp.Args(1), wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) {
			return wamp.Args(1 + d.Count), true
		})) {
			var n int
			if err := errors.Join(res.Err, res.Scan(&n)); err != nil {
				t.Error(err)
			}
			got = append(got, n)
		}
		over()
		if fmt.Sprint(got) != "[1 2 3]" {
			t.Error(got)
		}
		g.wants(`
			internal root
				client com.example.count Unset ok
					server com.example.count Unset canceled
					server com.example.count Unset ok`)
		c := g.span(trace.SpanKindClient, "com.example.count")
		has(t, c, "wamp.attempts", "2", "wamp.parts.received", "3")
		if all := names(c.Events); fmt.Sprint(all) != "[wamp.resumed]" {
			t.Error(all)
		}
	})
}

// Where several interceptors are there, a refusal of a later one is seen.
func TestRefusedByAnInterceptor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		strict := wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			if op.Kind == wamp.OpPublish {
				return ctx, wamp.ErrNotAuthorized
			}
			return ctx, nil
		}}
		s := join(t, wamptest.NewRouter(t), g.seen(), wamp.WithInterceptors(strict))
		if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge()).Wait(); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Error(err)
		}
		span := g.span(trace.SpanKindProducer, "publish com.example.topic")
		has(t, span, "wamp.outcome", "refused", "error.type", proto.ErrURINotAuthorized)
		if span.Status.Code != codes.Error {
			t.Error(span.Status)
		}
	})
}

// A connection that is not made is a span too.
func TestConnectSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		r := wamptest.NewRouter(t, wamptest.WithRealms("other"))
		if _, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), g.seen()); err == nil {
			t.Fatal("there is such a realm")
		}
		span := g.span(trace.SpanKindClient, "connect")
		has(t, span, "wamp.realm", "realm1", "wamp.outcome", "refused", "error.type", proto.ErrURINoSuchRealm)
		if span.Status.Code != codes.Error {
			t.Error(span.Status)
		}
	})
}
