package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

func raw(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What stays is byte for byte what came, in each form that a dict can have.
func TestPayloadSplit(t *testing.T) {
	for name, tt := range map[string]struct {
		c                  codec.Codec
		kwargs, rest, gone []byte
	}{
		"json": {
			codec.JSON, []byte(` { "a" : 1.50 , "t\u0072" : {"x":[1, 2]} , "b":"\u0041"} `),
			[]byte(`{"a" : 1.50,"b":"\u0041"}`), []byte(`{"t\u0072" : {"x":[1, 2]}}`),
		},
		"json, alone":    {codec.JSON, []byte(`{"tr":"x"}`), nil, []byte(`{"tr":"x"}`)},
		"json, twice":    {codec.JSON, []byte(`{"tr":"x","a":1,"tr":"y"}`), []byte(`{"a":1}`), []byte(`{"tr":"x","tr":"y"}`)},
		"json, last":     {codec.JSON, []byte(`{"a":{"tr":2},"tr":null}`), []byte(`{"a":{"tr":2}}`), []byte(`{"tr":null}`)},
		"msgpack":        {codec.MsgPack, raw(t, "83a161d10001a27472a178a162c3"), raw(t, "82a161d10001a162c3"), raw(t, "81a27472a178")},
		"msgpack, map16": {codec.MsgPack, raw(t, "de0002a16101d9027472c0"), raw(t, "81a16101"), raw(t, "81d9027472c0")},
		"cbor":           {codec.CBOR, raw(t, "a361611900016274726178616258024142"), raw(t, "a2616119000161625802414"+"2"), raw(t, "a16274726178")},
		"cbor, open":     {codec.CBOR, raw(t, "bf6161017f61746172ff9f01ffff"), raw(t, "a1616101"), raw(t, "a17f61746172ff9f01ff")},
		"cbor, many": {
			codec.CBOR, append(append(raw(t, "b9012d"), bytes.Repeat(raw(t, "60f6"), 300)...), raw(t, "6161f6")...),
			raw(t, "a16161f6"), append(raw(t, "b9012c"), bytes.Repeat(raw(t, "60f6"), 300)...),
		},
		"cbor, a number": {codec.CBOR, raw(t, "a201026274720a"), raw(t, "a10102"), raw(t, "a16274720a")},
	} {
		t.Run(name, func(t *testing.T) {
			args := []byte("the arguments")
			p := codec.Raw(tt.c, args, tt.kwargs).Last()
			before := bytes.Clone(tt.kwargs)
			rest, split := p.Split("other", "tr", "")
			if !bytes.Equal(rest.RawKwargs(), tt.rest) || !bytes.Equal(rest.RawArgs(), args) || !rest.IsLast() || rest.Codec() != tt.c {
				t.Errorf("what stays is %q %q", rest.RawArgs(), rest.RawKwargs())
			}
			if !bytes.Equal(split.RawKwargs(), tt.gone) || split.RawArgs() != nil || split.Empty() {
				t.Errorf("what is taken out is %q %q", split.RawArgs(), split.RawKwargs())
			}
			if !bytes.Equal(tt.kwargs, before) {
				t.Error("the bytes were changed")
			}
		})
	}
}

// A payload without the key is the one that it was.
func TestPayloadSplitOfNothing(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		opaque := appendValue(t, c, []byte("sealed"))
		lost := errors.New("the key is lost")
		for name, p := range map[string]codec.Payload{
			"zero": {}, "args": codec.Args(1), "map": codec.Kwargs(map[string]any{"a": 1}), "no dict": codec.Kwargs(5),
			"cannot be encoded": codec.Kwargs(map[string]any{"tr": make(chan int)}),
			"raw":               rawPayload(t, c), "args only": codec.Raw(c, appendValue(t, c, []any{1}), nil),
			"opaque": codec.Raw(c, opaque, nil), "null": codec.Raw(c, nil, appendValue(t, c, nil)),
			"a list": codec.Raw(c, nil, appendValue(t, c, []any{"tr"})), "garbage": codec.Raw(c, nil, []byte{0xa2, 0x62, 't'}),
			"cut short":        codec.Raw(c, nil, appendValue(t, c, map[string]any{"tr": "xyz"})[:4]),
			"not sealed by us": codec.Sealed(func() (codec.Payload, error) { return codec.Payload{}, lost }),
		} {
			rest, split := p.Split("tr")
			if !reflect.DeepEqual(rest, p) || !split.Empty() || split.Codec() != nil {
				t.Errorf("%s: %+v and %+v", name, rest, split)
			}
		}
	})
}

