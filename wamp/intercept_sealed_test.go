package wamp_test

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestInterceptSealed has values of all kinds in sealed calls and events: what arrives is
// the same with interceptors and with Retry.
func TestInterceptSealed(t *testing.T) {
	for _, ser := range serializers {
		for name, payloads := range payloadCodecs("com.x") {
			interceptSealed(t, ser, name, payloads)
		}
	}
}

func interceptSealed(t *testing.T, ser codec.Codec, name string, payloads seal.Codec) {
	plain := map[string]bool{}
	for _, how := range []string{"plain", "interceptors", "retry"} {
		t.Run(ser.Name()+" "+name+" "+how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				o := []wamp.Option{wamp.WithPayloadCodec(payloads), wamp.WithSerializers(ser)}
				var seen atomic.Int32
				if how == "interceptors" {
					o = append(o, wamp.WithInterceptors(wamp.InterceptorFuncs{ProgressFunc: func(context.Context, *wamp.Op, *wamp.Part) error { seen.Add(1); return nil }}))
				}
				s, sl := join(t, r, o...), join(t, r, o...)
				sub := subscribe(t, sl, "com.x.t")
				handle(t, sl, "com.x", func(_ context.Context, inv *wamp.Invocation) error {
					_ = inv.Progress(inv.Payload)
					return inv.Return(inv.Payload)
				})
				var more []wamp.CallOption
				if how == "retry" {
					more = append(more, wamp.Retry(wamp.RetryPolicy{Attempts: 2}))
				}
				for _, v := range []any{1, 1.0, 1.5, math.NaN(), math.Inf(1), []byte{1, 2, 0}, "\x00abc", "x", uint64(1) << 63, float32(1.25), map[string]any{"a": []byte{1}}, nil, int64(-1) << 63} {
					res, err := s.Call(t.Context(), "com.x", wamp.Args(v), append(more, wamp.Progressive())...).Final()
					if err == nil {
						_, err = res.Args()
					}
					if key := fmt.Sprintf("call %T %v", v, v); how == "plain" {
						plain[key] = err == nil
					} else if plain[key] != (err == nil) {
						t.Errorf("%q: %v", key, err)
					}
					if _, err := s.Publish(t.Context(), "com.x.t", wamp.Args(v), wamp.Acknowledge()).Wait(); err != nil {
						if how != "plain" && plain[fmt.Sprintf("call %T %v", v, v)] {
							t.Errorf("event %T %q: %v", v, fmt.Sprint(v), err)
						}
						continue
					}
					<-sub.Events()
				}
				if seen.Load() > 0 != (how == "interceptors") {
					t.Errorf("the interceptors have seen %d parts", seen.Load())
				}
			})
		})
	}
}
