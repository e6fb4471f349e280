package codec_test

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

var (
	differTypes = flag.Int("differ.types", 400, "how many types the differential test makes")
	differSeed  = flag.Uint64("differ.seed", 1, "seed of the differential test")
)

// maker makes types and values of them.
type maker struct {
	*rand.Rand
}

// ready are types that reflect cannot make, or that have methods.
var ready = []reflect.Type{
	reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[url.URL](), reflect.TypeFor[*url.URL](), reflect.TypeFor[big.Int](), reflect.TypeFor[*big.Int](),
	reflect.TypeFor[stdjson.Number](), reflect.TypeFor[stdjson.RawMessage](), reflect.TypeFor[jsontext.Value](), reflect.TypeFor[textKey](), reflect.TypeFor[*textKey](), reflect.TypeFor[marshals](),
	reflect.TypeFor[appends](), reflect.TypeFor[binaryOnly](), reflect.TypeFor[colour](), reflect.TypeFor[label](), reflect.TypeFor[ratio](), reflect.TypeFor[half](), reflect.TypeFor[flagged](), reflect.TypeFor[named](),
	reflect.TypeFor[[]colour](), reflect.TypeFor[blob](), reflect.TypeFor[digest](), reflect.TypeFor[embeds](), reflect.TypeFor[embedsPointer](), reflect.TypeFor[conflict](), reflect.TypeFor[generic[any]](),
	reflect.TypeFor[generic[[]generic[float32]]](), reflect.TypeFor[recursive](), reflect.TypeFor[*recursive](), reflect.TypeFor[list](), reflect.TypeFor[record](), reflect.TypeFor[record10](), reflect.TypeFor[struct{}](),
	reflect.TypeFor[zeroes](), reflect.TypeFor[fallback](),
}

type (
	zeroes struct {
		A int       `json:"a,omitzero"`
		B time.Time `json:"b,omitzero"`
		C Base      `json:"c,omitzero"`
		D []string  `json:"d,omitzero"`
	}
	fallback struct {
		N int            `json:"n"`
		M map[string]any `json:",embed"`
	}
)

var kinds = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](),
	reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[any](),
}

var keyTypes = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[string](), reflect.TypeFor[label](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[int64](), reflect.TypeFor[textKey]()}

func (m *maker) typ(depth int) reflect.Type {
	switch n := m.IntN(12); {
	case depth == 0 || n < 3:
		return kinds[m.IntN(len(kinds))]
	case n < 5:
		return ready[m.IntN(len(ready))]
	case n < 6:
		return reflect.PointerTo(m.typ(depth - 1))
	case n < 7:
		return reflect.SliceOf(m.typ(depth - 1))
	case n < 8:
		return reflect.ArrayOf(m.IntN(3), m.typ(depth-1))
	case n < 9:
		return reflect.MapOf(keyTypes[m.IntN(len(keyTypes))], m.typ(depth-1))
	}
	fields := make([]reflect.StructField, 1+m.IntN(4))
	for i := range fields {
		t := m.typ(depth - 1)
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: t, Tag: reflect.StructTag(m.tag(i, t))}
	}
	return reflect.StructOf(fields)
}

func (m *maker) tag(i int, t reflect.Type) string {
	names := []string{"", fmt.Sprintf("f%d", i), fmt.Sprintf("%d", i), fmt.Sprintf("a b%d", i), fmt.Sprintf("ü%d", i)}
	name := names[min(m.IntN(8), len(names)-1)]
	if m.IntN(2) == 0 {
		name = fmt.Sprintf("f%d", i)
	}
	options := ""
	switch k := t.Kind(); m.IntN(8) {
	case 0:
		options = ",omitempty"
	case 1:
		options = ",omitzero"
	case 2:
		if k >= reflect.Int && k <= reflect.Uint64 || k == reflect.Float32 || k == reflect.Float64 {
			options = ",string"
		}
	case 3:
		if m.IntN(4) == 0 {
			return `json:"-"`
		}
	}
	tag := `json:"` + name + options + `"`
	switch m.IntN(12) {
	case 0:
		tag += ` cbor:"other" codec:"-"`
	case 1:
		tag += ` cbor:"` + name + options + `"`
	case 2:
		tag = ""
	}
	return tag
}

