package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall/js"
	"time"
)

const (
	// maxBacklog is how many bytes may wait that nobody has read: the peer cannot be
	// held back. The message that goes beyond it is the last.
	maxBacklog = 64 << 20
	// messageCost is what a message takes beside its bytes, in both languages.
	messageCost = 512
	// maxAhead is how many bytes may wait in the browser to be sent, which takes
	// whatever it is given.
	maxAhead = 1 << 20
	// aheadPause is the wait for them to become less, of which nothing tells: the
	// shortest one that the timers of browsers have.
	aheadPause = 4 * time.Millisecond
)

// browserSocket is a WebSocket of JavaScript, whose frames and pongs are the browser's.
// Events come while all goroutines wait, never between two lines of one: what a
// function has found out holds for the rest of it. Callbacks wait for nobody.
type browserSocket struct {
	wsConn
	ws     js.Value
	bytes  js.Value // the class Uint8Array
	events [len(browserEvents)]js.Func
	opened chan struct{} // closed when it is open
	come   chan struct{} // full when a message has come
	gone   chan struct{} // closed when nothing comes any more

	mu        sync.Mutex // guards the rest, never held across a call that waits
	queue     []browserMessage
	backlog   int         // bytes of queue
	end       error       // why it is over, nil while it is not
	complaint string      // of an error event: browsers say nothing there
	grace     *time.Timer // for the close event behind it

	// Reader only.
	buf      []byte // of small messages
	cur      []byte // the message of the peer that was read last
	own      bool   // which has memory of its own
	size     int    // of the message that Read has returned last
	receive1 func() ([]byte, error)
}

// browserMessage is a message that nobody has read. A binary one stays in the memory of
// JavaScript, since that of Go does not shrink there.
type browserMessage struct {
	data js.Value // an ArrayBuffer
	text []byte   // nil for a binary message
	size int      // of a text that is too big, characters
}

// browserEvents are those of a WebSocket.
var browserEvents = [...]string{"open", "message", "error", "close"}

