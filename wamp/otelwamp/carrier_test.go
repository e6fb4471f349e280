package otelwamp_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Whatever a peer puts where the trace context belongs, the handler sees what is left, and
// the span has a parent only if there is one.
func TestGarbageInTheTraceContext(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for name, tt := range map[string]struct {
		value  any
		parent bool
	}{
		"a traceparent":      {parent, true},
		"a dict":             {map[string]any{"traceparent": parent}, true},
		"with a state":       {map[string]any{"traceparent": parent, "tracestate": "a=b"}, true},
		"more than is known": {map[string]any{"traceparent": parent, "x": 1, "y": map[string]any{}}, true},
		"a bad state":        {map[string]any{"traceparent": parent, "tracestate": "=,=,\x00"}, true},
		"a long state":       {map[string]any{"traceparent": parent, "tracestate": long}, true},
		"bad baggage":        {map[string]any{"traceparent": parent, "baggage": ";;=;" + long}, true},
		"too much":           {map[string]any{"traceparent": parent, "x": long + long + long + long}, false},
		"of zeros":           {"00-00000000000000000000000000000000-0000000000000000-01", false},
		"short":              {parent[:50], false},
		"longer":             {parent + "-" + long, false},
		"a number":           {77, false},
		"null":               {nil, false},
		"bytes":              {[]byte(parent), false},
		"a list":             {[]any{parent}, false},
		"empty":              {"", false},
		"numbers":            {map[string]any{"traceparent": 7, "tracestate": []any{}}, false},
		"deep":               {map[string]any{"traceparent": nested(100)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, serializer wamp.Option) {
				g := newRig(t)
				r := wamptest.NewRouter(t, wamptest.WithForwardedOptions(otelwamp.DefaultOption))
				peer, s := join(t, r, serializer), join(t, r, serializer, g.seen(otelwamp.InKwargs(""), otelwamp.InOptions()))
				handle(t, s, "com.example.echo", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) })
				res, err := peer.Call(t.Context(), "com.example.echo", wamp.Args(1).WithKwargs(map[string]any{"a": 1, otelwamp.DefaultKwarg: tt.value})).Final()
				if err != nil {
					t.Fatal(err)
				}
				kwargs, err := res.Kwargs()
				if err != nil || !reflect.DeepEqual(kwargs, map[string]any{"a": int64(1)}) || res.NArgs() != 1 {
					t.Errorf("the handler got %v, %v", kwargs, err)
				}
				check := func() {
					t.Helper()
					span := g.span(trace.SpanKindServer, "com.example.echo")
					if span.Parent.IsValid() != tt.parent || tt.parent && span.Parent.SpanID().String() != parent[36:52] {
						t.Errorf("the parent is %v", span.Parent)
					}
					if state := span.SpanContext.TraceState().String(); state != "" && state != "a=b" {
						t.Errorf("tracestate %q", state)
					}
				}
				check()
				if _, deep := tt.value.(map[string]any); deep && name == "deep" {
					return // no option may be like that
				}
				g.spans.Reset()
				if err := final(peer.Call(t.Context(), "com.example.echo", wamp.Args(1), wamp.Set(otelwamp.DefaultOption, tt.value))); err != nil {
					t.Fatal(err)
				}
				if name != "too much" { // only a payload has a bound of its own
					check()
				}
			})
		})
	}
}

// Where both are there the keyword argument counts, unless it says nothing.
func TestKwargAndOption(t *testing.T) {
	other := strings.Replace(parent, "b7ad", "0000", 1)
	for name, tt := range map[string]struct{ kwarg, want any }{
		"both": {other, other}, "a number": {7, parent}, "empty": {map[string]any{}, parent}, "garbage": {[]byte(parent), parent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				r := wamptest.NewRouter(t, wamptest.WithForwardedOptions(otelwamp.DefaultOption))
				peer, s := join(t, r), join(t, r, g.seen(otelwamp.InKwargs(""), otelwamp.InOptions()))
				handle(t, s, "com.example.echo", echo)
				if err := final(peer.Call(t.Context(), "com.example.echo", wamp.Args(1).With(otelwamp.DefaultKwarg, tt.kwarg), wamp.Set(otelwamp.DefaultOption, parent))); err != nil {
					t.Fatal(err)
				}
				if id := g.span(trace.SpanKindServer, "com.example.echo").Parent.SpanID().String(); id != tt.want.(string)[36:52] {
					t.Errorf("the parent is %s", id)
				}
			})
		})
	}
}

func nested(n int) (v any) {
	for range n {
		v = []any{v}
	}
	return v
}

