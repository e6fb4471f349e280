package otelwamp

import (
	"context"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// interceptor makes a span and metrics of each operation.
type interceptor struct {
	config
	instruments
	tracer trace.Tracer
	server atomic.Pointer[server] // the one that was met last
}

var _ wamp.Interceptor = (*interceptor)(nil)

// operation is one that is under way; its context has it, by the interceptor that it
// belongs to.
type operation struct {
	span     trace.Span
	list     []attribute.KeyValue // of the span and the metrics
	attempts int
}

// Begin implements [wamp.Interceptor].
func (i *interceptor) Begin(ctx context.Context, op *wamp.Op) (context.Context, error) {
	o := &operation{attempts: op.Attempts}
	var name string
	var kind trace.SpanKind
	name, kind, o.list = i.describe(op)
	if op.Kind == wamp.OpInvocation || op.Kind == wamp.OpEvent {
		ctx = i.place.extract(ctx, op)
	}
	ctx, o.span = i.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(o.list...), trace.WithAttributes(details(op)...))
	if op.Kind == wamp.OpCall || op.Kind == wamp.OpPublish {
		i.place.inject(ctx, op)
	}
	return context.WithValue(ctx, i, o), nil
}

// describe returns the name of a span, its kind, and the attributes of which there are
// few values. An operation goes by the pattern, of which there are fewer than URIs.
func (i *interceptor) describe(op *wamp.Op) (name string, kind trace.SpanKind, list []attribute.KeyValue) {
	list = make([]attribute.KeyValue, 0, 8+len(i.attributes)) // with what End adds
	switch op.Kind {
	case wamp.OpCall:
		name, kind = op.Pattern, trace.SpanKindClient
		list = append(list, rpcSystem, semconv.RPCMethod(op.Pattern))
	case wamp.OpInvocation:
		name, kind = op.Pattern, trace.SpanKindServer
		list = append(list, rpcSystem, semconv.RPCMethod(op.Pattern))
	case wamp.OpPublish:
		name, kind = "publish "+op.Pattern, trace.SpanKindProducer
		list = append(list, messagingSystem, semconv.MessagingOperationName("publish"), semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(op.Pattern))
	case wamp.OpEvent:
		verb, is := "receive", semconv.MessagingOperationTypeReceive
		if op.Handled {
			verb, is = "process", semconv.MessagingOperationTypeProcess
		}
		name, kind = verb+" "+op.Pattern, trace.SpanKindConsumer
		list = append(list, messagingSystem, semconv.MessagingOperationName(verb), is)
		if isPattern(op) {
			list = append(list, semconv.MessagingDestinationTemplate(op.Pattern))
		} else {
			list = append(list, semconv.MessagingDestinationName(op.Pattern))
		}
	case wamp.OpConnect:
		name, kind = op.Kind.String(), trace.SpanKindClient
	default:
		name, kind = op.Kind.String()+" "+op.Pattern, trace.SpanKindClient
	}
	if s := i.serverOf(op.Router); s != nil {
		list = append(list, s.list...)
	}
	return name, kind, append(list, i.attributes...)
}

func isPattern(op *wamp.Op) bool { return op.Match == wamp.Prefix || op.Match == wamp.Wildcard }

// details are the attributes that are known at the beginning and are of the span only.
func details(op *wamp.Op) []attribute.KeyValue {
	list := make([]attribute.KeyValue, 0, 6)
	list = append(list, keyRealm.String(op.Realm))
	if op.Session != nil {
		list = append(list, keySession.Int64(int64(op.Session.ID())))
	}
	if isPattern(op) {
		list = append(list, keyMatch.String(string(op.Match)))
	}
	switch op.Kind {
	case wamp.OpCall, wamp.OpInvocation:
		if op.URI != op.Pattern {
			list = append(list, semconv.RPCMethodOriginal(op.URI))
		}
	case wamp.OpEvent:
		if isPattern(op) {
			list = append(list, semconv.MessagingDestinationName(op.URI))
		}
		if op.Publication != 0 {
			list = append(list, semconv.MessagingMessageID(strconv.FormatUint(uint64(op.Publication), 10)))
		}
	default: // there is no more to say
	}
	return list
}

