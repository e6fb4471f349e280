package simtest_test

import (
	"context"
	"strings"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The router of the simulation in fake time: what the model is told of it, and
// what it does wrong.

// hook sees all that passes the router, and tells the model of what it takes
// from the session and sends to it.
func (w *simWorld) hook(x *wamptest.Exchange) wamptest.Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.held[x.Session]
	m := x.Message
	if h != nil && !x.Sent && w.kills(x) {
		return wamptest.CutLink()
	}
	if h != nil && x.Sent {
		defer w.spoil(m)
	}
	switch {
	case m.Type == proto.Publish:
		w.hookPublish(x, h)
	case h == nil && m.Type == proto.Event:
		w.hookPeer(x)
	case h == nil:
	case m.Type == proto.Call:
		w.hookCall(x, h)
	case m.Type == proto.Event:
		return w.hookEvent(x, h)
	case m.Type == proto.Register:
		h.asked[m.Request] = uriNumber(m.URI)
		w.denies(x, sim.Register, h.asked[m.Request])
	case m.Type == proto.Subscribe:
		h.asked[m.Request] = sim.TopicOf(m.URI, m.Options)
		w.denies(x, sim.Subscribe, h.asked[m.Request])
	case m.Type == proto.Unsubscribe, m.Type == proto.Unregister:
		h.leaves[m.Request] = m.ID
	case m.Type == proto.Published:
		if of, is := h.streamed[m.Request]; is {
			w.m.StreamPublished(of[0], of[1], uint64(m.Publication))
		}
		return w.acknowledge(h, h.published[m.Request])
	case m.Type == proto.Subscribed:
		return w.subscribed(h, m)
	case m.Type == proto.Registered:
		h.regs[h.asked[m.Request]] = m.ID
		return w.acknowledge(h, h.asked[m.Request])
	case m.Type == proto.Unsubscribed && m.Request == 0:
		simForget(h.topics, m.Options.ID("subscription"))
	case m.Type == proto.Unsubscribed:
		return w.acknowledge(h, w.mutedTopic(simForget(h.topics, h.leaves[m.Request])))
	case m.Type == proto.Unregistered && m.Request == 0:
		simForget(h.regs, m.Options.ID("registration"))
	case m.Type == proto.Unregistered:
		return w.acknowledge(h, simForget(h.regs, h.leaves[m.Request]))
	case m.Type == proto.Error && x.Sent && m.RequestType != proto.Call:
		h.waiting++
	}
	return wamptest.Pass()
}

// spoil gives what goes to the session keyword arguments that nobody can decode,
// and an event a detail that it must not have, if it is its turn. Nobody asks for
// either, so it costs nothing.
func (w *simWorld) spoil(m *proto.Message) {
	how := map[proto.MessageType]string{proto.Result: sim.OddResult, proto.Invocation: sim.OddInvocation, proto.Event: sim.OddEvent}[m.Type]
	if w.odd[how] == 0 || m.Args == nil || w.sealed != nil { // beside a sealed payload it does cost something
		return
	}
	w.odd[how]--
	w.m.OddPayload(m.Type)
	all := spoilt[w.codec.Name()]
	m.Kwargs = []byte(all[w.odd[how]%len(all)])
	if m.Type == proto.Event {
		m.Options = m.Options.With("trustlevel", -1)
	}
}

