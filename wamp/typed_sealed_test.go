package wamp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// sealing is the option of a session that seals what goes to URIs with a prefix.
func sealing(prefix string) wamp.Option { return wamp.WithPayloadCodec(payloadCodecs(prefix)["ring"]) }

// payloadCodecs are the codecs that make something else of what goes to URIs with a prefix.
func payloadCodecs(prefix string) map[string]seal.Codec {
	keys := []seal.Key{{ID: "1", Pattern: prefix, Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)}}
	return map[string]seal.Codec{"ring": value(seal.NewRing(keys)), "profile 1": value(seal.NewProfile1(keys)),
		"native": value(seal.PassThru("x_test", "")), "json": value(seal.PassThru("x_test", "json")), "msgpack": value(seal.PassThru("x_test", "msgpack"))}
}

// box is a payload codec that opens what its mode says.
type box struct{ mode string }

func (box) Plain(seal.About) error { return nil }

func (box) Seal(about seal.About, _ codec.Payload) (*seal.Opaque, error) {
	if about.Kind == seal.KindError {
		return nil, nil
	}
	return &seal.Opaque{Scheme: "x_box", Serializer: "cbor", Data: []byte("z")}, nil
}

func (b box) Open(seal.About, *seal.Opaque) (codec.Payload, error) {
	switch b.mode {
	case "kwargs":
		return wamp.Kwargs(pair{1, "x"}), nil
	case "args":
		return wamp.Args(pair{1, "x"}), nil
	case "error":
		return wamp.Payload{}, errors.New("vault at 10.0.0.7: swordfish")
	}
	panic("swordfish in the vault")
}

// TestServeOpenedPayload has payload codecs that open in many ways: the handler gets what
// was opened, and the caller is not told what the codec has said.
func TestServeOpenedPayload(t *testing.T) {
	for _, mode := range []string{"kwargs", "args", "error", "panic"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, callee := join(t, r, wamp.WithPayloadCodec(box{"args"})), join(t, r, wamp.WithPayloadCodec(box{mode}), log.Option())
				var got []string
				_, err := wamp.Serve(t.Context(), callee, "com.example.serve", func(_ context.Context, in pair) (pair, error) {
					got = append(got, fmt.Sprint("serve ", in))
					return in, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				v, err := wamp.Call[pair](t.Context(), s, "com.example.serve", wamp.Args(1))
				switch mode {
				case "kwargs", "args":
					if err != nil || v != (pair{1, "x"}) || fmt.Sprint(got) != "[serve {1 x}]" {
						t.Errorf("the handler got %v, %v", got, err)
					}
				default:
					var e *wamp.Error
					if !errors.Is(err, wamp.ErrInvalidPayload) || !errors.As(err, &e) || e.NArgs() > 0 || strings.Contains(err.Error(), "swordfish") || len(got) > 0 {
						t.Errorf("the handler got %v; %v", got, err)
					}
					synctest.Wait()
					log.Has(t, "swordfish")
				}
			})
		})
	}
}

// TestServeSealedKwargs has keyword arguments that were sealed: they fill a struct as others
// do, and both parts are refused.
func TestServeSealedKwargs(t *testing.T) {
	for _, c := range serializers {
		for name, payloads := range payloadCodecs("com.example") {
			t.Run(c.Name()+" "+name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { serveKwargs(t, c, payloads) }) })
		}
	}
}

