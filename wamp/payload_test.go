package wamp_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

type (
	colour string
	level  int16
	key    []byte
	digest [3]byte
)

// base and cargo have one set of tags for all serializers.
type base struct {
	Name string `json:"name"`
}

type cargo struct {
	base
	Weight   float64        `json:"weight"`
	Count    uint64         `json:"count"`
	Data     []byte         `json:"data"`
	When     time.Time      `json:"when"`
	Next     *cargo         `json:"next,omitempty"`
	Labels   []colour       `json:"labels,omitempty"`
	Extra    map[string]any `json:"extra,omitempty"`
	Hidden   string         `json:"-"`
	Untagged bool
}

var (
	moment = time.Date(2026, 2, 28, 23, 59, 58, 123456789, time.FixedZone("", -90*60))
	freed  = cargo{base: base{"crate"}, Weight: 2, Count: math.MaxUint64, Data: []byte{0, 255}, When: moment, Next: &cargo{When: moment.UTC()},
		Labels: []colour{"red"}, Extra: map[string]any{"n": int64(1), "f": 1.0, "b": []byte{1}}, Untagged: true}
	freedPlain = map[string]any{"name": "crate", "weight": 2.0, "count": uint64(math.MaxUint64), "data": []byte{0, 255},
		"when": "2026-02-28T23:59:58.123456789-01:30", "labels": []any{"red"}, "Untagged": true,
		"extra": map[string]any{"n": int64(1), "f": 1.0, "b": []byte{1}},
		"next": map[string]any{"name": "", "weight": 0.0, "count": int64(0), "data": nil,
			"when": "2026-03-01T01:29:58.123456789Z", "Untagged": false}}
)

// payloads are Go values and the plain values that they arrive as, the same
// whatever the serializers of the two sides are.
var payloads = []struct{ in, plain any }{
	{nil, nil}, {true, true}, {false, false},
	{0, int64(0)}, {-1, int64(-1)}, {int64(1<<53 + 1), int64(1<<53 + 1)}, {int64(-1<<53 - 1), int64(-1<<53 - 1)},
	{int64(math.MaxInt64), int64(math.MaxInt64)}, {int64(math.MinInt64), int64(math.MinInt64)},
	{uint64(math.MaxInt64) + 1, uint64(math.MaxInt64) + 1}, {uint64(math.MaxUint64), uint64(math.MaxUint64)}, {uint64(7), int64(7)},
	{int8(-8), int64(-8)}, {uint8(8), int64(8)}, {int16(-16), int64(-16)}, {uint16(16), int64(16)}, {int32(-32), int64(-32)},
	{uint32(32), int64(32)}, {uint(64), int64(64)}, {level(3), int64(3)}, {wamp.ID(5), int64(5)}, {time.Second, int64(time.Second)},
	{1.0, 1.0}, {-0.5, -0.5}, {1e300, 1e300}, {math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat64}, {float32(0.25), 0.25},
	{float64(1 << 60), float64(1 << 60)}, {math.Copysign(0, -1), math.Copysign(0, -1)},
	{"", ""}, {"height: höhe \"\\\n\x01\u2028😀", "height: höhe \"\\\n\x01\u2028😀"}, {"in\x00side", "in\x00side"}, {colour("red"), "red"},
	{[]byte{}, []byte{}}, {[]byte{0, 1, 254, 255}, []byte{0, 1, 254, 255}}, {key{9}, []byte{9}}, {digest{1, 2, 3}, []byte{1, 2, 3}},
	{[]any{}, []any{}}, {[]any{int64(1), "two", []any{nil, 3.0}}, []any{int64(1), "two", []any{nil, 3.0}}},
	{[]int{1, -2}, []any{int64(1), int64(-2)}}, {[]string{"a", ""}, []any{"a", ""}}, {[][]byte{{1}, {}}, []any{[]byte{1}, []byte{}}},
	{[2]bool{true, false}, []any{true, false}}, {[]float64{1, 2.5}, []any{1.0, 2.5}},
	{map[string]any{}, map[string]any{}},
	{map[string]any{"a": []byte("x"), "b": map[string]any{"c": uint64(math.MaxUint64)}},
		map[string]any{"a": []byte("x"), "b": map[string]any{"c": uint64(math.MaxUint64)}}},
	{map[string]int{"k": 1}, map[string]any{"k": int64(1)}}, {map[colour][]byte{"red": {1}}, map[string]any{"red": []byte{1}}},
	{freed, freedPlain}, {&freed, freedPlain}, {[]cargo{freed}, []any{freedPlain}},
	{moment, "2026-02-28T23:59:58.123456789-01:30"}, {moment.UTC(), "2026-03-01T01:29:58.123456789Z"},
	{netip.MustParseAddr("192.0.2.1"), "192.0.2.1"},
}

