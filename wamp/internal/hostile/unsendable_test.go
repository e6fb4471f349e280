package hostile_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

type label struct {
	Name string `json:"name"`
}

type unnamed struct {
	Keys map[float64]int `json:"keys"`
}

// unsendable are the values for which a router would cut the link, or a library
// would not come back.
func unsendable(c codec.Codec) map[string]any {
	loop := &tree{}
	loop.Child = []*tree{{Parent: loop}}
	ring := []any{nil}
	ring[0] = ring
	mapped := map[string]any{}
	mapped["self"] = mapped
	values := map[string]any{
		"UTF-8":              "\xff",
		"UTF-8 in a struct":  label{"\xff"},
		"UTF-8 in a key":     map[string]int{"\xff": 1},
		"UTF-8 of a list":    []string{"a", "\xc3"},
		"float keys":         unnamed{map[float64]int{1.5: 1}},
		"struct keys":        map[label]int{{"a"}: 1},
		"bool keys":          map[bool]int{true: 1},
		"tree":               loop,
		"ring":               ring,
		"map in itself":      mapped,
		"too deep":           nested(200),
		"panics":             panickingMarshaler{},
		"pointer to a panic": &struct{ A any }{panickingMarshaler{}},
		"channel":            make(chan int),
	}
	if c == codec.JSON {
		values["NaN"] = math.NaN()
		values["Inf"] = map[string]any{"a": []float64{math.Inf(1)}}
	}
	return values
}

// What a router would cut the link for is the error of the operation, and
// nothing of it is sent, whatever way it was to go.
func TestUnsendable(t *testing.T) {
	for _, c := range serializers {
		for name, v := range unsendable(c) {
			onlyIn(t, c, name, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, caller := join(t, r, wamp.WithSerializers(c), log.Option()), join(t, r)
				bad, ctx := wamp.Args(1, v), t.Context()
				handle(t, s, "com.example.echo", echo)
				handle(t, s, "com.example.sum", func(_ context.Context, inv *wamp.Invocation) error {
					for range inv.Chunks() {
					}
					return inv.Return(wamp.Args(1))
				})
				returned := make(chan error, 4)
				handle(t, s, "com.example.return", func(_ context.Context, inv *wamp.Invocation) error {
					returned <- inv.Return(bad)
					return nil
				})
				handle(t, s, "com.example.error", func(context.Context, *wamp.Invocation) error { return wamp.NewError("com.example.own", bad) })
				handle(t, s, "com.example.fail", func(_ context.Context, inv *wamp.Invocation) error {
					returned <- inv.Fail(wamp.NewError("com.example.own", bad))
					return nil
				})
				handle(t, s, "com.example.progress", func(_ context.Context, inv *wamp.Invocation) error {
					returned <- inv.Progress(bad)
					return inv.Return(wamp.Args(7))
				})
				sends := func(_ context.Context, send func(wamp.Payload) error) error { return send(bad) }
				link := s.ID()
				for what, err := range map[string]error{
					"Call":          lastErr(s.Call(ctx, "com.example.echo", bad)),
					"Call, kwargs":  lastErr(s.Call(ctx, "com.example.echo", wamp.Args().With("a", v))),
					"Idempotent":    lastErr(s.Call(ctx, "com.example.echo", bad, wamp.Idempotent())),
					"CallFunc":      lastErr(s.CallFunc(ctx, "com.example.sum", sends)),
					"CallStream":    lastErr(s.CallStream(ctx, "com.example.sum", filled(bad))),
					"second chunk":  lastErr(s.CallStream(ctx, "com.example.sum", filled(wamp.Args(1), bad))),
					"Publish":       lastAck(s.Publish(ctx, "com.example.topic", bad)),
					"Acknowledge":   lastAck(s.Publish(ctx, "com.example.topic", bad, wamp.Acknowledge())),
					"PublishFunc":   lastAck(s.PublishFunc(ctx, "com.example.topic", sends)),
					"PublishStream": lastAck(s.PublishStream(ctx, "com.example.topic", filled(wamp.Args(1), bad))),
				} {
					unsent(t, what, err)
				}
				for uri, want := range map[string]string{"return": proto.ErrURIInvalidPayload, "error": proto.ErrURIInvalidPayload,
					"fail": proto.ErrURIInvalidPayload, "progress": ""} {
					err := lastErr(caller.Call(ctx, "com.example."+uri, wamp.Args(), wamp.Progressive()))
					if wamp.ErrorURI(err) != want || want == "" && err != nil {
						t.Errorf("the caller of %s got %v", uri, err)
					}
					if uri != "error" {
						unsent(t, uri, <-returned)
					}
				}
				alive(t, s)
				if s.ID() != link || s.Stats().Reconnects != 0 || len(r.Stats().Violations) != 0 {
					t.Error("it cost the link")
				}
			})
		}
	}
}

