package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// oddPayloads are positional arguments that nobody can decode into plain
// values, or that a decoder has to take its time for.
func oddPayloads(c codec.Codec) map[string]string {
	deep := func(open string, n int, in, closing string) string {
		return strings.Repeat(open, n) + in + strings.Repeat(closing, n)
	}
	switch c {
	case codec.JSON:
		return map[string]string{
			"deep":            deep("[", 200, "", "]"),
			"deeper":          deep("[", 100_000, "", "]"),
			"no JSON":         `[undefined]`,
			"NaN":             `[NaN]`,
			"UTF-8":           "[\"\xff\"]",
			"key":             `[{1:2}]`,
			"the same key":    `[{"a":1,"a":2}]`,
			"half a pair":     `["\ud800"]`,
			"a long number":   `[` + strings.Repeat("9", 1<<20) + `]`,
			"a big exponent":  `[1e999999999]`,
			"control letters": "[\"\x01\"]",
		}
	case codec.CBOR:
		return map[string]string{
			"deep":         deep("\x81", 200, "\x01", ""),
			"deeper":       deep("\x9f", 100_000, "", "\xff"),
			"UTF-8":        "\x81\x61\xff",
			"key":          "\x81\xa1\x81\x01\x02",
			"an odd tag":   "\x81\xd9\x01\x00\x01",
			"a bignum":     "\x81\xc2\x5a\x00\x20\x00\x00" + strings.Repeat("\xff", 2<<20),
			"a bad bignum": "\x81\xc2\x61a",
			"NaN":          "\x81\xf9\x7e\x00",
			"reserved":     "\x81\xf8\x10",
		}
	}
	return map[string]string{
		"deep":      deep("\x91", 200, "\x01", ""),
		"deeper":    deep("\x91", 100_000, "\x01", ""),
		"UTF-8":     "\x91\xa1\xff",
		"key":       "\x91\x81\x91\x01\x02",
		"extension": "\x91\xd4\x2a\x00",
		"timestamp": "\x91\xc7\x03\xff\x00\x00\x00",
		"NaN":       "\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
	}
}

// whole are those that are nothing wrong for who wants plain values.
var whole = map[string]bool{"NaN": true, "an odd tag": true, "a bignum": true, "half a pair": true, "the same key": true, "extension": true,
	"timestamp": true, "control letters": true, "a bad bignum": true, "a long number": true}

// What is wrong inside of a payload is the error of whoever decodes it. It may
// come with each message that carries one; the session goes on.
func TestOddPayloads(t *testing.T) {
	for _, c := range serializers {
		for name, raw := range oddPayloads(c) {
			onlyIn(t, c, name, func(t *testing.T) {
				with := func(m proto.Message) wamptest.Step {
					m.Args = []byte(raw)
					return wamptest.Send(&m)
				}
				steps := []wamptest.Step{
					with(proto.Message{Type: proto.Event, ID: topicID, Publication: 1}),
					with(proto.Message{Type: proto.Invocation, Request: 1, ID: procID}), wamptest.Expect(proto.Yield),
					with(proto.Message{Type: proto.Result, Request: callID, Options: proto.Dict{{Key: "progress", Value: true}}}),
					with(proto.Message{Type: proto.Result, Request: callID}),
					with(proto.Message{Type: proto.Error, RequestType: proto.Publish, Request: ackID, URI: "com.example.no"}),
				}
				steps = append(steps, lives...)
				steps = append(steps, with(proto.Message{Type: proto.Abort, URI: "com.example.stop"}))
				s, script := busyWith(t, c, steps)
				scans := func(what string, p wamp.Payload) {
					t.Helper()
					var v []int
					scanErr, argsErr := p.Scan(&v), errOf(p.Args())
					if scanErr == nil || argsErr == nil && !whole[name] {
						t.Errorf("%s: Scan %v, Args %v", what, scanErr, argsErr)
					}
					for _, err := range []error{scanErr, argsErr} {
						if err != nil && len(err.Error()) > 300 {
							t.Errorf("%s: an error of %d bytes", what, len(err.Error()))
						}
					}
				}
				ev := <-s.sub.Events()
				scans("event", ev.Payload)
				inv := <-s.reg.Invocations()
				scans("invocation", inv.Payload)
				if err := inv.Return(); err != nil {
					t.Error(err)
				}
				for r := range s.results {
					scans("result", r.Payload)
				}
				_, err := s.acks.Wait()
				var said *wamp.Error
				if !errors.As(err, &said) || len(err.Error()) > 300 {
					t.Fatalf("an error of %d bytes", len(fmt.Sprint(err)))
				}
				scans("error", said.Payload)
				alive(t, s.Session)
				<-s.Done()
				var abort *wamp.AbortError
				if err := s.Err(); !errors.As(err, &abort) || abort.Reason != "com.example.stop" || len(err.Error()) > 400 {
					t.Errorf("%.300v", err)
				}
				script.Wait()
				closeIt(t, s.Session)
			})
		}
	}
}

