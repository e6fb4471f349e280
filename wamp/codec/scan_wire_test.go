package codec_test

import (
	"encoding/hex"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var listOfTwo = map[codec.Codec]byte{codec.CBOR: 0x82, codec.MsgPack: 0x92}

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

func isNegZero(v any) bool { f, ok := v.(float64); return ok && f == 0 && math.Signbit(f) }

// The values are examples of RFC 8949, appendix A, and forms of the MessagePack
// and JSON texts that our own encoders do not write.
func TestForeignForms(t *testing.T) {
	tests := []struct {
		c    codec.Codec
		raw  string // hex, but for JSON
		want any
	}{
		{codec.CBOR, "1903e8", int64(1000)}, {codec.CBOR, "1bffffffffffffffff", uint64(math.MaxUint64)},
		{codec.CBOR, "c249010000000000000000", bigInt("18446744073709551616")}, {codec.CBOR, "3bffffffffffffffff", bigInt("-18446744073709551616")},
		{codec.CBOR, "c349010000000000000000", bigInt("-18446744073709551617")}, {codec.CBOR, "c24105", int64(5)}, {codec.CBOR, "c34105", int64(-6)},
		{codec.CBOR, "3903e7", int64(-1000)}, {codec.CBOR, "f93c00", 1.0}, {codec.CBOR, "f97bff", 65504.0}, {codec.CBOR, "f90001", 5.960464477539063e-8},
		{codec.CBOR, "f90400", 0.00006103515625}, {codec.CBOR, "f9c400", -4.0}, {codec.CBOR, "f98000", math.Copysign(0, -1)},
		{codec.CBOR, "f97c00", math.Inf(1)}, {codec.CBOR, "f9fc00", math.Inf(-1)}, {codec.CBOR, "fa47c35000", 100000.0},
		{codec.CBOR, "fb3ff199999999999a", 1.1}, {codec.CBOR, "f4", false}, {codec.CBOR, "f6", nil}, {codec.CBOR, "f7", nil}, {codec.CBOR, "f0", nil},
		{codec.CBOR, "f8ff", nil}, {codec.CBOR, "c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"},
		{codec.CBOR, "c11a514b67b0", "2013-03-21T20:04:00Z"}, {codec.CBOR, "d74401020304", codec.Tag{Number: 23, Content: []byte{1, 2, 3, 4}}},
		// Decimal numbers, UUIDs, times, bytes of JavaScript, and tags that are not known.
		{codec.CBOR, "c48221186e", "1.10"}, {codec.CBOR, "c4822118 6e", "1.10"}, {codec.CBOR, "c4820005", "5"}, {codec.CBOR, "c4820305", "5000"}, {codec.CBOR, "c4820300", "0"}, {codec.CBOR, "c4822438 04", "-0.00005"}, {codec.CBOR, "c4822018 7b", "12.3"},
		{codec.CBOR, "c482181e 1903e7", "999" + strings.Repeat("0", 30)}, {codec.CBOR, "c4821864 1903e7", "9.99e+102"}, {codec.CBOR, "c4823864 05", "5e-101"}, {codec.CBOR, "c48221c249010000000000000000", "184467440737095516.16"}, {codec.CBOR, "c4821a7fffffff 05", "5e+2147483647"},
		{codec.CBOR, "c480", codec.Tag{Number: 4, Content: []any{}}}, {codec.CBOR, "c482016178", codec.Tag{Number: 4, Content: []any{int64(1), "x"}}}, {codec.CBOR, "c482 1b0000001000000000 01", codec.Tag{Number: 4, Content: []any{int64(1 << 36), int64(1)}}},
		{codec.CBOR, "d8255000112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"}, {codec.CBOR, "d8254100", codec.Tag{Number: 37, Content: []byte{0}}},
		{codec.CBOR, "c1fb41d452d9ec200000", "2013-03-21T20:04:00.5Z"}, {codec.CBOR, "c120", "1969-12-31T23:59:59Z"}, {codec.CBOR, "c1fbbff8000000000000", "1969-12-31T23:59:58.5Z"}, {codec.CBOR, "c1f97e00", codec.Tag{Number: 1, Content: math.NaN()}}, {codec.CBOR, "c11b00ffffffffffffff", codec.Tag{Number: 1, Content: int64(1<<56 - 1)}},
		{codec.CBOR, "c16178", codec.Tag{Number: 1, Content: "x"}}, {codec.CBOR, "c001", codec.Tag{Number: 0, Content: int64(1)}}, {codec.CBOR, "d840420102", []byte{1, 2}}, {codec.CBOR, "d84001", codec.Tag{Number: 64, Content: int64(1)}},
		{codec.CBOR, "d82ad82ba16161f7", codec.Tag{Number: 42, Content: codec.Tag{Number: 43, Content: map[string]any{"a": nil}}}}, {codec.CBOR, "d9d9f783010203", []any{int64(1), int64(2), int64(3)}},
		{codec.CBOR, "5f42010243030405ff", []byte{1, 2, 3, 4, 5}}, {codec.CBOR, "7f657374726561646d696e67ff", "streaming"}, {codec.CBOR, "7fff", ""},
		{codec.CBOR, "9fff", []any{}}, {codec.CBOR, "9f018202039f0405ffff", []any{int64(1), []any{int64(2), int64(3)}, []any{int64(4), int64(5)}}},
		{codec.CBOR, "bf61610161629f0203ffff", map[string]any{"a": int64(1), "b": []any{int64(2), int64(3)}}},
		{codec.CBOR, "bf6346756ef563416d7421ff", map[string]any{"Fun": true, "Amt": int64(-2)}},
		{codec.CBOR, "a201020304", map[string]any{"1": int64(2), "3": int64(4)}}, {codec.CBOR, "1800", int64(0)}, {codec.CBOR, "1b0000000000000001", int64(1)},

		{codec.MsgPack, "cc05", int64(5)}, {codec.MsgPack, "cf0000000000000005", int64(5)}, {codec.MsgPack, "d30000000000000005", int64(5)},
		{codec.MsgPack, "d0ff", int64(-1)}, {codec.MsgPack, "d1ffff", int64(-1)}, {codec.MsgPack, "d2ffffffff", int64(-1)},
		{codec.MsgPack, "ca3f800000", 1.0}, {codec.MsgPack, "da000161", "a"}, {codec.MsgPack, "db0000000161", "a"}, {codec.MsgPack, "c5000101", []byte{1}},
		{codec.MsgPack, "c60000000101", []byte{1}}, {codec.MsgPack, "dc000101", []any{int64(1)}}, {codec.MsgPack, "dd0000000101", []any{int64(1)}},
		{codec.MsgPack, "de0001a16101", map[string]any{"a": int64(1)}}, {codec.MsgPack, "df00000001a16101", map[string]any{"a": int64(1)}},
		{codec.MsgPack, "81ff01", map[string]any{"-1": int64(1)}}, {codec.MsgPack, "d40107", codec.Tag{Number: 1, Content: []byte{7}}}, {codec.MsgPack, "c7030a010203", codec.Tag{Number: 10, Content: []byte{1, 2, 3}}},
		{codec.MsgPack, "d6ff00000000", "1970-01-01T00:00:00Z"}, {codec.MsgPack, "d7ff0000000400000001", "1970-01-01T00:00:01.000000001Z"},
		{codec.MsgPack, "c70cff00000000ffffffffffffffff", "1969-12-31T23:59:59Z"}, {codec.MsgPack, "d5ff0102", codec.Tag{Number: 255, Content: []byte{1, 2}}},

		{codec.JSON, ` [ 1 , "a" ,{ "b" : [ ] } ] `, []any{int64(1), "a", map[string]any{"b": []any{}}}}, {codec.JSON, " 5\n", int64(5)},
		{codec.JSON, `9007199254740993`, int64(9007199254740993)}, {codec.JSON, `9223372036854775807`, int64(math.MaxInt64)},
		{codec.JSON, `-9223372036854775808`, int64(math.MinInt64)}, {codec.JSON, `-9223372036854775809`, bigInt("-9223372036854775809")},
		{codec.JSON, `18446744073709551615`, uint64(math.MaxUint64)}, {codec.JSON, `18446744073709551616`, bigInt("18446744073709551616")},
		{codec.JSON, `1.0`, 1.0}, {codec.JSON, `1e3`, 1000.0}, {codec.JSON, `-0`, math.Copysign(0, -1)}, {codec.JSON, `0`, int64(0)},
		{codec.JSON, `-1.5E-3`, -0.0015}, {codec.JSON, `"\u0041\n\/\ud83d\ude00"`, "A\n/😀"},
		{codec.JSON, `"\ud800"`, "\ufffd"}, {codec.JSON, `"x\ud800\u0041"`, "x\ufffdA"}, {codec.JSON, `"\udc00\ud83d\ude00"`, "\ufffd😀"}, {codec.JSON, `{"\udc00":["\ud800"]}`, map[string]any{"\ufffd": []any{"\ufffd"}}},
		{codec.JSON, `"\u0000EAD/"`, []byte{0x10, 0, 0xff}}, {codec.JSON, `"\u0000"`, []byte{}},
	}
	for _, tt := range tests {
		raw := []byte(tt.raw)
		if tt.c != codec.JSON {
			raw = unhex(t, tt.raw)
		}
		got, err := tt.c.Plain(raw)
		if err != nil || plainText(got) != plainText(tt.want) || isNegZero(tt.want) != isNegZero(got) {
			t.Errorf("%s %s: got %T %v, want %T %v, %v", tt.c.Name(), tt.raw, got, got, tt.want, tt.want, err)
		}
		// In any place of a list it is the same, and one value.
		if tt.c == codec.JSON {
			raw = []byte("[" + tt.raw + "," + tt.raw + "]")
		} else {
			raw = append(append([]byte{listOfTwo[tt.c]}, raw...), raw...)
		}
		list, err := tt.c.Elements(nil, raw)
		if err != nil || len(list) != 2 {
			t.Errorf("%s %s in a list: %q, %v", tt.c.Name(), tt.raw, list, err)
		}
	}
}

// What is broken is refused by whatever reads it, and hostile counts take no
// memory.
func TestBroken(t *testing.T) {
	hostile := strings.Repeat("81", 60) + "9affffffff"
	for c, raws := range map[codec.Codec][]string{
		codec.CBOR: {"", "18", "19", "1903", "1a", "1b00", "1c", "1d", "1e", "1f", "3f", "df", "fc", "fd", "fe", "ff", "f800", "f81f", "41", "61", "62ff",
			"61ff", "5f", "5f01ff", "5f6161ff", "5f5f4100ffff", "7f4100ff", "7f", "81", "9f", "9f01", "a1", "a101", "a16161", "bf", "bf6161ff", "bf01ff",
			"c0", "c1", "0000", "a2616101616102", "a1410101", "a1f601", "a1800101", "9bffffffffffffffff", "bbffffffffffffffff", "bb8000000000000000",
			"5bffffffffffffffff", "7b7fffffffffffffff", "9affffffff", "baffffffff00", hostile, strings.Repeat("9f", 5000), strings.Repeat("81", 600) + "00",
			strings.Repeat("c1", 5) + "ff", strings.Repeat("c1", 100000) + "00"},
		codec.MsgPack: {"", "c1", "cc", "cd00", "ce000000", "cf", "d0", "d3", "ca", "cb", "a1", "a1ff", "d9", "d901", "c4", "c401", "c60000", "91", "dc", "dc0001",
			"ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff01", "81", "8101", "82a16101a16102", "81c40100", "81c001", "8190c0", "0000",
			"d4", "d401", "c700", "c8", strings.Repeat("91", 60) + "ddffffffff", strings.Repeat("91", 600) + "00"},
		codec.JSON: {"", "  ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a" 1}`, `{1:2}`, `{"a":1,"a":2}`,
			`{"a":1,"\u0061":2}`, `"`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", "\"\xff\"",
			"01", "1e999", "-1e999", "-", "+1", "1.", ".5", "1e", "1e+", "-01", "NaN", "Infinity", "nul", "tru", "truex", "1 2", "[1]]", "'a'", "\ufeff1",
			`"\u0000!!"`, `"\u0000EAD"`, `"\u0000EA\nD/"`, strings.Repeat("[", 5000), strings.Repeat("[", 600) + strings.Repeat("]", 600)},
	} {
		for _, s := range raws {
			raw := []byte(s)
			if c != codec.JSON {
				raw = unhex(t, s)
			}
			if v, err := c.Plain(raw); err == nil {
				t.Errorf("%s %.40q: %v", c.Name(), s, v)
			}
			var m proto.Message
			if err := c.NewParser(codec.Limits{}).Parse(raw, &m); err == nil {
				t.Errorf("%s %.40q is a message", c.Name(), s)
			}
			for _, target := range []any{new(any), new([]any), new([]int), new(map[string]any), new(record), new([]byte), new(int)} {
				if err := c.Unmarshal(raw, target); err == nil && !lenient(c, s, target) {
					t.Errorf("%s %.40q went into %T", c.Name(), s, target)
				}
			}
			// Scan may not look behind its targets, but it must not panic.
			p := codec.Raw(c, raw, raw)
			if err := p.Scan(new(int), new(any), new(record)); err == nil {
				t.Errorf("%s %.40q was scanned", c.Name(), s)
			}
			p.NArgs()
		}
	}
}