// same compares values; times are the same when they are the same moment.
func same(a, b any) bool {
	switch x := a.(type) {
	case time.Time:
		return x.Equal(b.(time.Time))
	case *cargo:
		return same(*x, *b.(*cargo))
	case []cargo:
		y := b.([]cargo)
		return len(x) == 1 && len(y) == 1 && same(x[0], y[0])
	case cargo:
		y := b.(cargo)
		ok := x.When.Equal(y.When) && (x.Next == nil) == (y.Next == nil) && (x.Next == nil || same(*x.Next, *y.Next))
		x.When, x.Next = y.When, y.Next
		return ok && reflect.DeepEqual(x, y)
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	}
	return reflect.DeepEqual(a, b)
}

// arrived checks a payload of one of the values, as argument and as keyword
// argument v.
func arrived(t *testing.T, what string, p wamp.Payload, in, plain any) {
	t.Helper()
	args, err := p.Args()
	if err != nil || len(args) != 1 || !same(args[0], plain) {
		t.Errorf("%s: Args %T %v, want %T %v: %v", what, args, args, plain, plain, err)
	}
	kwargs, err := p.Kwargs()
	if err != nil || len(kwargs) != 1 || !same(kwargs["v"], plain) {
		t.Errorf("%s: Kwargs %v, want %v: %v", what, kwargs, plain, err)
	}
	var v any
	if err := p.Scan(&v); err != nil || !same(v, plain) {
		t.Errorf("%s: Scan(any) %T %v: %v", what, v, v, err)
	}
	if in == nil {
		return
	}
	typ := reflect.TypeOf(in)
	target := reflect.New(typ)
	if err := p.Scan(target.Interface()); err != nil || !same(target.Elem().Interface(), in) {
		t.Errorf("%s: Scan(%T) %v, want %v: %v", what, in, target.Elem(), in, err)
	}
	kw := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: typ, Tag: `json:"v"`}}))
	if err := p.ScanKw(kw.Interface()); err != nil || !same(kw.Elem().Field(0).Interface(), in) {
		t.Errorf("%s: ScanKw(%T) %v: %v", what, in, kw.Elem(), err)
	}
}

// Every value goes from a session of each serializer to sessions of each: as a
// call to a callee that sends it back as it is, and as an event.
func TestPayloadValues(t *testing.T) {
	for _, from := range serializers {
		for _, to := range serializers {
			t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, peer := join(t, r, wamp.WithSerializers(from)), join(t, r, wamp.WithSerializers(to))
					got := make(chan wamp.Payload, 1)
					handle(t, peer, "com.example.echo", func(_ context.Context, inv *wamp.Invocation) error {
						got <- inv.Payload
						return inv.Return(inv.Payload)
					})
					handle(t, peer, "com.example.decoded", func(_ context.Context, inv *wamp.Invocation) error {
						args, err1 := inv.Args()
						kwargs, err2 := inv.Kwargs()
						return errors.Join(err1, err2, inv.Return(wamp.Args(args...).WithKwargs(kwargs)))
					})
					sub := subscribe(t, peer, "com.example.topic")
					for _, v := range payloads {
						p := wamp.Args(v.in).With("v", v.in)
						for _, procedure := range []string{"com.example.echo", "com.example.decoded"} {
							res, err := s.Call(t.Context(), procedure, p).Final()
							if err != nil {
								t.Fatalf("%T %v: %v", v.in, v.in, err)
							}
							arrived(t, procedure, res.Payload, v.in, v.plain)
						}
						arrived(t, "invocation", <-got, v.in, v.plain)
						s.Publish(t.Context(), "com.example.topic", p)
						ev := <-sub.Events()
						arrived(t, "event", ev.Payload, v.in, v.plain)
					}
				})
			})
		}
	}
}

