package seal_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

const secret = "the very secret text"

func key(id, pattern string, n byte) seal.Key {
	return seal.Key{ID: id, Pattern: pattern, Match: wamp.Prefix, Secret: bytes.Repeat([]byte{n}, 32)}
}

func ring(t *testing.T, keys ...seal.Key) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var join = sessiontest.Join

// nosy is a router's hook that looks for what it must not see.
func nosy(t *testing.T) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if bytes.Contains(x.Message.Args, []byte(secret)) || bytes.Contains(x.Message.Kwargs, []byte(secret)) {
			t.Errorf("%v shows the text", x.Message.Type)
		}
		return wamptest.Pass()
	}
}

func text(t *testing.T, p wamp.Payload) string {
	t.Helper()
	var s string
	if err := p.Scan(&s); err != nil {
		t.Errorf("scan: %v", err)
	}
	kw, err := p.Kwargs()
	if err != nil || !reflect.DeepEqual(kw, map[string]any{"also": secret}) {
		t.Errorf("kwargs %v, %v", kw, err)
	}
	return s
}

func payload() wamp.Payload { return wamp.Args(secret).With("also", secret) }

// Everything that has a payload, sealed, through a router that reads along.
func TestSealedEndToEnd(t *testing.T) {
	box := func(own, other byte) wamp.PayloadCodec {
		private, public := curve(own), pub(t, other)
		c, err := seal.NewCryptobox([]seal.BoxKey{{Prefix: "com.example", Private: private, Public: public}}, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	aes, nacl := key("k1", "com.example", 1), key("k1", "com.example", 1)
	nacl.Cipher = seal.SecretBox
	for name, tt := range map[string]struct {
		a, b   wamp.PayloadCodec
		router wamptest.Option
		chunks bool
	}{
		"AES":       {ring(t, aes), ring(t, aes), wamptest.WithHistory(10), true},
		"secretbox": {ring(t, nacl), ring(t, nacl), wamptest.WithHistory(10), true},
		"Autobahn":  {box(1, 2), box(2, 1), wamptest.CrossbarQuirks(), false},
	} {
		for _, cd := range []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR} {
			t.Run(name+" "+cd.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t, tt.router, wamptest.WithHook(nosy(t)))
					a := join(t, r, wamp.WithPayloadCodec(tt.a), wamp.WithSerializers(cd))
					b := join(t, r, wamp.WithPayloadCodec(tt.b)) // in CBOR
					ctx := t.Context()
					sub, err := b.Subscribe(ctx, "com.example", wamp.Match(wamp.Prefix))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := a.Publish(ctx, "com.example.topic", payload(), wamp.Acknowledge(), wamp.Retain()).Wait(); err != nil {
						t.Fatal(err)
					}
					a.Publish(ctx, "com.example.topic", payload())
					for range 2 {
						if ev := <-sub.Events(); text(t, ev.Payload) != secret {
							t.Error("another text")
						}
					}
					late, err := b.Subscribe(ctx, "com.example.topic", wamp.GetRetained())
					if err != nil {
						t.Fatal(err)
					}
					if ev := <-late.Events(); !ev.Retained || text(t, ev.Payload) != secret {
						t.Error("another text")
					}
					_, err = b.Handle(ctx, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error {
						if text(t, inv.Payload) != secret {
							t.Error("another text")
						}
						if err := inv.Progress(inv.Payload); err != nil {
							return err
						}
						if inv.Progressive() {
							return inv.Return(payload())
						}
						return wamp.NewError("com.example.error", payload())
					})
					if err != nil {
						t.Fatal(err)
					}
					n := 0
					for res := range a.Call(ctx, "com.example.proc", payload(), wamp.Progressive()) {
						if n++; res.Err != nil || text(t, res.Payload) != secret {
							t.Errorf("%+v", res)
						}
					}
					if n != 2 {
						t.Errorf("%d results", n)
					}
					res, err := a.Call(ctx, "com.example.proc", payload()).Final()
					var peer *wamp.Error
					if !errors.As(err, &peer) || peer.URI != "com.example.error" || text(t, peer.Payload) != secret || text(t, res.Payload) != secret {
						t.Errorf("%v", err)
					}
					if _, err := a.Call(ctx, "com.example.none", payload()).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) || !strings.Contains(err.Error(), "nobody") {
						t.Errorf("the dealer's own error: %v", err)
					}
					if n, err := meta.Of(a).CountSessions(ctx); n != 2 || err != nil {
						t.Errorf("the router's own procedures: %d, %v", n, err)
					}
					if !tt.chunks {
						return
					}
					events, err := sub.History(ctx, wamp.HistoryQuery{})
					if err != nil || len(events) != 2 {
						t.Fatal(err)
					}
					for ev := range events {
						if text(t, ev.Payload) != secret {
							t.Error("another text")
						}
					}
					_, err = b.Handle(ctx, "com.example.upload", func(_ context.Context, inv *wamp.Invocation) error {
						n := 0
						for p := range inv.Chunks() {
							if n++; text(t, p) != secret {
								t.Error("another text")
							}
						}
						return inv.Return(wamp.Args(n))
					})
					if err != nil {
						t.Fatal(err)
					}
					sum, err := a.CallFunc(ctx, "com.example.upload", func(_ context.Context, send func(wamp.Payload) error) error {
						for range 3 {
							if err := send(payload()); err != nil {
								return err
							}
						}
						return nil
					}).Final()
					var chunks int
					if err != nil || sum.Scan(&chunks) != nil || chunks != 3 {
						t.Errorf("%d chunks, %v", chunks, err)
					}
				})
			})
		}
	}
}

