package codec_test

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// rawOf returns what is written for a serializer: hex, but for JSON.
func rawOf(t *testing.T, c codec.Codec, s string) []byte {
	t.Helper()
	if c == codec.JSON {
		return []byte(s)
	}
	return unhex(t, s)
}

// eventWith returns an EVENT with raw arguments.
func eventWith(c codec.Codec, args []byte) []byte {
	switch c {
	case codec.JSON:
		return append(append([]byte(`[36,1,2,{},`), args...), ']')
	case codec.CBOR:
		return append([]byte{0x85, 0x18, 36, 1, 2, 0xa0}, args...)
	}
	return append([]byte{0x95, 36, 1, 2, 0x80}, args...)
}

// atOnce runs f, which must not take a time that grows with the square of the
// megabytes that it is given: that would be many seconds. On a busy machine it has
// three tries.
func atOnce(t *testing.T, what string, f func()) {
	t.Helper()
	limit := 4 * time.Second // on a machine that has other things to do
	if racing {
		limit *= 5
	}
	var took time.Duration
	for range 3 {
		begin := time.Now()
		f()
		if took = time.Since(begin); took < limit {
			return
		}
	}
	t.Errorf("%s took %v", what, took)
}

// typed checks that err is one of the types that errors of received values have, and
// not long.
func typed(t *testing.T, what string, err error) {
	t.Helper()
	var syntax *codec.SyntaxError
	var scan *codec.ScanError
	if !errors.As(err, &syntax) && !errors.As(err, &scan) || len(err.Error()) > proto.MaxText {
		t.Errorf("%s: %v", what, err)
	}
}

// faults are arguments in which something is wrong, though everybody can see where
// they end.
var faults = map[codec.Codec]map[string]string{
	codec.JSON: {
		"nested": strings.Repeat("[", 200) + strings.Repeat("]", 200), "NaN": "[NaN]", "Infinity": "[Infinity]", "-Infinity": `[{"a":-Infinity}]`,
		"undefined": "[undefined]", "UTF-8": "[\"\xff\"]", "UTF-8 in a key": "[{\"\xff\":1}]", "control": "[\"\n\"]", "escape": `["\x"]`,
		"no text for a key": "[{1:2}]", "key twice": `[{"a":1,"a":2}]`, "no comma": "[1 2]", "comma too many": "[1,]", "number": "[01]",
		"digits": "[" + strings.Repeat("9", 1<<17) + "]", "exponent": "[1e999]", "base64": `["\u0000!"]`, "colon": `[{"a":1:2}]`, "word": "[nul]",
	},
	codec.CBOR: {
		"nested": strings.Repeat("81", 200) + "80", "nested, indefinite": strings.Repeat("9f", 200) + strings.Repeat("ff", 200), "tags": "81" + strings.Repeat("c1", 300) + "00",
		"UTF-8": "8161ff", "UTF-8 in a key": "81a161ff01", "float key": "81a1f93c0001", "null key": "81a1f601", "list for a key": "81a18001", "key twice": "81a2616101616102",
		"chunk": "815f6161ff", "chunk of a chunk": "815f5f4100ffff", "half a pair": "81bf6161ff", "simple": "81f81f", "bignum of text": "81c26161", "bignum of a list": "81c280",
	},
	codec.MsgPack: {
		"nested": strings.Repeat("91", 200) + "90", "UTF-8": "91a1ff", "UTF-8 in a key": "9181a1ff01", "float key": "9181ca3f80000001", "null key": "9181c001",
		"list for a key": "91819001", "key twice": "9182a16101a16102", "unused byte": "91c1", "extension for a key": "9181d4010001",
	},
}

// loose are the faults that a target does not see whose library does not look, or that
// stand behind the first argument, and that no router minds.
var loose = map[string]bool{"comma too many": true, "no comma": true, "base64": true, "exponent": true, "key twice": true, "null key": true, "list for a key": true}

