package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The world of the step simulation as the host of its core, and the link.

func (p *pipe) put(m []byte) {
	p.bytes = binary.BigEndian.AppendUint32(p.bytes, uint32(len(m)))
	p.bytes = append(p.bytes, m...)
}

// pass lets up to n bytes pass and returns the messages that are whole.
func (p *pipe) pass(n int) (whole [][]byte) {
	p.passed = min(p.passed+n, len(p.bytes))
	for p.passed >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(p.bytes))
		if p.passed < size {
			break
		}
		whole = append(whole, slices.Clone(p.bytes[4:size]))
		p.bytes = p.bytes[size:]
		p.passed -= size
	}
	return whole
}

// back takes messages back that had passed.
func (p *pipe) back(whole [][]byte) {
	var b pipe
	for _, m := range whole {
		b.put(m)
	}
	p.bytes = append(b.bytes, p.bytes...)
	p.passed += len(b.bytes)
}

var simEpoch = time.Unix(1_000_000, 0)

func (w *world) now() time.Time            { return simEpoch.Add(w.clock) }
func (w *world) sessionEnded()             { w.m.SessionOver(fmt.Sprint(w.core.reason)) }
func (w *world) crowded() (int, time.Time) { return 0, time.Time{} }
func (w *world) linkUp(*joiner)            {}
func (w *world) mistake(what string)       { w.m.Broken(sim.EndsOnce, "%s", what) }

func (w *world) watch(g *ctxGroup) {
	if g.ctx.Err() != nil {
		w.at(0, func() { w.control(&ctxDone{g}) })
	}
}

func (w *world) consult(f func() op, _ op) {
	o := f()
	w.at(0, func() { w.control(o) })
}

func (w *world) linkDown(last bool, cause error) {
	if errors.Is(cause, ErrAckTimeout) {
		w.m.GaveUp()
	}
	w.m.LinkLost(w.link)
	if last {
		w.lastWords()
		w.core.out.Reset(0)
	}
	if !w.broken { // the session hangs up
		w.router.Gone(w.link)
	}
	w.hangUp()
}

// lastWords brings what is in the batch to a link that is given up.
func (w *world) lastWords() {
	for _, raw := range batchOf(w.core) {
		m := w.parse(raw)
		w.m.LastWords(m.Type)
		if m.Type == proto.Goodbye || m.Type == proto.Abort {
			w.toRouter(raw)
		} else {
			w.written(raw)
		}
	}
}

func (w *world) dial(int) {
	if w.dialing || w.link != 0 {
		w.m.Broken(sim.OneLink, "an attempt to dial while there is a link or another attempt")
	}
	w.dialing = true
	w.at(time.Millisecond, func() {
		w.dialing = false
		switch {
		case w.core.ended:
		case w.noDial > 0:
			w.noDial--
			w.control(&dialFailedOp{&LinkError{Err: errors.New("refused")}})
		case w.refuse > 0:
			w.refuse--
			w.m.Refused(w.reason)
			w.control(&dialFailedOp{&AbortError{Reason: w.reason}})
		default:
			w.control(simLinkUp{w})
		}
	})
}

// simLinkUp is an attempt that succeeded.
type simLinkUp struct{ w *world }

func (simLinkUp) refuse(error) {}

func (o simLinkUp) apply(c *core) {
	if !c.ended && c.life.waiting {
		o.w.joined()
	}
}

func (w *world) joined() {
	w.link = w.m.LinkUp()
	w.router.Join(w.link)
	w.core.joined(&Details{Session: proto.ID(w.link), Roles: routerRoles()}, codec.JSON, 1<<20)
}

func (w *world) hangUp() {
	w.link, w.stalled, w.stuckUp, w.up, w.down = 0, false, false, pipe{}, pipe{}
}