func serveKwargs(t *testing.T, c codec.Codec, payloads seal.Codec) {
	var log logged
	r := wamptest.NewRouter(t)
	s := join(t, r, wamp.WithSerializers(c), wamp.WithPayloadCodec(payloads), log.Option())
	served[pair](t, s)
	handle(t, s, "com.example.echo", echo)
	if v, err := wamp.Call[pair](t.Context(), s, "com.example.served", wamp.Kwargs(pair{1, "x"})); err != nil || v != (pair{1, "x"}) {
		t.Errorf("%s: Serve: %v, %v", c.Name(), v, err)
	}
	if v, err := wamp.Call[pair](t.Context(), s, "com.example.echo", wamp.Kwargs(pair{1, "x"})); err != nil || v != (pair{1, "x"}) {
		t.Errorf("%s: Call: %v, %v", c.Name(), v, err)
	}
	if v, err := wamp.Call[pair](t.Context(), s, "com.example.echo", wamp.Args(pair{1, "x"}).With("a", 2)); err == nil {
		t.Errorf("%s: both parts: %v", c.Name(), v)
	}
	if v, err := wamp.Call[any](t.Context(), s, "com.example.echo", wamp.Kwargs(pair{1, "x"})); err != nil {
		t.Errorf("%s: any: %v, %v", c.Name(), v, err)
	}
	got := make(chan pair, 1)
	_, _ = wamp.On(t.Context(), s, "com.example.t", func(_ context.Context, ev wamp.EventOf[pair]) error { got <- ev.Value; return nil })
	_, _ = s.Publish(t.Context(), "com.example.t", wamp.Kwargs(pair{1, "x"}), wamp.Acknowledge(), wamp.ExcludeMe(false)).Wait()
	synctest.Wait()
	if len(got) != 1 {
		t.Errorf("%s: On: the event was not handled: %s", c.Name(), log.String())
	}
}

// TestStreamSealedEnd ends streams with a result without arguments that was sealed, or
// replaced by an interceptor: a loop ends with it.
func TestStreamSealedEnd(t *testing.T) {
	replace := wamp.InterceptorFuncs{ProgressFunc: func(_ context.Context, op *wamp.Op, part *wamp.Part) error {
		if op.Kind == wamp.OpCall && !part.Sent && part.Last {
			part.Payload = wamp.Payload{}
		}
		return nil
	}}
	for name, option := range map[string]wamp.Option{"sealed": sealing("com.example"), "replaced": wamp.WithInterceptors(replace)} {
		for what, last := range map[string]wamp.Payload{"empty": {}, "keywords": wamp.Kwargs(d{"a": 1})} {
			t.Run(name+" "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := join(t, wamptest.NewRouter(t), option)
					parts(t, s, wamp.Args(1), last)
					count := func(loop func() int) (n int) {
						defer func() {
							if p := recover(); p != nil {
								t.Errorf("the loop panics: %v", p)
							}
						}()
						return loop()
					}
					want := 1
					if what == "keywords" && name == "sealed" {
						want = 2
					}
					if n := count(func() (n int) {
						for _, err := range wamp.Stream[wamp.Payload](t.Context(), s, "com.example.parts", wamp.Args()) {
							if err != nil {
								t.Error(err)
							}
							n++
						}
						return n
					}); n != want {
						t.Errorf("%d payloads, want %d", n, want)
					}
					if n := count(func() (n int) {
						for range wamp.Stream[struct{}](t.Context(), s, "com.example.parts", wamp.Args()) {
							n++
						}
						return n
					}); n != want {
						t.Errorf("%d times nothing, want %d", n, want)
					}
				})
			})
		}
	}
}

