package session

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// wire is one end of a connection in memory, as small as it can be.
type wire struct {
	in, out  chan []byte
	shut     chan struct{} // shared by both ends
	once     *sync.Once
	stuck    chan struct{} // while it is open and not nil, Write waits
	maxSend  int
	protocol transport.Protocol
}

func newWires() (client, router *wire) {
	a, b := make(chan []byte, 64), make(chan []byte, 64)
	shut, once := make(chan struct{}), new(sync.Once)
	p := transport.Protocol{Name: "wamp.2.cbor"}
	return &wire{in: a, out: b, shut: shut, once: once, maxSend: 1 << 20, protocol: p},
		&wire{in: b, out: a, shut: shut, once: once, maxSend: 1 << 20, protocol: p}
}

func (w *wire) Protocol() transport.Protocol { return w.protocol }
func (w *wire) Buffered() bool               { return len(w.in) > 0 }
func (w *wire) MaxSend() int                 { return w.maxSend }
func (w *wire) TLS() *tls.ConnectionState    { return nil }
func (w *wire) Ping(context.Context) error   { return nil }
func (w *wire) Close(context.Context) error  { return w.CloseNow() }
func (w *wire) CloseNow() error              { w.once.Do(func() { close(w.shut) }); return nil }

func (w *wire) Read() ([]byte, error) {
	select {
	case b := <-w.in:
		return b, nil
	default:
	}
	select {
	case b := <-w.in:
		return b, nil
	case <-w.shut:
		return nil, io.EOF
	}
}

func (w *wire) Write(b *transport.Batch) error {
	for i := range b.Len() {
		if w.stuck != nil {
			select {
			case <-w.stuck:
			case <-w.shut:
				return io.ErrClosedPipe
			}
		}
		select {
		case w.out <- append([]byte(nil), b.Message(i)...):
		case <-w.shut:
			return io.ErrClosedPipe
		}
	}
	return nil
}

// far is the router's side of a test, in the test's own goroutine.
type far struct {
	t      *testing.T
	w      *wire
	parser codec.Parser
}

func (f *far) send(ms ...proto.Message) {
	f.t.Helper()
	for i := range ms {
		b, err := codec.CBOR.AppendMessage(nil, &ms[i])
		if err != nil {
			f.t.Fatal(err)
		}
		f.w.out <- b
	}
}

func (f *far) expect(want proto.MessageType) proto.Message {
	f.t.Helper()
	b, err := f.w.Read()
	if err != nil {
		f.t.Fatalf("waiting for %s: %v", want, err)
	}
	var m proto.Message
	if err := f.parser.Parse(b, &m); err != nil {
		f.t.Fatal(err)
	}
	if m.Type != want {
		f.t.Fatalf("got %s, want %s", m.Type, want)
	}
	return m
}

func welcome() proto.Message {
	roles := routerRoles()
	return proto.Message{Type: proto.Welcome, ID: 4711, Options: proto.Dict{{Key: "roles", Value: roles.Dict()}}}
}

// open connects a session to a far side.
func open(t *testing.T, change func(*Config, *wire)) (*Session, *far) {
	t.Helper()
	client, router := newWires()
	f := &far{t: t, w: router, parser: codec.CBOR.NewParser(codec.Limits{})}
	cfg := Config{Realm: "realm1", Auth: noAuth{}, Dial: func(context.Context, []transport.Protocol) (transport.Conn, error) {
		return client, nil
	}}
	if change != nil {
		change(&cfg, client)
	}
	go func() {
		f.expect(proto.Hello)
		f.send(welcome())
	}()
	s, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return s, f
}

