package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		then, hold := false, make(chan struct{})
		script := wamptest.NewScript(t,
			wamptest.Welcome(proto.Entry{Key: "authid", Value: "joe"}, wamptest.Roles(wamptest.FeaturesWithout(proto.CallCanceling))),
			wamptest.Expect(proto.Call, func(m *proto.Message) error {
				if m.URI != "com.example.proc" {
					return errors.New(m.URI)
				}
				return nil
			}),
			wamptest.Silence(time.Second),
			wamptest.Answer(&proto.Message{Type: proto.Result, Options: options("progress", true)}, codec.Args(1)),
			wamptest.Sleep(time.Minute),
			wamptest.Burst(
				wamptest.Answer(&proto.Message{Type: proto.Result, Options: options("progress", true)}, codec.Args(2)),
				wamptest.Answer(&proto.Message{Type: proto.Error, URI: "com.example.error"}),
			),
			wamptest.Send(&proto.Message{Type: proto.Event, ID: 1, Publication: 2}),
			wamptest.Then(func() { then = true }),
			wamptest.Await(hold),
			wamptest.Do("of my own", func(p *wamptest.Play) error {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if n, _ := p.Payload(m).Args(); n[0] != int64(5) || p.Last() != m || p.Codec() != codec.MsgPack {
					return fmt.Errorf("%v", n)
				}
				return p.Send(&proto.Message{Type: proto.Published, Request: m.Request, Publication: 9})
			}),
			wamptest.SendRaw([]byte{0xc1}),
		).Again(wamptest.Expect(proto.Hello), wamptest.Close()).Again(wamptest.Cut()).Again(wamptest.ExpectEnd())

		start := time.Now()
		c := dial(t, script.Dial, "msgpack")
		w := c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		announced := proto.ParseRoles(w.Options)
		if w.Options.Str("authid") != "joe" || announced.Features(proto.Dealer).Has(proto.CallCanceling) || w.ID != wamptest.SessionID(1) {
			t.Errorf("%+v", w)
		}
		id := c.call("com.example.proc", nil)
		if m := c.expect(proto.Result); m.Request != id || time.Since(start) != time.Second || c.arg(m) != int64(1) {
			t.Errorf("%+v", m)
		}
		time.Sleep(2 * time.Minute)
		c.expect(proto.Result)
		c.expectError(proto.Call, id, "com.example.error")
		c.expect(proto.Event)
		close(hold)
		c.publish("com.example.topic", nil, 5)
		c.expect(proto.Published)
		if got := c.next(); !errors.As(got.err, new(*codec.SyntaxError)) {
			t.Error(got.err)
		}
		script.Wait()
		if !then {
			t.Error("Then did nothing")
		}
		c.publish("com.example.topic", nil, "ignored")
		c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		c.expect(proto.Goodbye)

		c = dial(t, script.Dial, "json")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
		if err := c.expectEnd(); !errors.As(err, new(*transport.CloseError)) {
			t.Error(err)
		}
		if err := dial(t, script.Dial, "json").expectEnd(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		_ = dial(t, script.Dial, "json").conn.Close(t.Context())
		script.Wait()
		if _, err := script.Dial(t.Context(), transport.Protocols()); !errors.Is(err, wamptest.ErrScriptOver) {
			t.Error(err)
		}
	})
}

// What ExampleScript shows does run.
func TestScriptExamples(t *testing.T) {
	synctest.Test(t, testSentAgain)
	synctest.Test(t, testNotWAMP)
}

func TestScriptStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := wamptest.NewScript(t, wamptest.Stall(), wamptest.Sleep(time.Minute), wamptest.Unstall(), wamptest.Expect(proto.Hello))
		c := dial(t, script.Dial, "cbor")
		synctest.Wait()
		start := time.Now()
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.conn.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stalled link answers a ping: %v", err)
		}
		if err := c.conn.Ping(t.Context()); err != nil || time.Since(start) != time.Minute {
			t.Error(err, time.Since(start))
		}
	})
}

func TestScriptOverSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	script := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Expect(proto.Goodbye), wamptest.ExpectEnd())
	var accepted sync.WaitGroup
	defer accepted.Wait()
	accepted.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		choose := func(byte) (transport.Protocol, bool) { return transport.ProtocolByName("wamp.2.json") }
		c, err := transport.AcceptRawSocket(t.Context(), conn, choose, transport.RawSocketOptions{})
		if err == nil {
			err = script.Serve(c)
		}
		if err != nil {
			t.Error(err)
		}
	})
	c := dial(t, rawDialer("tcp://"+ln.Addr().String(), nil, 0), "json")
	c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
	c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
	_ = c.conn.Close(t.Context())
	script.Wait()
}