// fill sets a value to something.
func (m *maker) fill(v reflect.Value, depth int) {
	if m.IntN(8) == 0 {
		return // zero
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(m.Int64N(1e10), m.Int64N(1e9)).UTC()
		return
	case *url.URL:
		u, _ := url.Parse([]string{"http://h/a%20b?x=1", "", "x/y", "wamp://r/#f"}[m.IntN(4)])
		*p = *u
		return
	case *big.Int:
		p.SetInt64(m.Int64() >> m.IntN(63))
		if m.IntN(4) == 0 {
			p.Mul(p, bigInt("123456789012345678901234567890"))
		}
		return
	case *stdjson.Number:
		*p = stdjson.Number([]string{"1", "-1.5", "1e3", "0.10", "7.0"}[m.IntN(5)])
		return
	case *any:
		*p = m.plain(2)
		return
	case *fallback:
		p.N = 5
		p.M = map[string]any{"x": m.plain(1)}
		return
	}
	switch t := v.Type(); t { // these may be one type
	case reflect.TypeFor[stdjson.RawMessage](), reflect.TypeFor[jsontext.Value]():
		v.SetBytes([]byte([]string{"1", `{"a":[1.0,null]}`, `"x"`, "[]"}[m.IntN(4)]))
		return
	}
	switch t := v.Type(); t.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(m.Int64() >> (64 - t.Bits() + m.IntN(t.Bits())) * (2*m.Int64N(2) - 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(m.Uint64() >> (64 - t.Bits() + m.IntN(t.Bits())))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(m.float(t.Bits()))
	case reflect.String:
		v.SetString(m.text())
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(t.Elem()))
			m.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		n := m.IntN(4)
		if depth <= 0 && t.Elem().Kind() != reflect.Uint8 {
			n = 0
		}
		v.Set(reflect.MakeSlice(t, n, n))
		for i := range n {
			m.fill(v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		for range m.IntN(4) {
			k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			m.fill(k, 1)
			m.fill(e, depth-1)
			if _, ok := k.Interface().(textKey); ok {
				k.Field(0).SetString("k") // no key twice
			}
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				m.fill(f, depth-1)
			}
		}
	}
}

func (m *maker) float(bits int) float64 {
	x := []float64{0, 1, -1.5, 0.1, 1e10, 1e300, 1.7e12, math.Copysign(0, -1), 1 << 62, m.NormFloat64(), 3}[m.IntN(11)]
	if bits == 32 {
		x = float64(float32(math.Mod(x, 1e30)))
	}
	return x
}

func (m *maker) text() string {
	return []string{"", "x", "ü😀", "a\nb\"\\", "a\x00b", "5", "AQI=", "<&>\u2028", strings.Repeat("long ", 20)}[m.IntN(9)]
}

// plain returns a plain value.
func (m *maker) plain(depth int) any {
	switch n := m.IntN(14); {
	case n == 0:
		return nil
	case n == 1:
		return m.IntN(2) == 0
	case n < 5:
		return m.Int64() >> m.IntN(64)
	case n == 5:
		return m.Uint64()
	case n < 8:
		return m.float(64)
	case n < 10 || depth == 0:
		return m.text()
	case n == 10:
		return []byte(m.text())
	case n < 13:
		list := []any{}
		for range m.IntN(4) {
			list = append(list, m.plain(depth-1))
		}
		return list
	}
	d := map[string]any{}
	for range m.IntN(4) {
		d[[]string{"a", "id", "name", "F0", "f0", "f1", "1", "k/x", "-3"}[m.IntN(9)]] = m.plain(depth - 1)
	}
	return d
}

// near returns something like v, in which some things are others.
func (m *maker) near(v any) any {
	if m.IntN(12) == 0 {
		return m.plain(1)
	}
	switch v := v.(type) {
	case int64:
		if m.IntN(3) == 0 && v > -1<<53 && v < 1<<53 {
			return float64(v)
		}
	case float64:
		if m.IntN(3) == 0 && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, m.near(e))
		}
		if m.IntN(10) == 0 {
			list = append(list, m.plain(0))
		}
		return list
	case map[string]any:
		d := map[string]any{}
		for k, e := range v {
			d[k] = m.near(e)
		}
		if m.IntN(6) == 0 {
			d["unknown"] = m.plain(1)
		}
		return d
	}
	return v
}

// reference is the JSON library with the rows in front of it that change the text.
var reference = json.JoinOptions(json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true), jsonv1.OmitEmptyWithLegacySemantics(true), jsonv1.FormatDurationAsNano(true),
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(e *jsontext.Encoder, v stdjson.Number) error { return e.WriteValue(jsontext.Value(v)) }),
		json.MarshalToFunc(func(e *jsontext.Encoder, v *url.URL) error { return e.WriteToken(jsontext.String(v.String())) }))))