func errOf(_ any, err error) error { return err }

func onlyIn(t *testing.T, c codec.Codec, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(c.Name()+"/"+name, func(t *testing.T) { synctest.Test(t, test) })
}

// tooDeep stands for a value that is nested 300 deep, in sayDeep.
const tooDeep = "a value that is too deep"

// sayDeep sends a message, with the values that cannot be encoded here.
func sayDeep(list m) wamptest.Step {
	return wamptest.Do("say something deep", func(p *wamptest.Play) error {
		data, err := p.Codec().AppendValue(nil, list)
		if err != nil {
			return err
		}
		sign, _ := p.Codec().AppendValue(nil, tooDeep)
		deep := map[codec.Codec][2]string{codec.JSON: {"[", "]"}, codec.CBOR: {"\x9f", "\xff"}, codec.MsgPack: {"\x91", ""}}[p.Codec()]
		one, _ := p.Codec().AppendValue(nil, 1)
		value := strings.Repeat(deep[0], 300) + string(one) + strings.Repeat(deep[1], 300)
		return p.SendRaw(bytes.ReplaceAll(data, sign, []byte(value)))
	})
}

// A detail of the wrong type or range costs as little as can be: it is absent,
// or the payload, the call or the invocation that it belongs to cannot be had.
func TestOddDetails(t *testing.T) {
	for name, tt := range map[string]struct {
		details d
		sealed  bool // the payload must not be taken for a plain one
		ends    bool // the call, or the invocation
	}{
		"trustlevel":    {details: d{"trustlevel": -1}},
		"caller":        {details: d{"caller": "joe", "publisher": -5}},
		"authid":        {details: d{"caller_authid": 5, "publisher_authid": []any{}, "caller_authrole": d{}}},
		"topic":         {details: d{"topic": "com..x", "procedure": 7}},
		"retained":      {details: d{"retained": "yes"}},
		"timeout":       {details: d{"timeout": "soon"}},
		"too deep":      {details: d{"x_deep": tooDeep, "publisher_authid": tooDeep}},
		"ppt_keyid":     {d{"ppt_keyid": 5}, true, false},
		"ppt_scheme":    {d{"ppt_scheme": 5}, true, false},
		"ppt_cipher":    {d{"ppt_scheme": "wamp", "ppt_cipher": []any{}}, true, false},
		"enc_algo":      {d{"enc_algo": "rot13"}, true, false},
		"enc_algo 5":    {d{"enc_algo": 5}, true, false},
		"progress":      {d{"progress": "yes"}, false, true},
		"progress 1":    {d{"progress": 1}, false, true},
		"progress deep": {d{"progress": tooDeep}, false, true},
	} {
		inEach(t, name, func(t *testing.T, c codec.Codec) {
			steps := []wamptest.Step{
				sayDeep(m{36, topicID, 1, tt.details, []any{5}}),
				sayDeep(m{68, 1, procID, tt.details, []any{5}}),
				sayDeep(m{50, callID, tt.details, []any{5}}),
			}
			if tt.ends {
				steps = append(steps, wamptest.Do("expect CANCEL and ERROR", func(p *wamptest.Play) error {
					var got []string
					for range 2 {
						m, err := p.Receive()
						if err != nil {
							return err
						}
						got = append(got, m.Type.String()+" "+m.URI)
					}
					if s := strings.Join(got, ","); !strings.Contains(s, "ERROR wamp.error.") || !strings.Contains(s, "CANCEL") {
						return fmt.Errorf("got %s", s)
					}
					return nil
				}))
			} else {
				steps = append(steps, wamptest.Expect(proto.Yield))
			}
			steps = append(steps, wamptest.Send(&proto.Message{Type: proto.Published, Request: ackID, ID: 1}))
			s, script := busyWith(t, c, append(steps, lives...))
			reads := func(what string, p wamp.Payload) {
				t.Helper()
				var n int
				err := p.Scan(&n)
				if tt.sealed != (err != nil) || !tt.sealed && n != 5 {
					t.Errorf("%s: %d %v", what, n, err)
				}
				var bad *seal.PayloadError
				if tt.sealed && !errors.As(err, &bad) {
					t.Errorf("%s: %T", what, err)
				}
			}
			ev := <-s.sub.Events()
			reads("event", ev.Payload)
			_, _, _ = ev.TrustLevel, ev.Publisher, ev.Topic
			if tt.ends {
				if _, err := s.results.Final(); err == nil || !strings.Contains(err.Error(), "progress") {
					t.Errorf("the call ended with %v", err)
				}
			} else {
				inv := <-s.reg.Invocations()
				reads("invocation", inv.Payload)
				if err := inv.Return(); err != nil {
					t.Error(err)
				}
				r := <-s.results
				reads("result", r.Payload)
			}
			if _, err := s.acks.Wait(); err != nil {
				t.Error(err)
			}
			alive(t, s.Session)
			if n := s.Stats().Odd; n == 0 || n > 3 { // not every key is one of each message
				t.Errorf("%d odd messages were counted", n)
			}
			script.Wait()
			closeIt(t, s.Session)
		})
	}
}