// lenient names what only the plain decoders refuse: a struct does not look at
// members it does not know, nor MessagePack at a member that comes twice.
func lenient(c codec.Codec, s string, target any) bool {
	_, toStruct := target.(*record)
	return toStruct && (c == codec.MsgPack && strings.HasPrefix(s, "8") || c == codec.CBOR && strings.HasPrefix(s, "a1"))
}

// Headers in forms that our own encoder does not write.
func TestForeignHeaders(t *testing.T) {
	want := proto.Message{Type: proto.Result, Request: 5, Options: proto.Dict{{Key: "progress", Value: true}}}
	for _, tt := range []struct {
		c   codec.Codec
		raw string
	}{
		{codec.CBOR, "83 1832 05 a1 68 70726f6772657373 f5"}, {codec.CBOR, "9f 1832 05 a1 68 70726f6772657373 f5 ff"},
		{codec.CBOR, "9f 190032 1b0000000000000005 bf 7f 63 70726f 65 6772657373 ff f5 ff ff"}, {codec.CBOR, "9a00000003 1832 05 b801 7808 70726f6772657373 f5"},
		{codec.MsgPack, "93 32 05 81 a8 70726f6772657373 c3"}, {codec.MsgPack, "dd00000003 cd0032 d30000000000000005 df00000001 db00000008 70726f6772657373 c3"},
		{codec.MsgPack, "dc0003 d032 cf0000000000000005 de0001 d908 70726f6772657373 c3"},
		{codec.JSON, " [ 50\t,5 ,\n{ \"pro\\u0067ress\" : true } ] "},
		// Integers as floats, which JavaScript and others write.
		{codec.CBOR, "83 f95240 f94500 a1 68 70726f6772657373 f5"}, {codec.CBOR, "83 fa42480000 fa40a00000 a1 68 70726f6772657373 f5"},
		{codec.CBOR, "83 fb4049000000000000 fb4014000000000000 a1 68 70726f6772657373 f5"},
		{codec.MsgPack, "93 ca42480000 ca40a00000 81 a8 70726f6772657373 c3"},
		{codec.MsgPack, "93 cb4049000000000000 cb4014000000000000 81 a8 70726f6772657373 c3"},
		{codec.JSON, `[50.0,5e0,{"progress":true}]`}, {codec.JSON, `[5E1,50e-1,{"progress":true}]`},
		{codec.JSON, `[0.5e2,0.000005e+6,{"progress":true}]`}, {codec.JSON, `[5000.00e-2,5.000,{"progress":true}]`},
	} {
		raw := []byte(tt.raw)
		if tt.c != codec.JSON {
			raw = unhex(t, tt.raw)
		}
		var m proto.Message
		for _, l := range []codec.Limits{{}, strict} {
			if err := tt.c.NewParser(l).Parse(raw, &m); err != nil || !reflect.DeepEqual(m, want) {
				t.Errorf("%s %s: %+v, %v", tt.c.Name(), tt.raw, m, err)
			}
		}
	}
	for _, tt := range []struct {
		c   codec.Codec
		raw string
	}{
		{codec.CBOR, "83 1832 05 a2 615f01 615f02"}, {codec.CBOR, "83 1832 05 bf 615f01 615f02 ff"}, {codec.CBOR, "83 1832 05 a10102"},
		{codec.CBOR, "83 1832 05 a1 615f" + strings.Repeat("c1", 140) + "00"}, {codec.CBOR, "83 1832 20 a0"}, {codec.CBOR, "83 1832 f93e00 a0"}, {codec.CBOR, "83 1832 f98000 a0"},
		{codec.CBOR, "83 1832 f97c00 a0"}, {codec.CBOR, "83 1832 f97e00 a0"}, {codec.CBOR, "83 1832 fb4340000000000001 a0"}, {codec.CBOR, "83 1832 c105 a0"}, {codec.CBOR, "9f 1832 05 a0"}, {codec.CBOR, "9f 1832 05 a0 ff00"},
		{codec.CBOR, "83 1832 05 a1 615f 61ff"}, {codec.CBOR, "83 1832 05 bf 615f ff"}, {codec.CBOR, "9b0000000100000003 1832 05 a0"},
		{codec.MsgPack, "93 32 05 82 a15f01 a15f02"}, {codec.MsgPack, "93 32 05 810102"}, {codec.MsgPack, "93 32 ff 80"}, {codec.MsgPack, "93 32 ca3fc00000 80"}, {codec.MsgPack, "93 32 cb8000000000000000 80"}, {codec.MsgPack, "93 32 cb4340000000000001 80"},
		{codec.MsgPack, "93 32 05 81a15fa1ff"}, {codec.MsgPack, "ddffffffff 32"},
		{codec.JSON, `[50,5,{"_":1,"_":2}]`}, {codec.JSON, `[50,5.01,{}]`}, {codec.JSON, `[50,5e-1,{}]`}, {codec.JSON, `[50,-0,{}]`}, {codec.JSON, `[50,-5.0,{}]`},
		{codec.JSON, `[50,9007199254740993.0,{}]`}, {codec.JSON, `[50,1e16,{}]`}, {codec.JSON, `[50,1e99999999999,{}]`}, {codec.JSON, `[50,1e-99999999999,{}]`}, {codec.JSON, `[50,05,{}]`},
		{codec.JSON, `[50,9007199254740993,{}]`}, {codec.JSON, `[50,99999999999999999999999,{}]`}, {codec.JSON, `[50,5,{"_":"\ud800"}]`}, {codec.JSON, `[50,5,{}],`},
		{codec.JSON, `[50,5,{},]`}, {codec.JSON, `[,50,5,{}]`}, {codec.JSON, `[50 5 {}]`},
	} {
		raw := []byte(tt.raw)
		if tt.c != codec.JSON {
			raw = unhex(t, tt.raw)
		}
		var m proto.Message
		if err := tt.c.NewParser(strict).Parse(raw, &m); err == nil {
			t.Errorf("%s %s: %+v", tt.c.Name(), tt.raw, m)
		}
	}
}