// newBrowserSocket begins to open a connection. What is agreed on is set later.
func newBrowserSocket(url string, protocols []string, cfg wsConfig) (*browserSocket, error) {
	class := js.Global().Get("WebSocket")
	if !class.Truthy() {
		return nil, refuse("a global WebSocket")
	}
	names := make([]any, len(protocols))
	for i, p := range protocols {
		names[i] = p
	}
	c := &browserSocket{
		bytes:  js.Global().Get("Uint8Array"),
		opened: make(chan struct{}), come: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	c.init(Protocol{}, cfg, nil)
	c.receive1 = c.receive
	if err := caught(func() {
		c.ws = class.New(url, names)
		c.ws.Set("binaryType", "arraybuffer")
		for i, do := range [...]func(js.Value){c.onOpen, c.onMessage, c.onError, c.onClose} {
			c.events[i] = js.FuncOf(func(_ js.Value, args []js.Value) any {
				e := js.Undefined()
				if len(args) > 0 {
					e = args[0]
				}
				if err := caught(func() { do(e) }); err != nil {
					c.over(lost(err.Error()))
				}
				return nil
			})
			c.ws.Call("addEventListener", browserEvents[i], c.events[i])
		}
	}); err != nil {
		_ = c.CloseNow()
		return nil, err
	}
	return c, nil
}

// lost is the error of a connection that was not closed in order.
func lost(complaint string) error {
	if complaint == "" {
		return fmt.Errorf("websocket: connection lost: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("websocket: connection lost: %w (%s)", io.ErrUnexpectedEOF, short(complaint))
}

func (c *browserSocket) onOpen(js.Value) {
	select {
	case <-c.opened:
	default:
		close(c.opened)
	}
}

func (c *browserSocket) onMessage(e js.Value) {
	c.mu.Lock()
	full := c.backlog > maxBacklog
	c.mu.Unlock()
	if full {
		c.hangUp(closeTooBig)
		c.over(fmt.Errorf("websocket: connection given up: %w", ErrBacklog))
		return
	}
	m := c.message(e.Get("data"))
	c.mu.Lock()
	c.queue = append(c.queue, m)
	c.backlog += m.size + messageCost
	c.mu.Unlock()
	select {
	case c.come <- struct{}{}:
	default:
	}
}

// message makes one of what has come. A text that is too big is not taken over.
func (c *browserSocket) message(data js.Value) browserMessage {
	if data.Type() != js.TypeString {
		return browserMessage{data: data, size: data.Get("byteLength").Int()}
	}
	if n := js.Global().Call("Object", data).Get("length").Int(); n > c.readLimit {
		return browserMessage{text: []byte{}, size: n}
	}
	text := []byte(data.String())
	owe(len(text))
	return browserMessage{text: text, size: len(text)}
}

// onError comes before the close event. Node 20 has none behind a dial that failed.
func (c *browserSocket) onError(e js.Value) {
	text := ""
	if m := e.Get("message"); m.Type() == js.TypeString {
		text = m.String()
	}
	select {
	case <-c.opened:
	default:
		c.mu.Lock()
		c.complaint = text
		c.mu.Unlock()
		c.over(lost(text))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil && c.grace == nil {
		c.complaint = text
		c.grace = time.AfterFunc(closeFlush, func() { c.over(lost(text)) })
	}
}

func (c *browserSocket) onClose(e js.Value) {
	said := &CloseError{Code: e.Get("code").Int(), Reason: e.Get("reason").String()}
	switch {
	case said.Code == closeAbnormal:
		c.over(lost(c.complained()))
	case c.ending.Load(): // the answer to ours
		c.over(net.ErrClosed)
	default:
		c.said.CompareAndSwap(nil, said)
		c.over(said)
	}
}

func (c *browserSocket) complained() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complaint
}

// over ends the connection, as far as it is ours, and gives back what JavaScript keeps
// for it. The first error counts.
func (c *browserSocket) over(err error) {
	c.mu.Lock()
	if c.end != nil {
		c.mu.Unlock()
		return
	}
	c.end = err
	if c.grace != nil {
		c.grace.Stop()
	}
	c.mu.Unlock()
	for i, f := range c.events {
		if f.Truthy() {
			_ = caught(func() { c.ws.Call("removeEventListener", browserEvents[i], f) })
			f.Release()
		}
	}
	close(c.gone)
}

// hangUp begins the close handshake, behind what waits to be sent. That is all a
// program can do.
func (c *browserSocket) hangUp(code int) {
	_ = caught(func() { c.ws.Call("close", browserCode(code)) })
}

// browserCode is the code that stands for one which JavaScript may not send: it may
// send 1000 and what is from 3000 to 4999.
func browserCode(code int) int {
	if code == closeNormal || code >= 3000 && code <= 4999 {
		return code
	}
	return 4000 + code%1000
}

// Buffered implements Conn.
func (c *browserSocket) Buffered() bool {
	return !c.shut.Load() && (len(c.rest) > 0 || c.waiting() > 0)
}

// waiting is how many messages nobody has read.
func (c *browserSocket) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Read implements Conn.
func (c *browserSocket) Read() ([]byte, error) {
	m, err := c.next(c.receive1)
	c.size = len(m)
	return m, err
}

// Keep implements Keeper. A message that shares its memory with others has to be most
// of them.
func (c *browserSocket) Keep() bool {
	keep := c.own && c.size > len(c.cur)/2
	c.own = c.own && !keep
	return keep
}

// receive returns the next message, and the error behind the last one.
func (c *browserSocket) receive() ([]byte, error) {
	for {
		if m, ok := c.take(); ok {
			if err := c.load(m); err != nil {
				close(c.read)
				return nil, err
			}
			return c.cur[:m.size:m.size], nil
		}
		err := net.ErrClosed
		select {
		case <-c.come:
			continue
		case <-c.closed:
			if e := c.said.Load(); e != nil {
				err = e
			}
		case <-c.gone:
			if c.waiting() > 0 {
				continue
			}
			err = c.end
		}
		close(c.read)
		return nil, err
	}
}

// take takes the oldest message out of the queue.
func (c *browserSocket) take() (m browserMessage, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return m, false
	}
	m, c.queue[0] = c.queue[0], m
	if c.queue = c.queue[1:]; len(c.queue) == 0 {
		c.queue = nil
	}
	c.backlog -= m.size + messageCost
	return m, true
}

// load makes m the current message.
func (c *browserSocket) load(m browserMessage) error {
	switch {
	case m.size > c.readLimit:
		return c.broken(&FrameError{Err: ErrTooBig, Size: m.size})
	case (m.text != nil) != c.proto.Text:
		return c.broken(&FrameError{Err: ErrFrameType})
	case m.text != nil:
		c.cur, c.own = m.text, true
		return nil
	case m.size > readBuffer:
		c.cur, c.own = make([]byte, m.size), true
	default:
		if m.size > cap(c.buf) {
			c.buf = make([]byte, max(m.size, min(2*cap(c.buf), readBuffer)))
		}
		c.cur, c.own = c.buf[:m.size], false
	}
	n := 0
	err := caught(func() { n = js.CopyBytesToGo(c.cur, c.bytes.New(m.data)) })
	owe(m.size)
	if err == nil && n != m.size { // it is no ArrayBuffer
		err = c.broken(&FrameError{Err: ErrFrameType})
	}
	return err
}

// Write implements Conn.
func (c *browserSocket) Write(b *Batch) error {
	if err := c.fits(b); err != nil {
		return err
	}
	for b.next < b.Len() {
		if err := c.wait(); err != nil {
			return c.writeEnd(err)
		}
		if err := c.send(b); err != nil {
			return c.writeEnd(err)
		}
	}
	return nil
}

// TryWrite implements TryWriter. Errors are left for Write, which waits for what the
// peer may have said.
func (c *browserSocket) TryWrite(b *Batch) (done bool, err error) {
	if err := c.fits(b); err != nil {
		return false, err
	}
	for b.next < b.Len() {
		if c.ahead() > maxAhead || c.send(b) != nil {
			return false, nil //nolint:nilerr // Write comes upon it again
		}
	}
	return true, nil
}

// ahead is how many bytes wait in the browser to be sent.
func (c *browserSocket) ahead() (n int) {
	_ = caught(func() { n = c.ws.Get("bufferedAmount").Int() })
	return n
}

// wait waits until little enough does.
func (c *browserSocket) wait() error {
	for c.ahead() > maxAhead {
		t := time.NewTimer(aheadPause)
		select {
		case <-t.C:
		case <-c.gone:
		case <-c.closed:
		}
		t.Stop()
		if c.isOver() {
			return net.ErrClosed
		}
	}
	return nil
}

// isOver reports whether the connection is closed, by whomever.
func (c *browserSocket) isOver() bool {
	select {
	case <-c.gone:
		return true
	default:
		return c.shut.Load()
	}
}

// browserOpen is the readyState of a WebSocket that sends what it is given. In other
// states it takes it, and drops it.
const browserOpen = 1

// send gives the next message of b to the browser, or many where they are batched.
func (c *browserSocket) send(b *Batch) error {
	m, n := b.Message(b.next), 1
	if c.proto.Batched {
		m, n = c.join(b)
	}
	open := false
	err := caught(func() {
		if open = !c.isOver() && c.ws.Get("readyState").Int() == browserOpen; !open {
			return
		}
		if c.proto.Text {
			c.ws.Call("send", string(m))
			return
		}
		data := c.bytes.New(len(m))
		js.CopyBytesToJS(data, m)
		c.ws.Call("send", data)
	})
	owe(len(m))
	switch {
	case err != nil:
		return err
	case !open:
		return net.ErrClosed
	}
	b.next += n
	return nil
}

// writeEnd makes the error of a write that has failed. The peer may have said why.
func (c *browserSocket) writeEnd(err error) error {
	t := time.NewTimer(closeFlush)
	defer t.Stop()
	select {
	case <-c.gone:
	case <-c.closed:
	case <-t.C:
	}
	if e := c.said.Load(); e != nil {
		return e
	}
	if c.shut.Load() {
		return net.ErrClosed
	}
	return err
}

// Ping implements Conn. JavaScript can neither send a ping nor see one.
func (c *browserSocket) Ping(context.Context) error { return ErrNoPing }

// Close does the close handshake, in which messages of the peer are dropped.
func (c *browserSocket) Close(ctx context.Context) error {
	c.ending.Store(true)
	begun := make(chan struct{})
	f := func() error {
		c.hangUp(c.closeCode())
		close(begun)
		select {
		case <-c.gone:
		case <-c.dead:
		}
		return nil
	}
	return c.handshake(ctx, closeWait, f, func(done, timeout <-chan struct{}) {
		select {
		case <-begun:
		case <-timeout:
		}
	}, c.kill)
}

// CloseNow implements Conn. It begins a close handshake and does not wait for it.
func (c *browserSocket) CloseNow() error {
	c.close()
	return c.kill()
}

// kill gives up what is ours.
func (c *browserSocket) kill() error {
	c.hangUp(c.closeCode())
	c.over(net.ErrClosed)
	c.mu.Lock()
	c.queue, c.backlog = nil, 0
	c.mu.Unlock()
	err := c.crew.wait(hangUpWait)
	c.die.Do(func() { close(c.dead) })
	return err
}

func (c *browserSocket) self() TryWriter { return c }

var _ Keeper = (*browserSocket)(nil)
