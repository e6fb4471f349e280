package sim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The dealer of the router of the step simulation, as the session's callees see
// it.

// OpKey is the option by which a REGISTER says whose it is: a shared procedure
// does not.
const OpKey = "sim_op"

// opOf is the operation of a REGISTER, -1 if it is none of a plan.
func opOf(m *proto.Message) int {
	if n, ok := m.Options.Int(OpKey); ok {
		return int(n)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(m.URI, "sim.reg"))
	if err != nil {
		return -1
	}
	return n
}

// OpOf is the operation of a REGISTER, -1 if it is none of a plan.
func OpOf(m *proto.Message) int { return opOf(m) }

// uriOf is the procedure of a registration.
func (r *Router) uriOf(op int) string { return r.m.URIOf(op) }

func (r *Router) register(p *peer, m *proto.Message) {
	n := opOf(m)
	if holder := r.procs[m.URI]; holder != nil && (holder != p || !r.OneID || p.regs[n] != 0) {
		if holder == p {
			r.m.Broken(Protocol, "registration %d is registered twice on one link", n)
		}
		r.ack(p, n, &proto.Message{Type: proto.Error, RequestType: proto.Register, Request: m.Request,
			URI: proto.ErrURIProcedureAlreadyExists})
		return
	}
	r.procs[m.URI], p.regs[n] = p, r.sharedID(p, m.URI)
	r.ack(p, n, &proto.Message{Type: proto.Registered, Request: m.Request, ID: p.regs[n]})
}

// sharedID is the id of a registration: one for all that are shared.
func (r *Router) sharedID(p *peer, uri string) proto.ID {
	if strings.HasPrefix(uri, "sim.shared") {
		for n, id := range p.regs {
			if strings.HasPrefix(r.uriOf(n), "sim.shared") {
				return id
			}
		}
	}
	return r.id()
}

func (r *Router) unregister(p *peer, m *proto.Message) {
	if n := r.forget(p, m.ID); n > 0 {
		r.ack(p, n, &proto.Message{Type: proto.Unregistered, Request: m.Request})
		return
	}
	if p.revoked[m.ID] || p.late {
		r.ack(p, 0, &proto.Message{Type: proto.Error, RequestType: proto.Unregister, Request: m.Request,
			URI: proto.ErrURINoSuchRegistration})
		return
	}
	r.m.Broken(Protocol, "UNREGISTER of %d, which it does not have", m.ID)
}

// forget takes out all registrations that have an id, and returns the last of
// them, 0 if there is none.
func (r *Router) forget(p *peer, id proto.ID) (op int) {
	for n, other := range p.regs {
		if other == id {
			delete(p.regs, n)
			delete(r.procs, r.uriOf(n))
			op = max(op, n)
		}
	}
	return op
}

// Revoke takes a registration away, and with it all that have its id.
func (r *Router) Revoke(op int) {
	p := r.procs[r.uriOf(op)]
	if p == nil || p.regs[op] == 0 {
		return
	}
	id := p.regs[op]
	for _, n := range slices.Sorted(maps.Keys(p.regs)) {
		if p.regs[n] == id {
			r.m.Revoked(n)
		}
	}
	r.forget(p, id)
	p.revoked[id] = true
	r.send(p.link, &proto.Message{Type: proto.Unregistered, Options: proto.Dict{{Key: proto.KeyRegistration, Value: uint64(id)}}})
}

