package otelwamp

import (
	"go.opentelemetry.io/otel/attribute"
	// The one version of the semantic conventions that this package keeps to; its parts
	// are imported beside it. Who takes up another one changes all three.
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// SemconvVersion is the version of the OpenTelemetry semantic conventions whose names the
// spans and metrics of this package have.
const SemconvVersion = "1.43.0"

const (
	scope  = "github.com/connectanum/connectanum-go/wamp/otelwamp"
	system = "wamp" // rpc.system.name, messaging.system
)

// Keys for what the semantic conventions have no name for.
const (
	keyRealm         = attribute.Key("wamp.realm")
	keySession       = attribute.Key("wamp.session")
	keyOutcome       = attribute.Key("wamp.outcome")
	keyCanceledBy    = attribute.Key("wamp.canceled_by")
	keyCancelCause   = attribute.Key("wamp.cancel.cause")
	keyAttempts      = attribute.Key("wamp.attempts")
	keyPartsSent     = attribute.Key("wamp.parts.sent")
	keyPartsReceived = attribute.Key("wamp.parts.received")
	keyBytesSent     = attribute.Key("wamp.bytes.sent")
	keyBytesReceived = attribute.Key("wamp.bytes.received")
	keyMatch         = attribute.Key("wamp.match")
	keyPartNumber    = attribute.Key("wamp.part.number")
	keyPartSize      = attribute.Key("wamp.part.size")
	keyPartLast      = attribute.Key("wamp.part.last")
)

// Names of the events of a span.
const (
	eventResult  = "wamp.result"
	eventChunk   = "wamp.chunk"
	eventResumed = "wamp.resumed"
)

// Names of metrics.
const (
	metricResults    = "wamp.call.results"
	metricOpen       = "wamp.session.open"
	metricReconnects = "wamp.session.reconnects"
	metricRTT        = "wamp.session.rtt"
	metricQueue      = "wamp.session.queue.size"
	metricWaiting    = "wamp.session.waiting"
	metricMessages   = "wamp.session.messages"
	metricDropped    = "wamp.session.dropped"
	metricOverflowed = "wamp.session.overflowed"
	metricRefused    = "wamp.session.refused"
	metricFaults     = "wamp.session.faults"
)

// Values of wamp.outcome.
const (
	outcomeOK           = "ok"
	outcomeError        = "error"
	outcomeRefused      = "refused"
	outcomeCanceled     = "canceled"
	outcomeTimeout      = "timeout"
	outcomeUnknown      = "unknown"
	outcomeSlowConsumer = "slow_consumer"
	outcomeClosed       = "closed"
	outcomePanic        = "panic"
	outcomeDropped      = "dropped"
)

// Values of error.type where no URI says it.
const (
	typeOutcomeUnknown = "outcome_unknown"
	typeSlowConsumer   = "slow_consumer"
	typeClosed         = "session_closed"
	typePanic          = "panic"
	typeNotSent        = "not_sent"
)

var (
	rpcSystem       = semconv.RPCSystemNameKey.String(system)
	messagingSystem = semconv.MessagingSystemKey.String(system)
)
