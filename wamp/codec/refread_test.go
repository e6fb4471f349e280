package codec_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/go-json-experiment/json/jsontext"
)

// readRows say what a received value becomes in a target. in is written by our
// encoder, raw is hex for CBOR and MessagePack, text for JSON.
var readRows = []struct {
	name   string
	in     any
	raw    map[codec.Codec]string
	target any // of the type, with what has been in it before
	want   any
}{
	// numbers into integers
	{"int of a float", 7.0, nil, 1, 7}, {"int64 of Date.now", 1.7e12, nil, int64(1), int64(1.7e12)}, {"int of -0", math.Copysign(0, -1), nil, 1, 0}, {"uint of -0", math.Copysign(0, -1), nil, uint16(1), uint16(0)},
	{"int of a fraction", 7.5, nil, 1, refusal("7.5")}, {"int8 of 300", 300, nil, int8(1), refusal("300")}, {"int8 of 300.0", 300.0, nil, int8(1), refusal("range")}, {"uint of -1", -1, nil, uint(1), refusal("-1")}, {"uint of -1.0", -1.0, nil, uint16(1), refusal("-1")},
	{"int64 of 2^63", uint64(1 << 63), nil, int64(1), refusal("range")}, {"int64 of 2^63, a float", 9223372036854775808.0, nil, int64(1), refusal("range")}, {"int64 of -2^63, a float", -9223372036854775808.0, nil, int64(1), int64(math.MinInt64)},
	{"uint64 of 2^63, a float", 9223372036854775808.0, nil, uint64(1), uint64(1 << 63)}, {"uint64 of 2^64, a float", 18446744073709551616.0, nil, uint64(1), refusal("range")}, {"int of 1e300", 1e300, nil, 1, refusal("range")},
	{"int of a string", "5", nil, 1, refusal(`"5"`)}, {"int of true", true, nil, 1, refusal("boolean")}, {"int of a list", []any{1}, nil, 1, refusal("list")}, {"int of bytes", []byte{1}, nil, 1, refusal("binary")}, {"int of null", nil, nil, 1, 0},
	{"named of a float", 5.0, nil, named(1), named(5)}, {"colour of a float", 5.0, nil, colour(1), colour(5)}, {"duration of a float", 1e9, nil, time.Duration(1), time.Second},
	{"int of NaN", nil, map[codec.Codec]string{codec.CBOR: "f97e00", codec.MsgPack: "cb7ff8000000000001"}, 1, refusal("NaN")},
	{"int, digits", nil, map[codec.Codec]string{codec.JSON: "9007199254740993.0"}, int64(1), int64(9007199254740993)}, {"int, exponent", nil, map[codec.Codec]string{codec.JSON: "70e-1"}, uint16(1), uint16(7)},
	{"uint of -0, as written", nil, map[codec.Codec]string{codec.JSON: "-0"}, uint16(1), uint16(0)}, {"int of -0, as written", nil, map[codec.Codec]string{codec.JSON: "-0"}, int8(1), int8(0)}, {"int, not quite", nil, map[codec.Codec]string{codec.JSON: "7.00000000000000000000001"}, 1, refusal("7.000")},
	{"int of a bignum", nil, map[codec.Codec]string{codec.CBOR: "c24105", codec.JSON: "5"}, 1, 5}, {"int of a large bignum", nil, map[codec.Codec]string{codec.CBOR: "c249010000000000000000", codec.JSON: "18446744073709551616"}, 1, refusal("range")},
	{"ints", []any{1.0, 2, -3.0}, nil, []int32{9}, []int32{1, 2, -3}}, {"map of ints", map[string]any{"a": 1.0}, nil, map[string]uint16{"b": 1}, map[string]uint16{"a": 1}},
	// into floats
	{"float of an int", 7, nil, 1.5, 7.0}, {"float of a large int", int64(1<<53 + 1), nil, 1.5, 9007199254740992.0}, {"float32", 0.1, nil, float32(1), float32(0.1)}, {"float32, range", 1e300, nil, float32(1), refusal("range")},
	{"float of -0", math.Copysign(0, -1), nil, 1.5, math.Copysign(0, -1)}, {"float of NaN", nil, map[codec.Codec]string{codec.CBOR: "f97e00", codec.MsgPack: "cb7ff8000000000001"}, 1.5, math.NaN()}, {"ratio of Inf", nil, map[codec.Codec]string{codec.CBOR: "f97c00", codec.MsgPack: "cb7ff0000000000000"}, ratio(1), ratio(math.Inf(1))},
	{"float, range", nil, map[codec.Codec]string{codec.JSON: "1e400"}, 1.5, refusal("")}, {"ratio, range", nil, map[codec.Codec]string{codec.JSON: "1e400"}, ratio(1.5), refusal("")}, {"float of a bignum", nil, map[codec.Codec]string{codec.CBOR: "c249010000000000000000", codec.JSON: "18446744073709551616"}, 1.5, 18446744073709551616.0},
	{"float of a string", "1.5", nil, 1.5, refusal("string")}, {"floats of ints", []any{1, 2.5}, nil, []float32(nil), []float32{1, 2.5}},
	// big numbers
	{"big.Int", 5, nil, *big.NewInt(9), *big.NewInt(5)}, {"big.Int of text", "123456789012345678901234567890", nil, *big.NewInt(9), *bigInt("123456789012345678901234567890")}, {"big.Int of a float", -7.0, nil, *big.NewInt(9), *big.NewInt(-7)},
	{"big.Int of 1e30", 1e30, nil, *big.NewInt(9), *bigInt("1000000000000000000000000000000")}, {"big.Int of a fraction", 7.5, nil, *big.NewInt(9), refusal("")}, {"big.Int of other text", "x", nil, *big.NewInt(9), refusal("x")}, {"big.Int of a dict", map[string]any{"a": 1}, nil, *big.NewInt(9), refusal("dict")},
	{"big.Int of a list", []any{1}, nil, *big.NewInt(9), refusal("list")}, {"big.Int of null", nil, nil, *big.NewInt(9), big.Int{}}, {"*big.Int of null", nil, nil, big.NewInt(9), (*big.Int)(nil)}, {"big.Int of bytes", []byte{1}, nil, *big.NewInt(9), refusal("binary")},
	{"*big.Int of a bignum", nil, map[codec.Codec]string{codec.CBOR: "c349010000000000000000", codec.JSON: "-18446744073709551617"}, big.NewInt(9), bigInt("-18446744073709551617")}, {"big.Int of hex", "0x10", nil, *big.NewInt(9), refusal("")}, {"big.Int of empty text", "", nil, *big.NewInt(9), refusal("")},
	{"big.Rat", "1/3", nil, *big.NewRat(1, 2), *big.NewRat(1, 3)},
	// json.Number
	{"json.Number", 7, nil, json.Number("1"), json.Number("7")}, {"json.Number of a float", 7.0, nil, json.Number("1"), json.Number("7.0")}, {"json.Number as written", nil, map[codec.Codec]string{codec.JSON: "1.500e1"}, json.Number("1"), json.Number("1.500e1")},
	{"json.Number of text", "7", nil, json.Number("1"), refusal("string")}, {"json.Number of null", nil, nil, json.Number("1"), json.Number("")}, {"json.Number of NaN", nil, map[codec.Codec]string{codec.CBOR: "f97e00"}, json.Number("1"), refusal("NaN")},
	{"json.Number of a bignum", nil, map[codec.Codec]string{codec.CBOR: "c249010000000000000000", codec.JSON: "18446744073709551616"}, json.Number("1"), json.Number("18446744073709551616")},
	// strings and bytes
	{"string", "x", nil, "y", "x"}, {"string of bytes", []byte("x"), nil, "y", refusal("binary")}, {"label of bytes", []byte("x"), nil, label("y"), refusal("binary")}, {"string of a list", []any{1, 2}, nil, "y", refusal("list")}, {"string of a number", 5, nil, "y", refusal("5")},
	{"string of null", nil, nil, "y", ""}, {"string with NUL", nil, map[codec.Codec]string{codec.CBOR: "620061", codec.MsgPack: "a20061"}, "y", "\x00a"}, {"label with NUL", nil, map[codec.Codec]string{codec.CBOR: "620061", codec.MsgPack: "a20061"}, label("y"), label("\x00a")},
	{"surrogate", nil, map[codec.Codec]string{codec.JSON: `"a\ud800b"`}, "y", "a\ufffdb"}, {"surrogates", nil, map[codec.Codec]string{codec.JSON: `["\udc00","\ud83d\ude00"]`}, []label{"y"}, []label{"\ufffd", "😀"}},
	{"bytes", []byte{1, 2}, nil, []byte{9, 9, 9}, []byte{1, 2}}, {"blob", []byte{1, 2}, nil, blob{9}, blob{1, 2}}, {"array", []byte{1, 2}, nil, [2]byte{9, 9}, [2]byte{1, 2}}, {"array of more", []byte{1, 2}, nil, [3]byte{9, 9, 9}, refusal("length")}, {"array of less", []byte{1, 2}, nil, [1]byte{9}, refusal("length")},
	{"bytes of base64", "AQI=", nil, []byte{9}, []byte{1, 2}}, {"bytes of text", "!", nil, []byte{9}, refusal("!")}, {"bytes of a list", []any{1, 2}, nil, []byte{9}, refusal("list")}, {"bytes of null", nil, nil, []byte{9}, []byte(nil)}, {"bytes of a number", 5, nil, blob{9}, refusal("5")}, {"empty bytes", []byte{}, nil, blob{9}, blob{}},
	{"named bytes", []any{1, 2.0}, nil, []colour{9}, []colour{1, 2}}, {"named bytes of binary", []byte{1}, nil, []colour{9}, refusal("binary")}, {"named bytes of text", "AQ==", nil, []colour{9}, refusal("string")}, {"named bytes of null", nil, nil, []colour{9}, []colour(nil)}, {"array of named bytes", []any{1}, nil, [1]colour{}, [1]colour{1}},
	{"bytes in lists", []any{[]byte{1}, nil, []byte{2}}, nil, [][]byte{{9}}, [][]byte{{1}, nil, {2}}}, {"digest keys", map[string]any{"a": []byte{1, 2, 3, 4}}, nil, map[string]digest(nil), map[string]digest{"a": {1, 2, 3, 4}}},
	{"bool", true, nil, flagged(false), flagged(true)}, {"bool of 1", 1, nil, true, refusal("1")}, {"bool of bytes", []byte{1}, nil, true, refusal("binary")}, {"bool of null", nil, nil, true, false},
	// structs
	{"list into a struct", []any{"joe", 5}, nil, Base{9}, refusal("list")}, {"string into a struct", "x", nil, Base{9}, refusal("string")}, {"bytes into a struct", []byte{1}, nil, Base{9}, refusal("binary")}, {"null into a struct", nil, nil, Base{9}, Base{}}, {"dict into a slice", map[string]any{"a": "b"}, nil, []string{"x"}, refusal("dict")},
	{"list into a map", []any{}, nil, map[string]int{"a": 1}, refusal("list")}, {"dict into an array", map[string]any{}, nil, [1]int{9}, refusal("dict")}, {"null into a map", nil, nil, map[string]int{"a": 1}, map[string]int(nil)}, {"dict into a string", map[string]any{}, nil, "x", refusal("dict")},
	{"case", map[string]any{"ID": 5, "Id": 6}, nil, Base{9}, Base{}}, {"unknown", map[string]any{"id": 5, "x": []any{1}}, nil, Base{9}, Base{5}}, {"embedded", map[string]any{"id": 5.0, "Name": "x"}, nil, embeds{}, embeds{Base{5}, "x"}}, {"embedded pointer", map[string]any{"id": 5, "Name": "x"}, nil, embedsPointer{&Base{7}, "y"}, embedsPointer{&Base{5}, "x"}},
	{"embedded pointer, absent", map[string]any{"Name": "x"}, nil, embedsPointer{&Base{7}, "y"}, embedsPointer{nil, "x"}}, {"conflict", map[string]any{"X": 1, "L": 2}, nil, conflict{}, conflict{Left: Left{L: 2}}},
	{"reuse", []any{map[string]any{"User": "bob"}}, nil, []struct{ User, Token string }{{"alice", "s3cret"}, {"x", "y"}}, []struct{ User, Token string }{{"bob", ""}}},
	{"reuse of a map", map[string]any{"a": 1}, nil, map[string]int{"b": 2}, map[string]int{"a": 1}}, {"reuse of a field", map[string]any{"Name": "x"}, nil, embeds{Base{5}, "y"}, embeds{Base{}, "x"}}, {"reuse of a pointer", map[string]any{"Name": "x"}, nil, &embeds{Base{5}, "y"}, &embeds{Base{}, "x"}},
	{"inline", map[string]any{"id": 1}, nil, struct {
		B Base `json:",inline"`
	}{}, refusal("inline")},
	{"other tags", map[string]any{"a": 1, "x": 2, "B": 3, "C": 4}, nil, struct {
		A int `cbor:"x" codec:"x" json:"a"`
		B int `cbor:"-"`
		C int `codec:"-"`
	}{}, struct {
		A int `cbor:"x" codec:"x" json:"a"`
		B int `cbor:"-"`
		C int `codec:"-"`
	}{1, 3, 4}},
	{"string option", map[string]any{"a": "1", "b": 2, "c": "1.5", "d": 2.5, "e": "7", "f": 3.0}, nil, quotedNumbers{}, quotedNumbers{1, 2, 1.5, 2.5, ptr(7), 3}},
	{"string option, wrong", map[string]any{"a": "x"}, nil, quotedNumbers{}, refusal(`"x"`)}, {"string option, null", map[string]any{"a": nil, "e": nil}, nil, quotedNumbers{A: 1}, quotedNumbers{}},
	{"string option on others", map[string]any{"a": true, "b": "x", "c": []any{1}, "e": map[string]any{"id": 1}, "f": []byte{1}, "g": 5, "h": "1970-01-01T00:00:00Z"}, nil, quotedOthers{}, quotedOthers{true, "x", []int{1}, Base{1}, []byte{1}, int64(5), time.Unix(0, 0).UTC()}},
	{"string option on a bool", map[string]any{"a": "true"}, nil, quotedOthers{}, refusal("string")},
	// lists
	{"array", []any{1, 2}, nil, [2]int{9, 9}, [2]int{1, 2}}, {"array of more", []any{1, 2}, nil, [3]int{9, 9, 9}, refusal("")}, {"array of less", []any{1, 2}, nil, [1]int{9}, refusal("")}, {"empty list", []any{}, nil, []int{1}, []int{}}, {"null", nil, nil, []int{1}, []int(nil)},
	{"keys twice", nil, map[codec.Codec]string{codec.JSON: `{"id":1,"id":1}`, codec.CBOR: "a2 626964 01 626964 01", codec.MsgPack: "82 a26964 01 a26964 01"}, Base{}, refusal("duplicate")},
	{"keys twice in what is not wanted", nil, map[codec.Codec]string{codec.JSON: `{"x":{"a":1,"a":1}}`, codec.CBOR: "a1 6178 a2 6161 01 6161 01", codec.MsgPack: "81 a178 82 a161 01 a161 01"}, Base{}, refusal("duplicate")},
	{"keys twice in a map", nil, map[codec.Codec]string{codec.JSON: `{"a":1,"a":1}`, codec.CBOR: "a2 6161 01 6161 01", codec.MsgPack: "82 a161 01 a161 01"}, map[label]int{}, refusal("duplicate")},
	{"keys twice, as text and number", nil, map[codec.Codec]string{codec.CBOR: "a2 6131 01 01 01", codec.MsgPack: "82 a131 01 01 01"}, map[int]int{}, refusal("duplicate")},
	// keys
	{"int keys", nil, map[codec.Codec]string{codec.JSON: `{"1":2,"-3":4}`, codec.CBOR: "a2 01 02 22 04", codec.MsgPack: "82 01 02 fd 04"}, map[int]int(nil), map[int]int{1: 2, -3: 4}}, {"int keys into strings", nil, map[codec.Codec]string{codec.CBOR: "a1 01 02", codec.MsgPack: "81 01 02"}, map[string]int(nil), map[string]int{"1": 2}},
	{"int keys into fields", nil, map[codec.Codec]string{codec.CBOR: "a1 01 02", codec.MsgPack: "81 01 02", codec.JSON: `{"1":2}`}, struct {
		A int `json:"1"`
	}{}, struct {
		A int `json:"1"`
	}{2}},
	{"int keys, wrong", map[string]any{"x": 1}, nil, map[int]int(nil), refusal("")}, {"text keys", map[string]any{"a/b": 1}, nil, map[textKey]int(nil), map[textKey]int{{"a", "b"}: 1}},
	{"float keys", nil, map[codec.Codec]string{codec.CBOR: "a1 f93c00 02", codec.MsgPack: "81 ca3f800000 02"}, map[string]int(nil), refusal("key")}, {"null keys into a struct", nil, map[codec.Codec]string{codec.CBOR: "a1 f6 02", codec.MsgPack: "81 c0 02"}, Base{}, refusal("key")},
	{"binary keys", nil, map[codec.Codec]string{codec.CBOR: "a1 4161 02", codec.MsgPack: "81 c40161 02", codec.JSON: `{"\u0000AQ==":2}`}, map[string]int(nil), refusal("key")}, {"NUL keys", nil, map[codec.Codec]string{codec.CBOR: "a1 620061 02", codec.MsgPack: "81 a20061 02"}, map[label]int(nil), map[label]int{"\x00a": 2}},
	// times, urls, marshalers
	{"time", "2024-02-29T12:00:00Z", nil, time.Unix(5, 0), time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)}, {"time of a number", 1.7e12, nil, time.Unix(5, 0), refusal("1.7e12|1700000000000")}, {"time of null", nil, nil, time.Unix(5, 0), time.Time{}}, {"time of bytes", []byte("x"), nil, time.Unix(5, 0), refusal("binary")}, {"time of other text", "x", nil, time.Unix(5, 0), refusal("")},
	{"time of a tag", nil, map[codec.Codec]string{codec.CBOR: "c11a514b67b0", codec.MsgPack: "d6ff514b67b0"}, time.Unix(5, 0), time.Date(2013, 3, 21, 20, 4, 0, 0, time.UTC)}, {"time of a float tag", nil, map[codec.Codec]string{codec.CBOR: "c1fb41d452d9ec200000"}, time.Unix(5, 0), time.Date(2013, 3, 21, 20, 4, 0, 500000000, time.UTC)},
	{"time of tag 0", nil, map[codec.Codec]string{codec.CBOR: "c074323031332d30332d32315432303a30343a30305a"}, time.Unix(5, 0), time.Date(2013, 3, 21, 20, 4, 0, 0, time.UTC)}, {"string of a time", nil, map[codec.Codec]string{codec.CBOR: "c11a514b67b0", codec.MsgPack: "d6ff514b67b0"}, "x", "2013-03-21T20:04:00Z"}, {"int of a time", nil, map[codec.Codec]string{codec.CBOR: "c11a514b67b0", codec.MsgPack: "d6ff514b67b0"}, 1, refusal("")},
	{"url", "http://h/a%20b", nil, url.URL{Host: "x"}, url.URL{Scheme: "http", Host: "h", Path: "/a b"}}, {"url of a number", 5, nil, url.URL{Host: "x"}, refusal("5")}, {"url with password", "http://u:p@h/", nil, url.URL{}, refusal("password")}, {"url, wrong", "http://[", nil, url.URL{}, refusal("URL")}, {"*url", "http://h/", nil, (*url.URL)(nil), &url.URL{Scheme: "http", Host: "h", Path: "/"}},
	{"url of bytes", []byte("http://h/"), nil, url.URL{}, refusal("binary")},
	{"UnmarshalJSON", map[string]any{"is": "a"}, nil, marshals{"b"}, marshals{"a"}}, {"UnmarshalText", "a/b", nil, textKey{"x", "y"}, textKey{"a", "b"}}, {"UnmarshalText of bytes", []byte("a/b"), nil, textKey{}, refusal("binary")}, {"UnmarshalText of a number", 5, nil, textKey{}, refusal("")}, {"UnmarshalBinary", map[string]any{"A": 1}, nil, binaryOnly{9}, binaryOnly{1}},
	{"UnmarshalJSONFrom", map[string]any{"s": []any{[]byte{1}, 7.0, 7, "x"}}, nil, streams{1}, streams{[]any{[]byte{1}, 7.0, int64(7), "x"}}},
	{"UnmarshalJSONFrom of other text", map[string]any{"p": []any{[]byte{1}, 7.0, 7, "x", nil}}, nil, packs{1}, packs{[]any{[]byte{1}, 7.0, int64(7), "x", nil}}},
	// raw
	{"raw", map[string]any{"a": []any{1, 1.0, "x", nil, true}}, nil, json.RawMessage("1"), json.RawMessage(`{"a":[1,1.0,"x",null,true]}`)}, {"raw bytes", []any{[]byte{1, 2}}, nil, jsontext.Value("1"), jsontext.Value(`["\u0000AQI="]`)}, {"raw null", nil, nil, json.RawMessage("1"), json.RawMessage("null")},
	{"raw NaN", nil, map[codec.Codec]string{codec.CBOR: "81f97e00", codec.MsgPack: "91cb7ff8000000000001"}, json.RawMessage("1"), refusal("")}, {"raw tag", nil, map[codec.Codec]string{codec.CBOR: "81d82a01", codec.MsgPack: "91d40505"}, json.RawMessage("1"), refusal("")},
	{"raw surrogate", nil, map[codec.Codec]string{codec.JSON: `["\ud800"]`}, json.RawMessage("1"), json.RawMessage(`["\ufffd"]`)}, {"raw int keys", nil, map[codec.Codec]string{codec.CBOR: "a10102", codec.MsgPack: "810102"}, json.RawMessage("1"), json.RawMessage(`{"1":2}`)},
	// any
	{"any", []any{1, 1.0, "x", []byte{1}, nil, map[string]any{"a": uint64(math.MaxUint64)}}, nil, struct{ V any }{7}, refusal("list")}, {"any in a map", map[string]any{"a": []any{1, 1.0, []byte{1}, nil}}, nil, map[string]any{"b": 1}, map[string]any{"a": []any{int64(1), 1.0, []byte{1}, nil}}},
	{"any with NUL", nil, map[codec.Codec]string{codec.CBOR: "81620061", codec.MsgPack: "91a20061"}, [1]any{}, [1]any{"\x00a"}}, {"any with NaN", nil, map[codec.Codec]string{codec.CBOR: "81f97e00", codec.MsgPack: "91cb7ff8000000000001"}, [1]any{}, [1]any{math.NaN()}},
	{"any with a bignum", nil, map[codec.Codec]string{codec.CBOR: "81c249010000000000000000", codec.JSON: "[18446744073709551616]"}, [1]any{}, [1]any{bigInt("18446744073709551616")}}, {"any with a tag", nil, map[codec.Codec]string{codec.CBOR: "81d82a01"}, [1]any{}, [1]any{codec.Tag{Number: 42, Content: int64(1)}}},
	{"any with things in things", nil, map[codec.Codec]string{codec.CBOR: "81 82 a2 6161 4101 6162 82 f97e00 620061 f93c00"}, [1]any{}, [1]any{[]any{map[string]any{"a": []byte{1}, "b": []any{math.NaN(), "\x00a"}}, 1.0}}},
	{"error", "x", nil, struct{ E error }{}, refusal("")}, {"interface", map[string]any{"E": "x"}, nil, struct{ E error }{}, refusal("")}, {"interface of null", map[string]any{"E": nil}, nil, struct{ E error }{errBug}, struct{ E error }{}},
	// tags
	{"unknown tag into an int", nil, map[codec.Codec]string{codec.CBOR: "d82a01", codec.MsgPack: "d40501"}, 1, refusal("tag")}, {"unknown tag into a string", nil, map[codec.Codec]string{codec.CBOR: "d82a6178", codec.MsgPack: "d40501"}, "x", refusal("tag")}, {"unknown tag into bytes", nil, map[codec.Codec]string{codec.CBOR: "d82a4101", codec.MsgPack: "d40501"}, []byte{9}, refusal("tag")},
	{"unknown tag into a struct", nil, map[codec.Codec]string{codec.CBOR: "d82aa0", codec.MsgPack: "d40501"}, Base{}, refusal("tag")}, {"unknown tag into a list", nil, map[codec.Codec]string{codec.CBOR: "d82a80", codec.MsgPack: "d40501"}, []int{}, refusal("tag")}, {"unknown tag into a marshaler", nil, map[codec.Codec]string{codec.CBOR: "d82aa0", codec.MsgPack: "d40501"}, marshals{}, refusal("tag")},
	{"unknown tag into a tag", nil, map[codec.Codec]string{codec.CBOR: "d82a01"}, codec.Tag{}, codec.Tag{Number: 42, Content: int64(1)}}, {"decimal into a string", nil, map[codec.Codec]string{codec.CBOR: "c4822118 6e"}, "x", "1.10"}, {"decimal into a float", nil, map[codec.Codec]string{codec.CBOR: "c4822118 6e"}, 1.5, 1.1}, {"decimal into an int", nil, map[codec.Codec]string{codec.CBOR: "c48203 05"}, 1, 5000},
	{"decimal into an int, not exact", nil, map[codec.Codec]string{codec.CBOR: "c4822118 6e"}, 1, refusal("")}, {"decimal into a big.Int", nil, map[codec.Codec]string{codec.CBOR: "c482 1818 05"}, big.Int{}, *bigInt("5000000000000000000000000")}, {"decimal into a json.Number", nil, map[codec.Codec]string{codec.CBOR: "c4822118 6e"}, json.Number(""), json.Number("1.10")},
	{"uuid", nil, map[codec.Codec]string{codec.CBOR: "d82550 00112233445566778899aabbccddeeff"}, "x", "00112233-4455-6677-8899-aabbccddeeff"}, {"Uint8Array", nil, map[codec.Codec]string{codec.CBOR: "d840420102"}, []byte{9}, []byte{1, 2}}, {"CBOR itself", nil, map[codec.Codec]string{codec.CBOR: "d9d9f705"}, 1, 5},
	// generics, recursive
	{"generic", map[string]any{"v": []any{1.0}}, nil, generic[[]int]{}, generic[[]int]{[]int{1}}}, {"recursive", map[string]any{"name": "a", "kids": []any{map[string]any{"name": "b"}, nil}}, nil, recursive{}, recursive{Name: "a", Kids: []*recursive{{Name: "b"}, nil}}},
	{"pointers", 5.0, nil, (**int)(nil), ptr(ptr(5))}, {"pointer of null", nil, nil, ptr(5), (*int)(nil)}, {"slice of pointers", []any{1.0, nil}, nil, []*int{ptr(7), ptr(8)}, []*int{ptr(1), nil}},
}

