package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// fuzzMessages are the messages that fuzzing begins with, beside the seeds in
// testdata.
func fuzzMessages(f *testing.F, c codec.Codec) {
	f.Helper()
	dict := map[string]any{}
	for _, v := range []any{
		[]any{1, "realm1", map[string]any{"roles": map[string]any{"caller": dict}}},
		[]any{2, int64(9129137332), map[string]any{"roles": map[string]any{"broker": dict}}},
		[]any{8, 48, 1, dict, "com.example.error", []any{"why"}, map[string]any{"k": 1.5}},
		[]any{16, 1, map[string]any{"exclude": []any{1, 2}, "acknowledge": true}, "com.example", []any{[]byte("binary"), nil}},
		[]any{35, 0, map[string]any{"subscription": 5, "reason": "x"}},
		[]any{36, 1, 2, map[string]any{"enc_algo": "cryptobox"}, []byte("secret")},
		[]any{50, 1, map[string]any{"progress": true}, []any{-1, int64(1 << 40), "ü", 0.5, []any{dict}}},
	} {
		raw, err := c.AppendValue(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

func FuzzParseJSON(f *testing.F)    { fuzzParse(f, codec.JSON) }
func FuzzParseMsgPack(f *testing.F) { fuzzParse(f, codec.MsgPack) }
func FuzzParseCBOR(f *testing.F)    { fuzzParse(f, codec.CBOR) }

// What was parsed, written and parsed again is the same, and what a strict parser
// takes is the same message to a lenient one.
func fuzzParse(f *testing.F, c codec.Codec) {
	fuzzMessages(f, c)
	p, ps, slow := c.NewParser(codec.Limits{}), c.NewParser(strict), codec.GeneralParser(c, codec.Limits{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, exact, again proto.Message
		before := bytes.Clone(data)
		bad := ps.Parse(data, &exact)
		err := p.Parse(data, &m)
		var general proto.Message
		if err2 := slow.Parse(data, &general); fmt.Sprint(err) != fmt.Sprint(err2) || !sameMessage(m, general) {
			t.Fatalf("in one pass\n%+v, %v\nand else\n%+v, %v", m, err, general, err2)
		}
		if err != nil {
			if bad == nil {
				t.Fatalf("only a strict parser takes it: %v", err)
			}
			return
		}
		if bad == nil && (exact.Odd != nil || m.Odd == nil && printed(m) != printed(exact)) {
			t.Fatalf("\nstrict  %s\nlenient %s", printed(exact), printed(m))
		}
		fuzzPayload(t, c, &m)
		if m.Odd.Has(proto.OddPayload) && codec.Received(c, &m).Opaque() {
			return // without its options it is none
		}
		out, err := c.AppendMessage(nil, &m)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if err := c.NewParser(codec.Limits{}).Parse(out, &again); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if string(again.Args) == emptyList[c] && m.Args == nil && m.Kwargs != nil {
			again.Args = nil // absent or null, written as an empty list
		}
		if s1, s2 := printed(m), printed(again); s1 != s2 {
			t.Fatalf("\n got %s\nwant %s", s2, s1)
		}
		if !bytes.Equal(data, before) {
			t.Fatal("the input was changed")
		}
	})
}

// A payload of which nothing is known but its end does no harm, and is sent only if
// everybody can read it.
func fuzzPayload(t *testing.T, c codec.Codec, m *proto.Message) {
	payload := codec.Received(c, m)
	n := payload.NArgs()
	if args, err := payload.Args(); err == nil && len(args) != n {
		t.Fatalf("%d arguments, NArgs %d", len(args), n)
	}
	var first any
	err := payload.Scan(&first)
	if s, isText := first.(string); err == nil && isText {
		if got, ok := payload.Text(len(s)); !ok || got != s {
			t.Fatalf("Text is %q, not %q", got, s)
		}
	}
	if err != nil && len(err.Error()) > proto.MaxText {
		t.Fatalf("%d bytes of error", len(err.Error()))
	}
	_, _ = payload.Kwargs()
	payload.Text(5)
	buf, n, err := payload.Encode(c, nil)
	if err != nil {
		return
	}
	sent := proto.Message{Type: proto.Call, URI: "a", Args: part(buf[:n]), Kwargs: part(buf[n:])}
	if sent.Args != nil && codec.Received(c, &sent).Opaque() {
		sent.Options = proto.Dict{{Key: "enc_algo", Value: "cryptobox"}}
	}
	data, err := c.AppendMessage(nil, &sent)
	if err != nil {
		t.Fatal(err)
	}
	var again proto.Message
	if err := c.NewParser(strict).Parse(data, &again); err != nil {
		t.Fatalf("%q can be sent, and not parsed: %v", data, err)
	}
}

func part(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// FuzzEncode makes values of what it is given: whatever can be encoded is what a
// strict parser takes, and what can be decoded and sent again.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "\x00\x01\x02", "\x0a\x03abc\x0b\x02\x05\x06", "\x0c\x01\x0d\x02\x0e\x0f\x10\x11\x12\x13\x14", "\x09\x09\x09\x09\x09\x09\x09\x09\x09"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := generator{data: data}
		v := g.value(0)
		for _, c := range codecs {
			out, n, err := codec.Args(v).With("k", v).Encode(c, []byte("dst"))
			if err != nil {
				var e *codec.EncodeError
				if !errors.As(err, &e) || string(out) != "dst" || n != 0 || len(err.Error()) > proto.MaxText {
					t.Fatalf("%s: %q, %v", c.Name(), out, err)
				}
				continue
			}
			out = out[3:]
			if err := codec.CheckRaw(c, out[:n], out[n:]); err != nil {
				t.Fatalf("%s: %#v: %q cannot be sent: %v", c.Name(), v, out, err)
			}
			msg, err := c.AppendMessage(nil, &proto.Message{Type: proto.Yield, Request: 1, Args: out[:n], Kwargs: out[n:]})
			if err != nil {
				t.Fatal(err)
			}
			var m proto.Message
			if err := c.NewParser(strict).Parse(msg, &m); err != nil {
				t.Fatalf("%s: %#v: %q: %v", c.Name(), v, msg, err)
			}
			if _, err := codec.Received(c, &m).Args(); err != nil {
				t.Fatalf("%s: %#v: %q: %v", c.Name(), v, out[:n], err)
			}
			target := reflect.New(reflect.TypeOf(&v).Elem())
			if v != nil {
				target = reflect.New(reflect.TypeOf(v))
			}
			_ = codec.Received(c, &m).Scan(target.Interface())
		}
	})
}

// generator makes values out of bytes.
type generator struct {
	data []byte
}

func (g *generator) next() int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b)
}