// What is not as it was sealed is an error on that message, and nothing else.
func TestTampered(t *testing.T) {
	good := key("k1", "com.example", 1)
	for name, tt := range map[string]struct {
		subscriber seal.Key
		hook       func(m *proto.Message, data []byte) ([]byte, bool) // of an EVENT; false: leave it
		details    func(d proto.Dict) proto.Dict
		want       error
	}{
		"wrong key":        {subscriber: key("k1", "com.example", 2), want: seal.ErrTampered},
		"other key id":     {subscriber: key("k2", "com.example", 1), want: seal.ErrNoKey},
		"key for others":   {subscriber: key("k1", "com.example.topics", 1), want: seal.ErrNoKey},
		"a bit":            {subscriber: good, hook: func(_ *proto.Message, d []byte) ([]byte, bool) { d[len(d)/2] ^= 1; return d, true }, want: seal.ErrTampered},
		"the nonce":        {subscriber: good, hook: func(_ *proto.Message, d []byte) ([]byte, bool) { d[0] ^= 1; return d, true }, want: seal.ErrTampered},
		"cut short":        {subscriber: good, hook: func(_ *proto.Message, d []byte) ([]byte, bool) { return d[:len(d)-1], true }, want: seal.ErrTampered},
		"all but nothing":  {subscriber: good, hook: func(_ *proto.Message, d []byte) ([]byte, bool) { return d[:5], true }, want: seal.ErrTampered},
		"empty":            {subscriber: good, hook: func(_ *proto.Message, d []byte) ([]byte, bool) { return []byte{}, true }, want: seal.ErrTampered},
		"another cipher":   {subscriber: good, details: func(d proto.Dict) proto.Dict { return d.With("ppt_cipher", "xsalsa20poly1305") }, want: seal.ErrFormat},
		"another scheme":   {subscriber: good, details: func(d proto.Dict) proto.Dict { return d.With("ppt_scheme", "wamp") }, want: seal.ErrFormat},
		"said to be plain": {subscriber: good, details: func(d proto.Dict) proto.Dict { return nil }, want: seal.ErrPlain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := true
				r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if !on || !x.Sent || x.Message.Type != proto.Event {
						return wamptest.Pass()
					}
					var data []byte
					if err := x.Payload().Scan(&data); err != nil {
						t.Error(err)
					}
					if tt.hook != nil {
						if data, ok := tt.hook(x.Message, bytes.Clone(data)); ok {
							if err := x.SetPayload(wamp.Args(data)); err != nil {
								t.Error(err)
							}
						}
					}
					if tt.details != nil {
						x.Message.Options = tt.details(x.Message.Options)
					}
					return wamptest.Pass()
				}))
				p := join(t, r, wamp.WithPayloadCodec(ring(t, good)))
				s := join(t, r, wamp.WithPayloadCodec(ring(t, tt.subscriber)))
				sub, err := s.Subscribe(t.Context(), "com.example.topic")
				if err != nil {
					t.Fatal(err)
				}
				p.Publish(t.Context(), "com.example.topic", payload())
				ev := <-sub.Events()
				var got string
				var bad *wamp.PayloadError
				if err := ev.Scan(&got); !errors.As(err, &bad) || !errors.Is(err, tt.want) || got != "" || bad.About.URI != "com.example.topic" {
					t.Errorf("%q, %v", got, err)
				}
				if _, err := ev.Args(); !errors.Is(err, tt.want) {
					t.Error(err)
				}
				if _, err := ev.Kwargs(); !errors.Is(err, tt.want) {
					t.Error(err)
				}
				if strings.Contains(bad.Error(), secret) {
					t.Error("the error shows the text")
				}
				if tt.subscriber.Secret[0] == 2 || tt.want == seal.ErrNoKey {
					return
				}
				on = false // the next message is none the worse
				p.Publish(t.Context(), "com.example.topic", payload())
				if ev := <-sub.Events(); text(t, ev.Payload) != secret {
					t.Error("another text")
				}
			})
		})
	}
}

