package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// server is the canned router. It knows no realms, no topics and no other
// session: each connection is answered from what it said itself.
type server struct {
	addresses map[string]string // by transport
	listeners []net.Listener
	dir       string
	wg        sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// startServer listens on all transports.
func startServer() (*server, error) {
	s := &server{addresses: make(map[string]string), conns: make(map[net.Conn]struct{})}
	var err error
	if s.dir, err = os.MkdirTemp("", "wampbench"); err != nil {
		return nil, err
	}
	for transport, at := range map[string][2]string{
		transportTCP:  {"tcp", "127.0.0.1:0"},
		transportUnix: {"unix", filepath.Join(s.dir, "socket")},
		transportWeb:  {"tcp", "127.0.0.1:0"},
	} {
		l, err := net.Listen(at[0], at[1])
		if err != nil && transport == transportUnix { // not every system has them
			continue
		}
		if err != nil {
			s.close()
			return nil, err
		}
		s.listeners = append(s.listeners, l)
		s.addresses[transport] = l.Addr().String()
		accept := floor.AcceptRaw
		if transport == transportWeb {
			accept = floor.AcceptWeb
		}
		s.wg.Go(func() { s.listen(l, accept) })
	}
	return s, nil
}

// listen takes connections until the listener is closed.
func (s *server) listen(l net.Listener, accept func(net.Conn) (floor.Framing, wire, error)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			if f, w, err := accept(conn); err == nil {
				newPeer(conn, f, w).run()
			}
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

// close ends every connection and waits for what served it.
func (s *server) close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	_ = os.RemoveAll(s.dir)
}

// answer is what the canned payload of every small result and event is.
const answer = 42

// The ids that the server gives, as long as real routers make them.
const (
	idBase        = uint64(4_000_000_000_000_000)
	idSession     = idBase + 1
	idPublication = idBase + 2
	idFirst       = idBase + 1000 // of subscriptions and registrations
)

// peer is one connection of the server. Its goroutine reads and answers;
// floods have goroutines of their own, so that other calls go on meanwhile.
type peer struct {
	conn net.Conn
	f    floor.Framing
	w    floor.Wire
	r    floor.Reader
	out  []byte // answers to what was read in one go

	lastID    uint64 // of subscriptions and registrations
	topics    map[string]uint64
	lastTopic uint64 // the subscription that events go to
	lastProc  uint64 // the registration that invocations go to
	published uint64 // unacknowledged PUBLISHes
	invoked   uint64 // INVOCATIONs sent
	yields    int    // YIELDs that are still to come
	yieldFor  uint64 // the CALL that waits for them

	resultTail, emptyTail, welcomeTail, publishedTail []byte // of canned messages

	write     sync.Mutex   // held for one Write
	answering atomic.Int32 // answers that wait for it: floods let them pass
	floods    sync.WaitGroup
	mu        sync.Mutex
	stops     map[uint64]*atomic.Bool // floods that a CANCEL ends, by CALL
	active    int                     // floods under way
	idle      []uint64                // CALLs that wait until none is
}

func newPeer(conn net.Conn, f floor.Framing, w wire) *peer {
	return &peer{
		conn: conn, f: f, w: w, r: w.NewReader(),
		lastID:        idFirst,
		topics:        make(map[string]uint64),
		resultTail:    w.AppendTail(nil, floor.Dict{}, []any{answer}),
		emptyTail:     w.AppendTail(nil),
		publishedTail: w.AppendTail(nil, idPublication),
		welcomeTail:   w.AppendTail(nil, welcome()),
		stops:         make(map[uint64]*atomic.Bool),
	}
}

// welcome is what WELCOME says.
func welcome() floor.Dict {
	features := func(names string) floor.Dict {
		var d floor.Dict
		for name := range strings.FieldsSeq(names) {
			d = append(d, floor.Pairs(name, true)...)
		}
		return floor.Pairs("features", d)
	}
	return floor.Pairs("authid", "bench", "authrole", "anonymous", "authmethod", "anonymous",
		"roles", floor.Pairs(
			"broker", features("publisher_identification publisher_exclusion subscriber_blackwhite_listing "+
				"pattern_based_subscription event_retention sharded_subscription payload_passthru_mode"),
			"dealer", features("progressive_call_results progressive_call_invocations call_timeout call_canceling "+
				"caller_identification pattern_based_registration shared_registration sharded_registration "+
				"payload_passthru_mode")))
}

// run serves the connection until it ends.
func (p *peer) run() {
	in := floor.NewInbox(8 << 10) // of 10,000 idle sessions each has one
	for p.serve(in) == nil {
	}
	_ = p.conn.Close()
	p.mu.Lock()
	for _, stop := range p.stops {
		stop.Store(true)
	}
	p.mu.Unlock()
	p.floods.Wait()
}

// serve reads once and answers all that is complete in one write.
func (p *peer) serve(in *floor.Inbox) error {
	n, err := p.conn.Read(in.Space())
	if err != nil {
		return err
	}
	in.End += n
	if len(in.Buf) < 256<<10 && in.End == len(in.Buf) {
		in.Buf = append(in.Buf, make([]byte, len(in.Buf))...)
	}
	for {
		kind, payload, used, err := p.f.Next(in.Unread())
		if err != nil {
			return err
		}
		if used == 0 {
			return p.flush()
		}
		in.Start += used
		switch kind {
		case floor.FrameMessage:
			h, ok := floor.Parse(p.r, payload)
			if !ok {
				err = fmt.Errorf("bench: bad message %q", payload)
			} else {
				err = p.handle(&h)
			}
		case floor.FramePing:
			p.out = p.f.AppendControl(p.out, floor.FramePong, payload)
		case floor.FrameClose:
			p.out = p.f.AppendControl(p.out, floor.FrameClose, payload)
			err = floor.ErrClosed
		}
		if err != nil {
			_ = p.flush()
			if !errors.Is(err, floor.ErrClosed) {
				fmt.Fprintln(os.Stderr, err)
			}
			return err
		}
	}
}

// flush writes the answers.
func (p *peer) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	p.answering.Add(1)
	p.write.Lock()
	_, err := p.conn.Write(p.out)
	p.answering.Add(-1)
	p.write.Unlock()
	if p.out = p.out[:0]; cap(p.out) > 1<<20 {
		p.out = nil
	}
	return err
}

