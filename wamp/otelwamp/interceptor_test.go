package otelwamp_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ways are the ways of the trace context through a router.
var ways = map[string]struct {
	carry  []otelwamp.Option
	router []wamptest.Option
}{
	"kwarg":       {[]otelwamp.Option{otelwamp.InKwargs("")}, nil},
	"named":       {[]otelwamp.Option{otelwamp.InKwargs("_otel")}, nil},
	"option":      {[]otelwamp.Option{otelwamp.InOptions()}, []wamptest.Option{wamptest.WithForwardedOptions(otelwamp.DefaultOption)}},
	"crossbar":    {[]otelwamp.Option{otelwamp.InOptions(otelwamp.TransactionHash)}, []wamptest.Option{wamptest.CrossbarQuirks()}},
	"both":        {[]otelwamp.Option{otelwamp.InOptions(), otelwamp.InKwargs("k")}, []wamptest.Option{wamptest.WithForwardedOptions(otelwamp.DefaultOption)}},
	"one dropped": {[]otelwamp.Option{otelwamp.InOptions(), otelwamp.InKwargs("k")}, nil},
}

// One trace from a caller through the router to a callee that calls another one, and
// publishes; a handler sees what was sent and nothing of the trace.
func TestOneTrace(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, serializer wamp.Option) {
				g := newRig(t)
				r := wamptest.NewRouter(t, way.router...)
				caller := join(t, r, serializer, g.seen(way.carry...))
				front := join(t, r, serializer, g.seen(way.carry...))
				back := join(t, r, g.seen(way.carry...))
				type kw struct {
					A int `json:"a"`
				}
				handle(t, front, "com.example.front", func(ctx context.Context, inv *wamp.Invocation) error {
					kwargs, err := inv.Kwargs()
					if err != nil || fmt.Sprint(kwargs) != "map[a:1]" || inv.NArgs() != 2 {
						t.Errorf("the handler got %d arguments, %v, %v", inv.NArgs(), kwargs, err)
					}
					n, err := wamp.Call[int](ctx, front, "com.example.back", wamp.Args(20))
					if err != nil {
						return err
					}
					return inv.Return(wamp.Args(n + 1))
				})
				handle(t, back, "com.example.back", func(ctx context.Context, inv *wamp.Invocation) error {
					if kwargs, err := inv.Kwargs(); err != nil || kwargs != nil || inv.RawKwargs() != nil {
						t.Errorf("the handler got %v, %v", kwargs, err)
					}
					back.Publish(ctx, "com.example.done", wamp.Args())
					return inv.Return(inv.Payload)
				})
				sub := subscribe(t, caller, "com.example.done")
				ctx, over := g.root()
				n, err := wamp.Call[int](ctx, caller, "com.example.front", wamp.Args(1, "x").WithKwargs(kw{1}))
				over()
				if err != nil || n != 21 {
					t.Error(n, err)
				}
				if ev := <-sub.Events(); ev.RawKwargs() != nil || ev.NArgs() != 0 {
					t.Errorf("the event has %q", ev.RawKwargs())
				}
				g.wants(`
					internal root
						client com.example.front Unset ok
							server com.example.front Unset ok
								client com.example.back Unset ok
									server com.example.back Unset ok
										producer publish com.example.done Unset ok
											consumer receive com.example.done Unset ok`)
				s := g.span(trace.SpanKindClient, "com.example.front")
				has(t, s, "rpc.system.name", "wamp", "rpc.method", "com.example.front", "wamp.realm", "realm1",
					"wamp.session", fmt.Sprint(caller.ID()), "wamp.parts.received", "1", "error.type", "")
				if s.InstrumentationScope.SchemaURL != "https://opentelemetry.io/schemas/"+otelwamp.SemconvVersion {
					t.Error(s.InstrumentationScope.SchemaURL)
				}
				has(t, g.span(trace.SpanKindConsumer, "receive com.example.done"), "messaging.system", "wamp", "messaging.operation.type", "receive",
					"messaging.destination.name", "com.example.done", "messaging.destination.template", "")
			})
		})
	}
}