// A router cannot pass one message off as another.
func TestSealedForOnePlace(t *testing.T) {
	r := ring(t, key("k1", "com.example", 1))
	places := []wamp.About{
		{Kind: wamp.PublishPayload, URI: "com.example.a"}, {Kind: wamp.PublishPayload, URI: "com.example.b"},
		{Kind: wamp.CallPayload, URI: "com.example.a"}, {Kind: wamp.ResultPayload, URI: "com.example.a"},
		{Kind: wamp.ErrorPayload, URI: "com.example.a", Error: "com.example.b"}, {Kind: wamp.ErrorPayload, URI: "com.example.ac", Error: "om.example.b"},
	}
	for i, from := range places {
		o, err := r.Seal(from, payload())
		if err != nil {
			t.Fatal(err)
		}
		for k, to := range places {
			if _, err := r.Open(to, o); (err == nil) != (i == k) || i != k && !errors.Is(err, seal.ErrTampered) {
				t.Errorf("%v as %v: %v", from, to, err)
			}
		}
	}
}

func TestRingPicksKeys(t *testing.T) {
	exact := seal.Key{ID: "exact", Pattern: "com.example.a", Secret: bytes.Repeat([]byte{3}, 32)}
	wildcard := seal.Key{ID: "wildcard", Pattern: "com..b", Match: wamp.Wildcard, Secret: bytes.Repeat([]byte{4}, 32)}
	old := key("old", "com.example", 5)
	old.OnlyOpen = true
	r := ring(t, old, wildcard, key("short", "com", 1), key("long", "com.example", 2), key("second", "com.example", 6), exact)
	for uri, want := range map[string]string{"com.example.a": "exact", "com.example.b": "long", "com.other": "short", "org": ""} {
		o, err := r.Seal(wamp.About{Kind: wamp.PublishPayload, URI: uri}, payload())
		if err != nil || (o == nil) != (want == "") || o != nil && o.KeyID != want {
			t.Errorf("%s: %+v, %v", uri, o, err)
		}
	}
	before := key("old", "com.example", 5)
	about := wamp.About{Kind: wamp.CallPayload, URI: "com.example.b"}
	o, err := ring(t, before).Seal(about, payload())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.Open(about, o); err != nil || text(t, p) != secret {
		t.Errorf("a key that was rotated: %v", err)
	}
	for _, bad := range []seal.Key{{}, {ID: "\xff", Pattern: "a", Secret: exact.Secret}, {ID: "short", Secret: []byte{1}}, {ID: "x", Pattern: "a b", Secret: exact.Secret}, {ID: "x", Pattern: "a", Cipher: "rot13", Secret: exact.Secret}} {
		if _, err := seal.NewRing([]seal.Key{bad}); err == nil {
			t.Errorf("%+v", bad)
		}
	}
	lenient, err := seal.NewRing([]seal.Key{exact}, seal.AllowPlain())
	if err != nil || lenient.Plain(wamp.About{URI: "com.example.a"}) != nil || r.Plain(wamp.About{URI: "org"}) != nil {
		t.Error("plain payloads are refused")
	}
}

