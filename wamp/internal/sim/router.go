package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Router is the other side of the step simulation: a small router with its
// peers, in one goroutine and without a clock. It believes nothing: what no
// client may say is a broken invariant. Payloads are JSON.
type Router struct {
	// OneID: several handles of the session get one id where they are for one
	// procedure, or for topics and patterns of one URI.
	OneID bool
	// Queue is how many acknowledgements it keeps for a client that does not
	// read them; more are dropped.
	Queue int

	m    *Model
	send func(link int, m *proto.Message)
	at   func(after time.Duration, f func())
	cut  func(link int)

	mute map[int]*mute  // operations whose acknowledgements are left out or late
	odd  map[string]int // what is to be odd, and how often
	deny map[string]int // what is to be refused, and how often

	nextID proto.ID
	links  map[int]*peer
	topics map[int]proto.ID // their subscriptions, while there is one
	names  map[proto.ID]int // of all subscriptions that ever were
	procs  map[string]*peer // who holds a procedure
	store  map[int]kept     // the retained event of each topic
}

// peer is the session on one link.
type peer struct {
	link     int
	lastID   proto.ID
	gone     bool // the router has noticed its end
	breached bool // it has broken the protocol on it
	late     bool // an acknowledgement was late: what it says may be over
	subs     map[int]proto.ID
	regs     map[int]proto.ID     // by their operations
	waiting  int                  // acknowledgements that it has not read
	calls    map[proto.ID]*Action // that have no answer yet
	invs     map[proto.ID]*invocation
	invoked  proto.ID
	invOf    []proto.ID // invocations in their order
	chunked  map[proto.ID]*chunked
	revoked  map[proto.ID]bool // registrations and subscriptions that were taken away
}

// chunked is a progressive call of the session.
type chunked struct {
	a         Action
	run       int
	more      bool // chunks are to come
	cancelled bool
}

// invocation is one that the session has not answered yet.
type invocation struct {
	op, run, progress int
}

// NewRouter returns a router. send sends a message on a link, at has something
// done later, and cut hangs up on a link.
func NewRouter(m *Model, send func(int, *proto.Message), at func(time.Duration, func()), cut func(int)) *Router {
	return &Router{m: m, send: send, at: at, cut: cut, nextID: 1000, Queue: 64, mute: map[int]*mute{}, odd: map[string]int{}, deny: map[string]int{},
		links: map[int]*peer{}, topics: map[int]proto.ID{}, procs: map[string]*peer{}, store: map[int]kept{}, names: map[proto.ID]int{}}
}

func (r *Router) id() proto.ID { r.nextID++; return r.nextID }

// Join lets a session in on a link.
func (r *Router) Join(link int) {
	r.links[link] = &peer{link: link, subs: map[int]proto.ID{}, regs: map[int]proto.ID{},
		calls: map[proto.ID]*Action{}, invs: map[proto.ID]*invocation{}, chunked: map[proto.ID]*chunked{}, revoked: map[proto.ID]bool{}}
}

// Gone is when the router notices the end of a link.
func (r *Router) Gone(link int) {
	p := r.links[link]
	if p == nil {
		return
	}
	delete(r.links, link)
	p.gone = true
	maps.DeleteFunc(r.procs, func(_ string, holder *peer) bool { return holder == p })
	for _, id := range p.invOf {
		if inv := p.invs[id]; inv != nil {
			delete(p.invs, id)
			r.m.Ended(inv.op, End{How: Error, URI: proto.ErrURICanceled})
		}
	}
}

// Restart drops all links and all state.
func (r *Router) Restart() {
	links := make([]int, 0, len(r.links))
	for link := range r.links {
		links = append(links, link)
	}
	slices.Sort(links)
	for _, link := range links {
		r.Gone(link)
	}
	clear(r.topics)
	clear(r.procs)
	clear(r.store)
	r.m.RouterRestarted()
}

// Goodbye ends the session on a link in order.
func (r *Router) Goodbye(link int, reason string) {
	r.Gone(link)
	r.send(link, &proto.Message{Type: proto.Goodbye, URI: reason})
}

// Holds returns what the router holds for the session on a link.
func (r *Router) Holds(link int) (topics, registrations []int) {
	p := r.links[link]
	if p == nil {
		return nil, nil
	}
	for n := range p.subs {
		topics = append(topics, n)
	}
	for n := range p.regs {
		registrations = append(registrations, n)
	}
	return topics, registrations
}

// Pending returns the calls on a link that have no answer yet.
func (r *Router) Pending(link int) (ops []int) {
	if p := r.links[link]; p != nil {
		for _, a := range p.calls {
			ops = append(ops, a.Op)
		}
	}
	slices.Sort(ops)
	return ops
}

// Uncancelled returns the calls on a link that ended before their last chunk,
// and that were not cancelled.
func (r *Router) Uncancelled(link int) (ops []int) {
	if p := r.links[link]; p != nil {
		for id, c := range p.chunked {
			if p.calls[id] == nil && c.more && !c.cancelled {
				ops = append(ops, c.a.Op)
			}
		}
	}
	slices.Sort(ops)
	return ops
}

