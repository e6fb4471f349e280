package wamp

import (
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// RequireOption is the result of [Require]: an option of every operation.
type RequireOption interface {
	CallOption
	EventOption
	SubscribeOption
	RegisterOption
}

// Require makes an operation fail with a [FeatureError], before anything is
// sent, if the router did not announce the feature for the role in which it
// serves the operation. Options that need a feature require it by themselves;
// Require is for the keys given to [Set].
func Require(role proto.Role, feature proto.Feature) RequireOption {
	return requireOption{Role: role, Feature: feature}
}

type requireOption session.Need

func (o requireOption) applyCall(s *callStream) error {
	s.call.Needs = append(s.call.Needs, session.Need(o))
	return nil
}

func (o requireOption) applyPublish(c *publishConfig) error {
	c.needs = append(c.needs, session.Need(o))
	return nil
}

func (o requireOption) applyStream(c *publishConfig) error    { return o.applyPublish(c) }
func (o requireOption) applyTestament(c *publishConfig) error { return o.applyPublish(c) }

func (o requireOption) applySubscribe(s *Subscription) error {
	s.eng.Needs = append(s.eng.Needs, session.Need(o))
	return nil
}

func (o requireOption) applyRegister(r *Registration) error {
	r.eng.Needs = append(r.eng.Needs, session.Need(o))
	return nil
}

// patientCall waits for a connection whatever FailFast says: what asks has begun
// before, and goes on.
type patientCall struct{}

func (patientCall) applyCall(s *callStream) error { s.call.Patient = true; return nil }

// aboutCall names a subscription by its id. After a reconnect it waits for that to
// have one.
type aboutCall struct{ sub *session.Subscription }

func (o aboutCall) applyCall(s *callStream) error { s.call.About = o.sub; return nil }