// One set of tags names the fields in all serializers, in keyword arguments
// too, and a struct that lacks some of them takes the others.
func TestPayloadTags(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
				handle(t, s, "com.example.echo", echo)
				in := freed
				in.Hidden = "not for others"
				res, err := s.Call(t.Context(), "com.example.echo", wamp.Kwargs(&in)).Final()
				if err != nil {
					t.Fatal(err)
				}
				if kw, err := res.Kwargs(); err != nil || !reflect.DeepEqual(kw, freedPlain) {
					t.Errorf("Kwargs\n got %v\nwant %v: %v", kw, freedPlain, err)
				}
				var all cargo
				if err := res.ScanKw(&all); err != nil || !same(all, freed) {
					t.Errorf("ScanKw %+v: %v", all, err)
				}
				some := struct {
					Name  string `json:"name"`
					Other int    `json:"other"`
				}{Other: 5}
				if err := res.ScanKw(&some); err != nil || some.Name != "crate" || some.Other != 0 { // what was there before is gone
					t.Errorf("ScanKw %+v: %v", some, err)
				}
			})
		})
	}
}

// In JSON integers are exact whatever their size, binary is a string of U+0000
// and base64, and a float stays one; what the wire has is looked at.
func TestPayloadJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
			if m.Type == proto.Call {
				sent = append(sent, string(m.Args)+string(m.Kwargs))
			}
			return wamptest.Pass()
		}))
		s := join(t, r, wamp.WithSerializers(codec.JSON))
		handle(t, s, "com.example.echo", echo)
		for _, tt := range []struct {
			in   wamp.Payload
			want string
		}{
			{wamp.Args(int64(1<<53+1), int64(math.MinInt64), uint64(math.MaxUint64)), `[9007199254740993,-9223372036854775808,18446744073709551615]`},
			{wamp.Args([]byte{0x10, 0, 0xff}, []byte{}), `["\u0000EAD/","\u0000"]`},
			{wamp.Args(1.0, -2.5).With("k", 3.0), `[1.0,-2.5]{"k":3.0}`},
			{wamp.Args(moment), `["2026-02-28T23:59:58.123456789-01:30"]`},
		} {
			if _, err := s.Call(t.Context(), "com.example.echo", tt.in).Final(); err != nil {
				t.Fatal(err)
			}
			if got := sent[len(sent)-1]; got != tt.want {
				t.Errorf("sent %s, want %s", got, tt.want)
			}
		}
	})
}