type (
	quotedNumbers struct {
		A int     `json:"a,string"`
		B uint8   `json:"b,string"`
		C float64 `json:"c,string"`
		D float32 `json:"d,string"`
		E *int    `json:"e,string"`
		F named   `json:"f,string"`
	}
	quotedOthers struct {
		A bool      `json:"a,string"`
		B string    `json:"b,string"`
		C []int     `json:"c,string"`
		E Base      `json:"e,string"`
		F []byte    `json:"f,string"`
		G any       `json:"g,string"`
		H time.Time `json:"h,string"`
	}
)

// What is received becomes the same in a target, as an argument, as a keyword
// argument, and in whatever else it may stand.
func TestReadRows(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range readRows {
			raw, ok := rawOf(t, c, tt.raw[c]), tt.raw[c] != ""
			if tt.raw == nil {
				raw, ok = appendValue(t, c, tt.in), true
			}
			if !ok {
				continue
			}
			typ := reflect.TypeOf(tt.target)
			for place, around := range map[string]struct {
				typ  reflect.Type
				raw  []byte
				wrap func(reflect.Value) reflect.Value // of what is there before, and what is to come
			}{
				"alone": {typ, raw, func(v reflect.Value) reflect.Value { return v }},
				"element": {reflect.SliceOf(typ), wrap(c, raw), func(v reflect.Value) reflect.Value {
					s := reflect.MakeSlice(reflect.SliceOf(typ), 1, 1)
					s.Index(0).Set(v)
					return s
				}},
				"array": {reflect.ArrayOf(1, typ), wrap(c, raw), func(v reflect.Value) reflect.Value {
					s := reflect.New(reflect.ArrayOf(1, typ)).Elem()
					s.Index(0).Set(v)
					return s
				}},
				"value": {reflect.MapOf(reflect.TypeFor[string](), typ), wrapKey(c, raw), func(v reflect.Value) reflect.Value {
					m := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), typ))
					m.SetMapIndex(reflect.ValueOf("k"), v)
					return m
				}},
				"field": {structOf(typ), wrapKey(c, raw), func(v reflect.Value) reflect.Value {
					s := reflect.New(structOf(typ)).Elem()
					s.Field(0).Set(v)
					return s
				}},
			} {
				target := reflect.New(around.typ)
				target.Elem().Set(around.wrap(reflect.ValueOf(tt.target)))
				err := codec.Raw(c, wrap(c, around.raw), nil).Scan(target.Interface())
				if text, refused := tt.want.(refusal); refused {
					var scan *codec.ScanError
					found := false
					if errors.As(err, &scan) {
						for _, s := range strings.Split(string(text), "|") {
							found = found || strings.Contains(err.Error(), s)
						}
					}
					if !found || len(err.Error()) > proto.MaxText {
						t.Errorf("%s, %s: %v, want an error with %q; got %s", tt.name, place, err, text, show(target.Elem()))
					}
					composite := slices.Contains([]reflect.Kind{reflect.Struct, reflect.Map, reflect.Slice, reflect.Array}, typ.Kind())
					switch tt.target.(type) {
					case big.Int, time.Time, url.URL, textKey:
						composite = false
					}
					composite = composite && (typ.Kind() != reflect.Slice || typ.Elem() != reflect.TypeFor[byte]())
					if place == "alone" && !composite && !reflect.DeepEqual(target.Elem().Interface(), tt.target) {
						t.Errorf("%s: the target has become %s", tt.name, show(target.Elem()))
					}
					continue
				}
				want := around.wrap(reflect.ValueOf(tt.want))
				equal := reflect.DeepEqual(target.Elem().Interface(), want.Interface())
				if strings.Contains(show(want), "NaN") || typ.Kind() == reflect.Float64 {
					equal = show(target.Elem()) == show(want)
				}
				if err != nil || !equal {
					t.Errorf("%s, %s:\n got %s\nwant %s, %v", tt.name, place, show(target.Elem()), show(want), err)
				}
			}
		}
	})
}

