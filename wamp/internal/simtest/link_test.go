package simtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// brittlePipe is an end of a pipe that breaks or stalls when told so.
type brittlePipe struct {
	net.Conn
	mu       sync.Mutex
	armed    bool // it breaks when one of the two has passed
	up, down int
	stalled  chan struct{} // closed when it goes on, nil while it does
	stuckUp  bool          // only what is written does not pass
	once     sync.Once
	broken   chan struct{}
}

func newBrittlePipe(c net.Conn) *brittlePipe {
	return &brittlePipe{Conn: c, broken: make(chan struct{})}
}

// breakAt breaks the pipe when so many bytes more have passed.
func (b *brittlePipe) breakAt(up, down int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed, b.up, b.down = true, up, down
}

// stall has nothing pass any more, or with up only nothing that is written here.
func (b *brittlePipe) stall(on, up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuckUp = up
	switch {
	case on && b.stalled == nil:
		b.stalled = make(chan struct{})
	case !on && b.stalled != nil:
		close(b.stalled)
		b.stalled = nil
	}
}

// allow says how many of n bytes may pass.
func (b *brittlePipe) allow(left *int, n int) int {
	b.mu.Lock()
	stalled := b.stalled
	if b.stuckUp && left != &b.up {
		stalled = nil
	}
	b.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-b.broken:
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.armed {
		return n
	}
	n = min(n, *left)
	*left -= n
	return n
}

// Read implements net.Conn.
func (b *brittlePipe) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	allowed := b.allow(&b.down, n)
	if allowed < n {
		_ = b.Close()
		return allowed, io.ErrUnexpectedEOF
	}
	return n, err
}

// Write implements net.Conn.
func (b *brittlePipe) Write(p []byte) (int, error) {
	allowed := b.allow(&b.up, len(p))
	n, err := b.Conn.Write(p[:allowed])
	if err == nil && allowed < len(p) {
		_ = b.Close()
		err = io.ErrClosedPipe
	}
	return n, err
}

// Close implements net.Conn.
func (b *brittlePipe) Close() error {
	b.once.Do(func() { close(b.broken) })
	return b.Conn.Close()
}

// linkSpy is the session's end of a link. It tells the model what is handed to it,
// and when it comes and goes.
type linkSpy struct {
	transport.Conn
	w       *simWorld
	parser  codec.Parser        // the reader's
	writes  codec.Parser        // the writer's
	link    int                 // 0 before WELCOME
	id      proto.ID            // of the session
	last    atomic.Uint64       // request that was written
	asked   map[proto.ID][2]int // publishes of streams; under the world's lock
	numbers map[proto.ID]bool   // calls of numbers; under the world's lock
	wire    *brittlePipe
}

// Read implements transport.Conn.
func (s *linkSpy) Read() ([]byte, error) {
	data, err := s.Conn.Read()
	if err != nil {
		s.w.m.LinkLost(s.link)
		return data, err
	}
	s.read(data)
	return data, nil
}

// breach tells the model that the session is about to be given what breaks the
// protocol.
func (s *linkSpy) breach() {
	s.w.m.HeardBreach(s.link)
	s.w.beginGathered()
}

// read tells the model of a message that the session is about to be given.
func (s *linkSpy) read(data []byte) {
	var m proto.Message
	w := s.w.m
	if err := s.parser.Parse(data, &m); err != nil {
		if string(data) != garbage {
			w.Broken(sim.Protocol, "what is not broken does not parse: %v", err)
		}
		s.breach()
		return
	}
	if s.link > 0 && s.w.m.Link() == s.link {
		s.w.got.Add(1)
	}
	switch m.Type {
	case proto.Welcome:
		if s.link > 0 {
			s.breach()
			return
		}
		s.link, s.id = w.LinkUp(), m.ID
		s.w.linkIs(s, m.ID)
	case proto.Goodbye:
		w.Heard(s.link, m.URI)
		s.w.beginGathered()
	case proto.Abort:
		if s.link == 0 {
			w.Refused(m.URI)
		} else {
			s.breach()
		}
	case proto.Subscribed, proto.Registered:
		w.Acknowledged(s.link, m.Request)
		s.w.acknowledged(s)
	case proto.Published, proto.Unsubscribed, proto.Unregistered:
		if m.Request == 0 {
			if m.Type == proto.Unsubscribed {
				s.w.heardRevoked(s.link, m.Options.ID("subscription"))
			}
			return
		}
		w.Came(s.link, m.Request, false)
		s.w.mu.Lock()
		of, is := s.asked[m.Request]
		s.w.mu.Unlock()
		if is {
			w.StreamHeard(of[0], of[1])
		}
		s.w.acknowledged(s)
	case proto.Result, proto.Error:
		if uint64(m.Request) > s.last.Load() {
			s.breach()
			return
		}
		s.w.mu.Lock()
		numbers := s.numbers[m.Request]
		s.w.mu.Unlock()
		if numbers {
			w.Helped(s.link)
		}
		w.Came(s.link, m.Request, m.Options.Bool("progress"))
		if m.Type == proto.Error && m.RequestType != proto.Call {
			s.w.acknowledged(s)
		}
	default:
	}
}