func unsent(t *testing.T, what string, err error) {
	t.Helper()
	var bad *wamp.EncodeError
	if !errors.As(err, &bad) || bad.Path == "" && bad.Reason == "" || len(err.Error()) > 400 {
		t.Errorf("%s: %T %.300v", what, err, err)
	}
}

// A testament and an option that cannot be sent are errors of theirs too.
func TestUnsendableElsewhere(t *testing.T) {
	for _, c := range serializers {
		for name, v := range unsendable(c) {
			onlyIn(t, c, name, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithSerializers(c), wamp.WithLogger(slog.New(slog.DiscardHandler)))
				handle(t, s, "com.example.echo", echo)
				ctx := t.Context()
				only := func(_ any, err error) error { return err }
				for what, err := range map[string]error{
					"testament":      s.AddTestament(ctx, wamp.Destroyed, "com.example.topic", wamp.Args(v)),
					"Set, call":      lastErr(s.Call(ctx, "com.example.echo", wamp.Args(7), wamp.Set("x_odd", v))),
					"Set, publish":   lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7), wamp.Set("x_odd", v))),
					"Set, acked":     lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7), wamp.Acknowledge(), wamp.Set("x_odd", v))),
					"Set, subscribe": only(s.Subscribe(ctx, "com.example.topic", wamp.Set("x_odd", v))),
					"Set, register":  only(s.Register(ctx, "com.example.proc", wamp.Set("x_odd", v))),
					"Set, stream":    lastAck(s.PublishStream(ctx, "com.example.topic", filled(wamp.Args(1)), wamp.Set("x_odd", v))),
				} {
					if err == nil || len(err.Error()) > 400 {
						t.Errorf("%s: %.300v", what, err)
					}
				}
				synctest.Wait()
				alive(t, s)
				if len(r.Stats().Violations) != 0 {
					t.Error(r.Stats().Violations)
				}
			})
		}
	}
}