// All fields of the propagator travel, and what is sent has the form that is described.
func TestFieldsTravel(t *testing.T) {
	bubble(t, func(t *testing.T, serializer wamp.Option) {
		g := newRig(t)
		r := wamptest.NewRouter(t, wamptest.WithForwardedOptions(otelwamp.DefaultOption))
		peer := join(t, r)
		s := join(t, r, serializer, g.seen(otelwamp.InKwargs(""), otelwamp.InOptions()))
		var kwargs, options map[string]any
		handle(t, peer, "com.example.peer", func(_ context.Context, inv *wamp.Invocation) error {
			kw, err := inv.Kwargs()
			kwargs, _ = kw[otelwamp.DefaultKwarg].(map[string]any)
			options = inv.Details.Dict(otelwamp.DefaultOption)
			return err
		})
		handle(t, s, "com.example.mine", func(ctx context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args(baggage.FromContext(ctx).Member("user").Value(), trace.SpanContextFromContext(ctx).TraceState().Get("vendor")))
		})
		member, err := baggage.NewMember("user", "joe")
		if err != nil {
			t.Fatal(err)
		}
		bag, err := baggage.New(member)
		if err != nil {
			t.Fatal(err)
		}
		state, err := trace.ParseTraceState("vendor=x")
		if err != nil {
			t.Fatal(err)
		}
		remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
		ctx := baggage.ContextWithBaggage(trace.ContextWithRemoteSpanContext(t.Context(), remote), bag)
		if err := final(s.Call(ctx, "com.example.peer", wamp.Args())); err != nil {
			t.Error(err)
		}
		for _, fields := range []map[string]any{kwargs, options} {
			if keys := sortedKeys(fields); fmt.Sprint(keys) != "[baggage traceparent tracestate]" || fields["baggage"] != "user=joe" || fields["tracestate"] != "vendor=x" {
				t.Errorf("%v", fields)
			}
		}
		res, err := s.Call(ctx, "com.example.mine", wamp.Args()).Final()
		var user, vendor string
		if err != nil || res.Scan(&user, &vendor) != nil || user != "joe" || vendor != "x" {
			t.Errorf("%q %q, %v", user, vendor, err)
		}
	})
}

// What is sent beside the trace is what would be sent without, in every form of payload.
func TestPayloadsStayAsTheyAre(t *testing.T) {
	type options struct {
		F float32 `json:"f"`
		B []byte  `json:"b"`
	}
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				r := wamptest.NewRouter(t)
				carry := []otelwamp.Option{otelwamp.InKwargs("")}
				traced, plain := join(t, r, wamp.WithSerializers(c), g.seen(carry...)), join(t, r, wamp.WithSerializers(c))
				callee := join(t, r, wamp.WithSerializers(c), g.seen(carry...))
				var got [][2]string
				handle(t, callee, "com.example.keep", func(_ context.Context, inv *wamp.Invocation) error {
					got = append(got, [2]string{string(inv.RawArgs()), string(inv.RawKwargs())})
					return nil
				})
				args, err1 := c.AppendList(nil, []any{1, "x"})
				kwargs, err2 := c.AppendValue(nil, map[string]any{"a": 1.5})
				if err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
				for name, p := range map[string]wamp.Payload{
					"args": wamp.Args(1, 2.5), "map": wamp.Kwargs(map[string]any{"a": 1}), "struct": wamp.Args(1).WithKwargs(options{0.1, []byte{1}}),
					"typed map": wamp.Kwargs(map[string]int{"a": 1}), "raw": wamp.Raw(c, args, kwargs), "raw args": wamp.Raw(c, args, nil),
				} {
					got = nil
					for _, s := range []*wamp.Session{plain, traced} {
						if err := final(s.Call(t.Context(), "com.example.keep", p)); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
					if len(got) != 2 || got[0] != got[1] {
						t.Errorf("%s: %q", name, got)
					}
				}
				synctest.Wait()
				for _, span := range g.spans.GetSpans() { // those of the traced session, too
					if span.SpanKind == trace.SpanKindServer && !span.Parent.IsValid() {
						got = append(got, [2]string{})
					}
				}
				if len(got) != 2+6 {
					t.Errorf("%d invocations have no parent", len(got)-2)
				}
				// What cannot be extended ends as it would without.
				opaque, err := c.AppendValue(nil, []byte("sealed"))
				if err != nil {
					t.Fatal(err)
				}
				for name, p := range map[string]wamp.Payload{
					"no dict": wamp.Kwargs(5), "garbage": wamp.Raw(c, nil, []byte{0xc1, 0xff}), "a channel": wamp.Args(make(chan int)),
					"opaque": wamp.Raw(c, opaque, nil), "not opened": codec.Sealed(func() (codec.Payload, error) { return codec.Payload{}, errors.New("lost") }),
				} {
					without, with := final(plain.Call(t.Context(), "com.example.keep", p)), final(traced.Call(t.Context(), "com.example.keep", p))
					if without == nil || with == nil || without.Error() != with.Error() {
						t.Errorf("%s: %v, and with a trace %v", name, without, with)
					}
				}
			})
		})
	}
}

