//go:build interop

package interop_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// TestBadErrorURI: Crossbar hangs up on a callee whose ERROR has a URI that is
// none. It is never sent: the caller gets another error, the handler's Fail says
// so, and the callee goes on.
func TestBadErrorURI(t *testing.T) {
	for _, kind := range []string{"ws", "raw"} {
		for _, cd := range codecs {
			c := cell{kind, cd}
			t.Run(c.String(), func(t *testing.T) {
				log := &causes{}
				callee, s, p := c.join(t, wamp.WithLogger(slog.New(log))), pubsubCell.join(t), newPartner(t, peerCell, "", nil)
				uri := c.uri("go", "bad.error")
				failed := make(chan error, 1)
				if _, err := callee.Handle(limit(t), uri, func(_ context.Context, inv *wamp.Invocation) error {
					var how, what string
					if err := inv.Scan(&how, &what); err != nil {
						return err
					}
					err := error(wamp.NewError(what, wamp.Args("x")))
					switch how {
					case "zero":
						err = &wamp.Error{}
					case "fail":
						failed <- inv.Fail(err)
						return nil
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				uris := []string{"bad file", "com..x", "", "com.x#", "com.x.", "com.\u00a0x"}
				for _, what := range uris {
					for _, how := range []string{"return", "fail", "zero"} {
						r, err := s.Call(limit(t), uri, wamp.Args(how, what)).Final()
						if wamp.ErrorURI(err) != "wamp.error.runtime_error" {
							t.Errorf("%s %q: %v, %v", how, what, r, err)
						}
						if how == "fail" {
							var bad *wamp.URIError
							select {
							case err := <-failed:
								if !errors.As(err, &bad) {
									t.Errorf("Fail of %q: %v", what, err)
								}
							case <-time.After(patience):
								t.Fatal("the invocation did not come")
							}
						}
					}
					if r := p.ask(t, "call", request{"uri": uri, "args": tagAll("return", what)}); r.Failed == nil || r.Failed.URI != "wamp.error.runtime_error" {
						t.Errorf("%q: the peer got %+v", what, r)
					}
				}
				if _, err := s.Call(limit(t), uri, wamp.Args("return", "com.example.good")).Final(); wamp.ErrorURI(err) != "com.example.good" {
					t.Error(err)
				}
				idle(t, callee)
				// Of 24 masked errors 20 are logged: that many at once are the most.
				for end := time.Now().Add(prompt); log.count("wamp: error masked for the caller", uri) != 20; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("logged: %v", log)
					}
				}
			})
		}
	}
}

// oddities are payloads that CBOR and MessagePack have, and JSON has not, or not
// everybody's. Crossbar passes them all on.
var oddities = map[string]struct {
	send  any    // by this library
	peer  tagged // by autobahn-python
	reads bool   // as JSON
}{
	"NaN":        {send: math.NaN(), peer: tagged{T: "float", V: []byte(`"nan"`)}},
	"Infinity":   {send: math.Inf(1), peer: tagged{T: "float", V: []byte(`"inf"`)}},
	"-Infinity":  {send: math.Inf(-1), peer: tagged{T: "float", V: []byte(`"-inf"`)}},
	"65 levels":  {send: nested(65), peer: tagged{T: "nested", N: 65}, reads: true},
	"128 levels": {send: nested(127), peer: tagged{T: "nested", N: 127}, reads: true}, // the arguments are one
	"200 levels": {peer: tagged{T: "nested", N: 200}},
	"390 levels": {peer: tagged{T: "nested", N: 390}}, // Crossbar takes 400 in CBOR, the message's own included
}

func nested(n int) any {
	v := any("x")
	for range n {
		v = []any{v}
	}
	return v
}

// TestOddPayloads lets others send what JSON subscribers, callees and callers
// cannot read, or what is at the limit: only that Scan fails. The sessions, and
// the streams, go on.
func TestOddPayloads(t *testing.T) {
	for _, kind := range []string{"ws", "raw"} {
		for _, from := range []cell{{"ws", codec.CBOR}, {"raw", codec.MsgPack}} {
			c := cell{kind, codec.JSON}
			t.Run(c.String()+" from "+from.String(), func(t *testing.T) { testOddPayloads(t, c, from) })
		}
	}
}

func testOddPayloads(t *testing.T, c, from cell) {
	s, other, p := c.join(t), from.join(t), newPartner(t, from, "", nil)
	topic, uri := c.uri("go", "odd.topic"+from.codec.Name()), c.uri("go", "odd.proc"+from.codec.Name())
	sub := subscribe(t, s, topic)
	read := make(chan error, 1)
	if _, err := s.Handle(s.Context(), uri, func(_ context.Context, inv *wamp.Invocation) error {
		_, err := inv.Args()
		read <- err
		return inv.Return(wamp.Args("done"))
	}); err != nil {
		t.Fatal(err)
	}
	back := c.uri("go", "odd.back"+from.codec.Name())
	var give any
	if _, err := other.Handle(other.Context(), back, func(_ context.Context, inv *wamp.Invocation) error {
		if fail, err := inv.Args(); err == nil && len(fail) > 0 {
			return wamp.NewError("com.example.odd", wamp.Args(give))
		}
		return inv.Return(wamp.Args(give))
	}); err != nil {
		t.Fatal(err)
	}
	// judge holds what reading gave against what it should.
	judge := func(what string, reads bool, err error) {
		t.Helper()
		var bad *codec.SyntaxError
		if reads && err != nil || !reads && !errors.As(err, &bad) {
			t.Errorf("%s: %v, readable is %v", what, err, reads)
		}
	}
	for name, odd := range oddities {
		if odd.send != nil {
			publish(t, other, topic, wamp.Args(odd.send))
			got, err := next(t, sub).Args()
			judge("event of "+name, odd.reads, err)
			if odd.reads && !reflect.DeepEqual(got, []any{odd.send}) {
				t.Errorf("%s came as %v", name, got)
			}
			if _, err := other.Call(limit(t), uri, wamp.Args(odd.send)).Final(); err != nil {
				t.Errorf("call with %s: %v", name, err)
			}
			judge("call with "+name, odd.reads, <-read)
			give = odd.send
			r, err := s.Call(limit(t), back, wamp.Args()).Final()
			if err != nil {
				t.Errorf("result %s: %v", name, err)
			}
			_, err = r.Args()
			judge("result "+name, odd.reads, err)
			_, err = s.Call(limit(t), back, wamp.Args("fail")).Final()
			var failed *wamp.Error
			if !errors.As(err, &failed) || failed.URI != "com.example.odd" {
				t.Fatalf("error with %s: %v", name, err)
			}
			_, err = failed.Args()
			judge("error with "+name, odd.reads, err)
		}
		p.ask(t, "publish", request{"topic": topic, "args": []tagged{odd.peer}, "acknowledge": true})
		_, err := next(t, sub).Args()
		judge("the peer's event of "+name, odd.reads, err)
		if r := p.ask(t, "call", request{"uri": uri, "args": []tagged{odd.peer}}); r.Result == nil {
			t.Errorf("the peer's call with %s: %+v", name, r)
		}
		judge("the peer's call with "+name, odd.reads, <-read)
	}
	publish(t, other, topic, wamp.Args("after"))
	if got := text(t, next(t, sub).Payload); got != "after" {
		t.Error(got)
	}
	// The other way they are refused here, before anything is sent.
	for name, v := range map[string]any{"NaN": math.NaN(), "129 levels": nested(129)} {
		var bad *codec.EncodeError
		if _, err := s.Publish(limit(t), topic, wamp.Args(v), wamp.Acknowledge()).Wait(); !errors.As(err, &bad) {
			t.Errorf("publishing %s: %v", name, err)
		}
		if _, err := s.Call(limit(t), back, wamp.Args(v)).Final(); !errors.As(err, &bad) {
			t.Errorf("calling with %s: %v", name, err)
		}
	}
	idle(t, s)
	idle(t, other)
}

// TestEndInsideHandler ends the session in a handler, with its context: it
// returns, the router has answered GOODBYE, and the caller is told.
func TestEndInsideHandler(t *testing.T) {
	s := pubsubCell.join(t)
	for _, kind := range kinds {
		for name, end := range map[string]func(*wamp.Session, context.Context) error{"Close": (*wamp.Session).Close, "Drain": (*wamp.Session).Drain} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				c := cell{kind, codec.CBOR}
				callee := c.join(t)
				type outcome struct {
					err  error
					took time.Duration
				}
				ended := make(chan outcome, 1)
				uri := c.uri("go", "end."+name)
				reg, err := callee.Handle(context.Background(), uri, func(ctx context.Context, _ *wamp.Invocation) error {
					start := time.Now()
					ended <- outcome{end(callee, ctx), time.Since(start)}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				sub := subscribe(t, callee, uri)
				id := callee.ID()
				if r, err := s.Call(limit(t), uri, wamp.Args()).Final(); wamp.ErrorURI(err) == "" {
					t.Errorf("the caller got %v, %v", r, err)
				}
				select {
				case got := <-ended:
					if got.err != nil || got.took > prompt {
						t.Errorf("after %v: %v", got.took, got.err)
					}
				case <-time.After(patience):
					t.Fatal("it does not return")
				}
				select {
				case <-callee.Done():
				case <-time.After(prompt):
					t.Fatal("the session lives")
				}
				var over *wamp.ClosedError
				if err := callee.Err(); !errors.As(err, &over) || over.Reason != nil {
					t.Errorf("the session ended by %v", err)
				}
				if _, more := <-sub.Events(); more || !errors.Is(sub.Err(), wamp.ErrSessionClosed) || reg.Err() == nil {
					t.Errorf("the handles: %v, %v", sub.Err(), reg.Err())
				}
				if _, err := meta.Of(s).GetSession(limit(t), id); !errors.Is(err, wamp.ErrNoSuchSession) {
					t.Errorf("the router still has it: %v", err)
				}
			})
		}
	}
}