// A message with a fault inside its payload is one all the same. Whoever asks for
// what is at fault gets an error, and nobody else.
func TestPayloadFaults(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(codec.Limits{})
		for name, s := range faults[c] {
			var m proto.Message
			args := rawOf(t, c, s)
			if err := p.Parse(eventWith(c, args), &m); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !bytes.Equal(m.Args, args) || m.Odd != nil {
				t.Errorf("%s: arguments are %q, %+v", name, m.Args, m.Odd)
			}
			payload := codec.Received(c, &m)
			_, err := payload.Args()
			typed(t, name+": Args", err)
			for _, target := range []any{new(any), new([]any), new(map[string]any), new(int), new(string), new(record), new([]string)} {
				if err := payload.Scan(target); err != nil || !loose[name] {
					typed(t, name, err)
				}
			}
			payload.NArgs()
			payload.Text(100)
			for _, other := range codecs {
				if out, _, err := payload.Encode(other, []byte("dst")); (err == nil || string(out) != "dst") && (other != c || !loose[name]) {
					t.Errorf("%s: it can be sent in %s", name, other.Name())
				}
			}
		}
		// An argument beside it can be read.
		args := appendValue(t, c, []any{0, 7, "x"})
		fault := map[codec.Codec]string{codec.JSON: "[undefined,7,\"x\"]", codec.CBOR: "83 61ff 07 6178", codec.MsgPack: "93 a1ff 07 a178"}[c]
		var n int
		var s string
		payload := codec.Raw(c, rawOf(t, c, fault), args)
		if err := payload.Scan(nil, &n, &s); err != nil || n != 7 || s != "x" {
			t.Errorf("%d, %q, %v", n, s, err)
		}
		var scan *codec.ScanError
		if err := payload.Scan(&s); !errors.As(err, &scan) || scan.Index != 0 {
			t.Errorf("%v", err)
		}
	})
}

// What does not end, or has another form, is no message.
func TestPayloadWithoutEnd(t *testing.T) {
	for c, rows := range map[codec.Codec][]string{
		codec.JSON: {"[", "[[]", "[{]}", "[}", `["]`, `["\"]`, "[1]]", "[1],", "[] []", "{}", "1", "undefined", "NaN", `"x"`, "", "]", "}", ":", strings.Repeat("[", 5000)},
		codec.CBOR: {"81", "82 01", "9f", "9f 01", "81 61", "81 9f ff ff", "ff", "81 ff", "81 1c", "81 5f", "81 5f 4100", "9a ffffffff", "9b ffffffffffffffff", "81 bb 8000000000000000",
			"81 7b 7fffffffffffffff", "81 5b ffffffffffffffff", "80 00", "a0", "01", "6161", "4161", "81 df", strings.Repeat("9f", 5000), strings.Repeat("81", 5000)},
		codec.MsgPack: {"91", "92 01", "91 a1", "dd ffffffff", "91 df ffffffff", "91 db ffffffff", "91 c6 ffffffff", "91 c9 ffffffff 01", "91 d9", "91 d4", "91 d4 01", "91 c7 00",
			"dd 80000000", "91 df 80000000", "91 db 80000000", "91 c6 80000000 00", "91 c9 7fffffff 00", "91 df 40000000", "90 00", "80", "01", "a161", "c401ff", "c1",
			strings.Repeat("91", 5000)},
	} {
		for _, l := range []codec.Limits{{}, strict} {
			p := c.NewParser(l)
			for _, s := range rows {
				var m proto.Message
				var syntax *codec.SyntaxError
				if err := p.Parse(eventWith(c, rawOf(t, c, s)), &m); !errors.As(err, &syntax) {
					t.Errorf("%s %.40q: %v", c.Name(), s, err)
				}
				_ = codec.Raw(c, rawOf(t, c, s), nil).Scan(new(any), new(int), new(record)) // does not panic
			}
		}
	}
}

