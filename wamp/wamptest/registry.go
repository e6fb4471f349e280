package wamptest

import (
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// registry holds the registrations of a realm. Actor only.
type registry struct {
	byID      map[proto.ID]*registration
	byPattern map[pattern]*registration
	patterns  []*registration // those that are not exact, oldest first
}

// registration is one procedure or pattern with those who serve it.
type registration struct {
	pattern
	id      proto.ID
	invoke  proto.InvokePolicy
	created time.Time
	callees []*callee // oldest first
	joined  int       // counts those who ever joined
	turn    int       // of round-robin: who is next
}

// callee is one session's part in a registration.
type callee struct {
	session                        *session
	id                             proto.ID // of the registration, as the session knows it
	number                         int      // by which they joined
	discloseCaller, forwardTimeout bool
	limit, running                 int // invocations at once, where limit is not 0
}

func (g *registry) count(s *Stats) {
	s.Registrations += len(g.byID)
	for _, reg := range g.byID {
		s.Callees += len(reg.callees)
	}
}

func (d *dealer) register(s *session, m *proto.Message) {
	r := d.router
	refuse := func(uri, message string) { r.fail(s, proto.Register, m.Request, uri, message) }
	p, uri, message := patternOf(m, d.has(proto.PatternBasedRegistration))
	if uri != "" {
		refuse(uri, message)
		return
	}
	if reserved(p.uri) {
		refuse(proto.ErrURIInvalidURI, "the procedure is reserved")
		return
	}
	invoke := proto.Single
	if policy := m.Options.Str(proto.KeyInvoke); policy != "" {
		invoke = proto.InvokePolicy(policy)
	}
	switch invoke {
	case proto.Single:
	case proto.RoundRobin, proto.Random, proto.First, proto.Last:
		if !d.has(proto.SharedRegistration) {
			refuse(proto.ErrURIOptionNotAllowed, "this router knows no shared registrations")
			return
		}
	default:
		refuse(proto.ErrURIInvalidArgument, "unknown invocation policy")
		return
	}
	disclose := m.Options.Bool(proto.KeyDiscloseCaller) && d.has(proto.CallerIdentification) && !r.cfg.crossbar
	if disclose && r.cfg.noDisclosure {
		refuse(proto.ErrURIDiscloseMe, "callers are not disclosed here")
		return
	}
	reg := d.byPattern[p]
	created := reg == nil
	if reg != nil && r.cfg.crossbar && m.Options.Bool(proto.KeyForceReregister) {
		d.evict(reg)
		reg, created = nil, true
	}
	switch {
	case reg == nil:
		reg = &registration{pattern: p, invoke: invoke, id: r.newID(func(id proto.ID) bool { return d.byID[id] != nil }),
			created: time.Now()}
		d.byID[reg.id], d.byPattern[p] = reg, reg
		if p.match != proto.Exact {
			d.patterns = append(d.patterns, reg)
		}
	case reg.invoke == proto.Single, s.registrations[reg.id] != nil && r.cfg.sharing&SameProcedure == 0:
		refuse(proto.ErrURIProcedureAlreadyExists, "the procedure is taken")
		return
	case reg.invoke != invoke:
		refuse(proto.ErrURIInvocationPolicy, "the procedure has the policy "+string(reg.invoke))
		return
	case s.registrations[reg.id] != nil:
		_ = r.send(s.link, &proto.Message{Type: proto.Registered, Request: m.Request, ID: reg.known(s)}, nil)
		return
	}
	id := shareID(r.cfg.sharing, s, reg, s.registrations)
	s.registrations[reg.id] = reg
	reg.joined++
	to := &callee{session: s, id: id, number: reg.joined, discloseCaller: disclose, forwardTimeout: m.Options.Bool(proto.KeyForwardTimeout)}
	if n, _ := m.Options.Int(proto.KeyConcurrency); r.cfg.crossbar {
		to.limit = int(n)
	}
	reg.callees = append(reg.callees, to)
	_ = r.send(s.link, &proto.Message{Type: proto.Registered, Request: m.Request, ID: id}, nil)
	d.tellRegistered(s, reg, created)
}

func (d *dealer) unregister(s *session, m *proto.Message) {
	regs := behind(d.router.cfg.sharing, s, m.ID, s.registrations)
	if len(regs) == 0 {
		d.router.fail(s, proto.Unregister, m.Request, proto.ErrURINoSuchRegistration, "the session has no such registration")
		return
	}
	for _, reg := range regs {
		d.remove(s, reg) // invocations under way go on
	}
	_ = d.router.send(s.link, &proto.Message{Type: proto.Unregistered, Request: m.Request}, nil)
	for _, reg := range regs {
		d.tellUnregistered(s, reg)
	}
}

// index returns where a session stands among the callees, -1 if it does not.
func (reg *registration) index(s *session) int {
	return slices.IndexFunc(reg.callees, func(c *callee) bool { return c.session == s })
}

// remove takes a session out of a registration; with the last one it goes.
func (g *registry) remove(s *session, reg *registration) {
	delete(s.registrations, reg.id)
	i := reg.index(s)
	reg.callees = slices.Delete(reg.callees, i, i+1)
	if i < reg.turn {
		reg.turn--
	}
	if len(reg.callees) > 0 {
		return
	}
	delete(g.byID, reg.id)
	delete(g.byPattern, reg.pattern)
	if reg.match != proto.Exact {
		g.patterns = without(g.patterns, reg)
	}
}

// leave takes a session out of all its registrations, and returns them.
func (g *registry) leave(s *session) []*registration {
	regs := sorted(s.registrations)
	for _, reg := range regs {
		g.remove(s, reg)
	}
	return regs
}
