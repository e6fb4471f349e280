package otelwamp

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// verdict is what the error of an operation means.
type verdict struct {
	outcome    string // wamp.outcome
	errorType  string // error.type, "" where the operation has not failed
	statusCode string // rpc.response.status_code: a URI, "" where there is none
	canceledBy string // wamp.canceled_by: "caller" or "peer"
	cause      error  // wamp.cancel.cause
}

// refusals are the URIs by which a router, or a callee, says that it did not do it.
var refusals = map[string]bool{
	proto.ErrURIInvalidURI: true, proto.ErrURINoSuchProcedure: true, proto.ErrURIProcedureAlreadyExists: true,
	proto.ErrURINoSuchRegistration: true, proto.ErrURINoSuchSubscription: true, proto.ErrURIInvalidArgument: true,
	proto.ErrURIPayloadSizeExceeded: true, proto.ErrURINotAuthorized: true, proto.ErrURIAuthorizationFailed: true,
	proto.ErrURINoSuchRealm: true, proto.ErrURINoSuchRole: true, proto.ErrURINoMatchingAuthMethod: true,
	proto.ErrURINoSuchPrincipal: true, proto.ErrURIAuthenticationDenied: true, proto.ErrURIAuthenticationFailed: true,
	proto.ErrURIAuthenticationRequired: true, proto.ErrURIAuthorizationDenied: true, proto.ErrURIAuthorizationRequired: true,
	proto.ErrURIOptionNotAllowed: true, proto.ErrURIDiscloseMe: true, proto.ErrURIUnavailable: true,
	proto.ErrURINoAvailableCallee: true, proto.ErrURIFeatureNotSupported: true, proto.ErrURINoSuchSession: true,
	proto.ErrURINoAuthMethod: true, proto.ErrURIInvocationPolicy: true, proto.ErrURINoEligibleCallee: true,
	proto.ErrURIInvalidPayload: true, proto.ErrURIMaxConcurrencyReached: true,
}

// judge says what the error of an operation means to the side that has it.
func judge(kind wamp.OpKind, err error) verdict {
	switch {
	case err == nil:
		return verdict{outcome: outcomeOK}
	case kind == wamp.OpInvocation:
		return judgeInvocation(err)
	case errors.Is(err, wamp.ErrEventDropped):
		return verdict{outcome: outcomeDropped}
	}
	if v, is := conclusion(err); is {
		return v
	}
	if abort, is := find[*wamp.AbortError](err); is {
		return verdict{outcome: outcomeRefused, errorType: abort.Reason}
	}
	return answered(err)
}

// judgeInvocation is for what a callee answers. An error with a URI is an answer, which
// the callee meant to give; it is no failure of the callee's.
func judgeInvocation(err error) verdict {
	_, nested := find[*wamp.OpError](err) // of what the handler has called
	if v, is := conclusion(err); is && !nested {
		return v
	}
	uri := wamp.ErrorURI(err)
	switch {
	case uri == "", uri == proto.ErrURIRuntimeError, nested && strings.HasPrefix(uri, "wamp."): // masked for the caller
		v := verdict{outcome: outcomeError, errorType: typeOf(err), statusCode: proto.ErrURIRuntimeError}
		if uri != "" {
			v.errorType = uri
		}
		return v
	case refusals[uri]:
		return verdict{outcome: outcomeRefused, statusCode: uri}
	}
	return verdict{outcome: outcomeError, statusCode: uri}
}

// conclusion is for errors that this side has concluded, not what somebody answered.
func conclusion(err error) (v verdict, is bool) {
	if _, is := find[*wamp.PanicError](err); is {
		return verdict{outcome: outcomePanic, errorType: typePanic}, true
	}
	if _, is := find[*wamp.OutcomeUnknown](err); is {
		return verdict{outcome: outcomeUnknown, errorType: typeOutcomeUnknown}, true
	}
	if c, is := find[*wamp.CanceledError](err); is {
		if errors.Is(c, wamp.ErrTimeout) {
			return verdict{outcome: outcomeTimeout, errorType: proto.ErrURITimeout, statusCode: proto.ErrURITimeout}, true
		}
		return verdict{outcome: outcomeCanceled, statusCode: proto.ErrURICanceled, canceledBy: "caller", cause: c.Cause}, true
	}
	if i, is := find[*wamp.Interrupt](err); is {
		if i.Reason == proto.ErrURITimeout {
			return verdict{outcome: outcomeTimeout, errorType: proto.ErrURITimeout, statusCode: proto.ErrURITimeout}, true
		}
		return verdict{outcome: outcomeCanceled, statusCode: proto.ErrURICanceled, canceledBy: "peer", cause: i}, true
	}
	if errors.Is(err, wamp.ErrSlowConsumer) {
		return verdict{outcome: outcomeSlowConsumer, errorType: typeSlowConsumer}, true
	}
	if wamp.ErrorURI(err) == "" && (errors.Is(err, wamp.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, wamp.ErrAckTimeout)) {
		return verdict{outcome: outcomeTimeout, errorType: proto.ErrURITimeout, statusCode: proto.ErrURITimeout}, true
	}
	if errors.Is(err, wamp.ErrSessionClosed) {
		return verdict{outcome: outcomeClosed, errorType: typeClosed}, true
	}
	return v, false
}

// answered is for what the router or the peer has answered, and for what was not sent.
func answered(err error) verdict {
	switch uri := wamp.ErrorURI(err); uri {
	case "":
	case proto.ErrURICanceled, proto.ErrURICancelled:
		return verdict{outcome: outcomeCanceled, errorType: proto.ErrURICanceled, statusCode: uri, canceledBy: "peer"}
	case proto.ErrURITimeout:
		return verdict{outcome: outcomeTimeout, errorType: uri, statusCode: uri}
	default:
		v := verdict{outcome: outcomeError, errorType: uri, statusCode: uri}
		if refusals[uri] {
			v.outcome = outcomeRefused
		}
		return v
	}
	if notSent(err) {
		return verdict{outcome: outcomeRefused, errorType: typeNotSent}
	}
	return verdict{outcome: outcomeError, errorType: typeOf(err)}
}

// notSent reports whether the operation was refused on this side.
func notSent(err error) bool {
	_, feature := find[*wamp.FeatureError](err)
	_, uri := find[*wamp.URIError](err)
	_, encode := find[*wamp.EncodeError](err)
	return feature || uri || encode || errors.Is(err, wamp.ErrPayloadTooBig) || errors.Is(err, wamp.ErrNotConnected)
}

// typeOf is the error.type of an error that has no better name: that of its Go type, or
// what its method ErrorType returns.
func typeOf(err error) string {
	for {
		op, is := find[*wamp.OpError](err)
		if !is || op.Err == nil {
			return semconv.ErrorType(err).Value.AsString()
		}
		err = op.Err
	}
}

func find[T error](err error) (t T, is bool) {
	is = errors.As(err, &t)
	return t, is
}

// attributes are those of metrics; there are few values of each.
func (v verdict) attributes(rpc bool) (list []attribute.KeyValue) {
	if v.errorType != "" {
		list = append(list, semconv.ErrorTypeKey.String(v.errorType))
	}
	if rpc && v.statusCode != "" {
		list = append(list, semconv.RPCResponseStatusCode(v.statusCode))
	}
	return list
}
