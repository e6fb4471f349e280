//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

// Autobahn's cryptobox, which Crossbar passes on without a key. What begins with
// ours is called and published to by us, with theirs by autobahn-python.
const ours, theirs = "com.interop.box.ours.", "com.interop.box.theirs."

type keyPair struct{ public, private *[32]byte }

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{public, private}
}

func cryptobox(t *testing.T, own, other keyPair) *seal.Cryptobox {
	t.Helper()
	c, err := seal.NewCryptobox([]seal.BoxKey{{Prefix: "com.interop.box.", Private: own.private[:], Public: other.public[:]}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// keysOf is the key ring of the peer.
func keysOf(own, other keyPair) []map[string]string {
	text := func(k *[32]byte) string { return base64.StdEncoding.EncodeToString(k[:]) }
	var keys []map[string]string
	for uri, role := range map[string]string{ours: "responder", theirs: "originator"} {
		keys = append(keys, map[string]string{"uri": uri, "role": role, "private": text(own.private), "public": text(other.public)})
	}
	return keys
}

// secrets are payloads that must arrive as they are. JSON is inside the box,
// whatever the session speaks.
var secrets = []struct {
	args   []any
	kwargs map[string]any
}{
	{[]any{"the word is swordfish"}, nil},
	{[]any{int64(1) << 60, -1.5, true, nil, "äöü€𝄞"}, map[string]any{"k": "v", "list": []any{int64(1), map[string]any{"x": nil}}}},
	{[]any{[]byte{0, 1, 2, 255}, []any{[]byte("nested")}}, map[string]any{"raw": []byte{7}}},
	{nil, map[string]any{"only": "kwargs"}},
	{nil, nil},
}

func payloadOf(args []any, kwargs map[string]any) wamp.Payload {
	p := wamp.Args(args...)
	if len(kwargs) > 0 {
		p = p.WithKwargs(kwargs)
	}
	return p
}

func TestCryptobox(t *testing.T) {
	for _, c := range []cell{{"ws", codec.JSON}, {"raw", codec.MsgPack}, {"wss", codec.CBOR}} {
		t.Run(c.String(), func(t *testing.T) {
			go1, python1, stranger := newKeyPair(t), newKeyPair(t), newKeyPair(t)
			s := c.join(t, wamp.WithPayloadCodec(cryptobox(t, go1, python1)))
			p := newPartner(t, cell{c.kind, codecs[(len(c.kind)+1)%3]}, "", request{"keys": keysOf(python1, go1), "offer": ours})
			plain := c.join(t)
			wrong := c.join(t, wamp.WithPayloadCodec(cryptobox(t, stranger, python1)))
			t.Run("events", func(t *testing.T) { testSealedEvents(t, s, p, plain, wrong) })
			t.Run("calls out", func(t *testing.T) { testSealedCallsOut(t, s, p, plain) })
			t.Run("calls in", func(t *testing.T) { testSealedCallsIn(t, s, p) })
			idle(t, s)
			idle(t, wrong)
		})
	}
}

func testSealedEvents(t *testing.T, s *wamp.Session, p *partner, plain, wrong *wamp.Session) {
	p.ask(t, "subscribe", request{"topic": ours + "topic"})
	p.ask(t, "subscribe", request{"topic": ours + "pattern.", "match": "prefix"})
	sub := subscribe(t, s, theirs+"topic")
	pattern := subscribe(t, s, theirs+"pattern.", wamp.Match(wamp.Prefix))
	spies := []*wamp.Subscription{subscribe(t, plain, ours+"topic"), subscribe(t, plain, theirs+"topic")}
	misfit := subscribe(t, wrong, theirs+"topic")
	for _, v := range secrets {
		for _, name := range []string{"topic", "pattern.x"} {
			publish(t, s, ours+name, payloadOf(v.args, v.kwargs))
			req := request{"topic": theirs + name, "args": tagAll(v.args...), "kwargs": map[string]tagged{}, "acknowledge": true}
			for k, x := range v.kwargs {
				req["kwargs"].(map[string]tagged)[k] = tag(x)
			}
			p.ask(t, "publish", req)
		}
		for _, topic := range []string{ours + "topic", ours + "pattern."} {
			ev := p.events(t, topic, 1)[0]
			if ev.Sealed != "cryptobox" || !sameMessage(ev, v.args, v.kwargs) {
				t.Errorf("the peer got %s", show(ev))
			}
		}
		for _, sub := range []*wamp.Subscription{sub, pattern} {
			ev := next(t, sub)
			if err := samePayload(ev.Payload, v.args, v.kwargs); err != nil || ev.Details.Str("enc_algo") != "cryptobox" {
				t.Errorf("%s: %v, %v", ev.Topic, err, ev.Details.Map())
			}
		}
		for _, spy := range spies {
			ev := next(t, spy)
			if args, err := ev.Args(); err == nil || bytes.Contains(ev.RawArgs(), []byte("swordfish")) {
				t.Errorf("who has no key got %v", args)
			}
		}
		var refused *seal.PayloadError
		if _, err := next(t, misfit).Args(); !errors.As(err, &refused) || !errors.Is(err, seal.ErrTampered) {
			t.Errorf("another key: %v", err)
		}
	}
	// what comes as it is, where it must not
	publish(t, plain, theirs+"topic", wamp.Args("from the router"))
	if _, err := next(t, sub).Args(); !errors.Is(err, seal.ErrPlain) {
		t.Errorf("not sealed: %v", err)
	}
	// what has no key goes as it is
	open := subscribe(t, s, "com.interop.open")
	publish(t, plain, "com.interop.open", wamp.Args("open"))
	if text(t, next(t, open).Payload) != "open" {
		t.Error("another event")
	}
}

func testSealedCallsOut(t *testing.T, s *wamp.Session, p *partner, plain *wamp.Session) {
	for _, v := range secrets {
		r, err := s.Call(limit(t), ours+"echo", payloadOf(v.args, v.kwargs)).Final()
		if err == nil {
			err = samePayload(r.Payload, v.args, v.kwargs)
		}
		if err != nil || r.Details.Str("enc_algo") != "cryptobox" {
			t.Errorf("%v, %v", err, r.Details.Map())
		}
		r, err = s.Call(limit(t), ours+"describe", payloadOf(v.args, v.kwargs)).Final()
		if err != nil {
			t.Fatal(err)
		}
		var got message
		if err := unmarshalText(text(t, r.Payload), &got); err != nil || !sameMessage(got, v.args, v.kwargs) {
			t.Errorf("the peer got %s", show(got))
		}
		_, err = s.Call(limit(t), ours+"fail", payloadOf(append([]any{ours + "error"}, v.args...), v.kwargs)).Final()
		var failed *wamp.Error
		if !errors.As(err, &failed) || failed.URI != ours+"error" {
			t.Fatalf("%v", err)
		}
		if err := samePayload(failed.Payload, v.args, v.kwargs); err != nil || failed.Details.Str("enc_algo") != "cryptobox" {
			t.Errorf("error: %v, %v", err, failed.Details.Map())
		}
	}
	n := 0
	for r := range s.Call(limit(t), ours+"count", wamp.Args(5), wamp.Progressive()) {
		kwargs := map[string]any{"of": int64(5)}
		if !r.Progress {
			kwargs = nil
		}
		if err := errors.Join(r.Err, samePayload(r.Payload, []any{int64(n)}, kwargs)); err != nil || r.Details.Str("enc_algo") != "cryptobox" {
			t.Errorf("result %d: %v, %v", n, err, r.Details.Map())
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d results", n)
	}
	// who is called as it is answers so
	if _, err := plain.Call(limit(t), ours+"echo", wamp.Args("plain")).Final(); err != nil {
		t.Error(err)
	}
}

func testSealedCallsIn(t *testing.T, s *wamp.Session, p *partner) {
	if _, err := s.Handle(s.Context(), theirs+"echo", func(_ context.Context, inv *wamp.Invocation) error {
		args, err := inv.Args()
		if err != nil {
			return err
		}
		kwargs, err := inv.Kwargs()
		if err != nil {
			return err
		}
		if len(args) > 0 && args[0] == "fail" {
			return wamp.NewError(theirs+"error", payloadOf(args[1:], kwargs))
		}
		if err := inv.Progress(wamp.Args("on the way")); err != nil {
			return err
		}
		return inv.Return(payloadOf(args, kwargs))
	}); err != nil {
		t.Fatal(err)
	}
	for _, v := range secrets {
		kwargs := map[string]tagged{}
		for k, x := range v.kwargs {
			kwargs[k] = tag(x)
		}
		r := p.ask(t, "call", request{"uri": theirs + "echo", "args": tagAll(v.args...), "kwargs": kwargs})
		if r.Result == nil || !sameMessage(*r.Result, v.args, v.kwargs) {
			t.Errorf("the peer got %s", show(r))
		}
		r = p.ask(t, "call", request{"uri": theirs + "echo", "args": tagAll(append([]any{"fail"}, v.args...)...), "kwargs": kwargs})
		if r.Failed == nil || r.Failed.URI != theirs+"error" || !sameMessage(*r.Failed, v.args, v.kwargs) {
			t.Errorf("the peer got %s", show(r))
		}
	}
	r := p.ask(t, "call", request{"uri": theirs + "echo", "args": tagAll("x"), "progress": true})
	if r.Result == nil || len(r.Progress) != 1 || !sameMessage(r.Progress[0], []any{"on the way"}, nil) {
		t.Errorf("the peer got %s", show(r))
	}
}

// Crossbar retains what is sealed, but its event history forgets the bytes: the
// event comes without arguments and is not taken for what was published.
func TestSealedAndKept(t *testing.T) {
	one, two := newKeyPair(t), newKeyPair(t)
	store := wamp.Assume("event_history")
	publisher := pubsubCell.joinRealm(t, storeRealm, wamp.WithPayloadCodec(cryptobox(t, one, two)))
	t.Cleanup(func() { leave(t, publisher) })
	topic := fresh(theirs + "kept.")
	publish(t, publisher, topic, wamp.Args("swordfish"), wamp.Retain())
	s := pubsubCell.joinRealm(t, storeRealm, store, wamp.WithPayloadCodec(cryptobox(t, two, one)))
	t.Cleanup(func() { leave(t, s) })
	if ev := next(t, subscribe(t, s, topic, wamp.GetRetained())); !ev.Retained || text(t, ev.Payload) != "swordfish" {
		t.Errorf("%+v", ev)
	}

	keys := func(own, other keyPair) wamp.Option {
		c, err := seal.NewCryptobox([]seal.BoxKey{{Prefix: historyTree, Private: own.private[:], Public: other.public[:]}}, false)
		if err != nil {
			t.Fatal(err)
		}
		return wamp.WithPayloadCodec(c)
	}
	sub := subscribe(t, joinStore(t, pubsubCell, keys(two, one)), historyTree, wamp.Match(wamp.Prefix))
	id := publish(t, joinStore(t, pubsubCell, keys(one, two)), historyTree+"sealed", wamp.Args("swordfish"))
	if ev := next(t, sub); ev.Publication != id || text(t, ev.Payload) != "swordfish" {
		t.Errorf("%+v", ev)
	}
	events, err := sub.History(limit(t), wamp.HistoryQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if ev := <-events; ev.Publication != id || !errors.Is(ev.Scan(new(string)), seal.ErrPlain) {
		t.Errorf("%+v", ev)
	}
}

const sealedTopic = "com.interop.ring.one"

// testRing has a key for what is below com.interop.ring.
func testRing(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing([]seal.Key{{ID: "1", Pattern: "com.interop.ring.", Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// Crossbar has not heard of what a Profile1 offers beside a login: each method goes on as
// before, and where an agreement is required there is none. With some methods it gives
// back what it got in authextra, which is no answer.
func TestOfferBesideLogins(t *testing.T) {
	p := readPrincipals(t)
	sign, err := authn.CryptosignHex("sign-a", p.Sign["sign-a"].Seed)
	if err != nil {
		t.Fatal(err)
	}
	keys := []seal.Key{{ID: "1", Pattern: "com.interop.ring.", Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)}}
	for name, login := range map[string]authn.Authenticator{
		"anonymous": authn.Anonymous(), "ticket": authn.Ticket("tick-app", p.Ticket["tick-app"]), "wampcra": authn.CRA("cra-plain", p.CRA["cra-plain"].Secret),
		"scram": authn.SCRAM("scram-pbkdf2", p.SCRAM["scram-pbkdf2"].Password, authn.CrossbarDialect()), "cryptosign": sign,
	} {
		for _, cd := range codecs {
			t.Run(name+" "+cd.Name(), func(t *testing.T) {
				optional, err := seal.NewProfile1(keys)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := attempt(t, rig.URLs["ws"], login, append(cell{"ws", cd}.options(), wamp.WithPayloadCodec(optional))...); err != nil {
					t.Error(err)
				}
				required, err := seal.NewProfile1(keys, seal.Required())
				if err != nil {
					t.Fatal(err)
				}
				var refused *seal.NegotiationError
				if _, err := attempt(t, rig.URLs["ws"], login, append(cell{"ws", cd}.options(), wamp.WithPayloadCodec(required))...); !errors.As(err, &refused) || refused.Field != "" && refused.Field != "established" {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// Crossbar does not announce payload passthru, and so nothing is sent to it in
// that form (TestPubSubFeaturesThatAreMissing). Made to send, this library still
// takes nothing for opened that was not: Crossbar takes what is said of the
// payload off, so that it arrives as some bytes.
func TestPassthruIsTakenOff(t *testing.T) {
	for _, cd := range codecs {
		t.Run(cd.Name(), func(t *testing.T) { testPassthruIsTakenOff(t, cell{"ws", cd}) })
	}
}

func testPassthruIsTakenOff(t *testing.T, c cell) {
	assumed := c.join(t, wamp.WithPayloadCodec(testRing(t)), wamp.Assume("payload_passthru_mode"))
	s := c.join(t, wamp.WithPayloadCodec(testRing(t)))
	p := newPartner(t, peerCell, "", nil)
	p.ask(t, "subscribe", request{"topic": sealedTopic})
	sub := subscribe(t, s, sealedTopic)
	publish(t, assumed, sealedTopic, wamp.Args("swordfish"))
	ev := next(t, sub)
	if _, err := ev.Args(); !errors.Is(err, seal.ErrPlain) || ev.Details.Has("ppt_scheme") {
		t.Errorf("%v, %v", err, ev.Details.Map())
	}
	if got := p.events(t, sealedTopic, 1)[0]; len(got.Args) != 1 || got.Args[0].T != "bytes" || got.Sealed != "" {
		t.Errorf("the peer got %s", show(got))
	}
	if _, err := s.Handle(limit(t), sealedTopic, func(_ context.Context, inv *wamp.Invocation) error {
		_, err := inv.Args()
		if !errors.Is(err, seal.ErrPlain) || inv.Details.Has("ppt_scheme") {
			t.Errorf("%v, %v", err, inv.Details.Map())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := assumed.Call(limit(t), sealedTopic, wamp.Args("swordfish")).Final(); err == nil {
		t.Error("the call has a result")
	}
}