// send appends the answer of n elements that ends with a canned tail.
func (p *peer) send(n int, typ, id uint64, tail []byte) {
	start := len(p.out)
	p.out = p.w.AppendHead(p.f.Begin(p.out), n, typ, id)
	p.out = p.f.End(append(p.out, tail...), start)
}

// sendNew appends an answer that is put together now.
func (p *peer) sendNew(typ, id uint64, values ...any) {
	start := len(p.out)
	p.out = p.w.AppendHead(p.f.Begin(p.out), 2+len(values), typ, id)
	p.out = p.f.End(p.w.AppendTail(p.out, values...), start)
}

// handle answers one message.
func (p *peer) handle(h *floor.Head) error {
	switch h.Typ {
	case floor.TypeCall:
		return p.call(h)
	case floor.TypePublish:
		if h.Flag {
			p.send(3, floor.TypePublished, h.Id, p.publishedTail)
		} else {
			p.published++
		}
	case floor.TypeYield:
		if p.yields--; p.yields == 0 {
			p.send(4, floor.TypeResult, p.yieldFor, p.resultTail)
		}
	case floor.TypeHello:
		p.send(3, floor.TypeWelcome, idSession, p.welcomeTail)
	case floor.TypeSubscribe:
		id := p.topics[string(h.URI)]
		if id == 0 {
			p.lastID++
			id = p.lastID
			p.topics[string(h.URI)] = id
		}
		p.lastTopic = id
		p.sendNew(floor.TypeSubscribed, h.Id, id)
	case floor.TypeRegister:
		p.lastID++
		p.lastProc = p.lastID
		p.sendNew(floor.TypeRegistered, h.Id, p.lastID)
	case floor.TypeUnsubscribe:
		p.send(2, floor.TypeUnsubscribed, h.Id, p.emptyTail)
	case floor.TypeUnregister:
		p.send(2, floor.TypeUnregistered, h.Id, p.emptyTail)
	case floor.TypeCancel:
		p.cancel(h.Id)
	case floor.TypeGoodbye:
		start := len(p.out)
		p.out = p.w.AppendList(p.f.Begin(p.out), floor.TypeGoodbye, floor.Dict{}, "wamp.close.goodbye_and_out")
		p.out = p.f.End(p.out, start)
	case floor.TypeError:
		return fmt.Errorf("bench: an invocation failed: %s", h.URI)
	case floor.TypeAbort:
		return fmt.Errorf("bench: the client aborted: %s", h.URI)
	}
	return nil
}

