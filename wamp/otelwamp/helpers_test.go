package otelwamp_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

var (
	handle      = sessiontest.Handle
	closeIt     = sessiontest.Close
	subscribe   = sessiontest.Subscribe
	quick       = sessiontest.Quick
	serializers = sessiontest.Serializers
)

// rig is what a test measures with.
type rig struct {
	t      *testing.T
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
	settle func() // waits until spans have ended
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader(), settle: synctest.Wait}
	g.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(g.spans))
	g.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(g.reader))
	return g
}

// options make an interceptor that reports to the rig.
func (g *rig) options(more ...otelwamp.Option) []otelwamp.Option {
	return append([]otelwamp.Option{otelwamp.WithTracerProvider(g.traces), otelwamp.WithMeterProvider(g.meters),
		otelwamp.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))}, more...)
}

// seen is the option of a session that reports to the rig.
func (g *rig) seen(more ...otelwamp.Option) wamp.Option {
	return wamp.WithInterceptors(otelwamp.New(g.options(more...)...))
}

// root begins a trace. over ends its first span.
func (g *rig) root() (ctx context.Context, over func()) {
	ctx, span := g.traces.Tracer("test").Start(g.t.Context(), "root")
	return ctx, func() { span.End() }
}

// join joins a router, and closes when the test ends, or earlier by closeIt.
func join(t *testing.T, r *wamptest.Router, options ...wamp.Option) *wamp.Session {
	t.Helper()
	return sessiontest.Join(t, r, options...)
}

// bubble runs a test in fake time, with each serializer.
func bubble(t *testing.T, f func(t *testing.T, serializer wamp.Option)) {
	t.Helper()
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, wamp.WithSerializers(c)) })
		})
	}
}

// tree is the traces as text: each span below its parent, with its kind, its status and its
// outcome. What making sessions and handles leaves behind is left out.
func (g *rig) tree() string {
	g.settle()
	all := g.spans.GetSpans()
	slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	all = slices.DeleteFunc(all, func(s tracetest.SpanStub) bool {
		verb, _, _ := strings.Cut(s.Name, " ")
		return verb == "connect" || verb == "subscribe" || verb == "register"
	})
	known := map[trace.SpanID]bool{}
	for _, s := range all {
		known[s.SpanContext.SpanID()] = true
	}
	var b strings.Builder
	var below func(parent trace.SpanID, indent string)
	below = func(parent trace.SpanID, indent string) {
		for _, s := range all {
			id := s.Parent.SpanID()
			if !known[id] {
				id = trace.SpanID{}
			}
			if id != parent {
				continue
			}
			fmt.Fprintf(&b, "%s%s %s", indent, s.SpanKind, s.Name)
			if outcome := attr(s, "wamp.outcome"); outcome != "" {
				fmt.Fprintf(&b, " %s %s", s.Status.Code, outcome)
			}
			b.WriteByte('\n')
			below(s.SpanContext.SpanID(), indent+"  ")
		}
	}
	below(trace.SpanID{}, "")
	return b.String()
}

// wants compares the tree with lines that are indented by tabs.
func (g *rig) wants(want string) {
	g.t.Helper()
	var lines []string
	for line := range strings.Lines(strings.Trim(want, "\n")) {
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], "\t"))
	var b strings.Builder
	for _, line := range lines {
		line = line[min(indent, len(line)):]
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.ReplaceAll(line, "\t", "  ") + "\n")
		}
	}
	if got := g.tree(); got != b.String() {
		g.t.Errorf("the trace is\n%sand should be\n%s", got, b.String())
	}
	traces := map[trace.TraceID]bool{}
	for _, s := range g.spans.GetSpans() {
		if attr(s, "wamp.outcome") == "" || s.Parent.IsValid() {
			traces[s.SpanContext.TraceID()] = true
		}
	}
	if len(traces) > 1 {
		g.t.Errorf("there are %d traces", len(traces))
	}
}

// attr is an attribute of a span as text, "" if it is not there.
func attr(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// span is the only span of that kind and name.
func (g *rig) span(kind trace.SpanKind, name string) (found tracetest.SpanStub) {
	g.t.Helper()
	g.settle()
	n := 0
	for _, s := range g.spans.GetSpans() {
		if s.SpanKind == kind && s.Name == name {
			found = s
			n++
		}
	}
	if n != 1 {
		g.t.Fatalf("there are %d spans of %s %s", n, kind, name)
	}
	return found
}

// has compares attributes, which are given as key, value.
func has(t *testing.T, s tracetest.SpanStub, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := attr(s, attribute.Key(pairs[i])); got != pairs[i+1] {
			t.Errorf("%s %s: %s is %q, not %q", s.SpanKind, s.Name, pairs[i], got, pairs[i+1])
		}
	}
}

// metrics collects: "name{key=value ...} value" for each point, of a histogram its count.
func (g *rig) metrics() (all []string) {
	g.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := g.reader.Collect(context.Background(), &rm); err != nil {
		g.t.Fatal(err)
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				all = append(all, points(m.Name, data.DataPoints)...)
			case metricdata.Gauge[float64]:
				all = append(all, points(m.Name, data.DataPoints)...)
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					all = append(all, fmt.Sprint(m.Name, labels(p.Attributes), p.Count))
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					all = append(all, fmt.Sprint(m.Name, labels(p.Attributes), p.Sum))
				}
			default:
				g.t.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	slices.Sort(all)
	return all
}

func points[N int64 | float64](name string, list []metricdata.DataPoint[N]) (all []string) {
	for _, p := range list {
		all = append(all, fmt.Sprint(name, labels(p.Attributes), p.Value))
	}
	return all
}

func labels(set attribute.Set) string {
	var list []string
	for _, a := range set.ToSlice() {
		list = append(list, string(a.Key)+"="+a.Value.String())
	}
	return "{" + strings.Join(list, " ") + "} "
}

// counts reports whether the metrics have these points.
func (g *rig) counts(want ...string) {
	g.t.Helper()
	all := g.metrics()
	for _, w := range want {
		if !slices.Contains(all, w) {
			g.t.Errorf("there is no %s in\n%s", w, strings.Join(all, "\n"))
		}
	}
}

// final is the error of a call.
func final(r wamp.Results) error { _, err := r.Final(); return err }

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}
