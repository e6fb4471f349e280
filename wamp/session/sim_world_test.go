package session

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// world is the engine's surroundings in the step simulation: the host of a
// core, a link of octets, and the model router at its other end.
type world struct {
	m      *sim.Model
	core   *core
	router *sim.Router
	parser codec.Parser
	clock  time.Duration
	later  agenda
	steps  int

	link     int // 0: none
	up, down pipe
	stalled  bool
	dialing  bool
	noDial   int
	refuse   int
	reason   string

	ops     map[int]*simOp
	waiting []*simOp // for Ready
	drain   *drainOp
}

// simOp is an operation with its context.
type simOp struct {
	w      *world
	n      int
	ctx    context.Context
	cancel context.CancelFunc
	slow   bool
	policy string // of a subscription
	lying  int    // events that its slow consumer has not read
	gated  bool   // it holds the link back
	gap    bool
	sub    *Subscription
	reg    *Registration
	call   *Call
	chunks int
	ready  chan error
}

// pipe is one direction of a link: octets on their way, of which some have
// passed.
type pipe struct {
	octets []byte
	passed int
}

func (p *pipe) put(m []byte) {
	p.octets = binary.BigEndian.AppendUint32(p.octets, uint32(len(m)))
	p.octets = append(p.octets, m...)
}

// pass lets up to n octets pass and returns the messages that are whole.
func (p *pipe) pass(n int) (whole [][]byte) {
	p.passed = min(p.passed+n, len(p.octets))
	for p.passed >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(p.octets))
		if p.passed < size {
			break
		}
		whole = append(whole, slices.Clone(p.octets[4:size]))
		p.octets = p.octets[size:]
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
	p.octets = append(b.octets, p.octets...)
	p.passed += len(b.octets)
}

// agenda is what is to be done when, in order.
type agenda []*entry

type entry struct {
	at  time.Duration
	seq int
	do  func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*entry)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

var simEpoch = time.Unix(1_000_000, 0)

func newWorld() *world {
	w := &world{ops: map[int]*simOp{}, parser: codec.JSON.NewParser(codec.Limits{})}
	w.m = sim.NewModel(func() time.Duration { return w.clock })
	w.m.Exact = true
	w.router = sim.NewRouter(w.m, w.toClient, w.at)
	cfg := &Config{Auth: noAuth{}, Reconnect: &Reconnect{Max: time.Second, Random: func() float64 { return 0.5 }}}
	cfg.setDefaults()
	w.core = newCore(cfg, w)
	w.core.life.policy = cfg.Reconnect
	w.linkUp()
	return w
}

func (w *world) at(after time.Duration, f func()) {
	w.steps++
	heap.Push(&w.later, &entry{w.clock + after, w.steps, f})
}

// The host.

func (w *world) now() time.Time { return simEpoch.Add(w.clock) }
func (w *world) sessionEnded()  { w.m.SessionOver(fmt.Sprint(w.core.reason)) }

func (w *world) watch(g *ctxGroup) {
	if g.ctx.Err() != nil {
		w.at(0, func() { (&ctxDone{g}).apply(w.core) })
	}
}

func (w *world) linkDown(last bool) {
	w.m.LinkLost(w.link)
	if last {
		for _, raw := range batchOf(w.core) {
			w.written(raw)
			w.toRouter(raw)
		}
		w.core.out.Reset(0)
	}
	w.hangUp()
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
			w.core.dialFailed(&LinkError{Err: errors.New("refused")})
		case w.refuse > 0:
			w.refuse--
			w.m.Heard(w.reason)
			w.core.dialFailed(&AbortError{Reason: w.reason})
		default:
			w.linkUp()
		}
	})
}

func (w *world) linkUp() {
	w.link = w.m.LinkUp()
	w.router.Join(w.link)
	w.core.joined(&Details{Session: proto.ID(w.link), Roles: routerRoles()}, codec.JSON, 1<<20)
}

func (w *world) hangUp() {
	w.link, w.stalled, w.up, w.down = 0, false, pipe{}, pipe{}
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
	w.core.linkLost(err)
	w.hangUp()
	w.m.JudgeLoss()
}

func batchOf(c *core) (raw [][]byte) {
	for i := range c.out.Len() {
		raw = append(raw, slices.Clone(c.out.Message(i)))
	}
	return raw
}