// lose breaks the link; the router notices after a while.
func (w *world) lose(err error, notice time.Duration) {
	link := w.link
	if link == 0 || w.core.ended {
		return
	}
	if notice > 0 {
		w.at(notice, func() { w.router.Gone(link) })
	} else {
		w.router.Gone(link)
	}
	w.broken = true
	w.core.linkLost(err)
	w.broken = false
	w.hangUp()
	w.m.JudgeLoss()
}

func batchOf(c *core) (raw [][]byte) {
	for i := range c.out.Len() {
		raw = append(raw, slices.Clone(c.out.Message(i)))
	}
	return raw
}

// busy reports whether the writer is stuck with a batch.
func (w *world) busy() bool { return (w.stalled || w.stuckUp) && len(w.up.bytes) > 0 }

// flush hands the outbound batch to the link. The writer has one at a time:
// while it is stuck the next one waits.
func (w *world) flush() {
	if w.link == 0 || w.core.out.Len() == 0 || w.busy() {
		return
	}
	w.core.handed()
	for _, raw := range batchOf(w.core) {
		w.written(raw)
		w.up.put(raw)
	}
	w.core.out.Reset(0)
	w.core.outCost = 0
}

func (w *world) parse(raw []byte) *proto.Message {
	m := new(proto.Message)
	if err := w.parser.Parse(raw, m); err != nil {
		w.m.Broken(sim.Protocol, "%s does not parse: %v", raw, err)
	}
	return m
}

// written tells the model of a message that was handed to the link.
func (w *world) written(raw []byte) {
	m := w.parse(raw)
	switch m.Type {
	case proto.Call, proto.Publish:
		if a, _, ok := sim.FromValues(sim.ParseJSON(m.Args)); ok { // else a further chunk
			w.m.Written(a.Op, w.link, m.Request)
		}
	case proto.Register:
		w.m.Written(sim.OpOf(m), w.link, m.Request)
	case proto.Subscribe:
		w.m.WrittenTopic(sim.TopicOf(m.URI, m.Options), w.link, m.Request)
	case proto.Unsubscribe:
		w.m.WrittenLeave(m.Type, w.router.TopicsOf(m.ID)[0], w.link, m.Request)
	case proto.Unregister:
		w.m.WrittenLeave(m.Type, w.router.RegistrationOf(w.link, m.ID), w.link, m.Request)
	case proto.Goodbye:
		w.m.GoodbyeWritten(w.core.closeNow)
	default:
	}
}

func (w *world) toRouter(raw []byte) { w.router.Receive(w.link, w.parse(raw)) }

func (w *world) toClient(link int, m *proto.Message) {
	if link != w.link || link == 0 {
		return
	}
	raw, err := codec.JSON.AppendMessage(nil, m)
	if err != nil {
		w.m.Broken(sim.Protocol, "the model router: %v", err)
	}
	w.down.put(raw)
}

// pump lets bytes pass both ways. It reports whether a message arrived.
func (w *world) pump(up, down int) (came bool) {
	if w.stalled {
		return false
	}
	if !w.stuckUp {
		for _, raw := range w.up.pass(up) {
			w.toRouter(raw)
			came = true
		}
	}
	link := w.link
	if w.core.gates > 0 {
		return came
	}
	whole := w.down.pass(down)
	for i, raw := range whole {
		if w.core.ended || w.link != link {
			break
		}
		if w.core.gates > 0 { // the rest waits
			w.down.back(whole[i:])
			break
		}
		came = true
		w.receive(raw)
		w.acks()
		if w.link != link {
			w.m.JudgeLoss()
		}
	}
	return came
}