// spoilt are keyword arguments that are none: too deep, not UTF-8, without a key
// that is a string.
var spoilt = map[string][]string{
	"json":    {`{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "{\"x\":\"\xff\"}", `{"x":NaN}`},
	"cbor":    {"\xa1ax" + strings.Repeat("\x81", 200) + "\x00", "\xa1axa\xff", "\xa1\xf5\x00"},
	"msgpack": {"\x81\xa1x" + strings.Repeat("\x91", 200) + "\x00", "\x81\xa1x\xa1\xff", "\x81\xc3\x00"},
}

// subscribed tells what becomes of a SUBSCRIBED.
func (w *simWorld) subscribed(h *holding, m *proto.Message) wamptest.Action {
	n := h.asked[m.Request]
	if n < 0 {
		return wamptest.Pass()
	}
	h.topics[n], h.names[m.ID] = m.ID, n
	op := w.mutedTopic(n)
	h.quiet[m.ID] = op > 0
	return w.acknowledge(h, op)
}

// mutedTopic returns the operation by which a topic is not to be acknowledged, 0
// if there is none.
func (w *simWorld) mutedTopic(name int) int {
	return w.m.MutedTopic(name, func(op int) bool { return w.mutes[op] != nil && w.mutes[op].n > 0 })
}

// acknowledge says what becomes of an acknowledgement of what an operation has
// asked for: it may be left out, or late, and where the session does not read
// those before it there is no room for it.
func (w *simWorld) acknowledge(h *holding, op int) wamptest.Action {
	if mute := w.mutes[op]; mute != nil && mute.n > 0 {
		mute.n--
		w.m.Muted(op)
		if mute.late == 0 {
			return wamptest.Drop()
		}
		h.waiting++
		return wamptest.Hold(mute.late)
	}
	if h.waiting >= w.queue {
		w.m.Note("the router's queue is full: an acknowledgement is dropped")
		return wamptest.Drop()
	}
	h.waiting++
	return wamptest.Pass()
}

// acknowledged: the session has read an acknowledgement.
func (w *simWorld) acknowledged(s *linkSpy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.held[s.id]; h != nil {
		h.waiting = max(h.waiting-1, 0)
	}
}

// kills reports whether the router hangs up on a message.
func (w *simWorld) kills(x *wamptest.Exchange) bool {
	m, op := x.Message, 0
	switch m.Type {
	case proto.Call, proto.Publish:
		if v := simNumbers(w.payload(x.Codec, x.Message)); len(v) == 5 {
			op = v[0]
		}
	case proto.Register:
		op = uriNumber(m.URI)
	case proto.Subscribe:
		if sim.TopicOf(m.URI, m.Options) == sim.DeadlyTopic {
			w.m.Killed(0)
			return true
		}
	default:
	}
	if !w.m.Kills(op) {
		return false
	}
	w.m.Killed(op)
	return true
}

// denies has the router refuse a request, if it is its turn: for a URI that it
// does not like.
func (w *simWorld) denies(x *wamptest.Exchange, kind sim.Kind, n int) {
	if n >= 0 && w.deny[string(kind)] > 0 {
		w.deny[string(kind)]--
		w.m.Denied(kind, n)
		x.Message.URI = "denied by the plan"
	}
}

// simForget takes out what has an id, and returns what that was, -1 if nothing.
func simForget(from map[int]proto.ID, id proto.ID) int {
	for n, other := range from {
		if other == id {
			delete(from, n)
			return n
		}
	}
	return -1
}

// leaveOf is which topic or registration an UNSUBSCRIBE or UNREGISTER is about, -1
// where that is not known.
func (w *simWorld) leaveOf(s *linkSpy, m *proto.Message) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.held[s.id]
	if h == nil {
		return -1
	}
	if m.Type == proto.Unsubscribe {
		if n, is := h.names[m.ID]; is {
			return n
		}
		return -1
	}
	for n, id := range h.regs {
		if id == m.ID {
			return n
		}
	}
	return -1
}

// fault carries out an action that is a fault. It reports whether it is one.
func (w *simWorld) fault(a sim.Action) bool {
	ms := time.Duration(a.After) * time.Millisecond
	switch a.Kind {
	case sim.Cut:
		w.cut(a, ms)
	case sim.Restart:
		if w.up() != nil {
			w.m.CutsDone()
		}
		w.m.RouterRestarts()
		w.router.Restart()
		w.m.RouterRestarted()
		synctest.Wait()
	case sim.Stall:
		w.stall(a, ms)
	case sim.Goodbye:
		w.kill(a)
		synctest.Wait()
	case sim.Breach:
		w.breach(a)
	default:
		w.mu.Lock()
		defer w.mu.Unlock()
		switch a.Kind {
		case sim.NoDial:
			w.noDial = a.N
		case sim.Refuse:
			w.refuse, w.reason = a.N, a.How
		case sim.Mute:
			w.mutes[a.Of] = &simMute{a.N, ms}
		case sim.Deny:
			w.deny[a.How] += a.N
		case sim.Odd:
			w.odd[a.How] += a.N
		default:
			return false
		}
	}
	return true
}

func (w *simWorld) stall(a sim.Action, ms time.Duration) {
	s := w.up()
	if s == nil {
		return
	}
	s.wire.stall(true, a.How == sim.Up)
	if a.How == sim.Dead { // the keepalive finds out
		w.m.CutsDone()
		<-time.After(5 * time.Second)
		return
	}
	time.AfterFunc(ms, func() { s.wire.stall(false, false) })
}

// garbage is no message.
const garbage = "\xff\x00["

// breach has the router break the protocol.
func (w *simWorld) breach(a sim.Action) {
	s := w.up()
	if s == nil {
		return
	}
	m := &proto.Message{Type: proto.Abort, URI: proto.ErrURIProtocolViolation}
	switch a.How {
	case sim.UnknownID:
		m = &proto.Message{Type: proto.Result, Request: 1 << 40}
	case sim.Impossible:
		m = &proto.Message{Type: proto.Welcome, ID: 1, Options: proto.Dict{{Key: "roles", Value: proto.Dict{}}}}
	case sim.Garbage:
		w.router.SendRaw(s.id, []byte(garbage))
		return
	}
	if _, err := w.router.Send(s.id, m); err != nil {
		w.t.Errorf("the router cannot send %s: %v", m.Type, err)
	}
}

// kill has the router end the session: by itself, or because a peer says so.
func (w *simWorld) kill(a sim.Action) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, info := range w.router.Sessions() {
		switch {
		case info.ID != w.s.ID():
		case a.N == 0:
			w.router.Kill(info.ID, a.How)
		default:
			_ = meta.Of(w.peer).KillSession(ctx, info.ID, meta.KillReason(a.How))
		}
	}
}

// cut breaks the link when so many bytes have passed of what is under way.
func (w *simWorld) cut(a sim.Action, notice time.Duration) {
	s := w.up()
	if s == nil {
		return
	}
	w.m.CutsDone()
	w.mu.Lock()
	w.delay = notice
	w.mu.Unlock()
	s.wire.breakAt(a.Up, a.Down)
	synctest.Wait()
	_ = s.wire.Close()
	synctest.Wait()
}
