package otelwamp

import (
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
)

// Option configures New and Observe.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	place      place
	events     bool
	attributes []attribute.KeyValue
}

func newConfig(options []Option) config {
	var c config
	for _, o := range options {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	if c.place.propagator == nil {
		c.place.propagator = otel.GetTextMapPropagator()
	}
	return c
}

func (c *config) tracer() trace.Tracer {
	return c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
}

func (c *config) meter() metric.Meter {
	return c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
}

// WithTracerProvider makes the spans. The default is the global one,
// [otel.GetTracerProvider].
func WithTracerProvider(p trace.TracerProvider) Option {
	return optionFunc(func(c *config) { c.tracers = p })
}

// WithMeterProvider makes the metrics. The default is the global one,
// [otel.GetMeterProvider].
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) { c.meters = p })
}

// WithPropagator says what travels where InKwargs or InOptions let it: its fields, such as
// traceparent and tracestate of [propagation.TraceContext]. The default is the global one,
// [otel.GetTextMapPropagator], which carries nothing unless the program has set it.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) { c.place.propagator = p })
}

// WithAttributes adds attributes to every span and metric. Sessions of one program whose
// metrics are to be told apart have different ones.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) { c.attributes = append(slices.Clip(c.attributes), attributes...) })
}

// ProgressEvents adds an event to the span for each result and each chunk that is sent or
// received: wamp.result and wamp.chunk, with number and size. By default there are none,
// as a stream may have millions; SDKs keep the newest 128.
func ProgressEvents() Option { return optionFunc(func(c *config) { c.events = true }) }

// InKwargs lets the trace context travel as one keyword argument of calls and publishes,
// called name, or DefaultKwarg if that is "". Its value is a dict of the propagator's
// fields, {"traceparent": "00-...", "tracestate": "..."}. It is taken out of invocations and
// events before the handler sees their payload, whatever is in it, so the name is
// reserved on both sides. A callee that does not know it sees one keyword argument more.
//
// A traceparent alone, as a text, is understood too. A payload that is opaque is sent
// without. Of a progressive call the first chunk carries it.
func InKwargs(name string) Option {
	if name == "" {
		name = DefaultKwarg
	}
	return optionFunc(func(c *config) { c.place.kwarg = name })
}

// InOptions lets the trace context travel as one option of calls and publishes, where the
// router forwards that as a detail of invocations and events: the payload stays as it
// is. Its key is DefaultOption unless one is given, its value a dict of the propagator's
// fields.
//
// No option is forwarded by all routers. Crossbar forwards TransactionHash only, whose
// value must be a text: with that as the key the value is the traceparent, and other
// fields do not travel. nexus forwards none. The router of package wamptest forwards
// what wamptest.WithForwardedOptions names. A router that does not forward the option
// drops it, and the trace ends there.
func InOptions(key ...string) Option {
	option := DefaultOption
	if len(key) > 0 && key[0] != "" {
		option = key[0]
	}
	return optionFunc(func(c *config) { c.place.option = option })
}

// New returns an interceptor that makes spans and metrics of what a session does. It is
// given to the session by [wamp.WithInterceptors], and may be given to several. As the
// first of the interceptors it sees what the others refuse.
//
//	session, err := wamp.Connect(ctx, url, realm, wamp.WithInterceptors(otelwamp.New(otelwamp.InKwargs(""))))
//
// It observes the sessions that Connect makes with it, as Observe does. An instrument that
// cannot be made is reported to [otel.Handle], and the others are.
func New(options ...Option) wamp.Interceptor {
	c := newConfig(options)
	i := &interceptor{config: c, tracer: c.tracer()}
	i.instruments = newInstruments(c.meter())
	return i
}