// Receive takes a message of the session.
func (r *Router) Receive(link int, m *proto.Message) {
	p := r.links[link]
	if p == nil {
		return // it has said GOODBYE, or the router has forgotten it
	}
	if c := p.chunked[m.Request]; c != nil && m.Type == proto.Call {
		r.chunk(p, c, m)
		return
	}
	if r.kills(p, m) {
		return
	}
	switch m.Type {
	case proto.Call, proto.Publish, proto.Subscribe, proto.Unsubscribe, proto.Register, proto.Unregister:
		if m.Request != p.lastID+1 {
			r.m.Broken(Protocol, "%s has id %d behind %d on link %d", m.Type, m.Request, p.lastID, link)
		}
		p.lastID = m.Request
	default:
	}
	if r.denies(p, m) {
		return
	}
	switch m.Type {
	case proto.Call:
		r.call(p, m)
	case proto.Cancel:
		r.cancel(p, m)
	case proto.Publish:
		r.publish(p, m)
	case proto.Subscribe:
		r.subscribe(p, m)
	case proto.Unsubscribe:
		r.unsubscribe(p, m)
	case proto.Register:
		r.register(p, m)
	case proto.Unregister:
		r.unregister(p, m)
	case proto.Yield:
		r.yield(p, m, End{How: Result})
	case proto.Error:
		r.yield(p, m, End{How: Error, URI: m.URI})
	case proto.Goodbye:
		r.Gone(link)
		r.send(link, &proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
	case proto.Abort:
		r.Gone(link)
		if !p.breached {
			r.m.Broken(Protocol, "the client aborts: %s", m.Options.Str(proto.KeyMessage))
		}
	default:
		r.m.Broken(Protocol, "the client sends %s %s", m.Type, m.Options.Str(proto.KeyMessage))
	}
}

func (r *Router) call(p *peer, m *proto.Message) {
	a, _, ok := FromValues(ParseJSON(m.Args))
	if !ok {
		r.m.Broken(Protocol, "a call with payload %s", m.Args)
		return
	}
	id := m.Request
	if strings.HasPrefix(m.URI, "wamp.session.") {
		r.m.WillTaken(a.Op, p.link)
		r.send(p.link, &proto.Message{Type: proto.Result, Request: id})
		return
	}
	run := r.m.Executed(a.Op, p.link)
	p.calls[id] = &a
	if m.Options.Bool(proto.KeyProgress) {
		p.chunked[id] = &chunked{a: a, run: run, more: true}
		if a.End == EndResult {
			return // behind the last chunk
		}
	}
	r.answer(p, m, a, run)
}

// chunk takes a further chunk of a progressive call. What comes when the call
// is over is late, and dropped.
func (r *Router) chunk(p *peer, c *chunked, m *proto.Message) {
	op, n, last, ok := ChunkOf(ParseJSON(m.Args))
	if !ok || op != c.a.Op || last == m.Options.Bool(proto.KeyProgress) || len(m.Options) > 1 {
		r.m.Broken(Protocol, "a chunk of operation %d with options %v and payload %s", c.a.Op, m.Options, m.Args)
		return
	}
	if p.calls[m.Request] == nil {
		if last { // it was under way when the call ended: nothing is left to cancel
			c.more = false
		}
		return
	}
	r.m.Chunked(op, c.run, n, last)
	if c.more = !last; last && c.a.End == EndResult {
		r.answer(p, m, c.a, c.run)
	}
}

// answer has a call answered.
func (r *Router) answer(p *peer, m *proto.Message, a Action, run int) {
	id := m.Request
	progressive := m.Options.Bool(proto.KeyReceiveProgress)
	r.steps(a, func(n int, last bool) {
		if p.gone || p.calls[id] == nil {
			return
		}
		out := &proto.Message{Type: proto.Result, Request: id, Args: AppendJSON(nil, Tag{a.Op, run, n}.Numbers())}
		switch {
		case !last && !progressive:
			return
		case !last:
			out.Options = proto.Dict{{Key: proto.KeyProgress, Value: true}}
		case a.End == EndError:
			out.Type, out.RequestType, out.URI = proto.Error, proto.Call, AppError
		}
		if last {
			delete(p.calls, id)
		}
		if out.Type == proto.Result && r.oddly(OddResult, out) {
			r.m.OddSent(a.Op)
			delete(p.calls, id)
			if c := p.chunked[id]; c != nil {
				c.more = false
			}
		}
		r.send(p.link, out)
	})
}

// steps has a callee's answers done when they are due.
func (r *Router) steps(a Action, say func(n int, last bool)) {
	each := time.Duration(a.After) * time.Millisecond / time.Duration(a.Steps+1)
	for n := 1; n <= a.Steps; n++ {
		r.at(each*time.Duration(n), func() { say(n, false) })
	}
	if a.End != EndNever {
		r.at(time.Duration(a.After)*time.Millisecond, func() { say(0, true) })
	}
}

func (r *Router) cancel(p *peer, m *proto.Message) {
	if c := p.chunked[m.Request]; c != nil {
		c.cancelled = true
	}
	if p.calls[m.Request] == nil {
		if m.Request > p.lastID {
			r.m.Broken(Protocol, "CANCEL for request %d, which never was", m.Request)
		}
		return
	}
	if c := p.chunked[m.Request]; c != nil && c.more && m.Options.Str(proto.KeyMode) == proto.Skip.String() {
		r.m.Broken(Protocol, "operation %d is cancelled by skip, its callee waits for chunks for ever", c.a.Op)
	}
	delete(p.calls, m.Request)
	out := &proto.Message{Type: proto.Error, RequestType: proto.Call, Request: m.Request, URI: proto.ErrURICanceled}
	if m.Options.Str(proto.KeyMode) != proto.Kill.String() {
		r.send(p.link, out)
		return
	}
	r.at(20*time.Millisecond, func() { // the callee answers
		if !p.gone {
			r.send(p.link, out)
		}
	})
}