// TestServeChunksSealed has an input that is the same whether it was sealed or not, and with
// interceptors.
func TestServeChunksSealed(t *testing.T) {
	for name, options := range map[string][]wamp.Option{"plain": nil, "sealed": {sealing("com.example")}, "intercepted": idle(true)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := join(t, wamptest.NewRouter(t), options...)
				_, _ = wamp.ServeChunks(t.Context(), s, "com.example.up", func(_ context.Context, in iter.Seq2[int, error], _ func(int) error) (string, error) {
					got := ""
					for v, err := range in {
						got += fmt.Sprint(v, err, ";")
					}
					return got, nil
				})
				for what, f := range map[string]func() (string, error){
					"empty call": func() (string, error) { return wamp.Call[string](t.Context(), s, "com.example.up", wamp.Args()) },
					"one":        func() (string, error) { return wamp.Call[string](t.Context(), s, "com.example.up", wamp.Args(1)) },
					"chunks": func() (string, error) {
						return wamp.OpenCall[int, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(int) error) error {
							return errors.Join(send(1), send(2))
						}).Result()
					},
					"last": func() (string, error) {
						return wamp.OpenCall[wamp.Payload, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(wamp.Payload) error) error {
							return errors.Join(send(wamp.Args(1)), send(wamp.Args(2).Last()))
						}).Result()
					},
					"empty last": func() (string, error) {
						return wamp.OpenCall[wamp.Payload, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(wamp.Payload) error) error {
							return errors.Join(send(wamp.Args(1)), send(wamp.Payload{}.Last()))
						}).Result()
					},
					"only last": func() (string, error) {
						return wamp.OpenCall[wamp.Payload, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(wamp.Payload) error) error {
							return errors.Join(send(wamp.Payload{}.Last()))
						}).Result()
					},
					"nothing": func() (string, error) {
						return wamp.OpenCall[wamp.Payload, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(wamp.Payload) error) error {
							return nil
						}).Result()
					},
					"after last": func() (string, error) {
						return wamp.OpenCall[wamp.Payload, int, string](t.Context(), s, "com.example.up", func(_ context.Context, send func(wamp.Payload) error) error {
							_ = send(wamp.Args(1).Last())
							if err := send(wamp.Args(2)); !errors.Is(err, wamp.ErrCallEnded) {
								t.Error(err)
							}
							return nil
						}).Result()
					},
				} {
					got, err := f()
					want := map[string]string{"empty call": "", "only last": "", "nothing": "", "one": "1 <nil>;", "after last": "1 <nil>;", "empty last": "1 <nil>;", "chunks": "1 <nil>;2 <nil>;", "last": "1 <nil>;2 <nil>;"}[what]
					if got != want || err != nil {
						t.Errorf("%s: %q %v, want %q", what, got, err, want)
					}
				}
			})
		})
	}
}

// TestErrorPassesSessions passes an error of an application, with its payload, through
// sessions of any serializers, and sealed ones.
func TestErrorPassesSessions(t *testing.T) {
	for _, a := range serializers {
		for _, b := range serializers {
			for _, how := range []string{"plain", "inner sealed", "outer sealed", "both"} {
				t.Run(fmt.Sprint(a.Name(), "/", b.Name(), "/", how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						var in, out []wamp.Option
						if how == "inner sealed" || how == "both" {
							in = append(in, sealing("com.inner"))
						}
						if how == "outer sealed" || how == "both" {
							out = append(out, sealing("com.outer"))
						}
						inner := join(t, r, append(in, wamp.WithSerializers(a))...)
						innerCaller := join(t, r, append(in, wamp.WithSerializers(a))...)
						outer := join(t, r, append(out, wamp.WithSerializers(b))...)
						caller := join(t, r, append(out, wamp.WithSerializers(b))...)
						handle(t, inner, "com.inner.x", func(context.Context, *wamp.Invocation) error {
							return wamp.NewError("com.inner.error", wamp.Args("text", []byte{1, 2}, 3).With("k", 1))
						})
						_, _ = wamp.Serve(t.Context(), outer, "com.outer.x", func(ctx context.Context, _ struct{}) (int, error) {
							_, err := wamp.Call[int](ctx, innerCaller, "com.inner.x", wamp.Args())
							return 0, fmt.Errorf("so: %w", err)
						})
						_, err := wamp.Call[int](t.Context(), caller, "com.outer.x", wamp.Args())
						var e *wamp.Error
						if !errors.As(err, &e) || e.URI != "com.inner.error" {
							t.Fatal(err)
						}
						args, bad := e.Args()
						kw, _ := e.Kwargs()
						if bad != nil || fmt.Sprint(args, kw) != "[text [1 2] 3] map[k:1]" {
							t.Errorf("%v %v %v", args, kw, bad)
						}
						if err.Error() != "wamp: call com.outer.x: com.inner.error: text" {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}
