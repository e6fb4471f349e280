package codec_test

import (
	"bytes"
	"fmt"
	"reflect"
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
		[]any{2, 9129137332, map[string]any{"roles": map[string]any{"broker": dict}}},
		[]any{8, 48, 1, dict, "com.example.error", []any{"why"}, map[string]any{"k": 1.5}},
		[]any{16, 1, map[string]any{"exclude": []any{1, 2}, "acknowledge": true}, "com.example", []any{[]byte("binary"), nil}},
		[]any{35, 0, map[string]any{"subscription": 5, "reason": "x"}},
		[]any{36, 1, 2, map[string]any{"enc_algo": "cryptobox"}, []byte("secret")},
		[]any{50, 1, map[string]any{"progress": true}, []any{-1, 1 << 40, "ü", 0.5, []any{dict}}},
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

// What was parsed, written and parsed again is the same.
func fuzzParse(f *testing.F, c codec.Codec) {
	fuzzMessages(f, c)
	p := c.NewParser(codec.Limits{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, again proto.Message
		before := bytes.Clone(data)
		if err := p.Parse(data, &m); err != nil {
			return
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
		payload := codec.Received(c, &m)
		n := payload.NArgs()
		if args, err := payload.Args(); err == nil && len(args) != n {
			t.Fatalf("%d arguments, NArgs %d", len(args), n)
		}
	})
}

var emptyList = map[codec.Codec]string{codec.JSON: "[]", codec.MsgPack: "\x90", codec.CBOR: "\x80"}

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
				if to != codec.JSON {
					t.Fatalf("%s: %v: %v", to.Name(), v, err)
				}
				continue // NaN, infinity, and strings that begin with U+0000
			}
			again, err := to.Plain(raw)
			if err != nil || sprint(again) != sprint(v) {
				t.Fatalf("%s: %v became %v: %v", to.Name(), v, again, err)
			}
		}
	})
}

func sprint(v ...any) string { return fmt.Sprintf("%#v", v) }