// roughly writes a plain value with what JSON does not tell apart: bytes as base64, and
// all numbers as floats.
func roughly(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return roughNumber(strconv.FormatInt(v, 10))
	case uint64:
		return roughNumber(strconv.FormatUint(v, 10))
	case *big.Int:
		return roughNumber(v.String())
	case float64:
		return roughNumber(strconv.FormatFloat(v, 'g', -1, 64))
	case stdjson.Number:
		return roughNumber(string(v))
	case string:
		if len(v) > 18 && strings.Trim(v, "-0123456789") == "" {
			return roughNumber(v)
		}
		return strconv.Quote(v)
	case []byte:
		return strconv.Quote(base64.StdEncoding.EncodeToString(v))
	case []any:
		out := "["
		for _, e := range v {
			out += roughly(e) + " "
		}
		return out + "]"
	}
	m := v.(map[string]any)
	parts := map[string]string{}
	for k, e := range m {
		parts[k] = roughly(e)
	}
	return fmt.Sprint(parts) // in the order of the keys
}

func roughNumber(s string) string {
	x, _ := strconv.ParseFloat(s, 64)
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// What is sent is the same in all serializers, comes back the same, and is what the
// reference says.
func TestDifferSent(t *testing.T) {
	m := &maker{rand.New(rand.NewPCG(*differSeed, 1))}
	values, pairs, refusals := 0, 0, 0
	for i := range *differTypes {
		typ := m.typ(3)
		if i < len(ready) {
			typ = ready[i]
		}
		for range 6 {
			v := reflect.New(typ).Elem()
			m.fill(v, 4)
			values++
			text, refErr := json.Marshal(v.Addr().Interface(), reference)
			var first, firstBack string
			for _, c := range codecs {
				raw, err := c.AppendValue(nil, v.Interface())
				if (err == nil) != (refErr == nil) {
					t.Fatalf("%v in %s: %v, the reference says %v", typ, c.Name(), err, refErr)
				}
				if err != nil {
					refusals++
					continue
				}
				pairs++
				plain, err := c.Plain(raw)
				if err != nil {
					t.Fatalf("%v in %s: %v", typ, c.Name(), err)
				}
				got := plainText(bigAsText(plain))
				if first == "" {
					first = got
					var want any
					d := stdjson.NewDecoder(bytes.NewReader(text))
					d.UseNumber()
					if err := d.Decode(&want); err != nil || roughly(plain) != roughly(want) {
						t.Fatalf("%v in %s:\n got %s\nwant %s", typ, c.Name(), roughly(plain), roughly(want))
					}
				}
				if got != first {
					t.Fatalf("%v in %s:\n got %s\nwant %s", typ, c.Name(), got, first)
				}
				back := reflect.New(typ)
				m.fill(back.Elem(), 2) // with something in it
				if err := c.Unmarshal(raw, back.Interface()); err != nil {
					t.Fatalf("%v back from %s: %v\n%s", typ, c.Name(), err, got)
				}
				again, err := codec.CBOR.AppendValue(nil, back.Elem().Interface())
				if err != nil {
					t.Fatalf("%v back from %s: %v", typ, c.Name(), err)
				}
				plain, _ = codec.CBOR.Plain(again)
				if got := plainText(bigAsText(plain)); firstBack == "" {
					firstBack = got
				} else if got != firstBack {
					t.Fatalf("%v back from %s:\n got %s\nwant %s", typ, c.Name(), got, firstBack)
				}
				if !strings.Contains(typ.String(), "omit") && roughly(plain) != roughly(mustPlain(t, c, raw)) {
					t.Fatalf("%v back from %s:\n got %s\nwant %s", typ, c.Name(), roughly(plain), roughly(mustPlain(t, c, raw)))
				}
			}
		}
	}
	t.Logf("%d types, %d values, %d pairs, %d refused", *differTypes, values, pairs, refusals)
}

func mustPlain(t *testing.T, c codec.Codec, raw []byte) any {
	t.Helper()
	v, err := c.Plain(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// hasEntries reports whether there is a dict with several entries, which are not in
// order, so that another one may be the first that does not fit.
func hasEntries(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, hasEntries)
	case map[string]any:
		for _, e := range v {
			if len(v) > 1 || hasEntries(e) {
				return true
			}
		}
	}
	return false
}

// errorKind says what kind of error it is.
func errorKind(err error) string {
	if err == nil {
		return "none"
	}
	s := err.Error()
	for _, kind := range []string{"duplicate", "key", "range", "exactly", "UTF-8", "tag"} {
		if strings.Contains(s, kind) {
			return kind
		}
	}
	return "other"
}

// What is received becomes the same from all serializers, or is the same kind of
// error, whatever stood in the target before.
func TestDifferReceived(t *testing.T) {
	m := &maker{rand.New(rand.NewPCG(*differSeed, 2))}
	pairs, taken := 0, 0
	for i := range *differTypes {
		typ := m.typ(3)
		if i < len(ready) {
			typ = ready[i]
		}
		for n := range 10 {
			v := reflect.New(typ).Elem()
			m.fill(v, 4)
			var in any
			if raw, err := codec.CBOR.AppendValue(nil, v.Interface()); err == nil {
				in = m.near(mustPlain(t, codec.CBOR, raw))
			}
			if n > 6 {
				in = m.plain(3)
			}
			in = bigAsText(in)
			var first, firstKind string
			for _, c := range codecs {
				raw, err := c.AppendValue(nil, in)
				if err != nil {
					t.Fatalf("%v: %v", in, err)
				}
				for used := range 2 {
					target := reflect.New(typ)
					if used > 0 {
						m.fill(target.Elem(), 3)
					}
					err = codec.Raw(c, wrap(c, raw), nil).Scan(target.Interface())
					pairs++
					kind := errorKind(err)
					if err != nil && (len(err.Error()) > 200 || !utf8.ValidString(err.Error())) {
						t.Fatalf("%d bytes of error: %v", len(err.Error()), err)
					}
					if firstKind == "" {
						firstKind = kind
					}
					if kind != firstKind && (err == nil || firstKind == "none" || !hasEntries(in)) {
						t.Fatalf("%v from %s: %v, want kind %s, of %s", typ, c.Name(), err, firstKind, plainText(in))
					}
					if err != nil {
						continue
					}
					taken++
					again, err := codec.CBOR.AppendValue(nil, target.Elem().Interface())
					if err != nil && strings.Contains(err.Error(), "json.Number") {
						continue // of null
					}
					if err != nil {
						t.Fatalf("%v from %s: %v, of %s", typ, c.Name(), err, plainText(in))
					}
					got := plainText(mustPlain(t, codec.CBOR, again))
					if first == "" {
						first = got
						referenceTakes(t, typ, raw, c, target.Elem())
					}
					if got != first {
						t.Fatalf("%v from %s (used: %d):\n got %s\nwant %s\n  of %s", typ, c.Name(), used, got, first, plainText(in))
					}
				}
			}
		}
	}
	t.Logf("%d types, %d pairs, %d taken", *differTypes, pairs, taken)
}

// referenceTakes checks what has come from JSON against the reference, if that takes
// it too.
func referenceTakes(t *testing.T, typ reflect.Type, raw []byte, c codec.Codec, got reflect.Value) {
	t.Helper()
	if c != codec.JSON || bytes.Contains(raw, []byte(`"\u0000`)) {
		return
	}
	want := reflect.New(typ)
	if json.Unmarshal(raw, want.Interface(), reference) != nil {
		return
	}
	a, err := json.Marshal(got.Addr().Interface(), reference, json.Deterministic(true))
	b, err2 := json.Marshal(want.Interface(), reference, json.Deterministic(true))
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		var x, y any
		if stdjson.Unmarshal(a, &x) != nil || stdjson.Unmarshal(b, &y) != nil || roughly(x) != roughly(y) {
			t.Fatalf("%v: got %s, the reference says %s, of %s (%v, %v)", typ, a, b, raw, err, err2)
		}
	}
}