func (g *generator) text() string {
	n := min(g.next()%40, len(g.data))
	s := strings.TrimLeft(string(g.data[:n]), "\x00") // which JSON would take for binary
	g.data = g.data[n:]
	return s
}

func (g *generator) value(depth int) any {
	if depth > 140 {
		return nil
	}
	n := func() int { return g.next() % 4 }
	switch kind := g.next() % 30; kind {
	case 1:
		return g.next()%2 == 0
	case 2:
		return g.next() - 128
	case 3:
		return int64(g.next()) << (g.next() % 64)
	case 4:
		return uint64(g.next()) << (g.next() % 64)
	case 5:
		return math.Float64frombits(uint64(g.next())<<56 | uint64(g.next())<<48 | uint64(g.next()))
	case 6:
		return g.text()
	case 7:
		return []byte(g.text())
	case 8:
		return new(big.Int).Lsh(big.NewInt(int64(g.next()-128)), uint(g.next()))
	case 9:
		list := make([]any, n())
		for i := range list {
			list[i] = g.value(depth + 1)
		}
		return list
	case 10:
		m := map[string]any{}
		for range n() {
			m[g.text()] = g.value(depth + 1)
		}
		return m
	case 11:
		return holder{g.value(depth + 1)}
	case 12:
		return &holder{g.value(depth + 1)}
	case 13:
		return record{Name: g.text(), Count: g.next(), Data: []byte(g.text()), Tags: []string{g.text()}}
	case 14:
		return map[int]any{g.next(): g.value(depth + 1), -g.next(): g.text()}
	case 15:
		return map[label]label{label(g.text()): label(g.text())}
	case 16:
		return list{list{}, nil, list{list{}}}
	case 17:
		x := g.next()
		return [1]*int{&x}
	case 18:
		return texter{byte(g.next()), byte(g.next())}
	case 19:
		return key(g.text())
	case 20:
		return proto.Dict{{Key: g.text(), Value: g.value(depth + 1)}}
	case 21:
		m := map[any]any{g.text(): 1, g.next(): g.value(depth + 1)}
		return m
	case 22:
		return map[float64]int{1.5: g.next()}
	case 23:
		n := &node{Name: g.text()}
		n.Kids = []*node{{Name: g.text()}}
		if g.next()%8 == 0 {
			n.Up = n.Kids[0]
		}
		if g.next()%8 == 0 {
			n.Kids[0].Up = n
		}
		return n
	case 24:
		v := g.value(depth + 1)
		return &v
	case 25:
		return float32(g.next()) / 3
	case 26:
		return map[string][]any{g.text(): {g.value(depth + 1)}}
	case 27:
		return []map[string]any{{g.text(): g.value(depth + 1)}}
	case 28:
		return text(g.text())
	case 29:
		return tree{g.text(): tree{g.text(): nil}}
	}
	return nil
}