// Options with very many keys are read in a time that does not grow with their
// square, and a key that comes twice is found there too.
func TestManyOptions(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		d := make(proto.Dict, 200_000)
		for i := range d {
			d[i] = proto.Entry{Key: "_" + strconv.Itoa(i), Value: int64(i)}
		}
		for _, tt := range []struct {
			d  proto.Dict
			ok bool
		}{{d, true}, {append(d[:40:40], d[39]), false}, {append(d[:40:40], d[0]), false}, {append(d[:5:5], d[0]), false}, {append(d[:33:33], d[32]), false}} {
			data, err := c.AppendMessage(nil, &proto.Message{Type: proto.Call, URI: "a", Options: tt.d})
			if err != nil {
				t.Fatal(err)
			}
			var m proto.Message
			if err := c.NewParser(strict).Parse(data, &m); (err == nil) != tt.ok || tt.ok && len(m.Options) != len(d) {
				t.Errorf("%d options: %v", len(tt.d), err)
			}
			want := len(tt.d)
			if !tt.ok {
				want -= 2 // the key that stands twice is absent
			}
			if err := c.NewParser(codec.Limits{}).Parse(data, &m); err != nil || len(m.Options) != want || (m.Odd == nil) != tt.ok {
				t.Errorf("%d options: %d are left, %+v, %v", len(tt.d), len(m.Options), m.Odd, err)
			}
		}
	})
}
