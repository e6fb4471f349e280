package codec_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Plain types of any length, which grow while they are read.
func TestLongPlainValues(t *testing.T) {
	type inner struct {
		Names []string          `json:"names"`
		Map   map[string]int    `json:"map"`
		Text  map[label]label   `json:"text"`
		Next  *record10         `json:"next"`
		Deep  map[string][]bool `json:"deep"`
	}
	ints := make([]int, 100_000)
	for i := range ints {
		ints[i] = i*i - 7
	}
	many := make([]inner, 3000)
	for i := range many {
		many[i] = inner{Names: []string{"a", strings.Repeat("b", i%70)}, Map: map[string]int{"x": i, strings.Repeat("y", 40): -i}, Text: map[label]label{"k": "v"}, Deep: map[string][]bool{"a": {true, false}, "b": {}}}
		if i%3 == 0 {
			many[i] = inner{Next: &record10{A: i, D: "d", J: 1 << 63}}
		}
	}
	dicts := map[string]int{}
	for i := range 5000 {
		dicts[fmt.Sprint(i)] = i
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for _, v := range []any{ints, many, dicts, thousandRecords(), map[string][]inner{"k": many[:10]}} {
			target := reflect.New(reflect.TypeOf(v))
			if err := c.Unmarshal(appendValue(t, c, v), target.Interface()); err != nil || !reflect.DeepEqual(target.Elem().Interface(), v) {
				t.Errorf("%T: %v", v, err)
			}
		}
	})
}

// A struct with more fields than there are bits in a word, in any order, and each of
// them once.
func TestWideStruct(t *testing.T) {
	fields := make([]reflect.StructField, 150)
	for i := range fields {
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int]()}
	}
	typ := reflect.StructOf(fields)
	each(t, func(t *testing.T, c codec.Codec) {
		in := map[string]any{}
		for i := range fields {
			in[fields[i].Name] = i + 1
		}
		target := reflect.New(typ)
		if err := c.Unmarshal(appendValue(t, c, in), target.Interface()); err != nil {
			t.Fatal(err)
		}
		for i := range fields {
			if n := target.Elem().Field(i).Int(); n != int64(i+1) {
				t.Errorf("field %d is %d", i, n)
			}
		}
		for _, name := range []string{"F3", "F140", "unknown"} {
			head := map[codec.Codec]byte{codec.JSON: '{', codec.CBOR: 0xa2, codec.MsgPack: 0x82}[c]
			entry := append(appendValue(t, c, name), map[codec.Codec]string{codec.JSON: ":1", codec.CBOR: "\x01", codec.MsgPack: "\x01"}[c]...)
			raw := append([]byte{head}, entry...)
			if c == codec.JSON {
				raw = append(raw, ',')
			}
			raw = append(raw, entry...)
			if c == codec.JSON {
				raw = append(raw, '}')
			}
			if err := c.Unmarshal(raw, target.Interface()); err == nil || !strings.Contains(err.Error(), "duplicate") {
				t.Errorf("%s twice: %v", name, err)
			}
		}
	})
}

// Names of any length, before values that are left out and others.
func TestNamesOfAnyLength(t *testing.T) {
	fields, want := make([]reflect.StructField, 40), map[string]any{}
	for i := range fields {
		name := strings.Repeat("abcdefghij", 4)[:i+1]
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int](), Tag: reflect.StructTag(`json:"` + name + `"`)}
		want[name] = int64(i)
		if i%2 == 0 {
			fields[i].Tag = reflect.StructTag(`json:"` + name + `,omitempty"`)
			delete(want, name)
		}
	}
	in := reflect.New(reflect.StructOf(fields)).Elem()
	for i := 1; i < len(fields); i += 2 {
		in.Field(i).SetInt(int64(i))
	}
	each(t, func(t *testing.T, c codec.Codec) {
		got, err := c.Plain(appendValue(t, c, in.Interface()))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v, %v", got, want, err)
		}
	})
}

// Forms that others write, in typed values: what is not read by hand is read by the
// reference.
func TestTypedForms(t *testing.T) {
	type plain struct {
		S string         `json:"s"`
		L []int          `json:"l"`
		M map[string]int `json:"m"`
		P *uint8         `json:"p"`
		B []byte         `json:"b"`
		F float64        `json:"f"`
	}
	want := plain{S: "ab", L: []int{1, 2}, M: map[string]int{"x": 1}, P: ptr(uint8(7)), B: []byte{1, 2}, F: 1}
	for name, raw := range map[string]string{
		"short":      "a6 6173 626162 616c 820102 616d a1617801 6170 07 6162 420102 6166 01",
		"indefinite": "bf 6173 7f61616162ff 616c 9f0102ff 616d bf617801ff 6170 1807 6162 5f41014102ff 6166 f93c00 ff",
		"mixed":      "bf 6173 626162 616c 9f01f94000ff 616d bf617801ff 6170 f94700 6162 420102 6166 1801 6175 01 ff",
		"unknown":    "a7 6173 626162 616c 820102 616d a1617801 6170 07 6162 420102 6166 01 6175 81a16178f97e00",
		"tagged":     "d9d9f7 a6 6173 626162 616c 82 01 c24102 616d a1617801 6170 07 6162 d840420102 6166 c4820001",
	} {
		var got plain
		if err := codec.CBOR.Unmarshal(unhex(t, raw), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, raw := range map[string]string{
		"short": "86 a173 a26162 a16c 920102 a16d 81a17801 a170 07 a162 c4020102 a166 01",
		"long":  "df00000006 d90173 da00026162 db000000016c dd00000002cc01d300000000000000 02 a16d de0001a178d001 a170 cf0000000000000007 a162 c600000002 0102 a166 ca3f800000",
		"more":  "de0007 a173 a26162 a16c 920102 a16d 81a17801 a170 cb401c000000000000 a162 c4020102 a166 01 a175 91 81 a178 c0",
	} {
		var got plain
		if err := codec.MsgPack.Unmarshal(unhex(t, raw), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// What is cut or broken is an error of the reference, and never read past its end.
	for c, raw := range map[codec.Codec]string{codec.CBOR: "a6 6173 626162 616c 820102 616d a1617801 6170 07 6162 420102 6166 fb3ff0000000000000", codec.MsgPack: "86 a173 a26162 a16c 920102 a16d 81a17801 a170 07 a162 c4020102 a166 cb3ff0000000000000"} {
		whole := unhex(t, raw)
		for n := range whole {
			if err := c.Unmarshal(whole[:n:n], new(plain)); err == nil {
				t.Errorf("%s: %d of %d bytes were read", c.Name(), n, len(whole))
			}
			for _, b := range []byte{0x00, 0x1c, 0xc1, 0xff, 0x9f, 0xdf} {
				broken := append([]byte(nil), whole...)
				broken[n] = b
				_ = c.Unmarshal(broken, new(plain)) // and does not panic
			}
		}
	}
}
