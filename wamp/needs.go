package wamp

import (
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// patientCall waits for a connection whatever FailFast says: what asks has begun
// before, and goes on.
type patientCall struct{}

func (patientCall) applyCall(s *callStream) error { s.call.Patient = true; return nil }

// aboutCall names a subscription by its id. After a reconnect it waits for that to
// have one.
type aboutCall struct{ sub *session.Subscription }

func (o aboutCall) applyCall(s *callStream) error { s.call.About = o.sub; return nil }

// Require makes an operation fail with a [FeatureError], before anything is sent,
// where the router did not announce a feature for the role in which it serves the
// operation. The options of this package require by themselves what they need; for
// an option that is sent by [Set], use Require.
func Require(role proto.Role, feature proto.Feature) OperationOption {
	return operationOption(func(op operation) error {
		*op.needs = append(*op.needs, session.Need{Role: role, Feature: feature})
		return nil
	})
}

// What the key table says of options of calls. It is looked up once: calls are made
// often.
var (
	routingNeed = session.NeedFor(proto.Call, proto.KeyRKey, "RoutingKey")
	runModeNeed = session.NeedFor(proto.Call, proto.KeyRunMode, "RunMode")
)
