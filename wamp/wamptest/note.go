package wamptest

import (
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// WithLog makes the router say to f, once for each kind, what it leaves out
// because a rule makes it: progressive results for a callee that did not
// announce call_canceling, a timeout that is not forwarded, a publish without
// acknowledgement that is refused, and the like; and the violations of clients.
// f runs inside of the router: it must not wait, and must not call the router.
// nil silences it.
//
// Default: NewRouter says it in the test's log, until the router is closed;
// Start says nothing.
func WithLog(f func(line string)) Option {
	return optionFunc(func(c *config) { c.log = f })
}

// maxNotes is how many kinds of notes there may be.
const maxNotes = 256

// note says something, once for each kind. Actor only.
func (r *Router) note(kind, format string, args ...any) {
	if r.cfg.log == nil || r.noted[kind] || len(r.noted) == maxNotes {
		return
	}
	r.noted[kind] = true
	r.cfg.log("wamptest: " + fmt.Sprintf(format, args...))
}

// lacking notes that something is left out for want of a feature, which the
// router does not have, or which the session did not announce for the role.
func (r *Router) lacking(what string, f proto.Feature, router proto.Role, s *session, role proto.Role) {
	if !r.cfg.roles.Features(router).Has(f) {
		r.note(what, "%s: this router has no %v", what, f)
		return
	}
	r.unannounced(what, f, s, role)
}

// unannounced notes that something is left out because the session did not
// announce a feature for the role.
func (r *Router) unannounced(what string, f proto.Feature, s *session, role proto.Role) {
	if !s.has(role, f) {
		r.note(what, "%s: session %d did not announce %v as a %v", what, s.id, f, role)
	}
}

// optionNeeds are the options that need a feature of the router, by the message
// they stand in.
var optionNeeds = map[proto.MessageType][]struct {
	key  string
	role proto.Role
	f    proto.Feature
}{
	proto.Publish: {
		{"disclose_me", proto.Broker, proto.PublisherIdentification}, {"exclude_me", proto.Broker, proto.PublisherExclusion},
		{"exclude", proto.Broker, proto.SubscriberBlackwhiteListing}, {"eligible", proto.Broker, proto.SubscriberBlackwhiteListing},
		{"exclude_authid", proto.Broker, proto.SubscriberBlackwhiteListing}, {"exclude_authrole", proto.Broker, proto.SubscriberBlackwhiteListing},
		{"eligible_authid", proto.Broker, proto.SubscriberBlackwhiteListing}, {"eligible_authrole", proto.Broker, proto.SubscriberBlackwhiteListing},
		{"retain", proto.Broker, proto.EventRetention}, {"rkey", proto.Broker, proto.ShardedSubscription},
	},
	proto.Subscribe: {{"get_retained", proto.Broker, proto.EventRetention}, {"nkey", proto.Broker, proto.ShardedSubscription}},
	proto.Call: {
		{"disclose_me", proto.Dealer, proto.CallerIdentification}, {"timeout", proto.Dealer, proto.CallTimeout},
		{"receive_progress", proto.Dealer, proto.ProgressiveCallResults},
		{"rkey", proto.Dealer, proto.ShardedRegistration}, {"runmode", proto.Dealer, proto.ShardedRegistration},
	},
	proto.Register: {{"disclose_caller", proto.Dealer, proto.CallerIdentification}, {"forward_timeout", proto.Dealer, proto.CallTimeout}},
}

// unheeded notes the options of a message that this router does not heed.
func (r *Router) unheeded(m *proto.Message) {
	if r.cfg.log == nil || len(m.Options) == 0 {
		return
	}
	for _, need := range optionNeeds[m.Type] {
		v, ok := m.Options.Get(need.key)
		if ok && v != (need.key == "exclude_me") && !r.cfg.roles.Features(need.role).Has(need.f) { // and is not the default
			r.note(need.key, "%v.%s is ignored: this router has no %v", m.Type, need.key, need.f)
		}
	}
	if m.Type == proto.Register && !r.cfg.crossbar {
		for _, key := range [...]string{"force_reregister", "concurrency"} {
			if m.Options.Has(key) {
				r.note(key, "REGISTER.%s is ignored: it is Crossbar's (CrossbarQuirks)", key)
			}
		}
	}
}
