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

// needing returns needs with what the key table says that a key of messages of type
// t needs for a value, where without it the operation is to fail. option is what the
// user has called it.
func needing(needs []session.Need, t proto.MessageType, key string, value any, option string) []session.Need {
	n, ok := proto.NeedOf(t, key)
	if !ok || n.Lack != proto.Refuse || value == n.Default {
		return needs
	}
	return append(needs, session.Need{Role: n.Role, Feature: n.Feature, Option: option})
}

func (sub *Subscription) set(key string, value any, option string) {
	sub.eng.Options = sub.eng.Options.With(key, value)
	sub.eng.Needs = needing(sub.eng.Needs, proto.Subscribe, key, value, option)
}

func (r *Registration) set(key string, value any, option string) {
	r.eng.Options = r.eng.Options.With(key, value)
	r.eng.Needs = needing(r.eng.Needs, proto.Register, key, value, option)
}

// Require makes an operation fail with a *FeatureError, before anything is sent,
// where the router did not announce a feature for the role in which it serves the
// operation. The options of this package that need a feature require it by
// themselves; with Set it is to be said.
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