// FuzzDiffer gives what was received to types in all three serializers.
func FuzzDiffer(f *testing.F) {
	for _, s := range []string{"\x01", "\xa1\x61a\xf9\x3c\x00", "\x82\x41\x01\xfb\x41\xf0\x00\x00\x00\x10\x00\x00", "\xa2\x62id\x61x\x61b\xa0", "\x78\x13123456789012345678"} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		in, err := codec.CBOR.Plain(data)
		if err != nil || strings.Contains(plainText(in), "tag ") {
			return
		}
		in = bigAsText(in)
		m := &maker{rand.New(rand.NewPCG(seed, 3))}
		types := append([]reflect.Type{m.typ(3)}, ready...)
		for _, typ := range types {
			var first string
			for i, c := range codecs { // JSON is the first, and has no form for everything
				raw, err := c.AppendValue(nil, in)
				if err != nil {
					return
				}
				target := reflect.New(typ)
				err = c.Unmarshal(raw, target.Interface())
				got := errorKind(err)
				if err != nil && hasEntries(in) {
					got = "other"
				}
				if err == nil {
					again, err := codec.CBOR.AppendValue(nil, target.Elem().Interface())
					if err != nil {
						continue // of an empty json.Number
					}
					got = plainText(mustPlain(t, codec.CBOR, again))
				}
				if i == 0 {
					first = got
				}
				if got != first {
					t.Fatalf("%v from %s: %s, want %s, of %s", typ, c.Name(), got, first, plainText(in))
				}
			}
		}
	})
}