// Nothing travels unless it is asked for.
func TestOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if m := x.Message; m.Type == proto.Call && (m.Kwargs != nil || len(m.Options) != 0) {
				t.Errorf("CALL has %v %q", m.Options, m.Kwargs)
			}
			return wamptest.Pass()
		}))
		s := join(t, r, g.seen())
		handle(t, s, "com.example.echo", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) })
		ctx, over := g.root()
		if err := final(s.Call(ctx, "com.example.echo", wamp.Args(1))); err != nil {
			t.Error(err)
		}
		over()
		if s := g.span(trace.SpanKindServer, "com.example.echo"); s.Parent.IsValid() {
			t.Error("the invocation has a parent")
		}
	})
}

// A stream both ways is one span on each side, from the first chunk to the last result.
func TestProgressiveBothWays(t *testing.T) {
	bubble(t, func(t *testing.T, serializer wamp.Option) {
		g := newRig(t)
		carried := 0
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ wamp.ID, m *proto.Message) wamptest.Action {
			if m.Type == proto.Call && m.Kwargs != nil {
				carried++
			}
			return wamptest.Pass()
		}))
		s := join(t, r, serializer, g.seen(otelwamp.InKwargs(""), otelwamp.ProgressEvents()))
		handle(t, s, "com.example.double", func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			for chunk := range inv.Chunks() {
				time.Sleep(time.Second)
				if chunk.RawKwargs() != nil {
					t.Errorf("a chunk has %q", chunk.RawKwargs())
				}
				n++
				if err := inv.Progress(wamp.Args(2 * n)); err != nil {
					return err
				}
			}
			return inv.Return(wamp.Args(n))
		})
		ctx, over := g.root()
		n := 0
		for res := range s.CallFunc(ctx, "com.example.double", func(_ context.Context, send func(wamp.Payload) error) error {
			return errors.Join(send(wamp.Args(1)), send(wamp.Args(2)), send(wamp.Args(3).Last()))
		}, wamp.Progressive()) {
			if res.Err != nil {
				t.Error(res.Err)
			}
			n++
		}
		over()
		g.wants(`
			internal root
				client com.example.double Unset ok
					server com.example.double Unset ok`)
		call, inv := g.span(trace.SpanKindClient, "com.example.double"), g.span(trace.SpanKindServer, "com.example.double")
		if n != 4 || carried != 1 {
			t.Errorf("%d results; %d chunks carry the trace", n, carried)
		}
		if d := call.EndTime.Sub(call.StartTime); d < 3*time.Second {
			t.Errorf("the span of the call lasts %v", d)
		}
		has(t, call, "wamp.parts.sent", "3", "wamp.parts.received", "4")
		has(t, inv, "wamp.parts.sent", "4", "wamp.parts.received", "3")
		for _, events := range [][]string{names(call.Events), names(inv.Events)} {
			slices.Sort(events)
			if fmt.Sprint(events) != "[wamp.chunk wamp.chunk wamp.result wamp.result wamp.result wamp.result]" {
				t.Error(events)
			}
		}
		g.counts("wamp.call.results{rpc.method=com.example.double rpc.system.name=wamp} 4")
	})
}

func names(events []sdktrace.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Name)
	}
	return all
}

// Spans and metrics go by the pattern; what was named is an attribute of the span.
func TestPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		s := join(t, wamptest.NewRouter(t), g.seen(otelwamp.InKwargs("")))
		handle(t, s, "com.example.shop.", echo, wamp.Match(wamp.Prefix))
		sub := subscribe(t, s, "com..sold", wamp.Match(wamp.Wildcard))
		for range 2 {
			if err := final(s.Call(t.Context(), "com.example.shop.7", wamp.Args())); err != nil {
				t.Error(err)
			}
		}
		ack, err := s.Publish(t.Context(), "com.example.sold", wamp.Args("horse"), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait()
		if err != nil {
			t.Fatal(err)
		}
		<-sub.Events()
		id := fmt.Sprint(ack)
		event := g.span(trace.SpanKindConsumer, "receive com..sold")
		has(t, event, "messaging.destination.name", "com.example.sold", "messaging.destination.template", "com..sold", "wamp.match", "wildcard",
			"messaging.message.id", id, "messaging.operation.name", "receive")
		if size := attr(event, "messaging.message.body.size"); size == "" || size == "0" {
			t.Errorf("messaging.message.body.size is %q", size)
		}
		has(t, g.span(trace.SpanKindProducer, "publish com.example.sold"), "messaging.message.id", id, "messaging.operation.type", "send")
		g.counts("rpc.server.call.duration{rpc.method=com.example.shop. rpc.system.name=wamp} 2",
			"rpc.client.call.duration{rpc.method=com.example.shop.7 rpc.system.name=wamp} 2",
			"messaging.client.consumed.messages{messaging.destination.template=com..sold messaging.operation.name=receive messaging.operation.type=receive messaging.system=wamp} 1",
			"messaging.client.operation.duration{messaging.destination.name=com.example.sold messaging.operation.name=publish messaging.operation.type=send messaging.system=wamp} 1")
		found := false
		for _, span := range g.spans.GetSpans() {
			if span.SpanKind == trace.SpanKindServer {
				found = true
				has(t, span, "rpc.method", "com.example.shop.", "rpc.method_original", "com.example.shop.7", "wamp.match", "prefix")
			}
		}
		if !found {
			t.Error("there is no invocation")
		}
	})
}