// What is made of Go values, or opened first, is split too.
func TestPayloadSplitOfValues(t *testing.T) {
	type options struct {
		A int    `json:"a"`
		T string `json:"tr"`
	}
	want := map[string]any{"a": int64(1)}
	for name, p := range map[string]codec.Payload{
		"map":    codec.Args("x").WithKwargs(map[string]any{"a": 1, "tr": "y"}),
		"struct": codec.Args("x").WithKwargs(&options{1, "y"}),
		"with": codec.Args("x").WithKwargs(struct {
			A int `json:"a"`
		}{1}).With("tr", "y"),
		"sealed": codec.Sealed(func() (codec.Payload, error) {
			return codec.Args("x").WithKwargs(map[string]any{"a": 1, "tr": "y"}), nil
		}),
	} {
		rest, split := p.Last().Split("tr")
		args, err1 := rest.Args()
		kwargs, err2 := rest.Kwargs()
		gone, err3 := split.Kwargs()
		if err := errors.Join(err1, err2, err3); err != nil || !reflect.DeepEqual(args, []any{"x"}) || !reflect.DeepEqual(kwargs, want) ||
			!reflect.DeepEqual(gone, map[string]any{"tr": "y"}) || !rest.IsLast() {
			t.Errorf("%s: %v %v, %v, %v", name, args, kwargs, gone, err)
		}
	}
}

// With leaves what is encoded as it is, and gives a struct to the encoder as it came.
func TestPayloadWithOnWhatIsThere(t *testing.T) {
	kwargs := []byte(` {"a": 1.50, "t\u0072":0,"b" :[ 1]} `)
	p := codec.Raw(codec.JSON, []byte(`[ 1]`), kwargs).Last().With("tr", map[string]any{"x": "y"})
	if string(p.RawKwargs()) != `{"a": 1.50,"b" :[ 1],"tr":{"x":"y"}}` || string(p.RawArgs()) != `[ 1]` || !p.IsLast() {
		t.Errorf("%s %s", p.RawArgs(), p.RawKwargs())
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for name, p := range map[string]codec.Payload{"none": codec.Raw(c, appendValue(t, c, []any{1}), nil), "null": codec.Raw(c, nil, appendValue(t, c, nil))} {
			if kw, err := p.With("k", "v").Kwargs(); err != nil || !reflect.DeepEqual(kw, map[string]any{"k": "v"}) {
				t.Errorf("%s: %v, %v", name, kw, err)
			}
		}
		type options struct {
			F float32   `json:"f"`
			N int       `json:"n"`
			T time.Time `json:"t"`
		}
		o := options{0.1, 3, time.Unix(77, 5).UTC()}
		_, plain := encode(t, codec.Kwargs(o), c)
		out := codec.Kwargs(&o).With("n", "x").With("k", true).With("k", 1)
		_, kwargs := encode(t, out, c)
		rest, split := codec.Raw(c, nil, kwargs).Split("k", "n")
		kept, _ := codec.Raw(c, nil, plain).Split("n")
		if !bytes.Equal(rest.RawKwargs(), kept.RawKwargs()) {
			t.Errorf("%q has become %q", kept.RawKwargs(), rest.RawKwargs())
		}
		if kw, err := split.Kwargs(); err != nil || !reflect.DeepEqual(kw, map[string]any{"n": "x", "k": int64(1)}) {
			t.Errorf("%v, %v", kw, err)
		}
		if _, _, err := codec.Kwargs(o).With("k", make(chan int)).Encode(c, nil); err == nil {
			t.Error("a channel was encoded")
		}
		if o.N != 3 {
			t.Error("the struct was changed")
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	for _, c := range codec.All() {
		kwargs, err := c.AppendValue(nil, map[string]any{"a": 1, "trace_context": map[string]any{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "b": "text"})
		if err != nil {
			b.Fatal(err)
		}
		p := codec.Raw(c, nil, kwargs)
		b.Run(c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Split("trace_context")
			}
		})
	}
}
