package codec_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

var writeValues = flag.Bool("values.write", false, "write what the makers of testdata/values are to read")

// foreignValues is the folder with values in the bytes of other implementations.
var foreignValues = filepath.Join("..", "..", "testdata", "values")

type foreignValue struct {
	By    string `json:"by"`
	Codec string `json:"codec"`
	Name  string `json:"name"`
	Hex   string `json:"hex"`
}

var foreignTime = time.Date(2023, 11, 14, 22, 13, 20, 5e6, time.UTC)

// foreignRows say what the values are: as plain values, where what JSON does not tell
// apart counts as the same, and in a target. nil is whatever a target makes of it.
var foreignRows = map[string]struct{ plain, target any }{
	"int": {int64(42), int8(42)}, "int above 2^32": {4294967297.0, int64(4294967297)}, "now": {1700000000005.0, int64(1700000000005)}, "integral float": {7.0, uint8(7)}, "half": {1.5, 1.5},
	"minus zero": {nil, 0}, "2^53": {9007199254740992.0, int64(1 << 53)}, "large": {1e21, 1e21}, "negative": {-5e9, int64(-5e9)}, "NaN": {math.NaN(), nil}, "infinity": {math.Inf(1), math.Inf(1)}, "null": {nil, (*int)(nil)},
	"undefined": {nil, ""}, "true": {true, true}, "text": {"ü😀\n\"", label("ü😀\n\"")}, "surrogate": {"a\ufffdb", "a\ufffdb"}, "empty text": {"", ""},
	"bigint": {int64(1 << 60), int64(1 << 60)}, "bigint of 64 bits": {uint64(math.MaxUint64), uint64(math.MaxUint64)}, "int of 64 bits": {uint64(math.MaxUint64), *new(big.Int).SetUint64(math.MaxUint64)},
	"bigint of 70 bits": {new(big.Int).Lsh(big.NewInt(1), 70), *new(big.Int).Lsh(big.NewInt(1), 70)}, "int of 70 bits": {new(big.Int).Lsh(big.NewInt(1), 70), new(big.Int).Lsh(big.NewInt(1), 70)},
	"minus 2^70": {new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 70)), *new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 70))},
	"date":       {"2023-11-14T22:13:20.005Z", foreignTime}, "datetime": {nil, foreignTime}, "uuid": {"00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"},
	"Uint8Array": {[]byte{1, 2, 255}, []byte{1, 2, 255}}, "Buffer": {[]byte{1, 2, 255}, [3]byte{1, 2, 255}}, "bytes": {[]byte{1, 2, 255}, blob{1, 2, 255}},
	"list": {[]any{int64(1), "x", nil, []any{2.5}}, [4]any{int64(1), "x", nil, []any{2.5}}}, "tuple": {[]any{int64(1), int64(2)}, []int{1, 2}}, "dict": {dict("a", dict("b", []any{int64(1), dict("c", "x")})), struct{ A any }{}},
	"object": {nil, struct {
		A struct {
			B []any `json:"b"`
		} `json:"a"`
	}{}}, "map": {dict("a", dict("b", int64(1))), map[string]map[string]int{"a": {"b": 1}}}, "map of numbers": {dict("1", "x"), map[int]string{1: "x"}}, "dict of numbers": {dict("1", "x"), map[uint8]string{1: "x"}},
	"decimal": {"1.10", 1.1}, "small decimal": {"-0.00005", -0.00005}, "large decimal": {"5e+50", *bigInt("500000000000000000000000000000000000000000000000000")}, "set": {[]any{int64(1), int64(2)}, []int{1, 2}},
}

// foreignOdd are the values that are not what they were meant to be, by their makers:
// what comes of them is a Tag, an error, or what another form says.
var foreignOdd = map[string]any{
	"cbor-x set": codec.Tag{Number: 258, Content: []any{int64(1), int64(2)}}, "cbor2 set": codec.Tag{Number: 258, Content: []any{int64(1), int64(2)}}, "cbor2, timestamps set": codec.Tag{Number: 258, Content: []any{int64(1), int64(2)}},
	"cbor-x map":            codec.Tag{Number: 259, Content: dict("a", codec.Tag{Number: 259, Content: dict("b", int64(1))})},
	"cbor-x map of numbers": codec.Tag{Number: 259, Content: dict("1", "x")}, "msgpackr undefined": codec.Tag{Content: []byte{0}}, "cbor-x surrogate": refusal("UTF-8"), "@msgpack/msgpack surrogate": refusal("UTF-8"),
	"@msgpack/msgpack map": dict(), "@msgpack/msgpack map of numbers": dict(), "@msgpack/msgpack set": dict(), "JSON.stringify map": dict(), "JSON.stringify map of numbers": dict(), "JSON.stringify set": dict(),
	"JSON.stringify Uint8Array": dict("0", int64(1), "1", int64(2), "2", int64(255)), "JSON.stringify Buffer": dict("type", "Buffer", "data", []any{int64(1), int64(2), int64(255)}), "JSON.stringify NaN": nil, "JSON.stringify infinity": nil,
	"json NaN": refusal("unexpected"), "json infinity": refusal("unexpected"),
}