// A payload that goes on in the serializer it came in keeps every byte; for
// another serializer it is converted.
func TestPayloadPassesThrough(t *testing.T) {
	args, kwargs := []byte(`[ 1.50, "\u0041",9007199254740993 ]`), []byte(`{ "k" : "\u0000AAE=" }`)
	for _, to := range serializers {
		t.Run("json to "+to.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, relay, end := join(t, r, wamp.WithSerializers(codec.JSON)), join(t, r, wamp.WithSerializers(codec.JSON)), join(t, r, wamp.WithSerializers(to))
				var arrived wamp.Payload
				handle(t, end, "com.example.end", func(_ context.Context, inv *wamp.Invocation) error {
					arrived = inv.Payload
					return inv.Return(inv.Payload)
				})
				handle(t, relay, "com.example.relay", func(ctx context.Context, inv *wamp.Invocation) error {
					res, err := end.Call(ctx, "com.example.end", inv.Payload).Final()
					return errors.Join(err, inv.Return(res.Payload))
				})
				res, err := s.Call(t.Context(), "com.example.relay", wamp.Raw(codec.JSON, args, kwargs)).Final()
				if err != nil {
					t.Fatal(err)
				}
				if to == codec.JSON && (!bytes.Equal(arrived.RawArgs(), args) || !bytes.Equal(res.RawArgs(), args) || !bytes.Equal(res.RawKwargs(), kwargs)) {
					t.Errorf("there %s, and back %s %s", arrived.RawArgs(), res.RawArgs(), res.RawKwargs())
				}
				if arrived.Codec() != to || res.Codec() != codec.JSON {
					t.Errorf("there in %v, and back in %v", arrived.Codec(), res.Codec())
				}
				for _, p := range []wamp.Payload{arrived, res.Payload} {
					list, err1 := p.Args()
					kw, err2 := p.Kwargs()
					if err1 != nil || err2 != nil || !reflect.DeepEqual(list, []any{1.5, "A", int64(1<<53 + 1)}) ||
						!reflect.DeepEqual(kw, map[string]any{"k": []byte{0, 1}}) {
						t.Errorf("%v %v: %v %v", list, kw, err1, err2)
					}
				}
			})
		})
	}
}

// What does not fit its target is an error that says which argument it was, and
// of that Scan alone.
func TestPayloadScanErrors(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
				handle(t, s, "com.example.echo", echo)
				res, err := s.Call(t.Context(), "com.example.echo", wamp.Args(300, "text", -1, []any{1, "two"}).With("k", "v")).Final()
				if err != nil {
					t.Fatal(err)
				}
				var (
					n     int
					small int8
					text  string
					u     uint
					list  []int
				)
				for name, tt := range map[string]struct {
					targets []any
					index   int
					missing bool
				}{
					"too few":            {[]any{nil, nil, nil, nil, &n}, 4, true},
					"another type":       {[]any{&n, &n}, 1, false},
					"out of range":       {[]any{&small}, 0, false},
					"negative":           {[]any{nil, nil, &u}, 2, false},
					"an element":         {[]any{nil, nil, nil, &list}, 3, false},
					"text from a number": {[]any{&text}, 0, false},
					"no pointer":         {[]any{n}, 0, false},
				} {
					var scan *codec.ScanError
					if err := res.Scan(tt.targets...); !errors.As(err, &scan) || scan.Index != tt.index || errors.Is(err, codec.ErrMissing) != tt.missing {
						t.Errorf("%s: %v", name, err)
					}
				}
				var scan *codec.ScanError
				if err := res.ScanKw(&struct {
					K int `json:"k"`
				}{}); !errors.As(err, &scan) || scan.Index != -1 {
					t.Errorf("ScanKw: %v", err)
				}
				if err := res.Scan(&n, &text); err != nil || n != 300 || text != "text" {
					t.Errorf("afterwards: %d %q %v", n, text, err)
				}
				res, err = s.Call(t.Context(), "com.example.echo", wamp.Args()).Final()
				if err != nil || !errors.Is(res.Scan(&n), codec.ErrMissing) || res.ScanKw(&struct{}{}) != nil {
					t.Errorf("empty: %v", err)
				}
				alive(t, s)
			})
		})
	}
}