func structOf(t reflect.Type) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{Name: "K", Type: t, Tag: `json:"k"`}})
}

// wrapKey puts an encoded value into a dict.
func wrapKey(c codec.Codec, raw []byte) []byte {
	switch c {
	case codec.JSON:
		return []byte(`{"k":` + string(raw) + "}")
	case codec.CBOR:
		return append([]byte{0xa1, 0x61, 'k'}, raw...)
	}
	return append([]byte{0x81, 0xa1, 'k'}, raw...)
}

// show writes a value and what its pointers point to.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return "&" + show(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return "nil"
		}
		out := "["
		for i := range v.Len() {
			out += show(v.Index(i)) + " "
		}
		return out + "]"
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return show(v.Elem())
	case reflect.Map:
		if v.IsNil() {
			return "nil"
		}
		var entries []string
		for _, k := range v.MapKeys() {
			entries = append(entries, show(k)+":"+show(v.MapIndex(k)))
		}
		slices.Sort(entries)
		return "{" + strings.Join(entries, " ") + "}"
	case reflect.Float32, reflect.Float64:
		return sprint(v.Float())
	}
	if v.CanInterface() {
		if s, ok := v.Interface().(big.Int); ok {
			return "big " + s.String()
		}
		return sprint(v.Interface())
	}
	return "?"
}