// A flood of odd messages is logged once a minute.
func TestOddMessagesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		odd := m{36, topicID, 1, d{"trustlevel": -1}, []any{5}}
		s, script := busyWith(t, codec.CBOR, []wamptest.Step{say(odd, odd, odd), wamptest.Sleep(30 * time.Second), say(odd, odd),
			wamptest.Sleep(31 * time.Second), say(odd), wamptest.Sleep(61 * time.Second)}, log.Option())
		script.Wait()
		synctest.Wait()
		if n := strings.Count(log.String(), "trustlevel"); n != 3 {
			t.Errorf("%d records:\n%s", n, log.String())
		}
		log.Has(t, "WARN", "messages=4")
		if n := s.Stats().Odd; n != 6 {
			t.Errorf("%d were counted", n)
		}
		closeIt(t, s.Session)
	})
}

// A revocation of an id that is none is dropped.
func TestOddRevocations(t *testing.T) {
	inEach(t, "id", func(t *testing.T, c codec.Codec) {
		s, script := busyWith(t, c, append([]wamptest.Step{
			say(m{35, 0, d{"subscription": "x"}}, m{67, 0, d{"registration": -1}}, m{35, 0, d{"subscription": 1.5}}),
		}, lives...))
		alive(t, s.Session)
		if n := s.Stats().Odd; n != 3 {
			t.Errorf("%d odd messages", n)
		}
		script.Wait()
		if s.sub.Err() != nil || s.reg.Err() != nil {
			t.Error(s.sub.Err(), s.reg.Err())
		}
		closeIt(t, s.Session)
	})
}

