package wamptest

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// ErrClosed is the error of what is asked of a router that has been closed.
var ErrClosed = errors.New("wamptest: router closed")

// Router is a broker and a dealer in this process. Its methods may be called
// from any goroutine, except from a hook or another function that the router
// calls: they run inside of it, and would wait for themselves. That is a panic.
//
// One goroutine owns every table; clients reach it through a mailbox, and it
// never waits for any of them.
type Router struct {
	cfg  config
	mail mailbox
	done chan struct{} // closed when the actor has ended

	// root is the context of what the router does on its own: handshakes and
	// the orderly end of links. Close ends it.
	root      context.Context //nolint:containedctx // the router's own root, it belongs to no call
	stop      context.CancelFunc
	links     sync.WaitGroup // readers and writers
	listeners listeners
	closeOnce sync.Once
	actor     atomic.Uint64 // the goroutine of the actor

	// The rest belongs to the actor.

	rand     *rand.Rand
	realms   map[string]*realm
	sessions map[proto.ID]*session
	cookies  map[string]Grant // who was let in with a cookie
	open     map[*link]struct{}
	dirty    []*link // with something new for their writers
	doomed   []*link // to be cut when the event is done with
	closed   bool    // no more links
	quiet    bool    // everything goes at once: nobody is told of anybody
	stalled  bool    // new links are stalled at once
	delay    time.Duration
	hook     Hook
	refused  refusals
	held     []*heldBack  // what is due first first
	faults   []*Injection // oldest first
	injected int          // how many there ever were
	counts   counters
	noted    map[string]bool
	waiters  []*waiter
	events   []event // taken from the mailbox
	next     int     // the first that is not done with
}

// realm is one realm with its tables. Actor only.
type realm struct {
	name   string
	broker *broker
	dealer *dealer
}

// NewRouter starts a router that is closed when the test ends. What WithLog
// tells of goes to the test's log.
func NewRouter(t testing.TB, options ...Option) *Router {
	t.Helper()
	// Nothing is logged once Close has returned, and the test waits for that.
	log := WithLog(func(line string) { t.Log(line) })
	r := Start(append([]Option{log}, options...)...)
	t.Cleanup(r.Close)
	return r
}

// Start starts a router outside of a test. Close ends it.
func Start(options ...Option) *Router {
	r := &Router{
		cfg:      newConfig(options),
		mail:     mailbox{bell: make(chan struct{}, 1)},
		done:     make(chan struct{}),
		realms:   map[string]*realm{},
		sessions: map[proto.ID]*session{},
		cookies:  map[string]Grant{},
		open:     map[*link]struct{}{},
		noted:    map[string]bool{},
		counts:   counters{received: Counts{}, sent: Counts{}},
	}
	r.root, r.stop = context.WithCancel(context.Background()) //nolint:forbidigo // the router's own root
	r.rand = rand.New(rand.NewPCG(r.cfg.seed, r.cfg.seed))
	r.hook = r.cfg.hook
	go r.run() // ends when Close has closed the mailbox
	return r
}

// Close cuts every link, closes the listeners and returns when every goroutine
// of the router has ended.
func (r *Router) Close() {
	r.closeOnce.Do(func() {
		r.stop()
		r.listeners.close()
		r.do(func() {
			r.closed, r.quiet = true, true
			for _, i := range r.faults {
				i.unmet()
			}
			r.cutAll()
			r.bury()
		})
		r.links.Wait()
		r.mail.close()
	})
	<-r.done
}

// Dial connects to the router in memory; it is a transport.Dialer. The first of
// the protocols that the router speaks is agreed on. ctx bounds the dial only.
func (r *Router) Dial(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
	if err := r.admit(ctx); err != nil {
		return nil, err
	}
	for _, p := range protocols {
		if !r.cfg.speaks(p) {
			continue
		}
		client, server := transport.Pipe(p)
		g := new(gate)
		client = newPipeClient(client, g)
		if err := r.attach(server, g, origin{}); err != nil {
			_ = client.CloseNow()
			return nil, err
		}
		return client, nil
	}
	return nil, &transport.HandshakeError{Err: transport.ErrNoProtocol}
}

// Restart drops every link without a goodbye and all state of the router:
// sessions, subscriptions, registrations and calls. Listeners, settings and
// counts of messages stay. Use RefuseDials to be down for a while.
func (r *Router) Restart() {
	r.do(func() {
		r.quiet = true
		r.cutAll()
		r.bury()
		r.quiet = false
		clear(r.realms)
	})
}

// Cut tears down the link of a session without a goodbye, at once: what is on its way
// to the client may be lost with it. It reports whether there was one.
func (r *Router) Cut(id proto.ID) bool {
	return r.withSession(id, func(s *session) { s.link.cut() })
}

// CutAll tears down every link as Cut does.
func (r *Router) CutAll() { r.do(r.cutAll) }

func (r *Router) cutAll() {
	for l := range r.open {
		l.cut()
	}
}

// bury ends the sessions that WithHalfOpen keeps.
func (r *Router) bury() {
	for _, s := range sorted(r.sessions) {
		if s.link.lost {
			r.leave(s.link)
		}
	}
}

// Kill ends a session with GOODBYE. It reports whether there was one. The link
// is closed when the client has answered.
func (r *Router) Kill(id proto.ID, reason string) bool {
	return r.withSession(id, func(s *session) { r.goodbye(s, reason) })
}

