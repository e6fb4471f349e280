package otelwamp

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"

	"github.com/connectanum/connectanum-go/wamp"
)

// instruments are those of operations.
type instruments struct {
	client    rpcconv.ClientCallDuration
	server    rpcconv.ServerCallDuration
	operation messagingconv.ClientOperationDuration
	sent      messagingconv.ClientSentMessages
	consumed  messagingconv.ClientConsumedMessages
	process   messagingconv.ProcessDuration
	results   metric.Int64Histogram
}

func newInstruments(m metric.Meter) (i instruments) {
	i.client = made(rpcconv.NewClientCallDuration(m))
	i.server = made(rpcconv.NewServerCallDuration(m))
	i.operation = made(messagingconv.NewClientOperationDuration(m))
	i.sent = made(messagingconv.NewClientSentMessages(m))
	i.consumed = made(messagingconv.NewClientConsumedMessages(m))
	i.process = made(messagingconv.NewProcessDuration(m))
	i.results = made(m.Int64Histogram(metricResults, metric.WithUnit("{result}"), metric.WithDescription("Results of a progressive call, the final one included."),
		metric.WithExplicitBucketBoundaries(0, 1, 2, 5, 10, 100, 1_000, 10_000, 100_000, 1_000_000)))
	return i
}

// made reports what could not be made. The instrument then does nothing.
func made[T any](instrument T, err error) T {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}

// record is called when an operation is over, after that many seconds.
func (i *instruments) record(ctx context.Context, op *wamp.Op, seconds float64, list []attribute.KeyValue) {
	set := attribute.NewSet(list...)
	switch op.Kind {
	case wamp.OpCall:
		i.client.RecordSet(ctx, seconds, set)
		if op.Progressive {
			i.results.Record(ctx, int64(op.Received), metric.WithAttributeSet(set))
		}
	case wamp.OpInvocation:
		i.server.RecordSet(ctx, seconds, set)
	case wamp.OpPublish:
		i.operation.RecordSet(ctx, seconds, set)
		i.sent.AddSet(ctx, 1, set)
	case wamp.OpEvent:
		if op.Handled {
			i.process.RecordSet(ctx, seconds, set)
		}
		i.consumed.AddSet(ctx, 1, set)
	default: // the others have spans only
	}
}
