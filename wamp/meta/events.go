package meta

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Membership reports that a session has joined or left a registration or
// subscription.
type Membership struct {
	// Session is the session, or the one that caused the event.
	Session wamp.ID
	// ID is the registration or subscription.
	ID wamp.ID
}

var (
	sessionMeta      = session.Need{Role: proto.Broker, Feature: proto.SessionMetaAPI}
	registrationMeta = session.Need{Role: proto.Dealer, Feature: proto.RegistrationMetaAPI}
	subscriptionMeta = session.Need{Role: proto.Broker, Feature: proto.SubscriptionMetaAPI}
)

// metaEvents subscribes to a meta topic and decodes its events. Those that
// cannot be read are left out.
func metaEvents[T any](ctx context.Context, m API, need session.Need, topic string, decode func(args []any) (T, bool), options []wamp.SubscribeOption) (<-chan T, error) {
	sub, err := m.s.Subscribe(ctx, topic, append([]wamp.SubscribeOption{wamp.Require(need.Role, need.Feature)}, options...)...)
	if err != nil {
		return nil, err
	}
	r := flow.NewRelay[T](ctx, room)
	err = r.Run(m.s.Engine(), func() {
		for ev, end := range sub.All() {
			args, err := ev.Args()
			if end != nil || err != nil {
				continue
			}
			if v, ok := decode(args); ok && !r.Send(v) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return r.Ch(), nil
}

func at(args []any, i int) any {
	if i >= len(args) {
		return nil
	}
	return args[i]
}

func joinedOf(args []any) (SessionInfo, bool) {
	s, ok := sessionOf(at(args, 0))
	return s, ok && s.Session != 0
}

// leftOf reads on_leave: an id and, from some routers, who it was; from others
// a dict.
func leftOf(args []any) (SessionInfo, bool) {
	s, ok := sessionOf(at(args, 0))
	if !ok {
		s.Session = proto.IDOf(at(args, 0))
		s.AuthID, _ = at(args, 1).(string)
		s.AuthRole, _ = at(args, 2).(string)
	}
	return s, s.Session != 0
}

func memberOf(args []any) (Membership, bool) {
	m := Membership{Session: proto.IDOf(at(args, 0)), ID: proto.IDOf(at(args, 1))}
	return m, m.ID != 0
}

func createdRegistration(args []any) (RegistrationInfo, bool) {
	r, ok := registrationOf(at(args, 1))
	r.By = proto.IDOf(at(args, 0))
	return r, ok && r.ID != 0
}

func createdSubscription(args []any) (SubscriptionInfo, bool) {
	s, ok := subscriptionOf(at(args, 1))
	s.By = proto.IDOf(at(args, 0))
	return s, ok && s.ID != 0
}

// OnJoin subscribes to the sessions that join the realm. It is a plain
// subscription: ctx governs it, the options are those of
// [wamp.Session.Subscribe], and what happens while the connection is lost is
// missed; [API.FollowSessions] misses nobody. The session closes the channel
// when ctx or the session ends.
//
// The errors are those of [wamp.Session.Subscribe], with a [wamp.FeatureError]
// where the router did not announce session_meta_api.
func (m API) OnJoin(ctx context.Context, options ...wamp.SubscribeOption) (<-chan SessionInfo, error) {
	return metaEvents(ctx, m, sessionMeta, proto.MetaSessionOnJoin, joinedOf, options)
}

// OnLeave subscribes to the sessions that leave the realm. Crossbar reports
// only their ids. Otherwise OnLeave is like [API.OnJoin].
func (m API) OnLeave(ctx context.Context, options ...wamp.SubscribeOption) (<-chan SessionInfo, error) {
	return metaEvents(ctx, m, sessionMeta, proto.MetaSessionOnLeave, leftOf, options)
}

// OnRegistrationCreate subscribes to new registrations. The router must
// announce registration_meta_api. Otherwise it is like [API.OnJoin], as are the
// other events of registrations.
func (m API) OnRegistrationCreate(ctx context.Context, options ...wamp.SubscribeOption) (<-chan RegistrationInfo, error) {
	return metaEvents(ctx, m, registrationMeta, proto.MetaRegistrationOnCreate, createdRegistration, options)
}

// OnRegister subscribes to the sessions that begin to serve a registration.
func (m API) OnRegister(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, registrationMeta, proto.MetaRegistrationOnRegister, memberOf, options)
}

// OnUnregister subscribes to the sessions that cease to serve a registration.
func (m API) OnUnregister(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, registrationMeta, proto.MetaRegistrationOnUnregister, memberOf, options)
}

// OnRegistrationDelete subscribes to registrations that are gone, each with the
// session that was the last to serve it.
func (m API) OnRegistrationDelete(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, registrationMeta, proto.MetaRegistrationOnDelete, memberOf, options)
}

// OnSubscriptionCreate subscribes to new subscriptions. The router must
// announce subscription_meta_api. Otherwise it is like [API.OnJoin], as are the
// other events of subscriptions.
func (m API) OnSubscriptionCreate(ctx context.Context, options ...wamp.SubscribeOption) (<-chan SubscriptionInfo, error) {
	return metaEvents(ctx, m, subscriptionMeta, proto.MetaSubscriptionOnCreate, createdSubscription, options)
}

// OnSubscribe subscribes to the sessions that join a subscription.
func (m API) OnSubscribe(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, subscriptionMeta, proto.MetaSubscriptionOnSubscribe, memberOf, options)
}

// OnUnsubscribe subscribes to the sessions that leave a subscription.
func (m API) OnUnsubscribe(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, subscriptionMeta, proto.MetaSubscriptionOnUnsubscribe, memberOf, options)
}

// OnSubscriptionDelete subscribes to subscriptions that are gone, each with the
// session that was the last to leave it.
func (m API) OnSubscriptionDelete(ctx context.Context, options ...wamp.SubscribeOption) (<-chan Membership, error) {
	return metaEvents(ctx, m, subscriptionMeta, proto.MetaSubscriptionOnDelete, memberOf, options)
}
