//go:build js

package transport_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// held is how many bytes JavaScript has for binary data.
func held() int { return js.Global().Get("process").Call("memoryUsage").Get("arrayBuffers").Int() }

// The collector of Go does not see how large a value of JavaScript is, and without
// memory of its own to collect it does not run: a gigabyte was kept, and not needed.
func TestBrowserMemory(t *testing.T) {
	const size, n, most = 60_000, 5000, 200 << 20
	in := dial(t, fmt.Sprintf("/flood?size=%d&n=%d", size, n), "wamp.2.cbor")
	peak := 0
	for range n {
		if _, err := in.Read(); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, held())
	}
	out := dial(t, "/echo?mute=1", "wamp.2.cbor")
	b := batch()
	for range n {
		b.Begin()
		b.Buf = append(b.Buf, make([]byte, size)...)
		b.End()
		if err := out.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Reset(1 << 20)
		peak = max(peak, held())
	}
	if peak > most {
		t.Errorf("%d bytes were held, of 2*%d", peak, size*n)
	}
}

// A message without bytes takes memory too.
func TestBrowserBacklogOfSmallMessages(t *testing.T) {
	f := install(t)
	c := dialFake(t, f)
	sent := 0
	event := map[string]any{"data": js.Global().Get("ArrayBuffer").New(0)}
	for ; f.listening() > 0 && sent < 1<<18; sent++ {
		f.fire("message", event)
	}
	if sent > transport.MaxBacklog/transport.MessageCost+10 {
		t.Fatalf("%d messages were taken", sent)
	}
	for range sent - 1 {
		if m, err := c.Read(); err != nil || len(m) != 0 {
			t.Fatalf("%v, %v", m, err)
		}
	}
	if _, err := c.Read(); !errors.Is(err, transport.ErrBacklog) {
		t.Error(err)
	}
	if transport.Backlog(c) != 0 || len(f.closes) != 1 || f.closes[0] != 4009 {
		t.Errorf("%d bytes are left, closed with %v", transport.Backlog(c), f.closes)
	}
}

// A text that is too big is not copied before that is known.
func TestBrowserTextTooBig(t *testing.T) {
	f := install(t)
	f.set("protocol", "wamp.2.json")
	f.made = func() { time.AfterFunc(time.Millisecond, f.open) }
	c := dialWith(t, "ws://router.invalid/ws", "wamp.2.json", transport.WebSocketOptions{ReadLimit: 10})
	for _, text := range []string{"", "0123456789", "äöüäö", "01234567890", "äöüäöü"} {
		f.fire("message", map[string]any{"data": text})
		m, err := c.Read()
		if len(text) > 10 {
			var bad *transport.FrameError
			if !errors.As(err, &bad) || !errors.Is(err, transport.ErrTooBig) || bad.Size <= 10 {
				t.Errorf("%q: %q, %v", text, m, err)
			}
			break
		}
		if err != nil || string(m) != text {
			t.Errorf("%q: %q, %v", text, m, err)
		}
	}
}

// What JavaScript throws need not be an Error.
func TestBrowserThrowsAnything(t *testing.T) {
	for _, what := range []string{"null", "undefined", "'text'", "7", "{}", "new Error('text')", "{message: 7}", "Symbol()", "function() {}"} {
		f := install(t)
		c := dialFake(t, f)
		f.object.Set("send", js.Global().Get("Function").New("throw "+what))
		f.object.Set("close", f.object.Get("send"))
		if err := c.Write(batch([]byte{1})); err == nil || strings.Contains(what, "text") != strings.Contains(err.Error(), "text") {
			t.Errorf("%s: %v", what, err)
		}
		if err := c.CloseNow(); err != nil {
			t.Errorf("%s: CloseNow: %v", what, err)
		}
	}
}

// Events that are not what they have to be end the connection, and nothing else.
func TestBrowserOddEvents(t *testing.T) {
	blob := js.Global().Get("Blob").New([]any{"text"})
	for name, events := range map[string][]map[string]any{
		"message":   {nil, {}, {"data": nil}, {"data": blob}, {"data": 7}, {"data": map[string]any{"byteLength": "x"}}, {"data": map[string]any{"byteLength": 3}}},
		"close":     {nil, {}, {"code": "x", "reason": 7}, {"code": 4001}},
		"error":     {nil},
		"undefined": {},
	} {
		for _, e := range events {
			f := install(t)
			c := dialFake(t, f)
			if e == nil {
				for _, l := range f.listeners[name] {
					l.Invoke()
				}
			} else {
				f.fire(name, e)
			}
			if _, err := c.Read(); err == nil {
				t.Errorf("%s %v: no error", name, e)
			}
			_ = c.CloseNow()
			if f.listening() != 0 || len(f.closes) == 0 {
				t.Errorf("%s %v: %d listeners are left, closed with %v", name, e, f.listening(), f.closes)
			}
		}
	}
}

// Many connections, one after the other, leave nothing.
func TestBrowserManyConnections(t *testing.T) {
	for i := range 300 {
		c := dial(t, "/echo", "wamp.2.cbor")
		if err := c.Write(batch([]byte{byte(i)})); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Read(); err != nil || m[0] != byte(i) {
			t.Fatalf("%v, %v", m, err)
		}
		end := func() error { return c.Close(bound(t)) }
		if i%2 == 0 {
			end = c.CloseNow
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
}