// The procedures. What has numbers behind it takes them in its name, as in
// bench.flood.1000 or bench.flood.1000.64.5000: how many, with how many bytes
// of text instead of the small payload if not 0, and how many a second at most.
const (
	procCall   = "bench.call"   // the canned result
	procEcho   = "bench.echo"   // what the call brought
	procCount  = "bench.count"  // the unacknowledged publishes so far
	procHold   = "bench.hold"   // nothing, until it is cancelled
	procFlood  = "bench.flood"  // progressive results, then the final one
	procStorm  = "bench.storm"  // the same; CANCEL is answered, but it goes on
	procEvents = "bench.events" // events on the last subscription, then the result
	procSent   = "bench.sent"   // the canned result, when no flood is under way
	procInvoke = "bench.invoke" // invocations of the last registration, the result when all have been answered
)

// call answers a CALL.
func (p *peer) call(h *floor.Head) error {
	if string(h.URI) == procCall {
		p.send(4, floor.TypeResult, h.Id, p.resultTail)
		return nil
	}
	name, n := splitName(string(h.URI))
	count, size, pace := n[0], n[1], n[2]
	switch name {
	case procEcho:
		start := len(p.out)
		p.out = p.w.AppendHead(p.f.Begin(p.out), max(h.N-1, 0), floor.TypeResult, h.Id)
		p.out = p.f.End(p.w.AppendRest(p.out, h.Rest), start)
	case procCount:
		p.sendNew(floor.TypeResult, h.Id, floor.Dict{}, []any{p.published})
	case procHold:
		p.mu.Lock()
		p.stops[h.Id] = new(atomic.Bool)
		p.mu.Unlock()
	case procSent:
		p.whenIdle(h.Id)
	case procFlood, procStorm:
		p.flood(h.Id, count, pace, name == procFlood, p.progress(h.Id, size))
	case procEvents:
		p.flood(h.Id, count, pace, false, p.event(size))
	case procInvoke:
		p.yields, p.yieldFor = count, h.Id
		p.invoke(count)
	default:
		return fmt.Errorf("bench: no procedure %q", h.URI)
	}
	return nil
}

// splitName takes the numbers off the name of a procedure.
func splitName(uri string) (name string, numbers [3]int) {
	parts := strings.Split(uri, ".")
	if len(parts) < 2 {
		return uri, numbers
	}
	for i, part := range parts[2:min(len(parts), 5)] {
		numbers[i], _ = strconv.Atoi(part)
	}
	return parts[0] + "." + parts[1], numbers
}

// serverMain is the server process: it says where it listens and ends with its
// standard input.
func serverMain() error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	// a file name may have spaces
	fmt.Println(strings.Join([]string{s.addresses[transportTCP], s.addresses[transportUnix], s.addresses[transportWeb]}, "\t"))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