// Invoke lets a peer call a registration of the session.
func (r *Router) Invoke(a Action) {
	uri := r.uriOf(a.Of)
	p := r.procs[uri]
	if p == nil {
		r.m.Ended(a.Op, End{How: Error, URI: proto.ErrURINoSuchProcedure})
		return
	}
	run := r.m.Executed(a.Op, p.link)
	p.invoked++
	p.invs[p.invoked] = &invocation{op: a.Op, run: run}
	p.invOf = append(p.invOf, p.invoked)
	var options proto.Dict
	if a.Progressive() {
		options = proto.Dict{{Key: proto.KeyReceiveProgress, Value: true}}
	}
	if a.How == Chunks {
		options = chunkMore
	}
	if strings.HasPrefix(uri, "sim.shared") && saysWhich(a.Op) {
		options = options.With(proto.KeyProcedure, uri)
	}
	id, reg := p.invoked, r.idOf(p, uri)
	out := &proto.Message{Type: proto.Invocation, Request: id, ID: reg, Options: options, Args: AppendJSON(nil, Values(a, run))}
	if r.oddly(OddInvocation, out) {
		r.m.OddSent(a.Op)
	}
	r.send(p.link, out)
	for n := range a.N { // also when the callee has ended it: late chunks are its to drop
		last := n == a.N-1
		r.at(time.Duration(a.After*(n+1)/(a.N+1))*time.Millisecond, func() {
			if p.gone {
				return
			}
			m := &proto.Message{Type: proto.Invocation, Request: id, ID: reg, Options: chunkMore, Args: AppendJSON(nil, ChunkNumbers(a.Op, n+1, last))}
			if last {
				m.Options = nil
			}
			if p.invs[id] != nil && r.oddly(OddInvocation, m) {
				r.m.OddSent(a.Op)
			}
			r.send(p.link, m)
		})
	}
}

// saysWhich reports whether an invocation says which procedure was called, where
// several have one id.
func saysWhich(op int) bool { return op%4 > 0 }

// idOf is the id of a procedure that a session holds.
func (r *Router) idOf(p *peer, uri string) proto.ID {
	for n, id := range p.regs {
		if r.uriOf(n) == uri {
			return id
		}
	}
	return 0
}

// RegistrationOf is the operation of a registration of the session on a link, -1
// if there is none; where several have one id, the first.
func (r *Router) RegistrationOf(link int, id proto.ID) int {
	if p := r.links[link]; p != nil {
		for _, n := range slices.Sorted(maps.Keys(p.regs)) {
			if p.regs[n] == id {
				return n
			}
		}
	}
	return -1
}

// Interrupt interrupts an invocation that is under way.
func (r *Router) Interrupt(op int) {
	for _, link := range slices.Sorted(maps.Keys(r.links)) {
		p := r.links[link]
		for _, id := range p.invOf {
			if inv := p.invs[id]; inv != nil && inv.op == op && !r.dead(link) {
				r.m.Interrupts(op)
				r.send(link, &proto.Message{Type: proto.Interrupt, Request: id, Options: proto.Dict{{Key: proto.KeyMode, Value: proto.Kill.String()}}})
			}
		}
	}
}

var chunkMore = proto.Dict{{Key: proto.KeyProgress, Value: true}}

// yield takes an answer of the session's callee.
func (r *Router) yield(p *peer, m *proto.Message, e End) {
	inv := p.invs[m.Request]
	if inv == nil {
		r.m.Broken(OwnAnswer, "the client answers invocation %d of link %d, which is over or never was", m.Request, p.link)
		return
	}
	switch {
	case e.URI == proto.ErrURIUnavailable, e.URI == proto.ErrURIInvalidArgument, e.URI == proto.ErrURIRuntimeError:
	case e.URI == proto.ErrURICanceled && m.Args == nil:
		r.m.JudgeOverdue(inv.op)
	default:
		e.Tag = TagOf(ParseJSON(m.Args))
		if e.Tag.Op != inv.op || e.Tag.Run != inv.run {
			r.m.Broken(OwnAnswer, "invocation %d, operation %d, run %d, got the answer %v", m.Request, inv.op, inv.run, e.Tag)
		}
	}
	if m.Options.Bool(proto.KeyProgress) {
		inv.progress++
		r.m.Progress(inv.op, e.Tag)
		return
	}
	delete(p.invs, m.Request)
	r.m.Ended(inv.op, e)
}