// What is odd in WELCOME and CHALLENGE is left out, and counted as elsewhere.
func TestOddDetailsAtTheJoin(t *testing.T) {
	inEach(t, "join", func(t *testing.T, c codec.Codec) {
		roles := d{"broker": d{"features": "all"}, "dealer": d{}}
		script := wamptest.NewScript(t, wamptest.Expect(proto.Hello),
			sayDeep(m{4, "ticket", d{"x_deep": tooDeep}}), wamptest.Expect(proto.Authenticate),
			sayDeep(m{2, 77, d{"roles": roles, "authid": d{}, "authextra": tooDeep, "x_deep": tooDeep}}),
			wamptest.Expect(proto.Goodbye), wamptest.Send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut}))
		var log logged
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithSerializers(c),
			wamp.WithAuth(obliging{}), log.Option())
		if err != nil {
			t.Fatal(err)
		}
		if d := s.Details(); d.AuthID != "" || d.AuthExtra != nil || d.Session != 77 {
			t.Errorf("%+v", d)
		}
		if n := s.Stats().Odd; n != 2 {
			t.Errorf("%d odd messages were counted", n)
		}
		closeIt(t, s)
		log.Has(t, "WARN", "CHALLENGE")
		script.Wait()
	})
}

// However long the texts are that a peer puts into a message, those of the errors
// are short.
func TestLongTextsOfPeers(t *testing.T) {
	long := "com.example." + strings.Repeat("x", 1<<20)
	said := proto.Dict{{Key: "message", Value: long}, {Key: "reason", Value: long}, {Key: "mode", Value: "kill"}}
	short := func(t *testing.T, what string, err error) {
		t.Helper()
		if text := fmt.Sprint(err); err == nil || len(text) > 700 {
			t.Errorf("%s: %d bytes: %.100s", what, len(text), text)
		}
	}
	revoked := func(key string, id wamp.ID) proto.Dict {
		return proto.Dict{{Key: "reason", Value: long}, {Key: key, Value: id}}
	}
	for _, end := range []proto.MessageType{proto.Abort, proto.Goodbye} {
		inEach(t, end.String(), func(t *testing.T, c codec.Codec) {
			s, script := busyWith(t, c, []wamptest.Step{
				wamptest.Send(&proto.Message{Type: proto.Invocation, Request: 1, ID: procID}),
				wamptest.Send(&proto.Message{Type: proto.Interrupt, Request: 1, Options: said}),
				wamptest.Send(&proto.Message{Type: proto.Error, RequestType: proto.Call, Request: callID, URI: long}),
				wamptest.Send(&proto.Message{Type: proto.Unsubscribed, Options: revoked("subscription", topicID)}),
				wamptest.Send(&proto.Message{Type: proto.Unregistered, Options: revoked("registration", procID)}),
				wamptest.Send(&proto.Message{Type: end, Options: said, URI: long}),
			})
			inv := <-s.reg.Invocations()
			<-inv.Context().Done()
			short(t, "interrupt", context.Cause(inv.Context()))
			_, err := s.results.Final()
			if wamp.ErrorURI(err) != long {
				t.Error("the URI of the error is another one")
			}
			short(t, "error", err)
			<-s.Done()
			short(t, "subscription", s.sub.Err())
			short(t, "registration", s.reg.Err())
			short(t, "session", s.Err())
			closeIt(t, s.Session)
			script.Wait()
		})
	}
	for _, reason := range []string{long, proto.ErrURIAuthenticationFailed} {
		synctest.Test(t, func(t *testing.T) {
			script := wamptest.NewScript(t, wamptest.Expect(proto.Hello), wamptest.Send(&proto.Message{Type: proto.Abort, Options: said, URI: reason}))
			err := fails(t, "", wamp.WithTransport(script.Dial))
			short(t, "login", err)
			var refusal *authn.Refusal
			if errors.As(err, &refusal) {
				short(t, "refusal", refusal)
			}
		})
	}
}

