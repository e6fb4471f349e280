package faults

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pieceBytes  = 16 << 10
	pieces      = 16 // under way in one direction
	dialTimeout = 10 * time.Second
	// finTimeout is how long a connection that was cut by FIN waits for the
	// peers' own ends before it is reset.
	finTimeout = 5 * time.Second
)

// conn is one connection through the proxy: the two sockets, and for each
// direction one goroutine that reads and one that writes.
type conn struct {
	proxy  *Proxy
	client *net.TCPConn
	done   chan struct{} // closed by reset
	once   sync.Once
	fin    chan struct{} // closed by a cut with FIN
	finish sync.Once

	mu      sync.Mutex // guards the rest, never held across a call that waits
	server  *net.TCPConn
	plan    *Plan
	changed chan struct{} // closed when there is another plan
	up      *pump
	down    *pump
}

func newConn(p *Proxy, client *net.TCPConn, plan *Plan, seed uint64) *conn {
	c := &conn{proxy: p, client: client, plan: plan, done: make(chan struct{}), fin: make(chan struct{}), changed: make(chan struct{})}
	c.up = &pump{conn: c, up: true, total: &p.up, rand: rand.New(rand.NewPCG(seed, 1)), queue: make(chan piece, pieces)}
	c.down = &pump{conn: c, total: &p.down, rand: rand.New(rand.NewPCG(seed, 2)), queue: make(chan piece, pieces)}
	return c
}

// run dials the server and forwards until both directions are over.
func (c *conn) run() {
	defer c.proxy.forget(c)
	ctx, cancel := context.WithTimeout(c.proxy.root, dialTimeout)
	server, err := new(net.Dialer).DialContext(ctx, "tcp", c.proxy.target)
	cancel()
	if err != nil {
		c.reset()
		return
	}
	c.mu.Lock()
	c.server = server.(*net.TCPConn)
	c.mu.Unlock()
	if c.isDone() {
		_ = server.Close()
		return
	}
	c.up.src, c.up.dst = c.client, c.server
	c.down.src, c.down.dst = c.server, c.client
	var pumps sync.WaitGroup
	for _, p := range []*pump{c.up, c.down} {
		pumps.Go(p.read)
		pumps.Go(p.write)
	}
	pumps.Wait()
	c.close(false) // what the system has still to send is sent
}

func (c *conn) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// reset tears both sockets down.
func (c *conn) reset() { c.close(true) }

func (c *conn) close(reset bool) {
	c.once.Do(func() {
		close(c.done)
		c.mu.Lock()
		server := c.server
		c.mu.Unlock()
		for _, s := range []*net.TCPConn{c.client, server} {
			if s == nil {
				continue
			}
			if reset {
				_ = s.SetLinger(0)
			}
			_ = s.Close()
		}
	})
}

// cut ends the connection as a fault does.
func (c *conn) cut(with End) {
	c.mu.Lock()
	dialing := c.server == nil
	c.mu.Unlock()
	c.finish.Do(func() {
		c.proxy.cut.Add(1)
		close(c.fin)
	})
	if with == RST || dialing {
		c.reset()
		return
	}
	_ = c.client.CloseWrite()
	_ = c.server.CloseWrite()
	// The readers drain what the peers still send, until their ends come.
	late := time.Now().Add(finTimeout)
	_ = c.client.SetReadDeadline(late)
	_ = c.server.SetReadDeadline(late)
}

// dead reports whether something has vanished, or may be about to, or nothing
// is taken any more.
func (c *conn) dead() bool {
	plan, _ := c.current()
	for _, f := range []*Fault{&plan.Up, &plan.Down} {
		if f.Stall || f.Hole {
			return true
		}
	}
	return c.up.lost.Load() || c.down.lost.Load()
}

func (c *conn) setPlan(plan *Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan = plan
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) current() (*Plan, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plan, c.changed
}

// piece is what was read at once.
type piece struct {
	data []byte
	due  time.Time
}

// pump is one direction of a connection.
type pump struct {
	conn     *conn
	up       bool
	src, dst *net.TCPConn
	total    *atomic.Int64
	queue    chan piece
	lost     atomic.Bool // something has vanished: nothing more may come through

	// The reader's.
	rand  *rand.Rand
	plan  *Plan // that counted, flip and cut belong to
	count int64 // bytes seen under it
	flip  int64 // bytes until the next one is flipped
	end   *End  // the connection is cut behind what is queued
}

// fault is what this direction suffers now.
func (p *pump) fault(plan *Plan) *Fault {
	if p.up {
		return &plan.Up
	}
	return &plan.Down
}

