package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// message is one of n bytes that its protocol carries.
func message(p transport.Protocol, n int) []byte {
	m := bytes.Repeat([]byte("wamp"), n/4+1)[:n]
	if !p.Text && n > 0 {
		m[0] = 0xff
	}
	return m
}

func TestBrowserEcho(t *testing.T) {
	for _, p := range append(transport.Protocols(), transport.BatchedProtocols()...) {
		t.Run(p.Name, func(t *testing.T) {
			c := dial(t, "/echo", p.Name)
			if c.Protocol() != p || c.TLS() != nil || !transport.Private(c) || transport.RiskyPing(c) {
				t.Errorf("%v, %v, %v", c.Protocol(), c.TLS(), transport.Private(c))
			}
			if err := c.Ping(t.Context()); err != transport.ErrNoPing {
				t.Errorf("Ping: %v", err)
			}
			var all [][]byte
			for _, n := range []int{1, 2, 125, 126, 1000, 65535, 65536, 65537, 1 << 20, 3 << 20} {
				all = append(all, message(p, n))
			}
			for range 500 {
				all = append(all, message(p, 40))
			}
			for i, write := range []func(*transport.Batch) error{c.Write, func(b *transport.Batch) error {
				for {
					if done, err := transport.TryWriterOf(c).TryWrite(b); done || err != nil {
						return err
					}
					time.Sleep(time.Millisecond)
				}
			}} {
				sent := make(chan error, 1)
				go func() { sent <- write(batch(all...)) }()
				for k, want := range all {
					got, err := c.Read()
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("way %d: message %d of %d bytes came as one of %d (%v)", i, k, len(want), len(got), err)
					}
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestBrowserDeliversTheLastMessages(t *testing.T) {
	for i := range 50 {
		c := dial(t, "/last?n=3&reason=so%20long", "wamp.2.cbor")
		if i%2 == 0 { // all of it has come
			time.Sleep(5 * time.Millisecond)
		}
		for k := range 3 {
			m, err := c.Read()
			if err != nil || m[0] != byte(k) {
				t.Fatalf("round %d, message %d: %v, %v", i, k, m, err)
			}
		}
		_, err := c.Read()
		var said *transport.CloseError
		if !errors.As(err, &said) || said.Code != 4001 || said.Reason != "so long" {
			t.Fatalf("%v", err)
		}
		if _, again := c.Read(); again != err {
			t.Errorf("and then %v", again)
		}
		if err := c.Write(batch([]byte{1})); !errors.As(err, &said) {
			t.Errorf("Write: %v", err)
		}
		_ = c.CloseNow()
	}
	c := dial(t, "/last?n=1&code=0", "wamp.2.cbor")
	_, _ = c.Read()
	var said *transport.CloseError
	if _, err := c.Read(); !errors.As(err, &said) || said.Code != 1005 {
		t.Errorf("without a code: %v", err)
	}
}

func TestBrowserCutIsNoClose(t *testing.T) {
	for _, path := range []string{"/cut", "/bad"} {
		c := dial(t, path, "wamp.2.cbor")
		if _, err := c.Read(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		_, err := c.Read()
		var said *transport.CloseError
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &said) {
			t.Errorf("%s: %v", path, err)
		}
		if err := c.Write(batch([]byte{1})); err == nil {
			t.Errorf("%s: Write went on", path)
		}
	}
}

func TestBrowserCloseCodes(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tc := range []struct {
		name  string
		path  string
		limit int
		end   func(transport.Conn) error
		want  string
	}{
		{"Close", "/echo?mute=1", 0, func(c transport.Conn) error { return c.Close(bound(t)) }, "1000"},
		{"Close without time", "/echo?mute=1", 0, func(c transport.Conn) error { return c.Close(over) }, "1000"},
		{"CloseNow", "/echo?mute=1", 0, transport.Conn.CloseNow, "1000"},
		{"too big", "/echo?", 10, func(c transport.Conn) error {
			_, err := c.Read()
			var bad *transport.FrameError
			if !errors.As(err, &bad) || !errors.Is(err, transport.ErrTooBig) || bad.Size != 100 {
				t.Errorf("too big: %v", err)
			}
			return c.Close(bound(t))
		}, "4009"},
	} {
		key := newKey()
		c := dialWith(t, server(t, tc.path+"&key="+key), "wamp.2.cbor", transport.WebSocketOptions{ReadLimit: tc.limit})
		for range 10 { // what was written before is not lost
			if err := c.Write(batch(make([]byte, 100))); err != nil {
				t.Fatal(err)
			}
		}
		if err := tc.end(c); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := seen(t, key); !strings.HasPrefix(got, "10 messages: ") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: the server saw %s", tc.name, got)
		}
		if _, err := c.Read(); err == nil {
			t.Errorf("%s: Read after it", tc.name)
		}
		if err := c.Write(batch([]byte{1})); err == nil {
			t.Errorf("%s: Write after it", tc.name)
		}
		if err := c.Close(bound(t)); err != nil {
			t.Errorf("%s: again: %v", tc.name, err)
		}
	}
}

func TestBrowserMessageOfTheOtherType(t *testing.T) {
	for _, name := range []string{"wamp.2.json", "wamp.2.cbor"} {
		c := dial(t, "/type", name)
		if _, err := c.Read(); !errors.Is(err, transport.ErrFrameType) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The browser answers pings, and nobody else does.
func TestBrowserAnswersPings(t *testing.T) {
	key := newKey()
	c := dial(t, "/pings?key="+key, "wamp.2.cbor")
	if _, err := c.Read(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if got := seen(t, key); got != "3 pongs" {
		t.Error(got)
	}
}

func TestBrowserReadIsInterrupted(t *testing.T) {
	for name, end := range map[string]func(transport.Conn) error{
		"Close": func(c transport.Conn) error { return c.Close(bound(t)) }, "CloseNow": transport.Conn.CloseNow,
	} {
		c := dial(t, "/echo", "wamp.2.cbor")
		done := make(chan error, 1)
		go func() { _, err := c.Read(); done <- err }()
		time.Sleep(10 * time.Millisecond)
		if err := end(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-done; err != net.ErrClosed {
			t.Errorf("%s: Read: %v", name, err)
		}
	}
}

// A router that goes on to send cannot be held back: what nobody reads is bounded.
func TestBrowserBacklog(t *testing.T) {
	const size, n = 4 << 20, 40
	c := dial(t, fmt.Sprintf("/flood?size=%d&n=%d", size, n), "wamp.2.cbor")
	end := time.Now().Add(patience)
	for transport.Backlog(c) <= transport.MaxBacklog && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	if held := transport.Backlog(c); held > transport.MaxBacklog+size {
		t.Errorf("%d bytes wait", held)
	}
	got := 0
	for {
		m, err := c.Read()
		if err != nil {
			if !errors.Is(err, transport.ErrBacklog) {
				t.Errorf("%v", err)
			}
			break
		}
		if m[0] != byte(got) {
			t.Fatalf("message %d came as number %d", m[0], got)
		}
		got++
	}
	if got*size < transport.MaxBacklog || got == n {
		t.Errorf("%d messages were delivered", got)
	}
}

// Who reads gets all, of any size and number.
func TestBrowserReadsAll(t *testing.T) {
	for _, tc := range []struct{ size, n int }{{1 << 20, 150}, {100, 20000}} {
		c := dial(t, fmt.Sprintf("/flood?size=%d&n=%d", tc.size, tc.n), "wamp.2.cbor")
		got := 0
		for {
			m, err := c.Read()
			if err != nil {
				var said *transport.CloseError
				if !errors.As(err, &said) || said.Code != 4001 {
					t.Errorf("after %d: %v", got, err)
				}
				break
			}
			if len(m) != tc.size || m[0] != byte(got) {
				t.Fatalf("message %d of %d bytes came as number %d", m[0], len(m), got)
			}
			got++
		}
		if got != tc.n {
			t.Errorf("%d messages of %d", got, tc.n)
		}
	}
}

// What is written waits here, not in the memory of the browser without end.
func TestBrowserWriteWaits(t *testing.T) {
	key := newKey()
	c := dial(t, "/stall?ms=300&key="+key, "wamp.2.cbor")
	most, done := 0, make(chan error, 1)
	const size, n = 256 << 10, 80
	go func() {
		for range n {
			if err := c.Write(batch(make([]byte, size))); err != nil {
				done <- err
				return
			}
			most = max(most, transport.Ahead(c))
		}
		done <- c.Close(bound(t))
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := seen(t, key); got != fmt.Sprint(size*n, " bytes") {
		t.Error(got)
	}
	if most <= transport.MaxAhead || most > transport.MaxAhead+size+1000 {
		t.Errorf("%d bytes waited in the browser", most)
	}
}

func TestBrowserWriteIsInterrupted(t *testing.T) {
	c := dial(t, "/stall?ms=2000", "wamp.2.cbor")
	done := make(chan error, 1)
	go func() {
		b := batch()
		for range 100 {
			b.Begin()
			b.Buf = append(b.Buf, make([]byte, 256<<10)...)
			b.End()
		}
		done <- c.Write(b)
	}()
	time.Sleep(100 * time.Millisecond)
	_ = c.CloseNow()
	if err := <-done; err != net.ErrClosed {
		t.Error(err)
	}
}

func TestBrowserKeep(t *testing.T) {
	c := dial(t, "/echo", "wamp.2.cbor")
	k := c.(transport.Keeper)
	if err := c.Write(batch(bytes.Repeat([]byte{7}, 1000), bytes.Repeat([]byte{8}, 100<<10), bytes.Repeat([]byte{9}, 100<<10))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(); err != nil || k.Keep() {
		t.Errorf("a small one was kept (%v)", err)
	}
	large, err := c.Read()
	if err != nil || !k.Keep() || k.Keep() {
		t.Errorf("a large one was not kept, or twice (%v)", err)
	}
	if _, err := c.Read(); err != nil || !bytes.Equal(large, bytes.Repeat([]byte{8}, 100<<10)) {
		t.Errorf("what was kept has changed (%v)", err)
	}
}

func TestBrowserMaxSend(t *testing.T) {
	c := dialWith(t, server(t, "/echo"), "wamp.2.cbor", transport.WebSocketOptions{MaxSend: 10})
	if c.MaxSend() != 10 {
		t.Error(c.MaxSend())
	}
	var big *transport.SizeError
	if err := c.Write(batch([]byte{1}, make([]byte, 11))); !errors.As(err, &big) || big.Size != 11 || big.Limit != 10 {
		t.Error(err)
	}
	if err := c.Write(batch([]byte{2})); err != nil {
		t.Error(err)
	}
	if m, err := c.Read(); err != nil || m[0] != 2 {
		t.Errorf("%v, %v: something of the refused batch was sent", m, err)
	}
}

// What JavaScript keeps for a connection is given back, however it ends.
func TestBrowserGivesBack(t *testing.T) {
	closed := map[string]any{"code": 4001, "reason": "x"}
	for name, end := range map[string]func(*fake, transport.Conn){
		"closed by the peer": func(f *fake, c transport.Conn) { f.fire("close", closed); _, _ = c.Read() },
		"CloseNow":           func(_ *fake, c transport.Conn) { _ = c.CloseNow() },
		"Close": func(f *fake, c transport.Conn) {
			time.AfterFunc(time.Millisecond, func() { f.fire("close", closed) })
			_ = c.Close(bound(t))
		},
		"Close that is not answered": func(_ *fake, c transport.Conn) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			_ = c.Close(ctx)
		},
		"an error and no close event": func(f *fake, c transport.Conn) {
			f.fire("error", map[string]any{"message": "the network is down"})
			if _, err := c.Read(); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "network is down") {
				t.Errorf("error event: %v", err)
			}
		},
		"an event that is none": func(f *fake, c transport.Conn) {
			f.fire("message", map[string]any{"data": 7})
			if _, err := c.Read(); err == nil {
				t.Error("no error")
			}
		},
	} {
		f := install(t)
		c := dialFake(t, f)
		if f.listening() != 4 {
			t.Errorf("%s: %d listeners", name, f.listening())
		}
		var kept []js.Value
		for _, l := range f.listeners {
			kept = append(kept, l...)
		}
		end(f, c)
		if f.listening() != 0 {
			t.Errorf("%s: %d listeners are left", name, f.listening())
		}
		if n := released(t, kept); n != 4 {
			t.Errorf("%s: %d functions of 4 were released", name, n)
		}
	}
}

// released counts the functions that were released: they complain when they are called.
func released(t *testing.T, functions []js.Value) (n int) {
	console := js.Global().Get("console")
	theirs := console.Get("error")
	complain := js.FuncOf(func(js.Value, []js.Value) any { n++; return nil })
	defer complain.Release()
	console.Set("error", complain)
	defer console.Set("error", theirs)
	for _, f := range functions {
		f.Invoke(map[string]any{})
	}
	return n
}

// Exceptions of JavaScript are errors.
func TestBrowserExceptions(t *testing.T) {
	f := install(t)
	c := dialFake(t, f)
	f.object.Set("send", js.Global().Get("JSON").Get("parse")) // throws
	if done, err := transport.TryWriterOf(c).TryWrite(batch([]byte("xx"))); done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
	if err := c.Write(batch([]byte("xx"))); err == nil || !strings.Contains(err.Error(), "JSON") {
		t.Errorf("Write: %v", err)
	}
	f.object.Delete("close")
	if err := c.CloseNow(); err != nil {
		t.Error(err)
	}
}

// A WebSocket that is closing takes what it is given, and drops it.
func TestBrowserWriteKnowsTheState(t *testing.T) {
	f := install(t)
	c := dialFake(t, f)
	f.set("readyState", 2)
	if done, _ := transport.TryWriterOf(c).TryWrite(batch([]byte{1})); done {
		t.Error("written")
	}
	time.AfterFunc(time.Millisecond, func() { f.fire("close", map[string]any{"code": 4002, "reason": ""}) })
	var said *transport.CloseError
	if err := c.Write(batch([]byte{1})); !errors.As(err, &said) || said.Code != 4002 {
		t.Errorf("%v", err)
	}
	if len(f.sent) != 0 {
		t.Errorf("%v were sent", f.sent)
	}
}

func TestBrowserCodes(t *testing.T) {
	for code, want := range map[int]int{1000: 1000, 1001: 4001, 1002: 4002, 1003: 4003, 1007: 4007, 1009: 4009, 3000: 3000, 4999: 4999} {
		if got := transport.BrowserCode(code); got != want {
			t.Errorf("%d became %d", code, got)
		}
	}
}

func BenchmarkBrowserEcho(b *testing.B) {
	for _, n := range []int{100, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := dial(b, "/echo", "wamp.2.cbor")
			m := message(c.Protocol(), n)
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if err := c.Write(batch(m)); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