// Write implements transport.Conn.
func (s *linkSpy) Write(b *transport.Batch) error {
	for i := range b.Len() {
		var m proto.Message
		if err := s.writes.Parse(b.Message(i), &m); err != nil {
			s.w.m.Broken(sim.Protocol, "the session sends what does not parse: %v", err)
			continue
		}
		s.written(&m)
	}
	return s.Conn.Write(b)
}

// written tells the model of a message that is handed to the link.
func (s *linkSpy) written(m *proto.Message) {
	switch m.Type {
	case proto.Call, proto.Publish, proto.Subscribe, proto.Register, proto.Unsubscribe, proto.Unregister:
		s.last.Store(max(s.last.Load(), uint64(m.Request)))
	default:
	}
	w := s.w.m
	switch m.Type {
	case proto.Call, proto.Publish:
		p := s.w.payload(s.w.codec, m)
		if m.Type == proto.Call && strings.HasPrefix(m.URI, "wamp.") {
			if m.URI == "wamp.session.add_testament" {
				w.Written(s.w.willOf(p), s.link, m.Request)
			}
			return
		}
		if m.URI == sim.NumbersURI {
			s.w.mu.Lock()
			s.numbers[m.Request] = true
			s.w.mu.Unlock()
			w.NumbersWritten(simNumbers(p)[3], s.link)
			return
		}
		v := simNumbers(p)
		if op, k, is := simStreamed(v); is {
			s.w.mu.Lock()
			s.asked[m.Request] = [2]int{op, k}
			s.w.mu.Unlock()
			w.StreamWritten(op, k, s.link, m.Request)
			return
		}
		if _, _, _, more := sim.ChunkOf(v); !more {
			w.Written(s.w.action(m).Op, s.link, m.Request)
		}
	case proto.Register:
		w.Written(uriNumber(m.URI), s.link, m.Request)
	case proto.Subscribe:
		if n := sim.TopicOf(m.URI, m.Options); n >= 0 {
			w.WrittenTopic(n, s.link, m.Request)
		}
	case proto.Unsubscribe, proto.Unregister:
		w.WrittenLeave(m.Type, s.w.leaveOf(s, m), s.link, m.Request)
	case proto.Goodbye:
		if m.URI != proto.CloseURIGoodbyeAndOut { // an answer to the router's ends no drain
			s.w.goodbye()
		}
	case proto.Abort:
		w.Aborts(s.link, m.Options.Str("message"))
	default:
	}
}

// Close implements transport.Conn.
func (s *linkSpy) Close(ctx context.Context) error {
	defer s.w.m.LinkLost(s.link)
	return s.Conn.Close(ctx)
}

// CloseNow implements transport.Conn.
func (s *linkSpy) CloseNow() error {
	s.w.m.LinkLost(s.link)
	return s.Conn.CloseNow()
}

func uriNumber(uri string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(uri, "sim.reg"))
	if err != nil {
		return -1
	}
	return n
}

// dial is the session's dialer: RawSocket over a pipe, and from there to the
// router in memory.
func (w *simWorld) dial(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
	if w.take(&w.noDial) {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	wire := newBrittlePipe(near)
	conn := transport.NewRawSocket(wire, protocols[0], 0, 0)
	server := transport.NewRawSocket(far, protocols[0], 0, 0)
	var up transport.Conn
	if w.take(&w.refuse) {
		go w.abort(server) // ends with the connection
	} else {
		var err error
		if up, err = w.router.Dial(ctx, protocols); err != nil {
			_, _ = conn.CloseNow(), server.CloseNow()
			return nil, err
		}
		w.bridge(server, up)
	}
	return &linkSpy{Conn: conn, w: w, parser: w.codec.NewParser(codec.Limits{}), writes: w.codec.NewParser(codec.Limits{}), wire: wire,
		asked: map[proto.ID][2]int{}, numbers: map[proto.ID]bool{}}, nil
}

// bridge carries messages between the far end of a pipe and the router. The
// router may notice the end of the one later than it comes.
func (w *simWorld) bridge(server, up transport.Conn) {
	go func() { // ends with the router's end
		carryOn(server, up)
		_ = server.CloseNow()
	}()
	go func() { // ends with the pipe, and with the world
		carryOn(up, server)
		if d := w.notice(); d > 0 {
			select {
			case <-time.After(d):
			case <-w.over:
			}
		}
		_ = up.CloseNow()
	}()
}

// carryOn passes messages on until either end fails.
func carryOn(to, from transport.Conn) {
	var b transport.Batch
	for {
		data, err := from.Read()
		if err != nil {
			return
		}
		b.Reset(1 << 16)
		b.Begin()
		b.Buf = append(b.Buf, data...)
		b.End()
		if to.Write(&b) != nil {
			return
		}
	}
}

// abort refuses a login.
func (w *simWorld) abort(server transport.Conn) {
	defer server.CloseNow()
	if _, err := server.Read(); err != nil {
		return
	}
	var b transport.Batch
	b.Begin()
	b.Buf, _ = w.codec.AppendMessage(b.Buf, &proto.Message{Type: proto.Abort, URI: w.reason})
	b.End()
	if server.Write(&b) == nil {
		_, _ = server.Read() // until the client hangs up
	}
}