// Options that a router would cut the link for are errors too, before anything is
// sent; also where nobody waits for an acknowledgement.
func TestUnsendableOptions(t *testing.T) {
	const bad = "com.\xff"
	only := func(_ any, err error) error { return err }
	for name, op := range map[string]func(ctx context.Context, s *wamp.Session, o wamp.EventOption) error{
		"Publish": func(ctx context.Context, s *wamp.Session, o wamp.EventOption) error {
			return lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7), o))
		},
		"Acknowledge": func(ctx context.Context, s *wamp.Session, o wamp.EventOption) error {
			return lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7), o, wamp.Acknowledge()))
		},
		"PublishStream": func(ctx context.Context, s *wamp.Session, o wamp.EventOption) error {
			return lastAck(s.PublishStream(ctx, "com.example.topic", filled(wamp.Args(7)), o))
		},
		"testament": func(ctx context.Context, s *wamp.Session, o wamp.EventOption) error {
			return s.AddTestament(ctx, wamp.Destroyed, "com.example.topic", wamp.Args(7), o)
		},
	} {
		onlyIn(t, codec.CBOR, name, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r)
			link := s.ID()
			for what, o := range map[string]wamp.EventOption{
				"EligibleAuthID": wamp.EligibleAuthID("joe", bad), "EligibleAuthRole": wamp.EligibleAuthRole(bad),
				"ExcludeAuthID": wamp.ExcludeAuthID(bad), "ExcludeAuthRole": wamp.ExcludeAuthRole(bad),
				"Exclude": wamp.Exclude(1, 1<<53+1), "Eligible": wamp.Eligible(0), "RoutingKey": wamp.RoutingKey(bad),
				"disclose_me": wamp.Set("disclose_me", "yes"), "exclude": wamp.Set("exclude", "joe"), "acknowledge": wamp.Set("acknowledge", 1),
				"enc_algo": wamp.Set("enc_algo", "rot13"), "ppt_scheme": wamp.Set("ppt_scheme", 5),
			} {
				if err := op(t.Context(), s, o); err == nil || len(err.Error()) > 300 || !strings.Contains(err.Error(), what) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for what, err := range map[string]error{
				"timeout":      lastErr(s.Call(t.Context(), "com.example.echo", wamp.Args(7), wamp.Set("timeout", -1))),
				"progress":     lastErr(s.CallStream(t.Context(), "com.example.echo", filled(wamp.Args(7)), wamp.Set("progress", "yes"))),
				"RoutingKey":   lastErr(s.Call(t.Context(), "com.example.echo", wamp.Args(7), wamp.RoutingKey(bad))),
				"NodeKey":      only(s.Subscribe(t.Context(), "com.example.topic", wamp.NodeKey(bad))),
				"get_retained": only(s.Subscribe(t.Context(), "com.example.topic", wamp.Set("get_retained", 1))),
				"match":        only(s.Register(t.Context(), "com.example.proc", wamp.Set("match", "fuzzy"))),
			} {
				if err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("%s: %v", what, err)
				}
			}
			sub := subscribe(t, s, "com.example.topic", wamp.Match("")) // none: the default
			if err := sub.Unsubscribe(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if s.ID() != link || s.Err() != nil || len(r.Stats().Violations) != 0 {
				t.Errorf("it cost the link: %v", s.Err())
			}
		})
	}
}

// sealsOddly names what it has sealed as no router takes it.
type sealsOddly struct{ seal.Opaque }

func (c sealsOddly) Seal(seal.About, wamp.Payload) (*seal.Opaque, error) { return &c.Opaque, nil }
func (c sealsOddly) Open(seal.About, *seal.Opaque) (wamp.Payload, error) { return wamp.Args(7), nil }
func (c sealsOddly) Plain(seal.About) error                              { return nil }

func TestUnsendablePayloadCodecs(t *testing.T) {
	for name, o := range map[string]seal.Opaque{
		"scheme": {Scheme: "x_\xff"}, "key": {Scheme: "x_a", KeyID: "\xff"}, "cipher": {Scheme: "x_a", Cipher: "\xff"}, "serializer": {Scheme: "x_a", Serializer: "\xff"},
		"Autobahn": {Autobahn: true, Cipher: "rot13"}, "Autobahn's key": {Autobahn: true, Cipher: "cryptobox", KeyID: "\xff"}, "no algorithm": {Autobahn: true}, "no scheme": {KeyID: "k"},
	} {
		onlyIn(t, codec.CBOR, name, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, caller := join(t, r, wamp.WithPayloadCodec(sealsOddly{o})), join(t, r)
			link, ctx := s.ID(), t.Context()
			handle(t, s, "com.example.echo", echo)
			var bad *seal.PayloadError
			for what, err := range map[string]error{
				"Call":        lastErr(s.Call(ctx, "com.example.echo", wamp.Args(7))),
				"Publish":     lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7))),
				"Acknowledge": lastAck(s.Publish(ctx, "com.example.topic", wamp.Args(7), wamp.Acknowledge())),
				"testament":   s.AddTestament(ctx, wamp.Destroyed, "com.example.topic", wamp.Args(7)),
			} {
				if !errors.As(err, &bad) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := lastErr(caller.Call(ctx, "com.example.echo", wamp.Args(7))); !errors.Is(err, wamp.ErrInvalidPayload) {
				t.Error(err)
			}
			synctest.Wait()
			if s.ID() != link || s.Err() != nil || len(r.Stats().Violations) != 0 {
				t.Errorf("it cost the link: %v", s.Err())
			}
		})
	}
}