// holed reports whether the news that this direction carries get lost, or get
// stuck.
func (p *pump) holed() bool {
	plan, _ := p.conn.current()
	f := p.fault(plan)
	return p.lost.Load() || f.Stall || f.Hole && f.From == 0
}

// back is the other direction.
func (p *pump) back() *pump {
	if p.up {
		return p.conn.down
	}
	return p.conn.up
}

// read takes from the source, and tells the writer in the end that it is over.
func (p *pump) read() {
	defer close(p.queue)
	for {
		data := make([]byte, pieceBytes)
		n, err := p.src.Read(data)
		if !p.stalled() {
			return
		}
		if n > 0 && !p.forward(data[:n]) {
			return
		}
		if err == nil {
			continue
		}
		select {
		case <-p.conn.fin:
			return
		default:
		}
		if p.holed() {
			<-p.conn.done // nobody is told
			return
		}
		if !errors.Is(err, io.EOF) {
			p.conn.reset()
		}
		return
	}
}

// stalled waits while the direction is stalled. It reports false when the
// connection is over.
func (p *pump) stalled() bool {
	for {
		plan, changed := p.conn.current()
		if !p.fault(plan).Stall {
			return true
		}
		select {
		case <-changed:
		case <-p.conn.done:
			return false
		case <-p.conn.fin:
			return true
		}
	}
}

// forward queues bytes for the writer, with what the plan does to them. It
// reports false when the connection is over.
func (p *pump) forward(data []byte) bool {
	plan, _ := p.conn.current()
	f := p.fault(plan)
	if plan != p.plan {
		p.plan, p.count, p.flip = plan, 0, 0
	}
	if p.end != nil {
		return true // the rest is drained
	}
	begin := p.count
	p.count += int64(len(data))
	if f.Hole || p.lost.Load() {
		spared := min(max(f.From-begin, 0), int64(len(data)))
		if p.lost.Load() {
			spared = 0
		}
		if n := int64(len(data)) - spared; n > 0 {
			p.lost.Store(true)
			p.conn.proxy.vanished.Add(n)
		}
		data = data[:spared]
	}
	if f.Flip > 0 {
		p.corrupt(f, data, begin)
	}
	if f.Cut > 0 && p.count >= f.Cut {
		data = data[:max(f.Cut-begin, 0)]
		with := f.With
		p.end = &with
	}
	if len(data) == 0 && p.end == nil {
		return true
	}
	q := piece{data: data}
	if f.Delay > 0 {
		q.due = time.Now().Add(f.Delay)
	}
	select {
	case p.queue <- q:
	case <-p.conn.done:
		return false
	}
	if p.end != nil {
		select {
		case p.queue <- piece{}:
		case <-p.conn.done:
		}
	}
	return true
}

// corrupt flips bytes. begin is the offset of the first.
func (p *pump) corrupt(f *Fault, data []byte, begin int64) {
	for i := range data {
		if begin+int64(i) < f.From {
			continue
		}
		if p.flip == 0 {
			p.flip = 1 + p.rand.Int64N(2*f.Flip)
		}
		if p.flip--; p.flip == 0 {
			data[i] ^= byte(1 + p.rand.IntN(255))
			p.conn.proxy.flipped.Add(1)
		}
	}
}

// write brings to the destination what the reader has queued, when it is due
// and as fast as the rate allows, and then the end.
func (p *pump) write() {
	for q := range p.queue {
		if q.data == nil {
			p.conn.cut(*p.end)
			continue
		}
		if !q.due.IsZero() && !p.conn.wait(time.Until(q.due)) {
			return
		}
		if !p.send(q.data) {
			break
		}
	}
	if p.holed() {
		return
	}
	_ = p.dst.CloseWrite()
	for range p.queue { // until the reader has seen the end
	}
}

// wait waits for d. It reports false when the connection is over.
func (c *conn) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// send writes to the destination, in small portions where there is a rate.
func (p *pump) send(data []byte) bool {
	for len(data) > 0 {
		plan, _ := p.conn.current()
		portion := len(data)
		rate := p.fault(plan).Rate
		if rate > 0 {
			portion = min(portion, max(rate/100, 1))
		}
		n, err := p.dst.Write(data[:portion])
		p.total.Add(int64(n))
		if err != nil {
			// The destination is gone. The source learns of it where the way
			// back is open.
			if !p.back().holed() {
				select {
				case <-p.conn.fin:
				default:
					p.conn.reset()
				}
			}
			return false
		}
		if rate > 0 && !p.conn.wait(time.Duration(n)*time.Second/time.Duration(rate)) {
			return false
		}
		data = data[portion:]
	}
	return true
}