// sealed is a payload codec whose secret is that it is known to both.
type sealed struct{}

func (sealed) Seal(_ seal.About, p codec.Payload) (*seal.Opaque, error) {
	list, err1 := p.Args()
	kwargs, err2 := p.Kwargs()
	data, err3 := codec.CBOR.AppendValue(nil, []any{list, kwargs})
	return &seal.Opaque{Scheme: "x_test", Serializer: "cbor", Data: data}, errors.Join(err1, err2, err3)
}

func (sealed) Open(_ seal.About, o *seal.Opaque) (codec.Payload, error) {
	parts, err := codec.CBOR.Elements(nil, o.Data)
	if err != nil || len(parts) != 2 {
		return codec.Payload{}, seal.ErrFormat
	}
	return codec.Raw(codec.CBOR, parts[0], parts[1]), nil
}

func (sealed) Plain(seal.About) error { return nil }

// In a sealed payload the trace context is sealed too.
func TestSealedPayloads(t *testing.T) {
	bubble(t, func(t *testing.T, serializer wamp.Option) {
		g := newRig(t)
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ wamp.ID, m *proto.Message) wamptest.Action {
			if m.Type == proto.Call && m.Kwargs != nil {
				t.Errorf("CALL has the keyword arguments %q", m.Kwargs)
			}
			return wamptest.Pass()
		}))
		s := join(t, r, serializer, g.seen(otelwamp.InKwargs("")), wamp.WithPayloadCodec(sealed{}))
		handle(t, s, "com.example.sealed", func(_ context.Context, inv *wamp.Invocation) error {
			kwargs, err := inv.Kwargs()
			if err != nil || !reflect.DeepEqual(kwargs, map[string]any{"a": int64(1)}) || inv.NArgs() != 1 {
				t.Errorf("the handler got %v, %v", kwargs, err)
			}
			return nil
		})
		ctx, over := g.root()
		if err := final(s.Call(ctx, "com.example.sealed", wamp.Args(1).With("a", 1))); err != nil {
			t.Error(err)
		}
		over()
		g.wants(`
			internal root
				client com.example.sealed Unset ok
					server com.example.sealed Unset ok`)
	})
}

func TestFieldsOf(t *testing.T) {
	long := strings.Repeat("x", 8193)
	for i, tt := range []struct {
		in   any
		want map[string]any
	}{
		{nil, nil}, {7, nil}, {"", nil}, {long, nil}, {"x", map[string]any{"traceparent": "x"}},
		{map[string]any{"a": "b", "c": 1, "d": long, "e": ""}, map[string]any{"a": "b"}},
	} {
		if got := otelwamp.FieldsOf(tt.in); len(got) != len(tt.want) || len(got) > 0 && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%d: %v", i, got)
		}
	}
}

func FuzzTraceContext(f *testing.F) {
	for _, c := range codec.All() {
		for _, v := range []any{parent, map[string]any{"traceparent": parent, "tracestate": "a=b", "baggage": "k=v"}} {
			kwargs, err := c.AppendValue(nil, map[string]any{otelwamp.DefaultKwarg: v})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(slices.Index(codec.All(), c)), kwargs)
		}
	}
	i := otelwamp.New(otelwamp.InKwargs(""), otelwamp.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})))
	f.Fuzz(func(t *testing.T, which uint8, kwargs []byte) {
		c := codec.All()[int(which)%len(codec.All())]
		p := wamp.Raw(c, nil, kwargs)
		before, _ := p.Kwargs()
		op := wamp.Op{Kind: wamp.OpInvocation, URI: "u", Pattern: "u", Payload: p}
		ctx, err := i.Begin(t.Context(), &op)
		if err != nil {
			t.Fatal(err)
		}
		i.End(ctx, &op, nil)
		after, err := op.Payload.Kwargs()
		delete(before, otelwamp.DefaultKwarg)
		if before != nil && (err != nil || len(before) != len(after)) {
			t.Fatalf("%v has become %v, %v", before, after, err)
		}
	})
}