// A megabyte of nothing but beginnings are found to end, or not, at once and with no more
// memory than they have, and so is what is in them.
func TestDeepPayloads(t *testing.T) {
	const size = 1<<20 - 16
	half := size / 2
	rows := map[codec.Codec]map[string][]byte{
		codec.JSON: {
			"lists": []byte(strings.Repeat("[", half) + strings.Repeat("]", half)), "dicts": []byte("[" + strings.Repeat(`{"a":`, half/6) + "1" + strings.Repeat("}", half/6) + "]"),
			"mixed": []byte(strings.Repeat(`[{"":`, half/6) + "1" + strings.Repeat("}]", half/6)), "wide": []byte("[" + strings.Repeat("[],", half/3) + "1]"),
			"string": []byte(`["` + strings.Repeat(`\\`, half) + `"]`),
		},
		codec.CBOR: {
			"lists": append(bytes.Repeat([]byte{0x81}, size-1), 0x80), "indefinite": append(bytes.Repeat([]byte{0x9f}, half), bytes.Repeat([]byte{0xff}, half)...),
			"mixed": append(append(bytes.Repeat([]byte{0x82, 0x9f}, half/3), 0x80), bytes.Repeat([]byte{0xff, 0x00}, half/3)...),
			"tags":  append(append([]byte{0x81}, bytes.Repeat([]byte{0xc1}, half)...), 0), "dicts": append(append([]byte{0x81}, bytes.Repeat([]byte{0xa1, 0x00}, half/2)...), 0),
			"wide": append([]byte{0x9a, 0, 0x04, 0, 0}, make([]byte, 1<<18)...), "wide around": slices.Concat([]byte{0x9a, 0, 0x04, 0, 0, 0x9f, 0x82, 0x9f, 0xff, 0, 0xff}, make([]byte, 1<<18-1)),
			"empty chunks": append(append([]byte{0x81, 0x7f}, bytes.Repeat([]byte{0x60}, half)...), 0xff),
		},
		codec.MsgPack: {
			"lists": append(bytes.Repeat([]byte{0x91}, size-1), 0x90), "dicts": append(append([]byte{0x91}, bytes.Repeat([]byte{0x81, 0x00}, half/2)...), 0),
			"wide": append([]byte{0xdd, 0, 0x04, 0, 0}, make([]byte, 1<<18)...),
		},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for name, args := range rows[c] {
			p := c.NewParser(codec.Limits{})
			data := eventWith(c, args)
			var m proto.Message
			parse := func() {
				if err := p.Parse(data, &m); err != nil {
					t.Errorf("%s: %.100v", name, err)
				}
			}
			atOnce(t, name, parse)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parse()
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 6*size { // of what grows step by step
				t.Errorf("%s: %d bytes were taken", name, got)
			}
			payload := codec.Received(c, &m)
			atOnce(t, name+": NArgs", func() { payload.NArgs() })
			atOnce(t, name+": Text", func() { payload.Text(200) })
			atOnce(t, name+": Args", func() {
				if _, err := payload.Args(); err != nil {
					typed(t, name, err)
				}
			})
			for _, target := range []any{new(any), new(record), new(string)} {
				atOnce(t, name+": Scan", func() {
					if err := payload.Scan(target); err != nil {
						typed(t, name, err)
					}
				})
			}
			atOnce(t, name+": an end that is missing", func() {
				if err := p.Parse(data[:len(data)-2], &m); err == nil {
					t.Errorf("%s: an end is missing", name)
				}
			})
		}
	})
}