// A payload whose framing is right and whose inside is not costs the Scan that
// looks at it, and nothing else.
func TestPayloadBroken(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    codec.Codec
		args []byte
	}{
		{"text that is no UTF-8", codec.CBOR, []byte{0x82, 0x01, 0x61, 0xff}},
		{"text that is no UTF-8", codec.MsgPack, []byte{0x92, 0x01, 0xa1, 0xff}},
		{"text that is no UTF-8", codec.JSON, []byte("[1,\"\xff\"]")},
		{"binary that is no base64", codec.JSON, []byte(`[1,"\u0000!!"]`)},
	} {
		t.Run(tt.c.Name()+"/"+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, wamptest.Welcome(),
					wamptest.Expect(proto.Subscribe), wamptest.Answer(&proto.Message{Type: proto.Subscribed, ID: 7}),
					wamptest.Expect(proto.Call),
					wamptest.Send(&proto.Message{Type: proto.Event, ID: 7, Publication: 1, Args: tt.args}),
					wamptest.Answer(&proto.Message{Type: proto.Result, Args: tt.args}),
					wamptest.Expect(proto.Call), wamptest.Answer(&proto.Message{Type: proto.Result}, wamp.Args(7)))
				s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithSerializers(tt.c))
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, s)
				sub := subscribe(t, s, "com.example.topic")
				res, err := s.Call(t.Context(), "com.example.proc", wamp.Args()).Final()
				if err != nil {
					t.Fatal(err)
				}
				ev := <-sub.Events()
				for what, p := range map[string]wamp.Payload{"result": res.Payload, "event": ev.Payload} {
					var n int
					var text string
					var target any = &text
					if tt.c == codec.JSON {
						target = new([]byte)
					}
					if err := p.Scan(&n); err != nil || n != 1 {
						t.Errorf("%s: what is right: %d, %v", what, n, err)
					}
					var scan *codec.ScanError
					if err := p.Scan(&n, target); !errors.As(err, &scan) || scan.Index != 1 {
						t.Errorf("%s: %v", what, err)
					}
					if list, err := p.Args(); err == nil {
						t.Errorf("%s: Args %v", what, list)
					}
				}
				if s.Err() != nil {
					t.Fatal(s.Err())
				}
				alive(t, s)
			})
		})
	}
}

// A value that has no encoding is an error of the operation: nothing is sent
// and no request id is used up. The callee's caller gets an error of its own.
func TestPayloadCannotBeEncoded(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				s := join(t, wamptest.NewRouter(t, wamptest.WithHook(p.hook)), wamp.WithSerializers(c))
				handle(t, s, "com.example.echo", echo)
				wrong := make(chan error, 1)
				handle(t, s, "com.example.wrong", func(_ context.Context, inv *wamp.Invocation) error {
					wrong <- inv.Return(wamp.Args(make(chan int)))
					return nil
				})
				p.take()
				loop := map[string]any{}
				loop["self"] = loop
				for name, bad := range map[string]wamp.Payload{
					"channel": wamp.Args(make(chan int)), "function": wamp.Args(1).With("f", func() {}), "complex": wamp.Args(1i),
					"text": wamp.Args("\xff"), "contains itself": wamp.Args(loop), "no dict": wamp.Kwargs([]int{1}),
				} {
					res, err := s.Call(t.Context(), "com.example.echo", bad).Final()
					_, ackErr := s.Publish(t.Context(), "com.example.topic", bad, wamp.Acknowledge()).Wait()
					_, pubErr := s.Publish(t.Context(), "com.example.topic", bad).Wait()
					if err == nil || ackErr == nil || pubErr == nil || res.NArgs() > 0 {
						t.Errorf("%s: %v, %v, %v", name, err, ackErr, pubErr)
					}
				}
				synctest.Wait()
				if sent := p.take(proto.Call, proto.Publish); len(sent) > 0 {
					t.Errorf("%d messages were sent", len(sent))
				}
				if _, err := s.Call(t.Context(), "com.example.wrong", wamp.Args()).Final(); !errors.Is(err, wamp.ErrInvalidPayload) {
					t.Errorf("caller: %v", err)
				}
				if err := <-wrong; err == nil {
					t.Error("callee: no error")
				}
				alive(t, s)
			})
		})
	}
}

// What the user passed in is neither changed nor kept: it may be changed as
// soon as the operation has returned, also where the message goes out once more
// on the next connection.
// The same at a callee: what it has returned may be changed at once, and what a
// consumer got from one Scan is its own.
