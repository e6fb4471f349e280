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

// unheeded notes the options of a message that this router does not heed.
func (r *Router) unheeded(m *proto.Message) {
	if r.cfg.log == nil || len(m.Options) == 0 {
		return
	}
	for _, e := range m.Options {
		need, ok := proto.NeedOf(m.Type, e.Key)
		if ok && need.Silent && need.Unmet(e.Value, r.cfg.roles.Features(need.Role)) {
			r.note(e.Key, "%v.%s is ignored: this router has no %v", m.Type, e.Key, need.Feature)
		}
	}
	if m.Type == proto.Register && !r.cfg.crossbar {
		for _, key := range [...]string{proto.KeyForceReregister, proto.KeyConcurrency} {
			if m.Options.Has(key) {
				r.note(key, "REGISTER.%s is ignored: it is Crossbar's (CrossbarQuirks)", key)
			}
		}
	}
}