// GoodbyeAll ends every session with GOODBYE.
func (r *Router) GoodbyeAll(reason string) {
	r.do(func() {
		for _, s := range r.sessions {
			r.goodbye(s, reason)
		}
	})
}

// SessionInfo says who a session is.
type SessionInfo struct {
	ID                           proto.ID
	Realm                        string
	AuthID, AuthRole, AuthMethod string
	Protocol                     transport.Protocol
}

// Sessions returns the sessions there are.
func (r *Router) Sessions() []SessionInfo {
	var out []SessionInfo
	r.do(func() {
		for _, s := range r.sessions {
			out = append(out, s.info())
		}
	})
	return out
}

func (r *Router) withSession(id proto.ID, f func(*session)) (ok bool) {
	r.do(func() {
		var s *session
		if s, ok = r.sessions[id]; ok {
			f(s)
		}
	})
	return ok
}

// event is something for the actor: messages of a link, what became of the
// link, or a function to run.
type event struct {
	link  *link
	batch *batch
	pos   int   // how many messages of the batch have been taken
	fault error // a message that is refused
	ended bool  // the link is no more
	run   func()
}

// mailbox takes events for the actor. It is never full: what a link may put
// into it is bounded by the link's own batches.
type mailbox struct {
	bell   chan struct{} // capacity 1
	mu     sync.Mutex    // never held across a call
	queue  []event
	closed bool
}

func (m *mailbox) post(e event) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.queue = append(m.queue, e)
	m.mu.Unlock()
	m.ring()
	return true
}

func (m *mailbox) ring() {
	select {
	case m.bell <- struct{}{}:
	default:
	}
}

// take swaps the queue for an empty one.
func (m *mailbox) take(empty []event) (events []event, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, m.queue = m.queue, empty[:0]
	return events, m.closed
}

func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.ring()
}

// do runs f on the actor and returns when it has run. It reports false when
// the router has been closed.
func (r *Router) do(f func()) bool {
	if goroutineID() == r.actor.Load() {
		panic("wamptest: a hook, a login or a condition calls the router that waits for it")
	}
	ran := make(chan struct{})
	if !r.mail.post(event{run: func() { defer close(ran); f() }}) {
		return false
	}
	<-ran
	return true
}

// goroutineID is the number by which a stack trace calls this goroutine.
func goroutineID() (id uint64) {
	var buf [64]byte
	text := strings.TrimPrefix(string(buf[:runtime.Stack(buf[:], false)]), "goroutine ")
	id, _ = strconv.ParseUint(text[:strings.IndexByte(text, ' ')], 10, 64)
	return id
}

// timer is one of after. The zero timer is none.
type timer struct{ *time.Timer }

// stop lets go of what the timer runs. If that is on its way to the actor already, it
// still runs.
func (t timer) stop() {
	if t.Timer != nil {
		t.Stop()
	}
}

// after runs f on the actor when d has passed. What keeps f alive is kept by the timer:
// it is stopped when that is gone, unless it is short.
func (r *Router) after(d time.Duration, f func()) timer {
	return timer{time.AfterFunc(d, func() { r.mail.post(event{run: f}) })}
}

// run is the actor. Where a hook ends the goroutine, as t.Fatal does, another
// one goes on behind the message that the hook was asked about.
func (r *Router) run() {
	r.actor.Store(goroutineID())
	over := false
	defer func() {
		switch p := recover(); {
		case p != nil:
			panic(p)
		case over:
			close(r.done)
		default:
			go r.run() // ends when Close has closed the mailbox
		}
	}()
	for !over {
		over = r.turn()
	}
}

// turn does what there is to do, or waits for it. It reports whether the router
// has been closed.
func (r *Router) turn() (over bool) {
	if r.next == len(r.events) {
		var closed bool
		r.events, closed = r.mail.take(r.events)
		r.next = 0
		if len(r.events) == 0 {
			if !closed {
				<-r.mail.bell
			}
			return closed
		}
	}
	for r.next < len(r.events) {
		e := &r.events[r.next]
		r.handle(e)
		*e = event{}
		r.next++
		for n := 0; n < len(r.doomed); n++ { // the end of one can doom another
			r.doomed[n].sever()
		}
		r.doomed = r.doomed[:0]
	}
	for i, l := range r.dirty {
		l.wake()
		r.dirty[i] = nil
	}
	r.dirty = r.dirty[:0]
	r.wakeWaiters()
	return false
}

// handle takes off an event what it does, before it does it.
func (r *Router) handle(e *event) {
	if run := e.run; run != nil {
		e.run = nil
		run()
		return
	}
	l := e.link
	if e.batch != nil {
		for e.pos < len(e.batch.messages) {
			e.pos++
			r.receive(l, &e.batch.messages[e.pos-1])
		}
		l.giveBack(e.batch)
		e.batch = nil
	}
	if fault := e.fault; fault != nil {
		e.fault = nil
		r.fault(l, fault)
	}
	if e.ended {
		l.cut()
	}
}

// newID returns a random id that taken does not know.
func (r *Router) newID(taken func(proto.ID) bool) proto.ID {
	for {
		if id := proto.ID(r.rand.Uint64N(uint64(proto.MaxID)) + 1); taken == nil || !taken(id) {
			return id
		}
	}
}