// The providers are the global ones by default, and a nil option is none.
func TestGlobalProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(g.traces)
		defer otel.SetTracerProvider(before)
		s := join(t, wamptest.NewRouter(t), wamp.WithInterceptors(otelwamp.New(nil)))
		s.Publish(t.Context(), "com.example.topic", wamp.Args())
		g.span(trace.SpanKindProducer, "publish com.example.topic")
	})
}

// An event whose handler runs between Begin and End is processed, not only received.
func TestHandledEvents(t *testing.T) {
	g := newRig(t)
	g.settle = func() {}
	i := otelwamp.New(g.options()...)
	op := wamp.Op{Kind: wamp.OpEvent, URI: "com.example.topic", Pattern: "com.example.topic", Realm: "realm1", Handled: true, Began: time.Now()}
	ctx, err := i.Begin(t.Context(), &op)
	if err != nil {
		t.Fatal(err)
	}
	i.End(ctx, &op, errors.New("the handler's"))
	span := g.span(trace.SpanKindConsumer, "process com.example.topic")
	has(t, span, "messaging.operation.type", "process", "messaging.operation.name", "process", "wamp.outcome", "error", "error.type", "*errors.errorString")
	g.counts("messaging.process.duration{error.type=*errors.errorString messaging.destination.name=com.example.topic messaging.operation.name=process messaging.operation.type=process messaging.system=wamp} 1")
}

// The address of the router is that which was dialled.
func TestServerAddress(t *testing.T) {
	g := newRig(t)
	g.settle = func() {}
	r := wamptest.NewRouter(t)
	address, err := r.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := wamp.Connect(t.Context(), address, "realm1", g.seen())
	if err != nil {
		t.Fatal(err)
	}
	s.Publish(t.Context(), "com.example.topic", wamp.Args())
	closeIt(t, s)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range []tracetest.SpanStub{g.span(trace.SpanKindClient, "connect"), g.span(trace.SpanKindProducer, "publish com.example.topic")} {
		has(t, span, "server.address", "127.0.0.1", "server.port", u.Port(), "wamp.outcome", "ok", "wamp.realm", "realm1")
	}
}

// An interceptor is for any operation, also one that it has not seen begin.
func TestUnknownOperations(t *testing.T) {
	i := otelwamp.New()
	op := wamp.Op{Kind: wamp.OpCall}
	if err := i.Progress(t.Context(), &op, &wamp.Part{}); err != nil {
		t.Error(err)
	}
	i.End(t.Context(), &op, nil)
}

func BenchmarkCall(b *testing.B) {
	r := wamptest.Start()
	defer r.Close()
	tracer := func(options ...otelwamp.Option) wamp.Option {
		return wamp.WithInterceptors(otelwamp.New(append(options, otelwamp.WithTracerProvider(sdktrace.NewTracerProvider()),
			otelwamp.WithPropagator(propagation.TraceContext{}))...))
	}
	for name, options := range map[string][]wamp.Option{
		"plain": nil, "spans": {tracer()}, "kwarg": {tracer(otelwamp.InKwargs(""))}, "empty": {wamp.WithInterceptors(wamp.InterceptorFuncs{})},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := wamp.Connect(b.Context(), "", "realm1", append(options, wamp.WithTransport(r.Dial))...)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(context.WithoutCancel(b.Context()))
			if _, err := s.Handle(b.Context(), "com.example.echo", echo); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wamp.Call[int](b.Context(), s, "com.example.echo", wamp.Args(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