// What must be sealed is not sent as it is, whatever the router lacks.
func TestSealedNeedsFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.PayloadPassthruMode)), wamptest.WithHook(nosy(t)))
		s := join(t, r, wamp.WithPayloadCodec(ring(t, key("k1", "com.example", 1))))
		plain := join(t, r)
		ctx := t.Context()
		var missing *wamp.FeatureError
		if ack := <-s.Publish(ctx, "com.example.topic", payload()); !errors.As(ack.Err, &missing) {
			t.Error(ack.Err)
		}
		if ack := <-s.Publish(ctx, "com.example.topic", payload(), wamp.Acknowledge()); !errors.As(ack.Err, &missing) {
			t.Error(ack.Err)
		}
		if _, err := s.Call(ctx, "com.example.proc", payload()).Final(); !errors.As(err, &missing) || missing.Feature != proto.PayloadPassthruMode {
			t.Error(err)
		}
		if _, err := s.Handle(ctx, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error {
			if err := inv.Return(payload()); !errors.As(err, &missing) {
				t.Error(err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Call(ctx, "com.example.proc", wamp.Args()).Final(); !errors.Is(err, wamp.ErrInvalidPayload) {
			t.Error(err)
		}
		if _, err := s.Publish(ctx, "com.other.topic", wamp.Args(1), wamp.Acknowledge()).Wait(); err != nil {
			t.Error(err)
		}
	})
}

// A testament is sealed as the event that it becomes; where it cannot be, it is
// not left at all.
func TestSealedTestament(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := ring(t, key("k1", "com.example", 1))
		r := wamptest.NewRouter(t, wamptest.WithHook(nosy(t)))
		ctx := t.Context()
		b := join(t, r, wamp.WithPayloadCodec(keys))
		sub, err := b.Subscribe(ctx, "com.example.gone")
		if err != nil {
			t.Fatal(err)
		}
		for _, cd := range []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR} {
			a := join(t, r, wamp.WithPayloadCodec(keys), wamp.WithSerializers(cd))
			if err := a.AddTestament(ctx, wamp.Destroyed, "com.example.gone", payload(), wamp.DiscloseMe()); err != nil {
				t.Fatal(err)
			}
			id := a.ID()
			r.Cut(id)
			if ev := <-sub.Events(); text(t, ev.Payload) != secret || ev.Publisher().Session != id {
				t.Errorf("%s: another event: %+v", cd.Name(), ev)
			}
		}
		without := wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.PayloadPassthruMode)), wamptest.WithHook(nosy(t)))
		var missing *wamp.FeatureError
		if err := join(t, without, wamp.WithPayloadCodec(keys)).AddTestament(ctx, wamp.Destroyed, "com.example.gone", payload()); !errors.As(err, &missing) {
			t.Error(err)
		}
		box, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(1), Public: pub(t, 2)}}, false)
		if err != nil {
			t.Fatal(err)
		}
		crossbar := wamptest.NewRouter(t, wamptest.CrossbarQuirks(), wamptest.WithHook(nosy(t)))
		err = join(t, crossbar, wamp.WithPayloadCodec(box)).AddTestament(ctx, wamp.Destroyed, "com.example.gone", payload())
		if err == nil || !strings.Contains(err.Error(), "Autobahn") {
			t.Error(err)
		}
	})
}

func curve(n byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i) + 32*(n-1)
	}
	return b
}

// pub is the public key of curve(n), as PyNaCl gives it.
func pub(t *testing.T, n byte) []byte {
	t.Helper()
	b, err := hex.DecodeString(map[byte]string{
		1: "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f",
		2: "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
	}[n])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What autobahn-python 26.10.2 with PyNaCl 1.6.2 has sealed, with curve(1) as the
// originator's key and curve(2) as the responder's.
func TestAutobahnGolden(t *testing.T) {
	c, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(2), Public: pub(t, 1)}}, false)
	if err != nil {
		t.Fatal(err)
	}
	about := wamp.About{Kind: wamp.PublishPayload, URI: "com.example.topic"}
	for data, want := range map[string]struct {
		args   []any
		kwargs map[string]any
	}{
		"8dc1d3b0712c63c32b90b50ef292d50a0f3caf6ddfd6cbbcb827a8bc99fa41cb0485c3e1d9e54147632a7130b72ba8da080a15d8e19eb39fec43efe6ebb63810" +
			"a7366067a9839f80d081a04aea90ecb1695752d95d695fe099b3698afcf1cedf3d13e3081efe7ef4cefe749bf8521184": {[]any{int64(1), "zwei", nil}, map[string]any{"drei": 3.5}},
		"859ee3abbc34f68c78eacc2c497cda62a6aad0d962fbe225b010883be14a8ae10cba224138afd430ee16388f91014a9704fd78fbc269df0b8e5d0185fdf175ae" +
			"7ae79286cd6e4eb94fd076e91cfac5c4bdce5decdaed3d5efc9d3692e2": {nil, nil},
	} {
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		o := &wamp.Opaque{Autobahn: true, Cipher: "cryptobox", Serializer: "json", Data: raw}
		p, err := c.Open(about, o)
		if err != nil {
			t.Fatal(err)
		}
		args, _ := p.Args()
		kwargs, _ := p.Kwargs()
		if !reflect.DeepEqual(args, want.args) || !reflect.DeepEqual(kwargs, want.kwargs) {
			t.Errorf("%v, %v", args, kwargs)
		}
		if _, err := c.Open(wamp.About{Kind: wamp.PublishPayload, URI: "com.example.other"}, o); err == nil {
			t.Error("opened under another URI")
		}
		raw[30] ^= 1
		if _, err := c.Open(about, o); !errors.Is(err, seal.ErrTampered) {
			t.Error(err)
		}
	}
}
