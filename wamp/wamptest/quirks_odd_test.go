package wamptest_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A history that speaks differently.
func TestOddHistory(t *testing.T) {
	events := func(t *testing.T, kw dict, o ...wamptest.Option) (found []any, keys []string) {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			p, c := join(t, r), join(t, r)
			sub := c.subscribe("com.example.topic")
			var ids []int64
			for i := range 5 {
				p.publish("com.example.topic", nil, i, "x")
				ids = append(ids, int64(c.expect(proto.Event).Publication))
			}
			for key, v := range kw {
				if n, ok := v.(*int); ok {
					kw[key] = ids[*n]
				}
			}
			c.last++
			c.raw(proto.Call, c.last, dict{}, "wamp.subscription.get_events", []any{sub}, kw)
			args, err := c.payload(c.expect(proto.Result)).Args()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range args {
				for key, v := range a.(dict) {
					keys = append(keys, key)
					if list, ok := v.([]any); ok && len(list) == 2 {
						found = append(found, list[0])
					}
				}
			}
		}, append(o, wamptest.WithHistory(100))...)
		return found, keys
	}
	two := new(int)
	*two = 2
	for name, tt := range map[string]struct {
		kw   dict
		o    wamptest.Option
		want []any
	}{
		"by the book":    {dict{"limit": 2, "reverse": true}, wamptest.WithSeed(1), []any{int64(4), int64(3)}},
		"no limit":       {dict{"limit": 2, "reverse": true}, wamptest.WithHistoryIgnoring("limit"), []any{int64(4), int64(3), int64(2), int64(1), int64(0)}},
		"no order":       {dict{"limit": 2, "reverse": true}, wamptest.WithHistoryIgnoring("reverse"), []any{int64(0), int64(1)}},
		"after":          {dict{"after_publication": two}, wamptest.WithSeed(1), []any{int64(3), int64(4)}},
		"after, with it": {dict{"after_publication": two}, wamptest.WithInclusiveHistory(), []any{int64(2), int64(3), int64(4)}},
		"before, and it": {dict{"before_publication": two}, wamptest.WithInclusiveHistory(), []any{int64(0), int64(1), int64(2)}},
		"no bounds":      {dict{"after_publication": two}, wamptest.WithHistoryIgnoring("after_publication", "topic"), []any{int64(0), int64(1), int64(2), int64(3), int64(4)}},
	} {
		t.Run(name, func(t *testing.T) {
			kw := dict{}
			for key, v := range tt.kw {
				kw[key] = v
			}
			if got, _ := events(t, kw, tt.o); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	_, keys := events(t, dict{"limit": 1}, wamptest.WithUpperCaseHistory())
	slices.Sort(keys)
	if want := []string{"Args", "Details", "Publication", "Subscription", "Timestamp"}; !slices.Equal(keys, want) {
		t.Errorf("%v", keys)
	}
}

// WELCOME says odd things.
func TestOddWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := dial(t, r.Dial, "json")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
		synctest.Wait() // our own parser may not like it: look at it as it is
		if s := r.Stats(); s.Sent[proto.Welcome] != 1 || s.Sessions != 1 {
			t.Errorf("%+v", s)
		}
	}, wamptest.WithOddWelcome())
	welcome := func(t *testing.T, serializer string, o ...wamptest.Option) []any {
		t.Helper()
		var list []any
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			conn, err := r.Dial(t.Context(), []transport.Protocol{protocol(t, serializer)})
			if err != nil {
				t.Fatal(err)
			}
			k, _ := codec.ByName(serializer)
			var b transport.Batch
			b.Begin()
			b.Buf, err = k.AppendMessage(b.Buf, &proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
			b.End()
			if err != nil || conn.Write(&b) != nil {
				t.Fatal(err)
			}
			data, err := conn.Read()
			if err != nil {
				t.Fatal(err)
			}
			v, err := k.Plain(data)
			if err != nil {
				t.Fatal(err)
			}
			list = v.([]any)
			_ = conn.CloseNow()
		}, o...)
		return list
	}
	for _, serializer := range []string{"json", "cbor", "msgpack"} {
		w := welcome(t, serializer, wamptest.WithOddWelcome(), wamptest.WithFloatIDs())
		details := w[2].(dict)
		if id, ok := w[1].(float64); !ok || id < 1 || w[0] != int64(2) {
			t.Errorf("%s: the id is %T %v", serializer, w[1], w[1])
		}
		roles := details["roles"].(dict)
		features := roles["dealer"].(dict)["features"].(dict)
		odd, has := roles["x_odd"]
		feature, had := features["x_odd"]
		if details["agent"] != int64(5) || details["authid"] != 12.5 || details["authrole"] != int64(7) || details["realm"] != nil ||
			odd != nil || !has || feature != nil || !had || features["call_canceling"] != true {
			t.Errorf("%s: %v", serializer, details)
		}
		w = welcome(t, serializer, wamptest.WithWelcome(proto.Entry{Key: "agent", Value: 1}, proto.Entry{Key: "x_new", Value: "y"}))
		if details := w[2].(dict); details["agent"] != int64(1) || details["x_new"] != "y" || details["realm"] != "realm1" {
			t.Errorf("%s: %v", serializer, details)
		}
	}
}

