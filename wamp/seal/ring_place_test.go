package seal_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// say makes a router say that a message is of another URI.
func say(typ proto.MessageType, key, uri string) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == typ {
			x.Message.Options = x.Message.Options.With(key, uri)
		}
		return wamptest.Pass()
	}
}

// A router that names another topic can neither pass another topic's event off
// as this one's, nor a plain one as one that need not be sealed.
func TestRouterNamesAnotherTopic(t *testing.T) {
	for name, tt := range map[string]struct {
		topic string
		match wamp.MatchPolicy
		said  string
		want  error
	}{
		"exact, sealed for the other":    {"com.example.a", wamp.Exact, "com.example.b", seal.ErrTampered},
		"exact, plain":                   {"com.example.a", wamp.Exact, "org.other", seal.ErrPlain},
		"exact, plain, as the router's":  {"com.example.a", wamp.Exact, "wamp.session.on_join", seal.ErrPlain},
		"prefix, plain":                  {"com.example", wamp.Prefix, "org.other", seal.ErrPlain},
		"prefix, plain, as the router's": {"com.example", wamp.Prefix, "wamp.session.on_join", seal.ErrPlain},
		"wildcard, sealed for the other": {"com.example..b", wamp.Wildcard, "com.example.a.c", seal.ErrTampered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := ring(t, key("k1", "com.example", 1))
				o, err := keys.Seal(seal.About{Kind: seal.KindPublish, URI: tt.said}, payload())
				if err != nil {
					t.Fatal(err)
				}
				r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if x.Sent && x.Message.Type == proto.Event && o != nil {
						x.Message.Options = x.Message.Options.With("ppt_scheme", o.Scheme).With("ppt_serializer", o.Serializer).
							With("ppt_cipher", o.Cipher).With("ppt_keyid", o.KeyID)
						if err := x.SetPayload(wamp.Args(o.Data)); err != nil {
							t.Error(err)
						}
					}
					return say(proto.Event, "topic", tt.said)(x)
				}))
				forger, s := join(t, r), join(t, r, wamp.WithPayloadCodec(keys))
				sub, err := s.Subscribe(t.Context(), tt.topic, wamp.Match(tt.match))
				if err != nil {
					t.Fatal(err)
				}
				topic := tt.topic
				if tt.match != wamp.Exact {
					topic = "com.example.a.b"
				}
				forger.Publish(t.Context(), topic, wamp.Args("forged"))
				var got string
				ev := <-sub.Events()
				if err := ev.Scan(&got); !errors.Is(err, tt.want) {
					t.Errorf("%q, %v, topic %s", got, err, ev.Topic)
				}
			})
		})
	}
}

// A router that names another procedure gets neither a plain answer, nor a plain
// payload through.
func TestRouterNamesAnotherProcedure(t *testing.T) {
	for name, tt := range map[string]struct {
		procedure string
		match     wamp.MatchPolicy
		said      string
	}{
		"exact":                  {"com.example.a", wamp.Exact, "org.other"},
		"exact, as the router's": {"com.example.a", wamp.Exact, "wamp.session.count"},
		"prefix":                 {"com.example", wamp.Prefix, "org.other"},
		"wildcard":               {"com.example..", wamp.Wildcard, "wamp.session.count"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := ring(t, key("k1", "com.example", 1))
				look := nosy(t)
				r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					say(proto.Invocation, "procedure", tt.said)(x)
					return look(x)
				}))
				a, s := join(t, r), join(t, r, wamp.WithPayloadCodec(keys))
				if _, err := s.Handle(t.Context(), tt.procedure, func(_ context.Context, inv *wamp.Invocation) error {
					var n int
					if err := inv.Scan(&n); !errors.Is(err, seal.ErrPlain) {
						t.Errorf("%d, %v", n, err)
					}
					if err := inv.Progress(payload()); err != nil {
						t.Error(err)
					}
					return wamp.NewError("com.example.error", payload())
				}, wamp.Match(tt.match)); err != nil {
					t.Fatal(err)
				}
				procedure := tt.procedure
				if tt.match != wamp.Exact {
					procedure = "com.example.a.b"
				}
				a.Call(t.Context(), procedure, wamp.Args(1), wamp.Progressive()).Final()
			})
		})
	}
}

// An error of a progressive call's producer is its own, also where another
// callee has said it: it is not opened again, nor changed.
func TestProducersErrorIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := ring(t, key("k1", "com.example", 1))
		r := wamptest.NewRouter(t)
		a, b := join(t, r, wamp.WithPayloadCodec(keys)), join(t, r, wamp.WithPayloadCodec(keys))
		for name, h := range map[string]wamp.Handler{
			"com.example.fails": func(context.Context, *wamp.Invocation) error { return wamp.NewError("com.example.error", payload()) },
			"com.example.upload": func(ctx context.Context, inv *wamp.Invocation) error {
				<-ctx.Done()
				return ctx.Err()
			},
		} {
			if _, err := b.Handle(t.Context(), name, h); err != nil {
				t.Fatal(err)
			}
		}
		_, said := a.Call(t.Context(), "com.example.fails", payload()).Final()
		_, err := a.CallFunc(t.Context(), "com.example.upload", func(_ context.Context, send func(wamp.Payload) error) error {
			if err := send(payload()); err != nil {
				return err
			}
			return said
		}).Final()
		var peer *wamp.Error
		if !errors.As(err, &peer) || text(t, peer.Payload) != secret {
			t.Error(err)
		}
	})
}

// Who has no codec finds Autobahn's form neither empty nor readable, and cannot
// send it on: the bytes in the place of the arguments would end the session.
func TestOpaqueIsNotSentOn(t *testing.T) {
	for _, cd := range codec.All() {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.CrossbarQuirks())
			box, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(1), Public: pub(t, 2)}}, true)
			if err != nil {
				t.Fatal(err)
			}
			a, b := join(t, r, wamp.WithPayloadCodec(box)), join(t, r, wamp.WithSerializers(cd))
			if _, err := b.Handle(t.Context(), "com.example.echo", func(_ context.Context, inv *wamp.Invocation) error {
				var s string
				if err := inv.Scan(&s); err == nil || inv.Empty() || !inv.Opaque() || len(inv.Chunks()) != 1 {
					t.Errorf("scanned %q, empty %v, opaque %v", s, inv.Empty(), inv.Opaque())
				}
				return inv.Return(inv.Payload)
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Call(t.Context(), "com.example.echo", payload()).Final(); !errors.Is(err, wamp.ErrInvalidPayload) || b.Err() != nil {
				t.Errorf("%v; the callee's session: %v", err, b.Err())
			}
		})
	}
}
