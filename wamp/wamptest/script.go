package wamptest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// ErrScriptOver is the error of a dial for which a Script has no steps left.
var ErrScriptOver = errors.New("wamptest: the script has no more connections")

// errStopped is the error of a step that was under way when the test ended.
var errStopped = errors.New("the test ended first")

// Script plays the router's side of one connection after the other, step by
// step. A step that fails, or is never reached, fails the test by its name.
// After its last step a play answers GOODBYE and ignores everything else until
// the client hangs up.
type Script struct {
	t     testing.TB
	stop  chan struct{}
	once  sync.Once
	plays sync.WaitGroup // each with its reader

	mu    sync.Mutex // guards the rest, never held across a call
	acts  [][]Step   // one for each connection
	begun int
	over  []chan struct{} // of the plays begun: closed after the last step
}

// NewScript returns a script whose first connection meets the given steps. It
// is stopped when the test ends.
func NewScript(t testing.TB, steps ...Step) *Script {
	t.Helper()
	s := &Script{t: t, stop: make(chan struct{}), acts: [][]Step{steps}}
	t.Cleanup(s.Stop)
	return s
}

// Again adds the steps that the next connection meets.
func (s *Script) Again(steps ...Step) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, steps)
	return s
}

// Dial connects to the script in memory; it is a transport.Dialer. The first
// protocol is agreed on. When there are no steps left, it is ErrScriptOver.
func (s *Script) Dial(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(protocols) == 0 {
		return nil, &transport.HandshakeError{Err: transport.ErrNoProtocol}
	}
	client, server := transport.Pipe(protocols[0])
	g := new(gate)
	client = newPipeClient(client, g)
	if err := s.play(server, g); err != nil {
		_ = client.CloseNow()
		return nil, err
	}
	return client, nil
}

// Serve plays the next steps on a connection that was accepted elsewhere. It
// does not wait for them.
func (s *Script) Serve(conn transport.Conn) error { return s.play(conn, new(gate)) }

// Wait returns when the plays that have begun are through with their steps.
func (s *Script) Wait() {
	s.mu.Lock()
	over := append([]chan struct{}(nil), s.over...)
	s.mu.Unlock()
	for _, ch := range over {
		<-ch
	}
}

// Stop ends the script and reports what is left of it.
func (s *Script) Stop() {
	s.once.Do(func() {
		s.t.Helper()
		close(s.stop)
		s.plays.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := s.begun; i < len(s.acts); i++ {
			if len(s.acts[i]) > 0 {
				s.t.Errorf("script: connection %d was never made", i+1)
			}
		}
	})
}

func (s *Script) play(conn transport.Conn, g *gate) error {
	c, ok := codec.ByName(conn.Protocol().Serializer())
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || s.begun == len(s.acts) || stopped(s.stop) {
		_ = conn.CloseNow()
		if !ok {
			return &transport.HandshakeError{Err: transport.ErrNoProtocol, Protocol: conn.Protocol().Name}
		}
		return ErrScriptOver
	}
	p := &Play{
		script: s, steps: s.acts[s.begun], conn: conn, gate: g, codec: c,
		in: make(chan incoming), gone: make(chan struct{}), over: make(chan struct{}),
	}
	s.begun++
	p.number = s.begun
	s.over = append(s.over, p.over)
	s.plays.Go(p.run)  // ends with the connection or the script
	s.plays.Go(p.read) // ends with the play
	return nil
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// Play is one connection of a Script. Its methods are for the function of a
// step, which runs on the goroutine of the play.
type Play struct {
	script *Script
	number int
	steps  []Step
	conn   transport.Conn
	gate   *gate
	codec  codec.Codec
	in     chan incoming
	gone   chan struct{} // closed when the play has ended
	over   chan struct{} // closed after the last step

	// Of the goroutine of the play.
	out    transport.Batch
	burst  bool // a Burst is under way: nothing is written yet
	last   *proto.Message
	closed bool
}

// incoming is a message of the client, or the end.
type incoming struct {
	message *proto.Message
	err     error
}

func (p *Play) run() {
	defer close(p.gone)
	defer func() { _ = p.conn.CloseNow() }()
	err := p.perform()
	for err == nil {
		var m *proto.Message
		if m, err = p.Receive(); err == nil && m.Type == proto.Goodbye {
			err = p.Send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
		}
	}
}

func (p *Play) perform() error {
	defer close(p.over) // also where a step ends the goroutine, as t.Fatal does
	for i, step := range p.steps {
		if err := step.do(p); err != nil {
			p.script.t.Errorf("script: connection %d, step %d, %s: %v", p.number, i+1, step.name, err)
			return err
		}
	}
	return nil
}

// read reads one message ahead of the steps at most.
func (p *Play) read() {
	parser := p.codec.NewParser(codec.Limits{Strict: true})
	for {
		data, err := p.conn.Read()
		if err != nil {
			err = fmt.Errorf("the connection has ended: %w", err)
		} else if !p.gate.wait(p.gone) {
			return
		}
		next := incoming{err: err}
		if err == nil {
			next.message = new(proto.Message)
			next.err = parser.Parse(append([]byte(nil), data...), next.message)
		}
		select {
		case p.in <- next:
		case <-p.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

// Receive returns the next message of the client. It waits until one is there,
// the connection ends or the test does.
func (p *Play) Receive() (*proto.Message, error) {
	if p.closed {
		return nil, errors.New("the connection was closed by an earlier step")
	}
	select {
	case next := <-p.in:
		if next.err == nil {
			p.last = next.message
		}
		return next.message, next.err
	case <-p.script.stop:
		return nil, errStopped
	}
}

// Last returns the message that was received last, nil before the first.
func (p *Play) Last() *proto.Message { return p.last }

// Payload returns the payload of a message that was received.
func (p *Play) Payload(m *proto.Message) codec.Payload { return codec.Received(p.codec, m) }

// Codec returns the serializer of the connection.
func (p *Play) Codec() codec.Codec { return p.codec }

// Send sends a message, with a payload if one is given. It waits while the
// client does not read.
func (p *Play) Send(m *proto.Message, payload ...codec.Payload) error {
	out := *m
	if len(payload) > 0 {
		var err error
		if out.Args, out.Kwargs, err = encode(payload[0], p.codec); err != nil {
			return err
		}
	}
	data, err := p.codec.AppendMessage(nil, &out)
	if err != nil {
		return err
	}
	return p.SendRaw(data)
}

// SendRaw sends bytes as one message.
func (p *Play) SendRaw(data []byte) error {
	p.out.Begin()
	p.out.Buf = append(p.out.Buf, data...)
	p.out.End()
	return p.flush()
}

func (p *Play) flush() error {
	if p.burst {
		return nil
	}
	defer p.out.Reset(keepBatch)
	// Write knows nothing of the end of the test, so that tears it down.
	written := make(chan struct{})
	defer close(written)
	p.script.plays.Go(func() { // ends with the write
		select {
		case <-p.script.stop:
			_ = p.conn.CloseNow()
		case <-written:
		}
	})
	return p.conn.Write(&p.out)
}

// wait waits for d. It reports false when the test ended first.
func (p *Play) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.script.stop:
		return false
	}
}