// Every id is a float, and nothing else becomes one.
func TestFloatIDs(t *testing.T) {
	for _, serializer := range []string{"json", "cbor", "msgpack"} {
		t.Run(serializer, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				conn, err := r.Dial(t.Context(), []transport.Protocol{protocol(t, serializer)})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.CloseNow()
				k, _ := codec.ByName(serializer)
				say := func(elements ...any) []any {
					t.Helper()
					var b transport.Batch
					b.Begin()
					b.Buf, err = k.AppendList(b.Buf, elements)
					b.End()
					if err != nil || conn.Write(&b) != nil {
						t.Fatal(err)
					}
					data, err := conn.Read()
					if err != nil {
						t.Fatal(err)
					}
					v, err := k.Plain(data)
					if err != nil {
						t.Fatal(err)
					}
					return v.([]any)
				}
				isFloat := func(list []any, at ...int) {
					t.Helper()
					for i, v := range list {
						if _, ok := v.(float64); ok != slices.Contains(at, i) {
							t.Errorf("%d of %v is a %T", i, list, v)
						}
					}
				}
				w := say(1, "realm1", dict{"roles": roles()})
				isFloat(w, 1)
				isFloat(say(32, 1, dict{}, "com.example.topic"), 1, 2)
				isFloat(say(64, 2, dict{}, "com.example.proc"), 1, 2)
				isFloat(say(34, 3, 5), 2) // ERROR: the request, not its type
				got := say(48, 4, dict{}, "wamp.session.list")
				isFloat(got, 1)
				isFloat(got[3].([]any)[0].([]any), 0)
				got = say(48, 5, dict{}, "wamp.session.count")
				isFloat(got[3].([]any))
				got = say(48, 6, dict{}, "wamp.registration.list")
				isFloat(got[3].([]any)[0].(dict)["exact"].([]any), 0)
				got = say(48, 7, dict{"disclose_me": true, "timeout": 60000}, "com.example.proc", []any{1, w[1]})
				isFloat(got, 1, 2)
				isFloat(got[4].([]any), 1) // the payload is as it was
				if _, ok := got[3].(dict)["caller"].(float64); !ok {
					t.Errorf("%v", got[3])
				}
				say(32, 8, dict{}, "wamp.subscription.on_subscribe")
				isFloat(say(16, 9, dict{"acknowledge": true}, "com.example.none"), 1, 2)
				say(32, 10, dict{}, "com.example.other")
				got = say(16, 11, dict{"acknowledge": true}, "com.example.none") // before its answer there is the meta event
				isFloat(got, 1, 2)
				isFloat(got[4].([]any), 0, 1)
			}, wamptest.WithFloatIDs())
		})
	}
}

// Binary values leave JSON as they are written there.
func TestBinaryAsText(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		j, c := dial(t, r.Dial, "json"), join(t, r)
		j.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		for _, x := range []*client{j, c} {
			x.subscribe("com.example.topic")
		}
		j.publish("com.example.topic", options("exclude_me", false), []byte{1, 2, 3}, dict{"k": []any{[]byte{4}}})
		args, err := c.payload(c.expect(proto.Event)).Args()
		if err != nil || args[0] != "\x00AQID" || args[1].(dict)["k"].([]any)[0] != "\x00BA==" {
			t.Errorf("%q %v", args, err)
		}
		if b, ok := j.arg(j.expect(proto.Event)).([]byte); !ok || len(b) != 3 {
			t.Errorf("%v", b)
		}
		c.publish("com.example.topic", nil, []byte{5})
		if b, ok := j.arg(j.expect(proto.Event)).([]byte); !ok || len(b) != 1 {
			t.Errorf("%v", b)
		}
	}, wamptest.WithBinaryAsText())
}

// NaN reaches a client of JSON as a word.
func TestLooseJSON(t *testing.T) {
	for name, o := range map[string]wamptest.Option{
		"option": wamptest.WithLooseJSON(), "Crossbar": wamptest.CrossbarQuirks(), "default": wamptest.WithSeed(1),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				conn, err := r.Dial(t.Context(), []transport.Protocol{protocol(t, "json")})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.CloseNow()
				say := func(text string) string {
					var b transport.Batch
					b.Begin()
					b.Buf = append(b.Buf, text...)
					b.End()
					if err := conn.Write(&b); err != nil {
						t.Fatal(err)
					}
					data, err := conn.Read()
					if err != nil {
						t.Fatal(err)
					}
					return string(data)
				}
				say(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
				say(`[32,1,{},"com.example.topic"]`)
				c := join(t, r)
				c.publish("com.example.topic", nil, math.NaN(), dict{"b": []any{math.Inf(1), 1.5, "x\"", []byte{1}}, "a": math.Inf(-1)})
				synctest.Wait()
				if name == "default" {
					if s := r.Stats(); s.Dropped != 1 {
						t.Errorf("%+v", s)
					}
					return
				}
				data, err := conn.Read()
				if want := `[NaN,{"a":-Infinity,"b":[Infinity,1.5,"x\"","\u0000AQ=="]}]]`; err != nil || !strings.HasSuffix(string(data), want) {
					t.Errorf("%s %v", data, err)
				}
			}, o)
		})
	}
}
