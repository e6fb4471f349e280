package wamptest

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// RevokeRegistration takes a registration away from these sessions, or from
// all that have it, and returns from how many. Those that announced
// registration_revocation are told, with the reason if it is not empty; the
// others are not. Invocations that are under way go on, as with UNREGISTER.
func (r *Router) RevokeRegistration(id proto.ID, reason string, sessions ...proto.ID) (n int) {
	r.do(func() {
		for _, re := range r.realms {
			reg := re.dealer.byID[id]
			if reg == nil {
				continue
			}
			for _, to := range slices.Clone(reg.callees) {
				if s := to.session; len(sessions) == 0 || slices.Contains(sessions, s.id) {
					n++
					re.dealer.revoke(s, reg, reason, s.has(proto.Callee, proto.RegistrationRevocation))
				}
			}
		}
	})
	return n
}

// revoke takes a registration away from a session, and with it what has the
// same id. The feature permitting, the session is told if it is to be.
func (d *dealer) revoke(s *session, reg *registration, reason string, tell bool) {
	id := reg.known(s)
	for _, reg := range behind(d.router.cfg.sharing, s, id, s.registrations) {
		d.remove(s, reg)
		defer d.tellUnregistered(s, reg)
	}
	if !tell || !d.has(proto.RegistrationRevocation) {
		d.router.lacking("a callee is not told that its registration was revoked", proto.RegistrationRevocation, proto.Dealer, s, proto.Callee)
		return
	}
	details := proto.Dict{{Key: proto.KeyRegistration, Value: id}}
	if reason != "" {
		details = append(details, proto.Entry{Key: proto.KeyReason, Value: reason})
	}
	_ = d.router.send(s.link, &proto.Message{Type: proto.Unregistered, Options: details}, nil)
}

// evict makes room for a REGISTER with force_reregister, as Crossbar does: the
// old callees are told whatever they have announced.
func (d *dealer) evict(reg *registration) {
	for _, to := range slices.Clone(reg.callees) {
		d.revoke(to.session, reg, proto.ErrURIUnregistered, true)
	}
}

// RevokeSubscription takes a subscription away from these sessions, or from all
// that have it, and returns from how many. Those that announced
// subscription_revocation are told, with the reason if it is not empty; the
// others are not.
func (r *Router) RevokeSubscription(id proto.ID, reason string, sessions ...proto.ID) (n int) {
	r.do(func() {
		for _, re := range r.realms {
			sub := re.broker.byID[id]
			if sub == nil {
				continue
			}
			for _, s := range slices.Clone(sub.subscribers) {
				if len(sessions) == 0 || slices.Contains(sessions, s.id) {
					n++
					re.broker.revoke(s, sub, reason)
				}
			}
		}
	})
	return n
}

// revoke takes a subscription away from a session, and with it what has the
// same id, and tells it if it may.
func (b *broker) revoke(s *session, sub *subscription, reason string) {
	id := sub.known(s)
	for _, sub := range behind(b.router.cfg.sharing, s, id, s.subscriptions) {
		b.remove(s, sub)
		defer b.tellUnsubscribed(s, sub)
	}
	if !b.router.cfg.brokerHas(proto.SubscriptionRevocation) || !s.has(proto.Subscriber, proto.SubscriptionRevocation) {
		b.router.lacking("a subscriber is not told that its subscription was revoked", proto.SubscriptionRevocation, proto.Broker, s, proto.Subscriber)
		return
	}
	details := proto.Dict{{Key: proto.KeySubscription, Value: id}}
	if reason != "" {
		details = append(details, proto.Entry{Key: proto.KeyReason, Value: reason})
	}
	_ = b.router.send(s.link, &proto.Message{Type: proto.Unsubscribed, Options: details}, nil)
}