// recorder is a test that only remembers what went wrong.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestScriptFails(t *testing.T) {
	hello := func(c *client) {
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
	}
	for name, c := range map[string]struct {
		steps []wamptest.Step
		do    func(c *client)
		want  string
	}{
		"wrong message": {[]wamptest.Step{wamptest.Welcome(), wamptest.Expect(proto.Call)}, func(c *client) { hello(c); c.subscribeAsync("a") },
			"script: connection 1, step 2, expect CALL: got SUBSCRIBE a"},
		"check": {[]wamptest.Step{wamptest.Expect(proto.Hello, func(*proto.Message) error { return errors.New("no good") })}, hello,
			"script: connection 1, step 1, expect HELLO: no good"},
		"nothing comes": {[]wamptest.Step{wamptest.Expect(proto.Hello)}, func(*client) {}, "expect HELLO: the test ended first"},
		"sleeps":        {[]wamptest.Step{wamptest.Sleep(time.Hour)}, func(*client) {}, "sleep 1h0m0s: the test ended first"},
		"awaits":        {[]wamptest.Step{wamptest.Await(nil)}, func(*client) {}, "await: the test ended first"},
		"no silence":    {[]wamptest.Step{wamptest.Silence(time.Hour)}, hello, "silence for 1h0m0s: got HELLO"},
		"silence ends":  {[]wamptest.Step{wamptest.Silence(time.Hour)}, func(*client) {}, "silence for 1h0m0s: the test ended first"},
		"no end":        {[]wamptest.Step{wamptest.ExpectEnd()}, hello, "expect the end: got HELLO"},
		"end":           {[]wamptest.Step{wamptest.Expect(proto.Hello)}, func(c *client) { _ = c.conn.CloseNow() }, "the connection has ended: unexpected EOF"},
		"broken":        {[]wamptest.Step{wamptest.Expect(proto.Hello)}, func(c *client) { c.sendRaw([]byte("[]")) }, "expect HELLO: json: empty array"},
		"no question":   {[]wamptest.Step{wamptest.Answer(&proto.Message{Type: proto.Result})}, func(*client) {}, "nothing to answer"},
		"payload": {[]wamptest.Step{wamptest.Send(&proto.Message{Type: proto.Result}, codec.Args(func() {}))}, func(*client) {},
			"send RESULT: "},
		"in a burst": {[]wamptest.Step{wamptest.Burst(wamptest.Send(&proto.Message{Type: proto.Event}), wamptest.Expect(proto.Call))}, hello,
			"burst of send EVENT, expect CALL: expect CALL: got HELLO"},
		"closed": {[]wamptest.Step{wamptest.Cut(), wamptest.Expect(proto.Hello)}, func(*client) {}, "the connection was closed by an earlier step"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{TB: t}
				script := wamptest.NewScript(rec, c.steps...)
				c.do(dial(t, script.Dial, "json"))
				synctest.Wait()
				script.Stop()
				if len(rec.errors) != 1 || !strings.Contains(rec.errors[0], c.want) {
					t.Errorf("got %q, want %q", rec.errors, c.want)
				}
				if _, err := script.Dial(t.Context(), transport.Protocols()); !errors.Is(err, wamptest.ErrScriptOver) {
					t.Error(err)
				}
			})
		})
	}
	rec := &recorder{TB: t}
	wamptest.NewScript(rec, wamptest.Expect(proto.Hello)).Again(wamptest.Close())
	rec.cleanups[0]()
	if len(rec.errors) != 2 || !strings.Contains(rec.errors[1], "connection 2 was never made") {
		t.Errorf("%q", rec.errors)
	}
}

// A client that does not read must not hold the end of the test up.
func TestScriptStopsWhileItWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{TB: t}
		script := wamptest.NewScript(rec, wamptest.Do("flood", func(p *wamptest.Play) error {
			for {
				if err := p.SendRaw(make([]byte, 32<<10)); err != nil {
					return err
				}
			}
		}))
		conn, err := script.Dial(t.Context(), transport.Protocols())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		script.Stop()
		if len(rec.errors) != 1 {
			t.Errorf("%q", rec.errors)
		}
		_ = conn.CloseNow()
	})
}

// A step that ends its goroutine ends the play, and nobody waits for it.
func TestStepEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Do("fatal", func(*wamptest.Play) error { runtime.Goexit(); return nil }), wamptest.Cut())
		c := dial(t, s.Dial, "cbor")
		c.hello("realm1")
		s.Wait()
		c.expectEnd()
	})
}