// Numbers of megabytes cost no more than they are long, wherever they go.
func TestHugeNumbers(t *testing.T) {
	const size = 2<<20 - 64
	bignum := append([]byte{0xc2, 0x5a, byte(size >> 24), byte(size >> 16 & 0xff), byte(size >> 8 & 0xff), byte(size & 0xff)}, bytes.Repeat([]byte{0x77}, size)...)
	negative := append([]byte{0xc3}, bignum[1:]...)
	zeros := append(append([]byte{}, bignum[:6]...), make([]byte, size)...)
	chunks := append(append([]byte{0xc2, 0x5f}, bytes.Repeat([]byte{0x43, 1, 2, 3}, size/4)...), 0xff)
	digits := bytes.Repeat([]byte{'7'}, size)
	text := map[codec.Codec][]byte{codec.JSON: append(append([]byte{'"'}, digits...), '"'), codec.CBOR: append([]byte{0x7a, byte(size >> 24), byte(size >> 16 & 0xff), byte(size >> 8 & 0xff), byte(size & 0xff)}, digits...),
		codec.MsgPack: append([]byte{0xdb, byte(size >> 24), byte(size >> 16 & 0xff), byte(size >> 8 & 0xff), byte(size & 0xff)}, digits...)}
	rows := map[codec.Codec]map[string][]byte{
		codec.CBOR: {"bignum": bignum, "negative": negative, "zeros": zeros, "chunks": chunks, "decimal fraction": append([]byte{0xc4, 0x82, 0x1a, 0xff, 0xff, 0xff, 0xff}, bignum...),
			"big float": append([]byte{0xc5, 0x82, 0x3a, 0xff, 0xff, 0xff, 0xff}, bignum...), "rational": append(append([]byte{0xd8, 30, 0x82}, bignum[:len(bignum)/2]...), 1)},
		codec.JSON: {"digits": digits, "negative": append([]byte{'-'}, digits...), "fraction": append([]byte("0."), digits...), "exponent": []byte("1e" + string(digits)),
			"float": []byte(string(digits[:size/2]) + ".5e-" + string(digits[:20])), "zeros": []byte("0." + strings.Repeat("0", size) + "1")},
		codec.MsgPack: {},
	}
	type fields struct {
		N int       `json:"n"`
		B *big.Int  `json:"b"`
		F big.Float `json:"f"`
		A any       `json:"a"`
	}
	each(t, func(t *testing.T, c codec.Codec) {
		rows[c]["text"] = text[c]
		for name, number := range rows[c] {
			payload := codec.Raw(c, wrap(c, number), nil)
			for _, target := range []any{new(int), new(uint8), new(float64), new(float32), new(string), new([]byte), new(any), new(big.Int), new(*big.Int),
				new(big.Float), new(*big.Rat), new(time.Time), new([]int), new(fields)} {
				atOnce(t, name, func() {
					if err := payload.Scan(target); err != nil {
						typed(t, name, err)
					} else if _, isInt := target.(*int); isInt && name != "zeros" {
						t.Errorf("%s went into an int", name)
					}
				})
			}
			for _, key := range []string{"n", "b", "f", "a", "none"} {
				dict := append(append(map[codec.Codec][]byte{codec.JSON: []byte(`{"` + key + `":`), codec.CBOR: append([]byte{0xa1, byte(0x60 + len(key))}, key...),
					codec.MsgPack: append([]byte{0x81, byte(0xa0 + len(key))}, key...)}[c], number...), map[codec.Codec]string{codec.JSON: "}"}[c]...)
				atOnce(t, name+" in "+key, func() {
					if err := codec.Raw(c, nil, dict).ScanKw(new(fields)); err != nil {
						typed(t, name, err)
					}
				})
			}
			atOnce(t, name+": Args", func() {
				if _, err := payload.Args(); err != nil {
					typed(t, name, err)
				}
			})
			for _, to := range codecs {
				atOnce(t, name+" to "+to.Name(), func() {
					if _, _, err := payload.Encode(to, nil); err != nil && len(err.Error()) > proto.MaxText {
						t.Errorf("%s: %d bytes of error", name, len(err.Error()))
					}
				})
			}
		}
	})
	// Where it fits, it is right.
	want := new(big.Int).SetBytes(bignum[6:])
	var n *big.Int
	if err := codec.CBOR.Unmarshal(bignum, &n); err != nil || n.Cmp(want) != 0 {
		t.Errorf("a bignum of 2 MiB went wrong: %v", err)
	}
	if v, err := codec.CBOR.Plain(negative); err != nil || v.(*big.Int).Cmp(want.Not(want)) != 0 {
		t.Errorf("a negative bignum of 16 MiB went wrong: %v", err)
	}
	if err := codec.CBOR.Unmarshal(zeros, new(int)); err != nil {
		t.Errorf("a zero of 2 MiB: %v", err)
	}
	if raw, err := codec.CBOR.AppendValue(nil, n); err != nil || !bytes.Equal(raw, bignum) {
		t.Errorf("it did not come back: %v", err)
	}
	// What a type has no place for is not given to a library, which would make digits of it.
	short := append([]byte{0xc2, 0x59, 0x08, 0x00}, bytes.Repeat([]byte{0x77}, 2048)...)
	if err := codec.CBOR.Unmarshal(wrap(codec.CBOR, short), new([]int)); err == nil || !strings.Contains(err.Error(), "too many digits") {
		t.Errorf("%v", err)
	}
	if err := codec.CBOR.Unmarshal(wrap(codec.CBOR, short), new([]*big.Int)); err != nil {
		t.Error(err)
	}
	for _, c := range []codec.Codec{codec.JSON, codec.MsgPack} {
		atOnce(t, c.Name(), func() { refused(t, c, n, "digits") })
		atOnce(t, c.Name(), func() { refused(t, c, struct{ N *big.Int }{n}, "digits") })
	}
}

