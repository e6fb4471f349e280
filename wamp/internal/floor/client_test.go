package floor_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/floor"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// everywhere runs a test for each transport and serializer of a real router, which has a
// callee of com.example.echo and of com.example.count.
func everywhere(t *testing.T, test func(t *testing.T, e floor.Endpoint)) {
	r := wamptest.NewRouter(t, wamptest.WithRealms("realm1"))
	web, err := r.ListenWebSocket("")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := wamp.Connect(t.Context(), web, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	for name, h := range map[string]wamp.Handler{
		"com.example.echo": func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) },
		"com.example.count": func(_ context.Context, inv *wamp.Invocation) error {
			for i := range 100 {
				if err := inv.Progress(wamp.Args(i)); err != nil {
					return err
				}
			}
			return inv.Return(wamp.Args(100))
		},
	} {
		if _, err := s.Handle(t.Context(), name, h); err != nil {
			t.Fatal(err)
		}
	}
	for name, w := range floor.Wires {
		address := strings.TrimSuffix(strings.TrimPrefix(web, "ws://"), "/ws")
		t.Run("ws/"+name, func(t *testing.T) {
			test(t, floor.Endpoint{Network: "tcp", Address: address, Web: true, Host: address, Path: "/ws", Wire: w, Realm: "realm1"})
		})
		t.Run("tcp/"+name, func(t *testing.T) {
			test(t, floor.Endpoint{Network: "tcp", Address: strings.TrimPrefix(raw, "tcp://"), Wire: w, Realm: "realm1"})
		})
	}
}

// A real router checks what the canned one does not: that ids are counted from 1, and each
// byte of a message.
func TestClientAtRouter(t *testing.T) {
	everywhere(t, func(t *testing.T, e floor.Endpoint) {
		c, err := e.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		echo := func(text string) floor.Template {
			return c.Template(5, floor.TypeCall, e.Wire.AppendTail(nil, floor.Dict{}, "com.example.echo", []any{text}))
		}
		short := echo("five")
		for size, times := range map[int]int{4: 300, 120: 2, 200: 2, 65_500: 2, 100_000: 2} { // a frame has its length in 1, 2 or 8 bytes
			text := strings.Repeat("five", size/4)
			call := echo(text)
			for range times {
				ch := make(chan []byte, 1)
				if err := c.Send(&call, floor.Waiter{Ch: ch}); err != nil {
					t.Fatal(err)
				}
				if b, err := c.Result(ch); err != nil || !strings.Contains(string(b), text) {
					t.Fatalf("%d bytes: %d, %v", size, len(b), err)
				}
			}
		}
		ch := make(chan []byte, 200)
		tail := e.Wire.AppendTail(nil, floor.Pairs("receive_progress", true), "com.example.count")
		if err := c.Request(4, floor.TypeCall, tail, floor.Waiter{Ch: ch, Stream: true}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for range ch {
			n++
		}
		if n != 101 {
			t.Errorf("%d results", n)
		}
		ch = make(chan []byte, 1)
		if err := c.Request(4, floor.TypeCall, e.Wire.AppendTail(nil, floor.Dict{}, "com.example.nobody"), floor.Waiter{Ch: ch}); err != nil {
			t.Fatal(err)
		}
		var refused *floor.RefusedError
		if _, err := c.Result(ch); !errors.As(err, &refused) || refused.URI != "wamp.error.no_such_procedure" {
			t.Errorf("a call of nobody: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Send(&short, floor.Waiter{}); err == nil {
			t.Error("a call went out after Close")
		}
	})
}

func TestClientIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, e floor.Endpoint) {
		e.Realm = "realm2"
		var refused *floor.RefusedError
		if _, err := e.Dial(t.Context()); !errors.As(err, &refused) || refused.URI != "wamp.error.no_such_realm" {
			t.Errorf("%v", err)
		}
	})
}

// The end of ctx ends a join that nobody answers.
func TestClientJoinEndsWithContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	e := floor.Endpoint{Network: "tcp", Address: ln.Addr().String(), Wire: floor.Wires["cbor"], Realm: "realm1"}
	if _, err := e.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A router that goes away ends those who wait.
func TestClientLosesRouter(t *testing.T) {
	r := wamptest.NewRouter(t)
	url, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	e := floor.Endpoint{Network: "tcp", Address: strings.TrimPrefix(url, "tcp://"), Wire: floor.Wires["cbor"], Realm: "realm1"}
	c, err := e.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.GoodbyeAll("wamp.close.system_shutdown")
	ch := make(chan []byte, 1)
	tail := e.Wire.AppendTail(nil, floor.Dict{}, "com.example.echo")
	for err == nil { // until the GOODBYE has come
		if err = c.Request(4, floor.TypeCall, tail, floor.Waiter{Ch: ch}); err == nil {
			_, err = c.Result(ch)
		}
	}
	var refused *floor.RefusedError
	if err := c.Close(); !errors.As(err, &refused) || refused.URI != "wamp.close.system_shutdown" {
		t.Errorf("%v", err)
	}
}
