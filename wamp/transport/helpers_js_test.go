package transport_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"syscall/js"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

const patience = 20 * time.Second // for what has to happen and does at once

// The tests run beside servers: go test -exec='browser run', with
// wamp/internal/browser for the machine.
func server(t testing.TB, path string) string {
	t.Helper()
	address := os.Getenv("WAMP_BROWSER")
	if address == "" {
		t.Fatal("no servers: these tests are run by .ci/browser.sh")
	}
	return address + path
}

var keys atomic.Int64

// newKey is one under which a server notes what it has seen.
func newKey() string { return fmt.Sprint("k", keys.Add(1)) }

// seen is what a server has noted under a key.
func seen(t testing.TB, key string) string {
	t.Helper()
	c := dial(t, "/seen?key="+url.QueryEscape(key), "wamp.2.cbor")
	m, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	return string(m)
}

func protocol(t testing.TB, name string) transport.Protocol {
	t.Helper()
	p, ok := transport.ProtocolByName(name)
	if !ok {
		t.Fatalf("no protocol %q", name)
	}
	return p
}

func bound(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial dials one of the servers.
func dial(t testing.TB, path, protocolName string) transport.Conn {
	t.Helper()
	return dialWith(t, server(t, path), protocolName, transport.WebSocketOptions{})
}

func dialWith(t testing.TB, address, protocolName string, opts transport.WebSocketOptions) transport.Conn {
	t.Helper()
	c, err := transport.DialWebSocket(bound(t), address, []transport.Protocol{protocol(t, protocolName)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func batch(messages ...[]byte) *transport.Batch {
	b := new(transport.Batch)
	for _, m := range messages {
		b.Begin()
		b.Buf = append(b.Buf, m...)
		b.End()
	}
	return b
}

// fake takes the place of the class WebSocket. Its objects do what a test says.
type fake struct {
	t         testing.TB
	object    js.Value
	listeners map[string][]js.Value
	sent      []int
	closes    []int
	made      func() // when one has been made, and is listened to
	funcs     []js.Func
}

// install makes a fake that is there until the test ends.
func install(t testing.TB) *fake {
	f := &fake{t: t, listeners: make(map[string][]js.Value)}
	global := js.Global()
	theirs := global.Get("WebSocket")
	f.object = global.Get("Object").New()
	method := func(name string, do func(args []js.Value) any) {
		m := js.FuncOf(func(_ js.Value, args []js.Value) any { return do(args) })
		f.funcs = append(f.funcs, m)
		f.object.Set(name, m)
	}
	method("addEventListener", func(args []js.Value) any {
		name := args[0].String()
		f.listeners[name] = append(f.listeners[name], args[1])
		if name == "close" && f.made != nil { // the last one
			f.made()
		}
		return nil
	})
	method("removeEventListener", func(args []js.Value) any {
		name := args[0].String()
		for i, l := range f.listeners[name] {
			if l.Equal(args[1]) {
				f.listeners[name] = append(f.listeners[name][:i:i], f.listeners[name][i+1:]...)
				return nil
			}
		}
		f.t.Errorf("a listener of %s was removed that is not there", name)
		return nil
	})
	method("send", func(args []js.Value) any {
		f.sent = append(f.sent, args[0].Get("byteLength").Int())
		return nil
	})
	method("close", func(args []js.Value) any {
		code := 0
		if len(args) > 0 {
			code = args[0].Int()
		}
		f.closes = append(f.closes, code)
		f.set("readyState", 2)
		return nil
	})
	f.set("readyState", 0)
	f.set("bufferedAmount", 0)
	f.set("protocol", "wamp.2.cbor")
	class := js.FuncOf(func(js.Value, []js.Value) any { return f.object })
	f.funcs = append(f.funcs, class)
	global.Set("WebSocket", class)
	t.Cleanup(func() {
		global.Set("WebSocket", theirs)
		for _, m := range f.funcs {
			m.Release()
		}
	})
	return f
}

func (f *fake) set(name string, value any) { f.object.Set(name, value) }

// fire gives an event to all who listen.
func (f *fake) fire(name string, event map[string]any) {
	for _, l := range f.listeners[name] {
		l.Invoke(event)
	}
}

func (f *fake) open() {
	f.set("readyState", 1)
	f.fire("open", nil)
}

// listening is how many listeners there are.
func (f *fake) listening() (n int) {
	for _, l := range f.listeners {
		n += len(l)
	}
	return n
}

// dialFake dials the fake, which opens.
func dialFake(t testing.TB, f *fake) transport.Conn {
	t.Helper()
	f.made = func() { time.AfterFunc(time.Millisecond, f.open) }
	return dialWith(t, "ws://router.invalid/ws", "wamp.2.cbor", transport.WebSocketOptions{})
}
