package wamp_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestPayloadIsNotKept(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithSerializers(c), wamp.WithReconnect(quick()))
				raw, list, inner := []byte("raw"), []any{"list"}, map[string]any{"in": "inner"}
				kw := map[string]any{"raw": raw, "list": list, "inner": inner}
				option := map[string]any{"list": list, "inner": inner}
				ids, names := []wamp.ID{1}, []string{"joe"}
				plainKw := map[string]any{"raw": []byte("raw"), "list": []any{"list"}, "inner": map[string]any{"in": "inner"}}
				plainOption := map[string]any{"list": []any{"list"}, "inner": map[string]any{"in": "inner"}}
				args := []any{raw, list, kw}
				payload := wamp.Args(args...).WithKwargs(kw)

				r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
					if !x.Sent && (x.Message.Type == proto.Call || x.Message.Type == proto.Publish) {
						p.hook(x)
						return wamptest.Drop()
					}
					return p.hook(x)
				})
				sub := subscribe(t, s, "com.example.topic", wamp.Set("x_option", option))
				handle(t, s, "com.example.proc", echo, wamp.Set("x_option", option))
				result := s.Call(t.Context(), "com.example.proc", payload, wamp.Set("x_option", option), wamp.Idempotent())
				ack := s.Publish(t.Context(), "com.example.topic", payload, wamp.Set("x_option", option), wamp.Idempotent(),
					wamp.Exclude(ids...), wamp.ExcludeAuthID(names...), wamp.ExcludeMe(false), wamp.Acknowledge())
				s.Publish(t.Context(), "com.example.topic", payload, wamp.Set("x_option", option))
				if !reflect.DeepEqual(kw, plainKw) || !reflect.DeepEqual(option, plainOption) {
					t.Errorf("changed: %v %v", kw, option)
				}
				copy(raw, "XXXXXX")
				list[0], inner["in"], kw["new"], option["new"], args[1], ids[0], names[0] = "X", "X", "X", "X", "X", 2, "X"

				check := func() {
					t.Helper()
					p.mu.Lock()
					defer p.mu.Unlock()
					seen := 0
					for _, m := range p.seen {
						if m.Type != proto.Call && m.Type != proto.Publish && m.Type != proto.Subscribe && m.Type != proto.Register {
							continue
						}
						seen++
						if o := m.Options.Dict("x_option"); !reflect.DeepEqual(o, plainOption) {
							t.Errorf("%s: option %v", m.Type, o)
						}
						if ex, ok := m.Options.Get("exclude_authid"); ok && !reflect.DeepEqual(ex, []any{"joe"}) {
							t.Errorf("%s: exclude_authid %v", m.Type, ex)
						}
						if m.Type != proto.Call && m.Type != proto.Publish {
							continue
						}
						if !reflect.DeepEqual(m.args, []any{[]byte("raw"), []any{"list"}, plainKw}) || !reflect.DeepEqual(m.kwargs, plainKw) {
							t.Errorf("%s: %v %v", m.Type, m.args, m.kwargs)
						}
					}
					p.seen = nil
					if seen < 4 {
						t.Errorf("%d messages", seen)
					}
				}
				synctest.Wait()
				check()
				r.SetHook(p.hook)
				r.Cut(s.ID())
				if res, err := result.Final(); err != nil || res.NArgs() != 3 {
					t.Errorf("call: %v", err)
				}
				if _, err := ack.Wait(); err != nil {
					t.Errorf("publish: %v", err)
				}
				<-sub.Events()
				synctest.Wait()
				check()
			})
		})
	}
}

func TestPayloadIsNotSharedByReceivers(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithSerializers(c))
				handle(t, s, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error {
					raw, kw := []byte("raw"), map[string]any{"k": "v"}
					for range 3 {
						if err := inv.Progress(wamp.Args(raw).WithKwargs(kw)); err != nil {
							return err
						}
						copy(raw, "XXXXXX")
						kw["k"] = "X"
						raw, kw = []byte("raw"), map[string]any{"k": "v"}
					}
					err := inv.Return(wamp.Args(raw).WithKwargs(kw))
					copy(raw, "XXXXXX")
					kw["k"] = "X"
					return err
				})
				n := 0
				for res := range s.Call(t.Context(), "com.example.proc", wamp.Args(), wamp.Progressive()) {
					n++
					for range 2 {
						var raw []byte
						var kw map[string]any
						if err := errors.Join(res.Err, res.Scan(&raw), res.ScanKw(&kw)); err != nil || string(raw) != "raw" || kw["k"] != "v" {
							t.Fatalf("%q %v: %v", raw, kw, err)
						}
						copy(raw, "YYYYYY")
						kw["k"] = "Y"
					}
				}
				if n != 4 {
					t.Errorf("%d results", n)
				}
				a, b := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example.topic")
				s.Publish(t.Context(), "com.example.topic", wamp.Args([]byte("raw")), wamp.ExcludeMe(false))
				for _, sub := range []*wamp.Subscription{a, b} {
					ev := <-sub.Events()
					list, err := ev.Args()
					if raw, _ := list[0].([]byte); err != nil || !slices.Equal(raw, []byte("raw")) {
						t.Errorf("event %v, %v", list, err)
					}
					copy(list[0].([]byte), "ZZZZZZ")
				}
			})
		})
	}
}
