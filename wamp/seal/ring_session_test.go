package seal_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Everything that has a payload, sealed, through a router that reads along.
func TestSealedEndToEnd(t *testing.T) {
	box := func(own, other byte) seal.Codec {
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
		a, b   seal.Codec
		router wamptest.Option
		chunks bool
	}{
		"AES":                  {ring(t, aes), ring(t, aes), wamptest.WithHistory(10), true},
		"secretbox":            {ring(t, nacl), ring(t, nacl), wamptest.WithHistory(10), true},
		"Autobahn":             {box(1, 2), box(2, 1), wamptest.CrossbarQuirks(), false},
		"profile 1, AES":       {profile1(t, nil, aes), profile1(t, nil, aes), wamptest.WithHistory(10), true},
		"profile 1, secretbox": {profile1(t, nil, nacl), profile1(t, nil, nacl), wamptest.WithHistory(10), true},
	} {
		for _, cd := range codec.All() {
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
				var bad *seal.PayloadError
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
	for _, keys := range []seal.Codec{ring(t, key("k1", "com.example", 1)), profile1(t, nil, key("k1", "com.example", 1))} {
		synctest.Test(t, func(t *testing.T) { testaments(t, keys) })
	}
	synctest.Test(t, func(t *testing.T) {
		box, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(1), Public: pub(t, 2)}}, false)
		if err != nil {
			t.Fatal(err)
		}
		crossbar := wamptest.NewRouter(t, wamptest.CrossbarQuirks(), wamptest.WithHook(nosy(t)))
		err = join(t, crossbar, wamp.WithPayloadCodec(box)).AddTestament(t.Context(), wamp.Destroyed, "com.example.gone", payload())
		if err == nil || !strings.Contains(err.Error(), "Autobahn") {
			t.Error(err)
		}
	})
}

func testaments(t *testing.T, keys seal.Codec) {
	r := wamptest.NewRouter(t, wamptest.WithHook(nosy(t)))
	ctx := t.Context()
	b := join(t, r, wamp.WithPayloadCodec(keys))
	sub, err := b.Subscribe(ctx, "com.example.gone")
	if err != nil {
		t.Fatal(err)
	}
	for _, cd := range codec.All() {
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
}
