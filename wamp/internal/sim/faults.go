package sim

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the router of the step simulation does wrong.

// OddKey stands in the options of a message that is odd, with what is: to the
// session it is not there. BreachKey stands in those of a message that breaks
// the protocol, where it has any.
const (
	OddKey    = "sim_odd"
	BreachKey = "sim_breach"
)

// ack sends an acknowledgement of what an operation has asked for, 0 where it is
// of none. A client that does not read them loses what is too much for a queue.
func (r *Router) ack(p *peer, op int, m *proto.Message) (sent bool) {
	if mute := r.mute[op]; mute != nil && mute.n > 0 {
		mute.n--
		r.m.Muted(op)
		if mute.late > 0 {
			r.at(mute.late, func() {
				if !p.gone {
					p.late = true
					p.waiting++
					r.send(p.link, m)
				}
			})
		}
		return false
	}
	if p.waiting >= r.Queue {
		r.m.Note("the queue of link %d is full: %s is dropped", p.link, m.Type)
		return false
	}
	p.waiting++
	r.send(p.link, m)
	return true
}

// Deny refuses the next n requests of a kind.
func (r *Router) Deny(how string, n int) { r.deny[how] += n }

// denies refuses a request if it is its turn.
func (r *Router) denies(p *peer, m *proto.Message) bool {
	n := 0
	how := string(Publish)
	switch {
	case m.Type == proto.Subscribe:
		n, how = TopicOf(m.URI, m.Options), string(Subscribe)
	case m.Type == proto.Register:
		n, how = opOf(m), string(Register)
	case m.Type == proto.Publish && m.Options.Bool(proto.KeyAcknowledge):
		n = ParseJSON(m.Args)[0]
	case m.Type == proto.Call && m.URI == proto.MetaAddTestament:
		n, how = ParseJSON(m.Args)[0], string(Will)
	default:
		return false
	}
	if r.deny[how] == 0 {
		return false
	}
	r.deny[how]--
	r.m.Denied(Kind(how), n)
	out := &proto.Message{Type: proto.Error, RequestType: m.Type, Request: m.Request, URI: AppError}
	if m.Type == proto.Call {
		r.send(p.link, out)
	} else {
		r.ack(p, 0, out)
	}
	return true
}

// Read says that the client has read an acknowledgement.
func (r *Router) Read(link int) {
	if p := r.links[link]; p != nil && p.waiting > 0 {
		p.waiting--
	}
}

// mute is how often acknowledgements are left out, or late.
type mute struct {
	n    int
	late time.Duration
}

// Mute leaves out the next n acknowledgements of what an operation asks for, or
// sends them late.
func (r *Router) Mute(op, n int, late time.Duration) { r.mute[op] = &mute{n, late} }

// muted reports whether the next acknowledgement of an operation is left out.
func (r *Router) muted(op int) bool { return r.mute[op] != nil && r.mute[op].n > 0 }

// Odd makes the next n messages of a kind odd.
func (r *Router) Odd(how string, n int) { r.odd[how] += n }

// oddly makes a message odd if it is its turn.
func (r *Router) oddly(how string, m *proto.Message) bool {
	if r.odd[how] == 0 {
		return false
	}
	r.odd[how]--
	m.Options = m.Options.With(OddKey, how)
	return true
}

// OddRevocation sends a revocation that cannot be told of what.
func (r *Router) OddRevocation(link int) {
	if r.links[link] == nil {
		return
	}
	for _, t := range []proto.MessageType{proto.Unsubscribed, proto.Unregistered} {
		r.send(link, &proto.Message{Type: t, Options: proto.Dict{{Key: OddKey, Value: OddRevocation}}})
	}
}

// kills hangs up where a message is of an operation that the router cannot
// stand.
func (r *Router) kills(p *peer, m *proto.Message) bool {
	op := 0
	switch m.Type {
	case proto.Call, proto.Publish:
		if a, _, ok := FromValues(ParseJSON(m.Args)); ok && a.End == EndKills {
			op = a.Op
		}
	case proto.Register:
		op = opOf(m)
	case proto.Subscribe:
		if TopicOf(m.URI, m.Options) == DeadlyTopic {
			r.m.Killed(0)
			r.cut(p.link)
			return true
		}
	default:
	}
	if op <= 0 || !r.m.Kills(op) {
		return false
	}
	r.m.Killed(op)
	r.cut(p.link)
	return true
}

// Breach breaks the protocol on a link. It returns what no parser takes, nil
// where it has sent a message.
func (r *Router) Breach(link int, how string) (raw []byte) {
	p := r.links[link]
	if p == nil {
		return nil
	}
	p.breached = true
	mark := proto.Dict{{Key: BreachKey, Value: true}}
	switch how {
	case UnknownID:
		r.send(link, &proto.Message{Type: proto.Result, Request: p.lastID + 1<<20, Options: mark})
	case Impossible:
		r.send(link, &proto.Message{Type: proto.Welcome, ID: 1, Options: mark.With(proto.KeyRoles, proto.Dict{})})
	case Aborted:
		r.Gone(link)
		r.send(link, &proto.Message{Type: proto.Abort, URI: proto.ErrURIProtocolViolation, Options: mark})
	default:
		return []byte("[50,{")
	}
	return nil
}
