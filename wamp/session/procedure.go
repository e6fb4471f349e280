package session

import (
	"cmp"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// procedure is one registration at the router: what has one id. Routers give the
// same one to several handles of a session that share a procedure, and may give
// it to different procedures.
type procedure struct {
	id     proto.ID
	groups map[topicKey]*group
	first  *group // the only one, nil if there are several
	n      int    // handles
	mixed  bool   // it has had handles of different procedures
}

// group is those handles of a procedure that have the same URI and match. They
// take turns.
type group struct {
	key  topicKey
	list list[*Registration]
	next *node[*Registration] // whose turn it is, nil: the first's
}

func (r *Registration) key() topicKey { return topicKey{r.URI, r.Match} }

// add lets a handle have a part of the procedure.
func (p *procedure) add(r *Registration) {
	g := p.groups[r.key()]
	if g == nil {
		g = &group{key: r.key()}
		if p.groups == nil {
			p.groups = map[topicKey]*group{}
		}
		p.groups[g.key] = g
	}
	r.proc, r.turn = p, g.list.push(r)
	p.n++
	p.only()
}

// remove takes a handle out.
func (p *procedure) remove(r *Registration) {
	g := p.groups[r.key()]
	if g == nil || !r.turn.listed() {
		return
	}
	if g.next == r.turn {
		g.next = r.turn.next
	}
	g.list.remove(r.turn)
	r.proc, r.turn = nil, nil
	p.n--
	if g.list.len() == 0 {
		delete(p.groups, g.key)
	}
	p.only()
}

// all returns the handles in the order in which they were made.
func (p *procedure) all(c *core) []*Registration {
	out := make([]*Registration, 0, p.n)
	for _, g := range p.groups {
		for at := g.list.first(); at != nil; at = at.next {
			out = append(out, at.value)
		}
	}
	slices.SortFunc(out, func(a, b *Registration) int { return cmp.Compare(c.registrations.seq[a], c.registrations.seq[b]) })
	return out
}

// only notes whether there is one group.
func (p *procedure) only() {
	p.first = nil
	if len(p.groups) == 1 {
		for _, g := range p.groups {
			p.first = g
		}
	}
	p.mixed = p.mixed || len(p.groups) > 1
}

// alike notes that the router has the procedure for this handle as well, which
// is over by now.
func (p *procedure) alike(r *Registration) {
	if p.groups[r.key()] == nil {
		p.mixed = true
	}
}

// pick returns the handle that takes an invocation, nil if that cannot be told:
// where the handles have different procedures the router has to say which it
// means.
func (p *procedure) pick(m *proto.Message) *Registration {
	g := p.first
	if p.mixed {
		// What is said of the procedure counts also where one group is left: it may
		// be that of a handle that has left.
		if called := m.Options.Str(proto.KeyProcedure); called != "" {
			g = p.fits(called)
		}
	}
	if g == nil {
		return nil
	}
	at := g.next
	if at == nil {
		at = g.list.first()
	}
	g.next = at.next
	return at.value
}

// fits returns the group that fits a procedure best: the exact one, then the
// longest prefix, then a wildcard. nil: none fits.
func (p *procedure) fits(called string) (best *group) {
	if g := p.groups[topicKey{called, proto.Exact}]; g != nil {
		return g
	}
	rank := func(g *group) int {
		if g.key.match == proto.Prefix {
			return 1 + len(g.key.uri)
		}
		return 0
	}
	for _, g := range p.groups {
		if g.key.match != proto.Exact && proto.MatchURI(g.key.uri, g.key.match, called) &&
			(best == nil || rank(g) > rank(best) || rank(g) == rank(best) && g.key.uri < best.key.uri) {
			best = g
		}
	}
	return best
}

// leaveProcedure sends UNREGISTER when no handle is left. Invocations that still
// come for the id find no registration then and are answered unavailable.
func (c *core) leaveProcedure(p *procedure) {
	if p.n > 0 || c.procedures[p.id] != p {
		return
	}
	delete(c.procedures, p.id)
	c.leave(&registrationKind, p.id)
}