// The router's ids begin with 1. Who got another one could not be told from
// somebody who waits for one.
func TestHandlesWithTheIDZero(t *testing.T) {
	inEach(t, "id", func(t *testing.T, c codec.Codec) {
		for _, typ := range []proto.MessageType{proto.Subscribed, proto.Registered} {
			script := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Expect(typ-1),
				wamptest.Answer(&proto.Message{Type: typ}), accused(typ))
			s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithSerializers(c))
			if err != nil {
				t.Fatal(err)
			}
			if typ == proto.Subscribed {
				_, err = s.Subscribe(t.Context(), "com.example.topic")
			} else {
				_, err = s.Register(t.Context(), "com.example.proc")
			}
			violated(t, typ.String(), err, typ)
			script.Wait()
			closeIt(t, s)
		}
	})
}

// What is odd in one event of a history costs that event what it costs a live one,
// and the others nothing.
func TestOddHistory(t *testing.T) {
	inEach(t, "history", func(t *testing.T, c codec.Codec) {
		entries := []any{
			d{"publication": 1, "args": []any{1}, "kwargs": d{"a": 1}},
			d{"publication": 2, "args": []any{tooDeep}},
			d{"publication": 3, "args": []any{3}, "details": d{"ppt_scheme": 5}},
			d{"Publication": 4.0, "Args": []any{4}, "Details": d{"Publisher": 7.0, "Trustlevel": -1, "topic": nil, "X": tooDeep}},
			d{"publication": 5, "args": "none"},
			d{"publication": 6, "args": []any{6}, "kwargs": 6, "details": d{"enc_algo": "rot13"}},
		}
		script := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Expect(proto.Subscribe), wamptest.Answer(&proto.Message{Type: proto.Subscribed, ID: topicID}),
			wamptest.Expect(proto.Call), sayDeep(m{50, 2, d{}, []any{entries}}), wamptest.Expect(proto.Call), sayDeep(m{50, 3, d{}, entries}),
			wamptest.Expect(proto.Call), say(m{50, 4, d{}, []any{d{"publication": 1}, 5}}), wamptest.Expect(proto.Call), say(m{50, 5, d{}, []any{nil}}),
			wamptest.Expect(proto.Call), say(m{50, 6, d{}}),
			wamptest.Expect(proto.Goodbye), wamptest.Send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut}))
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithSerializers(c), wamp.Assume("event_history"))
		if err != nil {
			t.Fatal(err)
		}
		sub := subscribe(t, s, "com.example.topic")
		for range 2 { // one list, and a list of them
			events, err := sub.History(t.Context(), wamp.HistoryQuery{})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for ev := range events {
				n++
				var got int
				var bad *seal.PayloadError
				switch err := ev.Scan(&got); n {
				case 1, 4:
					if err != nil || got != n {
						t.Errorf("event %d: %d %v", n, got, err)
					}
				case 3, 6:
					if !errors.As(err, &bad) {
						t.Errorf("event %d: %d %v", n, got, err)
					}
				default:
					if err == nil || len(err.Error()) > 300 {
						t.Errorf("event %d: %d %.300v", n, got, err)
					}
				}
				if ev.Publication != wamp.ID(n) || n == 4 && ev.Publisher().Session != 7 || ev.Details.Has("trustlevel") {
					t.Errorf("event %d: %+v", n, ev.Details)
				}
			}
			if n != len(entries) {
				t.Errorf("%d events", n)
			}
		}
		if _, err := sub.History(t.Context(), wamp.HistoryQuery{}); err == nil || !strings.Contains(err.Error(), "entry 1") {
			t.Errorf("an entry that is none: %v", err)
		}
		for range 2 {
			if events, err := sub.History(t.Context(), wamp.HistoryQuery{}); err != nil || len(events) != 0 {
				t.Errorf("%d events, %v", len(events), err)
			}
		}
		closeIt(t, s)
		script.Wait()
	})
}
