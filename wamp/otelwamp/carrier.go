package otelwamp

import (
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/propagation"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// DefaultKwarg is the name of the keyword argument that InKwargs uses where it is given
// none.
const DefaultKwarg = "trace_context"

// DefaultOption is the key of the option that InOptions uses where it is given none.
const DefaultOption = "x_trace_context"

// TransactionHash is the key of the only option that Crossbar forwards: a text, which has
// room for the traceparent only. See InOptions.
const TransactionHash = proto.KeyTransactionHash

const (
	traceparent = "traceparent"
	// mostField bounds a field that a peer has sent: as W3C Baggage says.
	mostField = 8192
	// mostCarrier bounds all that a peer has sent, encoded.
	mostCarrier = 4 * mostField
)

// fields is a carrier: the fields of a propagator, such as traceparent and tracestate. The
// values are texts.
type fields map[string]any

var _ propagation.TextMapCarrier = fields(nil)

func (f fields) Get(key string) string       { s, _ := f[key].(string); return s }
func (f fields) Set(key string, text string) { f[key] = text }
func (f fields) Keys() []string              { return slices.Collect(maps.Keys(f)) }

// fieldsOf reads what a peer has sent: a dict of fields, or the traceparent alone. What is
// no text, or too long for any field, is left out.
func fieldsOf(value any) fields {
	f := fields{}
	switch value := value.(type) {
	case string:
		value, ok := bounded(value)
		if ok {
			f[traceparent] = value
		}
	case map[string]any:
		for key, v := range value {
			if s, is := v.(string); is {
				if s, ok := bounded(s); ok {
					f[key] = s
				}
			}
		}
	}
	return f
}

func bounded(s string) (string, bool) { return s, s != "" && len(s) <= mostField }

// place is where the trace context travels. Either of them may be "".
type place struct {
	kwarg, option string
	propagator    propagation.TextMapPropagator
}

func (p *place) none() bool { return p.kwarg == "" && p.option == "" }

// inject puts the context of ctx into what a call or publish sends.
func (p *place) inject(ctx context.Context, op *wamp.Op) {
	if p.none() {
		return
	}
	f := fields{}
	p.propagator.Inject(ctx, f)
	if len(f) == 0 {
		return
	}
	op.Payload = p.put(op.Payload, f)
	switch {
	case p.option == "":
	case p.option == TransactionHash:
		if s := f.Get(traceparent); s != "" {
			op.Options = op.Options.With(p.option, s)
		}
	default:
		op.Options = op.Options.With(p.option, map[string]any(f))
	}
}

// again puts the context of ctx into a payload that is sent later, in an option that was
// sent already.
func (p *place) again(ctx context.Context, payload wamp.Payload) wamp.Payload {
	f := fields{}
	if p.kwarg != "" {
		p.propagator.Inject(ctx, f)
	}
	return p.put(payload, f)
}

func (p *place) put(payload wamp.Payload, f fields) wamp.Payload {
	if p.kwarg == "" || len(f) == 0 {
		return payload
	}
	opened, err := payload.Open()
	if err != nil {
		return payload
	}
	with := opened.With(p.kwarg, map[string]any(f))
	if opened.Codec() != nil && with.Codec() == nil { // what is encoded is opaque, or no dict
		return payload
	}
	return with
}

// extract takes the trace context out of an invocation or event, and returns ctx with it.
func (p *place) extract(ctx context.Context, op *wamp.Op) context.Context {
	if p.none() {
		return ctx
	}
	f := fields{}
	if p.option != "" {
		value, _ := op.Options.Get(p.option)
		f = fieldsOf(value)
	}
	if p.kwarg != "" {
		rest, split := op.Payload.Split(p.kwarg)
		if size := split.Size(); size > 0 {
			op.Payload = rest
			if size <= mostCarrier {
				kwargs, _ := split.Kwargs() // what cannot be decoded is none
				maps.Copy(f, fieldsOf(kwargs[p.kwarg]))
			}
		}
	}
	if len(f) == 0 {
		return ctx
	}
	return p.propagator.Extract(ctx, f)
}