// An error names the place, what came and what was wanted.
func TestErrorPaths(t *testing.T) {
	type item struct {
		Price int            `json:"Price"`
		Tags  []string       `json:"Tags"`
		Extra map[string]int `json:"Extra"`
		Sum   digest         `json:"Sum"`
		At    time.Time      `json:"At"`
		Self  marshals       `json:"Self"`
		Q     int            `json:"Q,string"`
	}
	type order struct {
		Items []item `json:"Items"`
	}
	items := func(bad map[string]any) map[string]any {
		return map[string]any{"Items": []any{map[string]any{}, map[string]any{"Price": 5}, nil, bad}}
	}
	long := strings.Repeat("long ", 1000)
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct {
			in        map[string]any
			path, err string
		}{
			{items(map[string]any{"Price": "abc"}), "Items[3].Price", `cannot decode the string "abc" into int`},
			{items(map[string]any{"Price": 7.5}), "Items[3].Price", "cannot decode the number 7.5 into int"},
			{items(map[string]any{"Price": []any{}}), "Items[3].Price", "cannot decode a list into int"},
			{items(map[string]any{"Price": long}), "Items[3].Price", "into int"},
			{items(map[string]any{"Tags": []any{"x", []byte("x")}}), "Items[3].Tags[1]", "cannot decode binary of 1 bytes into string"},
			{items(map[string]any{"Tags": map[string]any{}}), "Items[3].Tags", "cannot decode a dict into []string"},
			{items(map[string]any{"Extra": map[string]any{"7": "x"}}), "Items[3].Extra.7", `cannot decode the string "x" into int`},
			{items(map[string]any{"Extra": map[string]any{long: "x"}}), "Items[3].Extra.long", `cannot decode the string "x" into int`},
			{items(map[string]any{"Sum": []byte{1}}), "Items[3].Sum", "cannot decode binary of 1 bytes into codec_test.digest"},
			{items(map[string]any{"At": "yesterday"}), "Items[3].At", "yesterday"},
			{items(map[string]any{"At": 5}), "Items[3].At", "5"},
			{items(map[string]any{"Self": []any{}}), "Items[3].Self", ""},
			{items(map[string]any{"Q": true}), "Items[3].Q", "cannot decode a boolean into int"},
			{map[string]any{"Items": 5}, "Items", "cannot decode the number 5 into []codec_test.item"},
		} {
			args, kwargs := appendValue(t, c, []any{0, tt.in}), appendValue(t, c, tt.in)
			p := codec.Raw(c, args, kwargs)
			for first, err := range map[string]error{"args[1].": p.Scan(nil, new(order)), "kwargs.": p.ScanKw(new(order))} {
				var scan *codec.ScanError
				if !errors.As(err, &scan) || !strings.HasPrefix(scan.Path, first+tt.path) || !strings.HasPrefix(err.Error(), first+tt.path) ||
					!strings.Contains(err.Error(), tt.err) || len(err.Error()) > proto.MaxText || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want %s and %s", err, first+tt.path, tt.err)
				}
			}
		}
		// What is sent, too.
		_, _, err := codec.Args(0, map[string]any{"Items": []any{1, struct{ Price any }{[]any{make(chan int)}}}}).Encode(c, nil)
		var e *codec.EncodeError
		if !errors.As(err, &e) || e.Path != "args[1].Items[1].Price[0]" {
			t.Errorf("%v", err)
		}
	})
}

// Bytes that were handed out are never written again, and do not alias what came.
func TestBytesAreKept(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		one, two := appendValue(t, c, []any{[]byte("one"), blob("one"), []any{[]byte("one")}, map[string]any{"B": []byte("one")}}), appendValue(t, c, []any{[]byte("two"), blob("two"), []any{[]byte("two")}, map[string]any{"B": []byte("two")}})
		var (
			plain  []byte
			named  blob
			list   [][]byte
			field  struct{ B []byte }
			before [][]byte
		)
		for _, raw := range [][]byte{one, two} {
			if err := codec.Raw(c, raw, nil).Scan(&plain, &named, &list, &field); err != nil {
				t.Fatal(err)
			}
			before = append(before, plain, named, list[0], field.B)
			clear(raw)
		}
		for i, b := range before {
			if want := []string{"one", "two"}[i/4]; string(b) != want {
				t.Errorf("%d is %q, want %q", i, b, want)
			}
		}
	})
}