// receive gives the core a message of the router's, as the shell does.
func (w *world) receive(raw []byte) {
	m := new(proto.Message)
	if err := w.parser.Parse(raw, m); err != nil {
		w.m.HeardBreach(w.link)
		bad := parseViolation(err)
		w.core.violation(bad.Message, bad.Reason, bad.Err)
		w.judgeBreach()
		return
	}
	breach := m.Options.Has(sim.BreachKey)
	switch {
	case breach:
		w.m.HeardBreach(w.link)
	case m.Type == proto.Goodbye:
		w.m.Heard(w.link, m.URI)
	case m.Options.Str(sim.OddKey) == sim.OddRevocation:
	case m.Type == proto.Unsubscribed && m.Request == 0:
		for _, name := range w.router.TopicsOf(m.Options.ID("subscription")) {
			w.m.HeardRevoked(name)
		}
	case m.Type == proto.Registered, m.Type == proto.Subscribed:
		w.router.Read(w.link)
		w.m.Acknowledged(w.link, m.Request)
	case m.Type == proto.Published, m.Type == proto.Unsubscribed, m.Type == proto.Unregistered && m.Request > 0,
		m.Type == proto.Error && m.RequestType != proto.Call:
		w.router.Read(w.link)
		w.m.Came(w.link, m.Request, false)
	case m.Type == proto.Result, m.Type == proto.Error:
		w.m.Came(w.link, m.Request, m.Options.Bool("progress") && !m.Options.Has(sim.OddKey))
	}
	oddly(m)
	w.core.receive(m)
	if breach {
		w.judgeBreach()
	}
}

// oddly makes a message one in which the parser has found something odd.
func oddly(m *proto.Message) {
	how := m.Options.Str(sim.OddKey)
	if how == "" {
		return
	}
	m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(e proto.Entry) bool { return e.Key == sim.OddKey })
	m.Odd = &proto.Oddity{Reason: "the plan wants it"}
	switch how {
	case sim.OddEvent:
		m.Odd.What = proto.OddDetail
	case sim.OddRevocation:
		m.Odd.What = proto.OddID
	default:
		m.Odd.What = proto.OddProgress
		m.Options = slices.DeleteFunc(m.Options, func(e proto.Entry) bool { return e.Key == "progress" })
	}
}

// judgeBreach judges that the session does not go on with a router that has
// broken the protocol.
func (w *world) judgeBreach() {
	if w.link != 0 && !w.core.ended {
		w.m.Broken(sim.Protocol, "the session goes on with a router that has broken the protocol")
	}
}

// fault carries out an action that is a fault. It reports whether it is one.
func (w *world) fault(a sim.Action) bool {
	ms := time.Duration(a.After) * time.Millisecond
	switch a.Kind {
	case sim.Cut:
		if w.link != 0 && !w.core.ended {
			w.m.CutsDone()
			w.pump(a.Up, a.Down)
			w.lose(errors.New("cut"), ms)
		}
	case sim.Restart:
		if w.link != 0 && !w.core.ended {
			w.m.CutsDone()
			w.lose(errors.New("restart"), 0)
		}
		w.router.Restart()
	case sim.Stall:
		w.stall(a, ms)
	case sim.Goodbye:
		if w.link != 0 {
			w.router.Goodbye(w.link, a.How)
		}
	case sim.NoDial:
		w.noDial = a.N
	case sim.Refuse:
		w.refuse, w.reason = a.N, a.How
	case sim.Mute:
		w.router.Mute(a.Of, a.N, ms)
	case sim.Deny:
		w.router.Deny(a.How, a.N)
	case sim.Breach:
		if raw := w.router.Breach(w.link, a.How); raw != nil {
			w.down.put(raw)
		}
	case sim.Odd:
		if a.How == sim.OddRevocation {
			w.router.OddRevocation(w.link)
		} else {
			w.router.Odd(a.How, a.N)
		}
	default:
		return false
	}
	return true
}

func (w *world) stall(a sim.Action, ms time.Duration) {
	link := w.link
	if link == 0 {
		return
	}
	w.stalled, w.stuckUp = a.How != sim.Up, a.How == sim.Up
	w.at(ms, func() {
		if w.link != link {
			return
		}
		if w.stalled, w.stuckUp = false, false; a.How == sim.Dead {
			w.m.CutsDone()
			w.lose(ErrPongTimeout, 0)
		}
	})
}