// answerGoodbye closes the session in order.
func (f *far) close(s *Session) {
	f.t.Helper()
	done := make(chan error)
	go func() { done <- s.Close(context.Background(), nil) }()
	f.expect(proto.Goodbye)
	f.send(proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
	if err := <-done; err != nil {
		f.t.Errorf("Close: %v", err)
	}
}

// chanSink is a Sink that ends into a channel.
type chanSink struct {
	got  chan proto.ID
	ends chan End
}

func newChanSink() *chanSink {
	return &chanSink{got: make(chan proto.ID, 1000), ends: make(chan End, 1)}
}

func (c *chanSink) Deliver(m *proto.Message) Verdict { c.got <- m.Publication; return Taken }
func (c *chanSink) End(e End)                        { c.ends <- e }

func TestShellCallAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, nil)
		sink := newChanSink()
		if err := s.Call(newCall(t.Context(), sink)); err != nil {
			t.Fatal(err)
		}
		f.expect(proto.Call)
		f.send(proto.Message{Type: proto.Result, Request: 1})
		if e := <-sink.ends; e.Err != nil || e.Message == nil {
			t.Errorf("end %+v", e)
		}
		f.close(s)
		if err := s.Err(); !errors.Is(err, ErrSessionClosed) {
			t.Errorf("Err %v", err)
		}
		if err := s.Close(t.Context(), nil); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if err := s.Call(newCall(t.Context(), sink)); !errors.Is(err, ErrSessionClosed) {
			t.Errorf("Call after Close: %v", err)
		}
	})
}

func TestShellContextCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, nil)
		for range 20 { // more contexts than stay registered idle
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			sink := newChanSink()
			if err := s.Call(newCall(ctx, sink)); err != nil {
				t.Fatal(err)
			}
			f.expect(proto.Call)
			if e := <-sink.ends; !errors.Is(e.Err, context.DeadlineExceeded) || !e.Now {
				t.Errorf("end %+v", e)
			}
			f.expect(proto.Cancel)
			cancel()
		}
		if st := s.Stats(); st.Tables.Requests != 0 || st.Tables.Watches != 0 {
			t.Errorf("tables %+v", st.Tables)
		}
		f.close(s)
	})
}

func TestShellCloseWithSilentRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Close(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("Close took %v", d)
		}
		f.expect(proto.Goodbye)
	})
}

// TestShellStuckWriter: with a peer that does not read, requests wait under
// their own contexts, and cancelling and closing still work.
func TestShellStuckWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		s, _ := open(t, func(cfg *Config, w *wire) { cfg.Outbound = 1 << 10 })
		s.link.conn.(*wire).stuck = stuck
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sink := newChanSink()
		if err := s.Call(newCall(ctx, sink)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var err error
		n := 0
		for ; err == nil; n++ {
			call := newCall(ctx, newChanSink())
			call.Args = make([]byte, 1) // CBOR: the integer 0; never parsed here
			err = s.Call(call)
		}
		if !errors.Is(err, context.DeadlineExceeded) || n < 2 || n > 100 {
			t.Errorf("call %d: %v", n, err)
		}
		if e := <-sink.ends; !errors.Is(e.Err, context.DeadlineExceeded) {
			t.Errorf("end %+v", e)
		}
		ctx2, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		if err := s.Close(ctx2, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestShellLossReachesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, nil)
		var sinks []*chanSink
		for range 5 {
			sink := newChanSink()
			sinks = append(sinks, sink)
			if err := s.Call(newCall(t.Context(), sink)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		waiters := make(chan error, 5)
		for range 5 {
			go func() { <-s.Done(); waiters <- s.Err() }()
		}
		// A RESULT right before the cut still counts.
		f.send(proto.Message{Type: proto.Result, Request: 3})
		f.w.CloseNow()
		for i, sink := range sinks {
			e := <-sink.ends
			if i == 2 {
				if e.Err != nil {
					t.Errorf("the result before the cut was lost: %v", e.Err)
				}
				continue
			}
			var l *LinkError
			if !errors.As(e.Err, &l) || !errors.Is(e.Err, ErrSessionClosed) {
				t.Errorf("end %v", e.Err)
			}
		}
		for range 5 {
			if err := <-waiters; !errors.Is(err, ErrSessionClosed) {
				t.Errorf("waiter: %v", err)
			}
		}
		if err := s.Close(t.Context(), nil); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestShellBrokenMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, nil)
		f.w.out <- []byte{0x83, 0x18} // cut short
		<-s.Done()
		var v *ProtocolError
		var syntax *codec.SyntaxError
		if err := s.Err(); !errors.As(err, &v) || !errors.As(err, &syntax) {
			t.Errorf("Err %v", err)
		}
		f.expect(proto.Abort)
		if err := s.Close(t.Context(), nil); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// Operations that come to nothing give their bytes back, or else everybody
// who waits for room would wait for ever.
func TestShellOperationsThatSendNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := open(t, func(cfg *Config, w *wire) { cfg.Outbound, w.maxSend = 1000, 500 })
		for range 10 {
			sink := &tape{}
			if err := s.Call(&Call{Ctx: t.Context(), URI: "com.example.proc", Body: Body{Args: make([]byte, 900)}, Sink: sink}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if err := sink.err(t); !errors.Is(err, ErrPayloadTooBig) {
				t.Error(err)
			}
		}
		if st := s.Stats(); st.QueuedBytes != 0 {
			t.Errorf("%+v", st)
		}
		f.close(s)
	})
}