// Big numbers are what they are in every serializer.
func TestBigNumbers(t *testing.T) {
	for _, s := range []string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
		"-9223372036854775809", "18446744073709551616", "-18446744073709551616", "-18446744073709551617", "123456789012345678901234567890",
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1024), big.NewInt(1)).String(), strings.Repeat("9", 512), strings.Repeat("8", 513), "-" + strings.Repeat("123456789", 400), strings.Repeat("7", 50_000)} {
		n := bigInt(s)
		var plain any = n
		if n.IsInt64() {
			plain = n.Int64()
		} else if n.IsUint64() {
			plain = n.Uint64()
		}
		each(t, func(t *testing.T, c codec.Codec) {
			raw := appendValue(t, c, n)
			want := plain
			if _, big := plain.(*big.Int); big && c != codec.CBOR {
				want = s // it has no other form
			}
			if got, err := c.Plain(raw); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%.40s: %.60v, %v", s, got, err)
			}
			var p *big.Int
			v := *big.NewInt(77)
			for _, err := range []error{c.Unmarshal(raw, &p), c.Unmarshal(raw, &v)} {
				if err != nil {
					t.Errorf("%.40s: %v", s, err)
				}
			}
			if p.Cmp(n) != 0 || v.Cmp(n) != 0 {
				t.Errorf("%.40s became %.60v, %.60v", s, p, &v)
			}
			var x float64
			f, _ := new(big.Float).SetInt(n).Float64()
			_, isText := want.(string)
			if err := c.Unmarshal(raw, &x); !isText && (err == nil) == math.IsInf(f, 0) || isText && err == nil || err == nil && x != f {
				t.Errorf("%.40s: the nearest float is %v, not %v: %v", s, f, x, err)
			}
			i := int64(5)
			if err := c.Unmarshal(raw, &i); (err == nil) != n.IsInt64() || err == nil && i != n.Int64() || err != nil && i != 5 {
				t.Errorf("%.40s: %d, %v", s, i, err)
			}
			var st struct{ N *big.Int }
			if err := c.Unmarshal(appendValue(t, c, struct{ N *big.Int }{n}), &st); err != nil || st.N.Cmp(n) != 0 {
				t.Errorf("%.40s in a struct: %.60v, %v", s, st.N, err)
			}
		})
	}
	each(t, func(t *testing.T, c codec.Codec) {
		null := appendValue(t, c, (*big.Int)(nil))
		p := big.NewInt(5)
		if err := c.Unmarshal(null, &p); err != nil || p != nil {
			t.Errorf("null: %v, %v", p, err)
		}
		for _, v := range []any{"x", true, 1.5, []any{}, map[string]any{}} {
			if err := c.Unmarshal(appendValue(t, c, v), new(big.Int)); err == nil {
				t.Errorf("%v went into a big.Int", v)
			}
		}
	})
}