// flush hands the outbound batch to the link. The writer has one at a time:
// while the link is stalled it waits.
func (w *world) flush() {
	if w.link == 0 || w.core.out.Len() == 0 || w.stalled && len(w.up.octets) > 0 {
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
	switch m := w.parse(raw); m.Type {
	case proto.Call, proto.Publish:
		if a, _, ok := sim.FromValues(sim.ParseJSON(m.Args)); ok { // else a further chunk
			w.m.Written(a.Op)
		}
	case proto.Register:
		w.m.Written(number(m.URI))
	case proto.Subscribe:
		w.m.WrittenTopic(sim.TopicOf(m.URI, m.Options))
	default:
	}
}

func number(uri string) (n int) {
	_, _ = fmt.Sscan(strings.TrimPrefix(uri, "sim.reg"), &n)
	return n
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

// pump lets octets pass both ways. It reports whether a message arrived.
func (w *world) pump(up, down int) (came bool) {
	if w.stalled {
		return false
	}
	for _, raw := range w.up.pass(up) {
		w.toRouter(raw)
		came = true
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
		m := w.parse(raw)
		switch {
		case m.Type == proto.Goodbye:
			w.m.Heard(m.URI)
		case m.Type == proto.Unsubscribed && m.Request == 0:
			w.m.HeardRevoked(w.router.TopicOf(m.Options.ID("subscription")))
		}
		w.core.receive(m)
		w.acks()
		if w.link != link {
			w.m.JudgeLoss()
		}
	}
	return came
}

// turn is what the actor does on each of its turns, but for the flush.
func (w *world) turn() {
	c := w.core
	if !c.ended && c.closing {
		c.goodbyeNow()
	}
	if !c.ended {
		c.tick(w.now())
	}
	if len(c.drains) > 0 {
		c.drained()
	}
	if c.ended && w.link != 0 { // the shell sends the last words and hangs up
		if c.finished {
			for _, raw := range batchOf(c) {
				w.toRouter(raw)
			}
		}
		w.router.Gone(w.link)
		w.hangUp()
	}
	w.acks()
	if w.drain != nil {
		select {
		case <-w.drain.done:
			if !c.ended {
				w.m.JudgeDrain(true)
				(&closeOp{}).apply(c)
			}
			w.drain = nil
			w.turn()
		default:
		}
	}
}

// acks tells the model of subscriptions and registrations that stand.
func (w *world) acks() {
	w.waiting = slices.DeleteFunc(w.waiting, func(o *simOp) bool {
		select {
		case err := <-o.ready:
			if err == nil {
				w.m.Acked(o.n)
			}
			return true
		default:
			return false
		}
	})
}

// settle lets happen what takes no time.
func (w *world) settle() {
	for {
		w.turn()
		w.flush()
		if !w.pump(1<<30, 1<<30) && (w.core.out.Len() == 0 || w.link == 0 || w.stalled) {
			return
		}
	}
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.clock + d
	for {
		w.settle()
		next := end + 1
		if len(w.later) > 0 {
			next = w.later[0].at
		}
		if t := w.core.timers.next(); !t.IsZero() && !w.core.ended {
			next = min(next, t.Sub(simEpoch))
		}
		if next > end {
			break
		}
		w.clock = max(w.clock, next)
		for len(w.later) > 0 && w.later[0].at <= w.clock {
			heap.Pop(&w.later).(*entry).do()
		}
	}
	w.clock = end
	w.settle()
}

// act carries out an action of the plan.
func (w *world) act(a sim.Action) {
	ms := time.Duration(a.After) * time.Millisecond
	switch a.Kind {
	case sim.Flush:
		w.flush()
	case sim.Pump:
		w.pump(a.Up, a.Down)
	case sim.Pass:
		w.pass(ms)
	case sim.Check:
		w.check()
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
	case sim.Revoke:
		w.router.Revoke(a.Of)
	case sim.Take:
		w.router.Take(w.link, w.m.NameOf(a.Of))
	case sim.Event:
		w.router.Event(a)
	case sim.Invoke:
		w.router.Invoke(a)
	case sim.Interrupt:
		w.router.Interrupt(a.Of)
	case sim.Setup: // what it says is about the shell
	default:
		w.begin(a)
	}
}

func (w *world) stall(a sim.Action, ms time.Duration) {
	link := w.link
	if link == 0 {
		return
	}
	w.stalled = true
	w.at(ms, func() {
		if w.link != link {
			return
		}
		if w.stalled = false; a.How == sim.Dead {
			w.m.CutsDone()
			w.lose(ErrPongTimeout, 0)
		}
	})
}

func (w *world) check() {
	w.pass(sim.QuietTime)
	var q sim.Quiet
	q.Topics, q.Registrations = w.router.Holds(w.link)
	q.Calls = w.router.Pending(w.link)
	q.Tables = sim.Tables(w.core.tables())
	if w.core.gates != 0 {
		w.m.Broken(sim.NothingLeft, "%d gates are shut", w.core.gates)
	}
	w.m.JudgeLoss()
	w.m.JudgeQuiet(q)
}