// Answers that have come are told first, however many turns that takes: before a timer
// that is due, the end of a context, and a GOODBYE. What is told meanwhile may go on.
func TestTurnTellsFirstWhatHasCome(t *testing.T) {
	const n = 5*manyAtOnce + 7
	for name, late := range map[string]func(*Session, context.Context) bool{
		"timeouts":  func(*Session, context.Context) bool { return true },
		"Close":     func(s *Session, _ context.Context) bool { return s.box.control(&closeOp{}) },
		"Close now": func(s *Session, _ context.Context) bool { return s.box.control(&closeOp{now: true}) },
		"the context": func(s *Session, ctx context.Context) bool {
			return s.box.control(&ctxDone{s.core.watches.groups[ctx.Done()]})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ends := &ended{}
			for range n {
				r.do(&Call{Ctx: ctx, URI: "com.example", Sink: ends, Timeout: time.Second})
			}
			r.sent()
			s := &Session{core: r.core, cfg: r.core.cfg, link: &link{box: new(mailbox), work: make(chan *transport.Batch, 1), spare: new(transport.Batch)}}
			s.door.bell = make(chan struct{}, 1)
			s.box.door, s.box.limit, s.link.in.door = &s.door, 1<<20, &s.door
			for i := range n {
				s.msgs = append(s.msgs, proto.Message{Type: proto.Result, Request: proto.ID(i + 1)})
			}
			if name == "the context" {
				cancel()
			}
			if !late(s, ctx) {
				t.Fatal("it was not taken")
			}
			once := onceOp{topic: "com.example.topic"}
			p := &Publish{URI: once.topic}
			written(r.codec, p, nil, 1)
			for turn := 1; turn <= n/manyAtOnce; turn++ {
				if _, err := s.box.post(p.URI, p.Rest); err != nil {
					t.Fatal(err)
				}
				if s.turn(); ends.n != turn*manyAtOnce || ends.err != nil {
					t.Fatalf("turn %d: %d have ended, %v", turn, ends.n, ends.err)
				}
				if turn == 1 && len(s.link.work) != 1 {
					t.Error("nothing was sent")
				}
			}
			s.turn()
			if ends.n != n || ends.err != nil {
				t.Errorf("%d have ended, %v", ends.n, ends.err)
			}
			if !r.core.ended && strings.HasPrefix(name, "Close") && r.core.state != proto.StateClosing {
				t.Error("no GOODBYE")
			}
			if len(s.later) > 0 {
				t.Errorf("%d operations wait", len(s.later))
			}
		})
	}
}

// ended counts the ends of operations.
type ended struct {
	n   int
	err error // the first
}

func (*ended) Deliver(*proto.Message) Verdict { return Taken }

func (s *ended) End(e End) {
	if s.n++; e.Err != nil && s.err == nil {
		s.err = e.Err
	}
}

// The writer is told that it is idle also while there are answers to be told: it has
// what to write.
func TestTurnHearsTheWriterMeanwhile(t *testing.T) {
	r := newRig(t)
	ends := &ended{}
	for range 2 * manyAtOnce {
		r.do(&Call{Ctx: t.Context(), URI: "com.example", Sink: ends})
	}
	r.sent()
	s := &Session{core: r.core, cfg: r.core.cfg}
	s.box.door, s.box.limit = &s.door, 1<<20
	s.link = &link{box: &s.box, work: make(chan *transport.Batch, 1), busy: true}
	s.link.in.door = &s.door
	for i := range 2 * manyAtOnce {
		s.msgs = append(s.msgs, proto.Message{Type: proto.Result, Request: proto.ID(i + 1)})
	}
	s.box.control(&wroteOp{s.link, new(transport.Batch)})
	s.box.control(ungateOp{})
	if s.turn(); s.link.busy || len(s.later) != 1 || ends.n != manyAtOnce {
		t.Errorf("busy %v, %d operations wait, %d have ended", s.link.busy, len(s.later), ends.n)
	}
}
