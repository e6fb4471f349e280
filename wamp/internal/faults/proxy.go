package faults

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// End is how a connection is cut.
type End uint8

// The ends of a connection.
const (
	// FIN closes both sides in order, behind what has been forwarded.
	FIN End = iota
	// RST resets both sides; what is on its way may be lost with it.
	RST
)

// Fault is what one direction of a connection suffers. The zero Fault is none.
// Bytes are counted from the beginning of the connection, or from when a live
// one was given the fault.
type Fault struct {
	// Cut ends the whole connection behind so many bytes. 0: never.
	Cut int64
	// With is how.
	With End
	// Rate bounds the bytes a second. 0: unbounded.
	Rate int
	// Delay is how long each byte takes. It costs no throughput as long as
	// what is under way has room in the proxy, about 256 KiB.
	Delay time.Duration
	// Flip changes a byte after every so many, on average. 0: none.
	Flip int64
	// Hole lets everything vanish, the end of the connection too: nobody is
	// told anything. What has lost a byte so stays a hole for ever.
	Hole bool
	// Stall takes nothing any more, until another fault comes, so that the
	// sender's buffers fill.
	Stall bool
	// From spares the first bytes from Flip and Hole.
	From int64
}

// Plan is what a connection suffers.
type Plan struct {
	// Up is from the client to the server, Down from the server to the client.
	Up, Down Fault
	// Refuse resets a new connection at once.
	Refuse bool
}

// The plans that are the same in both directions.
var (
	// Clean forwards everything.
	Clean = Plan{}
	// BlackHole lets everything vanish.
	BlackHole = Plan{Up: Fault{Hole: true}, Down: Fault{Hole: true}}
	// Stalled takes nothing.
	Stalled = Plan{Up: Fault{Stall: true}, Down: Fault{Stall: true}}
)

// Stats counts what a proxy has done.
type Stats struct {
	// Accepted connections, and those that Refuse has reset.
	Accepted, Refused int64
	// Cut counts the connections that were ended by a fault or by Cut,
	// Flipped the bytes changed, Vanished those swallowed.
	Cut, Flipped, Vanished int64
	// Up and Down are the bytes forwarded.
	Up, Down int64
	// Live connections there are.
	Live int
}

// Proxy forwards the connections of one address to another. Its methods may be
// called from any goroutine.
type Proxy struct {
	target  string
	address string
	root    context.Context // of its dials and listeners
	stop    context.CancelFunc

	accepted, refused, cut, flipped, vanished, up, down atomic.Int64

	tasks sync.WaitGroup // the accept loop and all that connections need

	mu     sync.Mutex // guards the rest, never held across a call that waits
	ln     net.Listener
	plan   *Plan   // of connections to come
	next   []*Plan // of the very next ones
	conns  map[*conn]struct{}
	rand   *rand.Rand
	closed bool
}

// Start listens on a free port of the loopback interface and forwards to a TCP
// address. Flipped bytes are drawn by the seed. ctx bounds the dials; Close
// ends the proxy.
func Start(ctx context.Context, target string, seed uint64) (*Proxy, error) {
	p := &Proxy{
		target: target, address: "127.0.0.1:0", plan: &Clean, conns: map[*conn]struct{}{},
		rand: rand.New(rand.NewPCG(seed, 1)),
	}
	p.root, p.stop = context.WithCancel(ctx)
	if err := p.Open(); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// Addr is the address that the proxy listens on. It stays the same.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// Open listens again after Shut.
func (p *Proxy) Open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if p.ln != nil {
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(p.root, "tcp", p.address)
	if err != nil {
		return err
	}
	p.ln, p.address = ln, ln.Addr().String()
	p.tasks.Go(func() { p.accept(ln) }) // ends with the listener
	return nil
}

// Shut stops listening, so that connections are refused by the system. Those
// that are there stay.
func (p *Proxy) Shut() {
	p.mu.Lock()
	ln := p.ln
	p.ln = nil
	p.mu.Unlock()
	if ln != nil {
		_ = ln.Close()
	}
}

// Set gives a plan to all connections, those that are there and those to come.
func (p *Proxy) Set(plan Plan) {
	p.SetNew(plan)
	p.SetLive(plan)
}

// SetNew gives a plan to the connections to come.
func (p *Proxy) SetNew(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = &plan
}

// SetLive gives a plan to the connections that are there.
func (p *Proxy) SetLive(plan Plan) {
	for _, c := range p.live() {
		c.setPlan(&plan)
	}
}

// Queue gives plans to the very next connections, one to each.
func (p *Proxy) Queue(plans ...Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, plan := range plans {
		p.next = append(p.next, &plan)
	}
}

// Cut ends all connections that are there and returns how many those were.
func (p *Proxy) Cut(with End) int {
	live := p.live()
	for _, c := range live {
		c.cut(with)
	}
	return len(live)
}

// CutDead resets the connections that have lost something in a hole, are in one,
// or are stalled: a network forgets them at last. It returns how many those were.
func (p *Proxy) CutDead() (n int) {
	for _, c := range p.live() {
		if c.dead() {
			n++
			c.cut(RST)
		}
	}
	return n
}

func (p *Proxy) live() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		out = append(out, c)
	}
	return out
}

// Stats returns what the proxy has done until now.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	live := len(p.conns)
	p.mu.Unlock()
	return Stats{
		Accepted: p.accepted.Load(), Refused: p.refused.Load(), Cut: p.cut.Load(), Flipped: p.flipped.Load(),
		Vanished: p.vanished.Load(), Up: p.up.Load(), Down: p.down.Load(), Live: live,
	}
}

// Close resets every connection and returns when every goroutine has ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.Shut()
	for _, c := range p.live() {
		c.reset()
	}
	p.tasks.Wait()
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.take(client.(*net.TCPConn))
	}
}

// take starts a connection by its plan.
func (p *Proxy) take(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan := p.plan
	if len(p.next) > 0 {
		plan, p.next = p.next[0], p.next[1:]
	}
	if p.closed || plan.Refuse {
		p.refused.Add(1)
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c := newConn(p, client, plan, p.rand.Uint64())
	p.conns[c] = struct{}{}
	p.tasks.Go(c.run) // ends with the connection
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