// Values in the bytes of other implementations are what they were meant to be.
func TestForeignValues(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(foreignValues, "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []foreignValue
	if err := json.Unmarshal(data, &rows); err != nil || len(rows) < 150 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		c, _ := codec.ByName(row.Codec)
		raw, err := hex.DecodeString(row.Hex)
		if err != nil {
			t.Fatal(err)
		}
		name := row.By + " " + row.Name
		got, err := c.Plain(raw)
		if odd, ok := foreignOdd[name]; ok {
			if _, refused := odd.(refusal); refused != (err != nil) || !refused && plainText(got) != plainText(odd) {
				t.Errorf("%s: %s, %v", name, plainText(got), err)
			}
			continue
		}
		want, ok := foreignRows[row.Name]
		if !ok || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		if want.plain != nil && roughly(got) != roughly(want.plain) {
			t.Errorf("%s: %s, want %s", name, plainText(got), plainText(want.plain))
		}
		if want.target == nil {
			continue
		}
		target := reflect.New(reflect.TypeOf(want.target))
		err = codec.Raw(c, wrap(c, raw), nil).Scan(target.Interface())
		if s, ok := want.target.(time.Time); ok {
			if got := target.Elem().Interface().(time.Time); err != nil || !got.Equal(s) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		} else if target.Elem().Kind() == reflect.Struct && row.Name != "bigint of 70 bits" && row.Name != "large decimal" && row.Name != "minus 2^70" && row.Name != "int of 64 bits" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || show(target.Elem()) != show(reflect.ValueOf(want.target)) {
			t.Errorf("%s: %s, want %s, %v", name, show(target.Elem()), show(reflect.ValueOf(want.target)), err)
		}
	}
}

// What is sent is read by the makers of testdata/values: bytes, floats and long
// integers are marked for them.
func TestForeignSent(t *testing.T) {
	type order struct {
		ID    int64     `json:"id"`
		Price string    `json:"price"`
		At    time.Time `json:"at"`
		Raw   []byte    `json:"raw"`
		Tags  []string  `json:"tags,omitempty"`
		Share half      `json:"share"`
	}
	rows := []struct {
		in, want any
	}{
		{42, 42}, {-7, -7}, {"ü😀\n", "ü😀\n"}, {true, true}, {nil, nil}, {1.5, dict("$float", "1.5")}, {math.Copysign(0, -1), dict("$float", "-0")}, {1e300, dict("$float", "1e300")}, {float32(0.1), dict("$float", "0.1")},
		{[]byte{1, 2, 255}, dict("$bytes", "0102ff")}, {[]any{1, "x", nil}, []any{1, "x", nil}}, {foreignTime, "2023-11-14T22:13:20.005Z"}, {map[int]string{1: "x"}, dict("1", "x")}, {int64(1 << 40), int64(1 << 40)},
		{order{5, "1.10", foreignTime, []byte{7}, nil, 0.1}, dict("id", 5, "price", "1.10", "at", "2023-11-14T22:13:20.005Z", "raw", dict("$bytes", "07"), "share", dict("$float", "0.1"))},
	}
	type sent struct {
		Codec string `json:"codec"`
		Hex   string `json:"hex"`
		Want  any    `json:"want"`
	}
	var out []sent
	each(t, func(t *testing.T, c codec.Codec) {
		for _, row := range rows {
			raw := appendValue(t, c, row.in)
			out = append(out, sent{c.Name(), hex.EncodeToString(raw), row.want})
		}
	})
	for _, row := range []sent{{"cbor", "", dict("$big", "1180591620717411303424")}, {"json", "", "1180591620717411303424"}, {"msgpack", "", "1180591620717411303424"}} {
		c, _ := codec.ByName(row.Codec)
		row.Hex = hex.EncodeToString(appendValue(t, c, new(big.Int).Lsh(big.NewInt(1), 70)))
		out = append(out, row)
	}
	data, err := json.MarshalIndent(out, "", "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(foreignValues, "sent.json")
	if *writeValues {
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Map entries have no order; what the file has must be what is sent now.
	var have []sent
	old, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(old, &have)
	}
	if err != nil || len(have) != len(out) {
		t.Fatalf("%d rows, want %d: %v", len(have), len(out), err)
	}
	for i, row := range have {
		if row.Hex != out[i].Hex {
			t.Errorf("%s: row %d is %s, and was %s when others read it", row.Codec, i, out[i].Hex, row.Hex)
		}
	}
}