// Progress implements [wamp.Interceptor].
func (i *interceptor) Progress(ctx context.Context, op *wamp.Op, part *wamp.Part) error {
	o, _ := ctx.Value(i).(*operation)
	if o == nil {
		return nil
	}
	if op.Kind == wamp.OpCall && part.Sent && part.N == 1 { // what Resume sends in the place of the call
		part.Payload = i.place.again(ctx, part.Payload)
	}
	if op.Attempts > o.attempts && o.attempts > 0 {
		o.span.AddEvent(eventResumed, trace.WithAttributes(keyAttempts.Int(op.Attempts)))
	}
	o.attempts = op.Attempts
	if i.events && o.span.IsRecording() {
		o.span.AddEvent(eventOf(op.Kind, part.Sent), trace.WithAttributes(keyPartNumber.Int(part.N), keyPartSize.Int(part.Size()), keyPartLast.Bool(part.Last)))
	}
	return nil
}

// eventOf is what a part of an operation is: callers send chunks, callees results.
func eventOf(kind wamp.OpKind, sent bool) string {
	if (kind == wamp.OpCall) == sent {
		return eventChunk
	}
	return eventResult
}

// End implements [wamp.Interceptor].
func (i *interceptor) End(ctx context.Context, op *wamp.Op, err error) {
	o, _ := ctx.Value(i).(*operation)
	if o == nil {
		return
	}
	defer o.span.End() // also where the error panics when it is asked for its text
	seconds := time.Since(op.Began).Seconds()
	v := judge(op.Kind, err)
	o.list = append(o.list, v.attributes(op.Kind == wamp.OpCall || op.Kind == wamp.OpInvocation)...)
	i.record(ctx, op, seconds, o.list)
	if op.Kind == wamp.OpConnect && err == nil && op.Session != nil {
		i.observe(op.Session)
	}
	if !o.span.IsRecording() {
		return
	}
	o.span.SetAttributes(v.attributes(op.Kind == wamp.OpCall || op.Kind == wamp.OpInvocation)...)
	o.span.SetAttributes(i.endOf(op, v)...)
	if v.errorType != "" {
		o.span.SetStatus(codes.Error, proto.Short(err.Error()))
	}
}

// endOf are the attributes of a span that are known at its end.
func (i *interceptor) endOf(op *wamp.Op, v verdict) []attribute.KeyValue {
	list := make([]attribute.KeyValue, 0, 8)
	list = append(list, keyOutcome.String(v.outcome))
	if v.canceledBy != "" {
		list = append(list, keyCanceledBy.String(v.canceledBy))
	}
	if v.cause != nil {
		list = append(list, keyCancelCause.String(proto.Short(v.cause.Error())))
	}
	if op.Attempts > 1 {
		list = append(list, keyAttempts.Int(op.Attempts))
	}
	number := func(key attribute.Key, n int) {
		if n > 0 {
			list = append(list, key.Int(n))
		}
	}
	switch op.Kind {
	case wamp.OpConnect:
		if s := i.serverOf(op.Router); s != nil { // which was not known at the beginning
			list = append(list, s.list...)
		}
	case wamp.OpCall, wamp.OpInvocation:
		number(keyPartsSent, op.Sent)
		number(keyPartsReceived, op.Received)
		number(keyBytesSent, op.SentBytes)
		number(keyBytesReceived, op.ReceivedBytes)
	case wamp.OpPublish:
		if op.Publication != 0 {
			list = append(list, semconv.MessagingMessageID(strconv.FormatUint(uint64(op.Publication), 10)))
		}
		number(semconv.MessagingMessageBodySizeKey, op.SentBytes)
	case wamp.OpEvent:
		number(semconv.MessagingMessageBodySizeKey, op.ReceivedBytes)
	default: // they carry nothing
	}
	return list
}

// server is the address of a router as attributes.
type server struct {
	router string
	list   []attribute.KeyValue
}

// serverOf returns nil where there is no address.
func (i *interceptor) serverOf(router string) *server {
	if router == "" {
		return nil
	}
	if s := i.server.Load(); s != nil && s.router == router {
		return s
	}
	s := &server{router: router}
	if u, err := url.Parse(router); err == nil {
		switch {
		case u.Hostname() != "":
			s.list = append(s.list, semconv.ServerAddress(u.Hostname()))
			if n, err := strconv.Atoi(u.Port()); err == nil {
				s.list = append(s.list, semconv.ServerPort(n))
			}
		case u.Path != "":
			s.list = append(s.list, semconv.ServerAddress(u.Path)) // a Unix socket
		}
	}
	i.server.Store(s)
	return s
}
