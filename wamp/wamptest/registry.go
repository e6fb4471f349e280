package wamptest

import (
	"math/rand/v2"
	"slices"
	"strings"

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
	callees []*callee // oldest first
	turn    int       // of round-robin
}

// callee is one session's part in a registration.
type callee struct {
	session                        *session
	discloseCaller, forwardTimeout bool
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
	p, uri, message := patternOf(m, r.cfg.dealerHas(proto.PatternBasedRegistration))
	if uri != "" {
		refuse(uri, message)
		return
	}
	if reserved(p.uri) {
		refuse(proto.ErrURIInvalidURI, "the procedure is reserved")
		return
	}
	invoke := proto.Single
	if policy := m.Options.Str("invoke"); policy != "" {
		invoke = proto.InvokePolicy(policy)
	}
	switch invoke {
	case proto.Single:
	case proto.RoundRobin, proto.Random, proto.First, proto.Last:
		if !r.cfg.dealerHas(proto.SharedRegistration) {
			refuse(proto.ErrURIOptionNotAllowed, "this router knows no shared registrations")
			return
		}
	default:
		refuse(proto.ErrURIInvalidArgument, "unknown invocation policy")
		return
	}
	reg := d.byPattern[p]
	switch {
	case reg == nil:
		reg = &registration{pattern: p, invoke: invoke, id: r.newID(func(id proto.ID) bool { return d.byID[id] != nil })}
		d.byID[reg.id], d.byPattern[p] = reg, reg
		if p.match != proto.Exact {
			d.patterns = append(d.patterns, reg)
		}
	case reg.invoke == proto.Single || s.registrations[reg.id] != nil:
		refuse(proto.ErrURIProcedureAlreadyExists, "the procedure is taken")
		return
	case reg.invoke != invoke:
		refuse(proto.ErrURIInvocationPolicy, "the procedure has the policy "+string(reg.invoke))
		return
	}
	s.registrations[reg.id] = reg
	reg.callees = append(reg.callees, &callee{
		session: s, discloseCaller: m.Options.Bool("disclose_caller"), forwardTimeout: m.Options.Bool("forward_timeout"),
	})
	_ = r.send(s.link, &proto.Message{Type: proto.Registered, Request: m.Request, ID: reg.id}, nil)
}

func (d *dealer) unregister(s *session, m *proto.Message) {
	reg := s.registrations[m.ID]
	if reg == nil {
		d.router.fail(s, proto.Unregister, m.Request, proto.ErrURINoSuchRegistration, "the session has no such registration")
		return
	}
	d.remove(s, reg) // invocations under way go on
	_ = d.router.send(s.link, &proto.Message{Type: proto.Unregistered, Request: m.Request}, nil)
}

// remove takes a session out of a registration; with the last one it goes.
func (g *registry) remove(s *session, reg *registration) {
	delete(s.registrations, reg.id)
	i := slices.IndexFunc(reg.callees, func(c *callee) bool { return c.session == s })
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

func (g *registry) leave(s *session) {
	for _, reg := range s.registrations {
		g.remove(s, reg)
	}
}

// match returns the registration that serves a procedure: an exact one, then
// the longest prefix, then the wildcard that is the most exact from the left.
func (g *registry) match(procedure string) *registration {
	if reg := g.byPattern[pattern{proto.Exact, procedure}]; reg != nil {
		return reg
	}
	var best *registration
	for _, reg := range g.patterns {
		if proto.MatchURI(reg.uri, reg.match, procedure) && (best == nil || reg.beats(best)) {
			best = reg
		}
	}
	return best
}

// beats compares two patterns that match the same procedure.
func (reg *registration) beats(other *registration) bool {
	if reg.match != other.match {
		return reg.match == proto.Prefix
	}
	if reg.match == proto.Prefix {
		return len(reg.uri) > len(other.uri)
	}
	// Where both have a component it is the same one, so the first place where
	// only one of them has one decides.
	a, b := strings.Split(reg.uri, "."), strings.Split(other.uri, ".")
	for i := range a {
		if (a[i] == "") != (b[i] == "") {
			return b[i] == ""
		}
	}
	return false
}

// next returns whose turn it is by the policy.
func (reg *registration) next(rand *rand.Rand) *callee {
	switch reg.invoke {
	case proto.RoundRobin:
		reg.turn %= len(reg.callees)
		reg.turn++
		return reg.callees[reg.turn-1]
	case proto.Random:
		return reg.callees[rand.IntN(len(reg.callees))]
	case proto.Last:
		return reg.callees[len(reg.callees)-1]
	}
	return reg.callees[0] // single and first
}