var emptyList = map[codec.Codec]string{codec.JSON: "[]", codec.MsgPack: "\x90", codec.CBOR: "\x80"}

// sameMessage reports whether two messages are the same in all, also where one has a NaN,
// which is not equal to itself.
func sameMessage(a, b proto.Message) bool {
	return reflect.DeepEqual(a, b) || reflect.DeepEqual(a.Odd, b.Odd) && printed(a) == printed(b) &&
		slices.EqualFunc(a.Options, b.Options, func(x, y proto.Entry) bool {
			return x.Key == y.Key && reflect.TypeOf(x.Value) == reflect.TypeOf(y.Value)
		})
}

// printed is what a message says, with NaN equal to NaN.
func printed(m proto.Message) string {
	return sprint(m.Type, m.RequestType, m.Request, m.ID, m.Publication, m.URI, m.Text, m.Options.Map(), m.Args, m.Kwargs)
}

func FuzzValueJSON(f *testing.F)    { fuzzValue(f, codec.JSON) }
func FuzzValueMsgPack(f *testing.F) { fuzzValue(f, codec.MsgPack) }
func FuzzValueCBOR(f *testing.F)    { fuzzValue(f, codec.CBOR) }

// A value that was read comes back from every serializer that can write it, and
// no target makes a decoder panic.
func fuzzValue(f *testing.F, c codec.Codec) {
	fuzzMessages(f, c)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.Plain(data)
		for _, target := range []any{new(any), new([]any), new(map[string]any), new(embedded), new([]record), new(map[string]int),
			new(int), new(uint64), new(float64), new(string), new([]byte), new(bool), new(key), new(digest), new(int8), new([3]int), new(colours)} {
			got := c.Unmarshal(data, target)
			if p, ok := target.(*any); ok && ((got == nil) != (err == nil) || sprint(*p) != sprint(v)) {
				t.Fatalf("Unmarshal %v (%v), Plain %v (%v)", *p, got, v, err)
			}
		}
		if list, elementsErr := c.Elements(nil, data); err == nil && (elementsErr == nil) == (reflect.TypeOf(v) == reflect.TypeFor[[]any]()) {
			if all, _ := v.([]any); len(all) != len(list) {
				t.Fatalf("%d elements of %v", len(list), v)
			}
		}
		if err != nil {
			return
		}
		for _, to := range codecs {
			raw, err := to.AppendValue(nil, v)
			if err != nil {
				if to != codec.JSON && !strings.Contains(sprint(v), "codec.Tag{") {
					t.Fatalf("%s: %v: %v", to.Name(), v, err)
				}
				continue // NaN, infinity, and strings that begin with U+0000
			}
			want := v
			if to != codec.CBOR {
				want = bigAsText(v)
			}
			again, err := to.Plain(raw)
			if err != nil || sprint(again) != sprint(want) {
				t.Fatalf("%s: %v became %v: %v", to.Name(), v, again, err)
			}
		}
	})
}

// bigAsText returns v with the integers as text that only CBOR has a form for.
func bigAsText(v any) any {
	switch v := v.(type) {
	case *big.Int:
		return v.String()
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = bigAsText(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k := range v {
			m[k] = bigAsText(v[k])
		}
		return m
	}
	return v
}

func sprint(v ...any) string { return fmt.Sprintf("%#v", v) }
