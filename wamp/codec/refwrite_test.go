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
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Types of the rows.
type (
	colour     uint8
	named      int64
	ratio      float64
	half       float32
	flagged    bool
	colours2   []colour
	blob       []byte
	marshals   struct{ V string }
	appends    struct{ V string }
	failure    struct{ Msg string }
	hidden     struct{ a int }
	textKey    struct{ A, B string }
	jsonKey    struct{ A string }
	binaryOnly struct{ A int }
	Base       struct {
		ID int `json:"id"`
	}
	Other  struct{ ID, Extra int }
	embeds struct {
		Base
		Name string
	}
	embedsPointer struct {
		*Base
		Name string
	}
	conflict struct {
		Left
		Right
		Z int
	}
	Left           struct{ X, L int }
	Right          struct{ X, R int }
	generic[T any] struct {
		V T `json:"v"`
	}
	recursive struct {
		Name string       `json:"name"`
		Kids []*recursive `json:"kids,omitempty"`
		Up   *recursive   `json:"up,omitempty"`
	}
)

func (m marshals) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]any{"is": m.V}) }
func (m *marshals) UnmarshalJSON(b []byte) error {
	var in map[string]string
	err := json.Unmarshal(b, &in)
	m.V = in["is"]
	return err
}
func (a appends) AppendText(b []byte) ([]byte, error) { return append(append(b, '<'), a.V...), nil }
func (a *appends) UnmarshalText(b []byte) error       { a.V = strings.TrimPrefix(string(b), "<"); return nil }
func (*failure) Error() string                        { return "failure" }
func (k textKey) MarshalText() ([]byte, error)        { return []byte(k.A + "/" + k.B), nil }
func (k *textKey) UnmarshalText(b []byte) error {
	k.A, k.B, _ = strings.Cut(string(b), "/")
	return nil
}
func (k jsonKey) MarshalJSON() ([]byte, error)    { return json.Marshal(k.A) }
func (binaryOnly) MarshalBinary() ([]byte, error) { return []byte("binary"), nil }
func (*binaryOnly) UnmarshalBinary([]byte) error  { return errors.New("binary") }

// streams and packs write themselves with the library, into what was begun and by itself.
type (
	streams struct{ V any }
	packs   struct{ V any }
)

func (s streams) MarshalJSONTo(e *jsontext.Encoder) error {
	return jsonv2.MarshalEncode(e, map[string]any{"s": s.V})
}

func (s *streams) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var in map[string]any
	err := jsonv2.UnmarshalDecode(d, &in)
	s.V = in["s"]
	return err
}

func (p packs) MarshalJSONTo(e *jsontext.Encoder) error {
	b, err := jsonv2.Marshal(map[string]any{"p": p.V}, e.Options())
	if err != nil {
		return err
	}
	return e.WriteValue(b)
}

func (p *packs) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	var in map[string]any
	err = jsonv2.Unmarshal(append([]byte(" "), raw...), &in, d.Options())
	p.V = in["p"]
	return err
}

func ptr[T any](v T) *T { return &v }

func dict(kv ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

type refusal string // what an error has in its text

// sentRows say what each Go value becomes. A want that differs by serializer is a
// map of them.
var sentRows = []struct {
	name string
	in   any
	want any
}{
	// tags
	{"omitzero", struct {
		T time.Time `json:"t,omitzero"`
		N int       `json:"n,omitzero"`
		S hidden2   `json:"s,omitzero"`
	}{}, dict()},
	{"embedded", embeds{Base{5}, "x"}, dict("id", int64(5), "Name", "x")},
	{"nil embedded pointer", embedsPointer{nil, "x"}, dict("Name", "x")},
	{"embedded pointer", embedsPointer{&Base{5}, "x"}, dict("id", int64(5), "Name", "x")},
	{"conflict", conflict{Left{1, 2}, Right{3, 4}, 5}, dict("L", int64(2), "R", int64(4), "Z", int64(5))},
	{"dash", struct {
		A int `json:"-"`
		B int `json:"-,"`
		C int
	}{1, 2, 3}, refusal("")},
	{"inline", struct {
		B Base `json:",inline"`
	}{}, refusal("inline")},
	{"embed", struct {
		B Base `json:",embed"`
		N int
	}{Base{1}, 2}, dict("id", int64(1), "N", int64(2))},
	{"embed map", struct {
		N int
		M map[string]any `json:",embed"`
	}{2, map[string]any{"x": []byte{1}, "f": 1.0}}, dict("N", int64(2), "x", []byte{1}, "f", 1.0)},
	{"inline in an any", []any{struct {
		B Base `json:",inline"`
	}{}}, refusal("inline")},
	{"omitempty", struct {
		A bool           `json:"a,omitempty"`
		B int            `json:"b,omitempty"`
		C *int           `json:"c,omitempty"`
		D string         `json:"d,omitempty"`
		E []int          `json:"e,omitempty"`
		F map[string]int `json:"f,omitempty"`
		G struct{}       `json:"g,omitempty"`
		H Base           `json:"h,omitempty"`
		I any            `json:"i,omitempty"`
		J float64        `json:"j,omitempty"`
		K [0]int         `json:"k,omitempty"`
		L *string        `json:"l,omitempty"`
		M []int          `json:"m,omitempty"`
		N time.Time      `json:"n,omitempty"`
	}{L: ptr(""), M: []int{}}, dict("g", dict(), "h", dict("id", int64(0)), "l", "", "n", "0001-01-01T00:00:00Z")},
	{"string", struct {
		A int     `json:"a,string"`
		B uint8   `json:"b,string"`
		C float64 `json:"c,string"`
		D named   `json:"d,string"`
		E *int    `json:"e,string"`
	}{1, 2, 1.5, 4, ptr(5)}, dict("a", "1", "b", "2", "c", "1.5", "d", "4", "e", "5")},
	{"string on others", struct {
		A bool              `json:"a,string"`
		B string            `json:"b,string"`
		C []int             `json:"c,string"`
		D map[string]int    `json:"d,string"`
		E Base              `json:"e,string"`
		F []byte            `json:"f,string"`
		G any               `json:"g,string"`
		H time.Time         `json:"h,string"`
		I [2]float64        `json:"i,string"`
		J *string           `json:"j,string"`
		K []struct{ X any } `json:"k,string"`
	}{true, "x", []int{1}, map[string]int{"a": 1}, Base{1}, []byte{1}, 5, time.Unix(0, 0).UTC(), [2]float64{1, 2}, ptr("y"), []struct{ X any }{{[]byte{7}}}},
		dict("a", true, "b", "x", "c", []any{int64(1)}, "d", dict("a", int64(1)), "e", dict("id", int64(1)), "f", []byte{1}, "g", int64(5), "h", "1970-01-01T00:00:00Z",
			"i", []any{1.0, 2.0}, "j", "y", "k", []any{dict("X", []byte{7})})},
	{"other tags", struct {
		A int `cbor:"x" codec:"y" json:"a"`
		B int `cbor:"1,keyasint"`
		C int `codec:"z"`
		D int `cbor:"-"`
	}{1, 2, 3, 4}, dict("a", int64(1), "B", int64(2), "C", int64(3), "D", int64(4))},
	{"same tags", struct {
		A int `cbor:"a" codec:"a" json:"a"`
	}{1}, dict("a", int64(1))},
	{"toarray", struct {
		_ struct{} `cbor:",toarray" codec:",toarray"`
		A int
	}{A: 1}, dict("A", int64(1))},
	{"odd names", struct {
		A int `json:"a b"`
		B int `json:"ü"`
		C int `json:"1"`
	}{1, 2, 3}, dict("a b", int64(1), "ü", int64(2), "1", int64(3))},
	// go vet would see these.
	{"tag on a hidden field", made(reflect.StructField{Name: "A", Type: reflect.TypeFor[int]()},
		reflect.StructField{Name: "b", PkgPath: "x", Type: reflect.TypeFor[int](), Tag: `json:"b"`}), refusal("")},
	{"name twice", made(reflect.StructField{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"x"`}, reflect.StructField{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"x"`}), refusal("")},

	// nil and empty
	{"nil slice", []int(nil), nil}, {"nil map", map[string]int(nil), nil}, {"nil pointer", (*int)(nil), nil}, {"nil bytes", []byte(nil), nil}, {"nil blob", blob(nil), nil},
	{"nil fields", struct {
		A []int
		B map[string]int
		C []byte
		D *Base
		E any
		F error
		G blob
	}{}, dict("A", nil, "B", nil, "C", nil, "D", nil, "E", nil, "F", nil, "G", nil)},
	{"empty struct", struct{}{}, dict()}, {"empty structs", []struct{}{{}}, []any{dict()}}, {"map of empty", map[string]struct{}{"a": {}}, dict("a", dict())},
	{"empty", []any{[]int{}, map[string]int{}, []byte{}, blob{}, ""}, []any{[]any{}, dict(), []byte{}, []byte{}, ""}},

	// numbers
	{"json.Number", []json.Number{"1", "-0", "1.50", "1e3", "18446744073709551615"}, []any{int64(1), math.Copysign(0, -1), 1.5, 1000.0, uint64(math.MaxUint64)}},
	{"json.Number, alone", json.Number("7"), int64(7)}, {"json.Number, empty", json.Number(""), refusal("number")}, {"json.Number, wrong", struct{ N json.Number }{"x"}, refusal("number")},
	{"json.Number, a key", map[json.Number]int{"1.5": 1}, dict("1.5", int64(1))},
	{"ints", []any{int8(-1), uint8(2), named(3), colour(4), uintptr(5), int64(math.MinInt64), uint64(math.MaxUint64)},
		[]any{int64(-1), int64(2), int64(3), int64(4), int64(5), int64(math.MinInt64), uint64(math.MaxUint64)}},
	{"floats", []any{1.0, float32(0.1), ratio(7), half(2), half(0.3), 1e300, math.Copysign(0, -1), struct {
		A float32
		B ratio
		C []half
	}{0.1, 7, []half{0.5, 2}}}, []any{1.0, 0.1, 7.0, 2.0, 0.3, 1e300, math.Copysign(0, -1), dict("A", 0.1, "B", 7.0, "C", []any{0.5, 2.0})}},
	{"bools", []any{true, flagged(true), []flagged{false}}, []any{true, true, []any{false}}},
	{"NaN", math.NaN(), map[codec.Codec]any{codec.JSON: refusal(""), codec.CBOR: math.NaN(), codec.MsgPack: math.NaN()}},
	{"Inf", struct{ F any }{[]float32{float32(math.Inf(-1))}}, map[codec.Codec]any{codec.JSON: refusal(""), codec.CBOR: dict("F", []any{math.Inf(-1)}), codec.MsgPack: dict("F", []any{math.Inf(-1)})}},
	{"big.Int", []any{big.NewInt(5), *big.NewInt(-5), new(big.Int).SetUint64(math.MaxUint64), struct{ N *big.Int }{}, struct{ N big.Int }{*big.NewInt(9)}},
		[]any{int64(5), int64(-5), uint64(math.MaxUint64), dict("N", nil), dict("N", int64(9))}},
	{"big.Int, big", struct{ N *big.Int }{bigInt("123456789012345678901234567890")}, map[codec.Codec]any{codec.CBOR: dict("N", bigInt("123456789012345678901234567890")),
		codec.JSON: dict("N", "123456789012345678901234567890"), codec.MsgPack: dict("N", "123456789012345678901234567890")}},
	// The library moves values of maps about while it writes.
	{"big.Int, big in a map", map[string]struct{ N big.Int }{"a": {*bigInt("-100000000000000000001")}, "b": {*bigInt("300000000000000000000002")}, "c": {*bigInt("500000000000000000000003")}}, map[codec.Codec]any{
		codec.CBOR: dict("a", dict("N", bigInt("-100000000000000000001")), "b", dict("N", bigInt("300000000000000000000002")), "c", dict("N", bigInt("500000000000000000000003"))),
		codec.JSON: dict("a", dict("N", "-100000000000000000001"), "b", dict("N", "300000000000000000000002"), "c", dict("N", "500000000000000000000003")), codec.MsgPack: dict("a", dict("N", "-100000000000000000001"), "b", dict("N", "300000000000000000000002"), "c", dict("N", "500000000000000000000003"))}},
	{"big.Int, a key", map[*big.Int]int{big.NewInt(5): 1}, dict("5", int64(1))},
	{"big.Rat", big.NewRat(1, 3), "1/3"},
	{"duration", struct{ D time.Duration }{time.Second}, dict("D", int64(1e9))}, {"duration, a key", map[time.Duration]int{5: 1}, dict("5", int64(1))},

	// times and texts
	{"time", time.Date(2024, 2, 29, 12, 0, 0, 5000, time.FixedZone("", 3600)), "2024-02-29T12:00:00.000005+01:00"},
	{"zero time", struct{ T time.Time }{}, dict("T", "0001-01-01T00:00:00Z")}, {"times", []*time.Time{ptr(time.Unix(0, 0).UTC()), nil}, []any{"1970-01-01T00:00:00Z", nil}},
	{"url", []any{url.URL{Scheme: "http", Host: "h", Path: "/a b"}, &url.URL{Path: "x"}, struct{ U *url.URL }{}}, []any{"http://h/a%20b", "x", dict("U", nil)}},
	{"url with password", struct{ U *url.URL }{&url.URL{Scheme: "http", Host: "h", User: url.UserPassword("u", "p")}}, refusal("password")},
	{"url with user", url.URL{Scheme: "http", Host: "h", User: url.User("u")}, "http://u@h"},
	{"MarshalJSON", []any{marshals{"a"}, &marshals{"b"}, struct{ M marshals }{marshals{"c"}}, map[string]marshals{"k": {"d"}}},
		[]any{dict("is", "a"), dict("is", "b"), dict("M", dict("is", "c")), dict("k", dict("is", "d"))}},
	{"MarshalText", []any{textKey{"a", "b"}, &textKey{"c", "d"}, appends{"x"}}, []any{"a/b", "c/d", "<x"}},
	{"MarshalBinary", []any{binaryOnly{1}, []binaryOnly{{2}}}, []any{dict("A", int64(1)), []any{dict("A", int64(2))}}},
	{"MarshalJSONTo", []any{streams{[]any{[]byte{1}, ratio(7), 7, streams{colour(5)}}}, []streams{{half(2)}}},
		[]any{dict("s", []any{[]byte{1}, 7.0, int64(7), dict("s", int64(5))}), []any{dict("s", 2.0)}}},
	{"MarshalJSONTo of other text", []any{[]byte{9}, packs{[]any{"x", []byte{1}, 7.5}}, []byte{8}}, []any{[]byte{9}, dict("p", []any{"x", "AQ==", 7.5}), []byte{8}}},
	{"nil marshaler", []any{(*marshals)(nil), []*textKey{nil}}, []any{nil, []any{nil}}},

	// maps
	{"string keys", map[label]int{"a": 1}, dict("a", int64(1))}, {"int keys", map[int8]string{-1: "x"}, dict("-1", "x")}, {"uint keys", map[colour]int{7: 1}, dict("7", int64(1))},
	{"text keys", map[textKey]int{{"a", "b"}: 1}, dict("a/b", int64(1))}, {"any keys", map[any]int{"a": 1, 5: 2}, dict("a", int64(1), "5", int64(2))},
	{"float keys", map[float64]int{1: 1}, refusal("key")}, {"bool keys", map[bool]int{true: 1}, refusal("key")}, {"bytes keys", map[[1]byte]int{{1}: 1}, refusal("key")},
	{"struct keys", map[Base]int{{1}: 1}, refusal("key")}, {"json keys", map[jsonKey]int{{"a"}: 1}, refusal("key")}, {"float in any keys", map[any]int{1.5: 1}, refusal("key")},
	{"pointer keys", map[*int]int{ptr(5): 1}, dict("5", int64(1))}, {"ratio keys in a field", struct{ M map[half]int }{map[half]int{1: 1}}, refusal("key")},
	{"url keys", map[url.URL]int{{Path: "x"}: 1}, refusal("key")}, {"keys twice", map[any]int{"1": 1, 1: 2}, refusal("")},

	// raw
	{"raw", []any{json.RawMessage(` {"a":[1,1.0,"x",null]} `), jsontext.Value(`"y"`), json.RawMessage(nil), struct{ R json.RawMessage }{json.RawMessage("7")}},
		[]any{dict("a", []any{int64(1), 1.0, "x", nil}), "y", nil, dict("R", int64(7))}},
	{"raw binary", json.RawMessage(`{"a":["\u0000AQI=",1]}`), dict("a", []any{[]byte{1, 2}, int64(1)})}, {"raw, wrong", json.RawMessage("{"), refusal("")}, {"raw, empty", json.RawMessage(""), refusal("")},
	{"raw surrogate", json.RawMessage(`"\ud800"`), "\ufffd"}, {"raw, keys twice", json.RawMessage(`{"a":1,"a":2}`), refusal("dup")},

	// strings and bytes
	{"NUL", "\x00abc", map[codec.Codec]any{codec.JSON: refusal("U+0000"), codec.CBOR: "\x00abc", codec.MsgPack: "\x00abc"}},
	{"NUL in a struct", struct{ S label }{"\x00"}, map[codec.Codec]any{codec.JSON: refusal("U+0000"), codec.CBOR: dict("S", "\x00"), codec.MsgPack: dict("S", "\x00")}},
	{"NUL in an any", struct{ S any }{[]any{"\x00AQ=="}}, map[codec.Codec]any{codec.JSON: refusal("U+0000"), codec.CBOR: dict("S", []any{"\x00AQ=="}), codec.MsgPack: dict("S", []any{"\x00AQ=="})}},
	{"NUL of a marshaler", textKey{"\x00", ""}, map[codec.Codec]any{codec.JSON: refusal("U+0000"), codec.CBOR: "\x00/", codec.MsgPack: "\x00/"}},
	{"NUL key", map[string]int{"\x00": 1}, map[codec.Codec]any{codec.JSON: refusal(""), codec.CBOR: dict("\x00", int64(1)), codec.MsgPack: dict("\x00", int64(1))}},
	{"NUL typed key", map[label]any{"\x00": 1}, map[codec.Codec]any{codec.JSON: refusal(""), codec.CBOR: dict("\x00", int64(1)), codec.MsgPack: dict("\x00", int64(1))}},
	{"NUL inside", []any{"a\x00", `"\u0000`, struct{ A string }{`\"\u0000`}}, []any{"a\x00", `"\u0000`, dict("A", `\"\u0000`)}},
	{"bytes", []any{[]byte{1}, [2]byte{1, 2}, blob{3}, digest{1}, ptr([]byte{4}), [][]byte{{5}, nil}, [1]*[1]byte{{6}}},
		[]any{[]byte{1}, []byte{1, 2}, []byte{3}, []byte{1, 0, 0, 0}, []byte{4}, []any{[]byte{5}, nil}, []any{[]byte{6}}}},
	{"bytes in a struct", struct {
		A []byte
		B [1]byte
		C *digest
		D any
		E map[string]blob
	}{[]byte{1}, [1]byte{2}, &digest{3}, []byte{4}, map[string]blob{"x": {5}}}, dict("A", []byte{1}, "B", []byte{2}, "C", []byte{3, 0, 0, 0}, "D", []byte{4}, "E", dict("x", []byte{5}))},
	{"named bytes", []any{[]colour{1, 2}, [2]colour{3, 4}, colours2{5}, colours2(nil), struct{ C []colour }{}}, []any{[]any{int64(1), int64(2)}, []any{int64(3), int64(4)}, []any{int64(5)}, nil, dict("C", nil)}},

	// what has no form
	{"error", errBug, refusal("error")}, {"error in a field", struct{ E error }{errBug}, refusal("error")}, {"own error", failure{"x"}, refusal("error")}, {"own error in a list", []*failure{{"x"}}, refusal("error")},
	{"nil error", struct{ E error }{}, dict("E", nil)}, {"func", func() {}, refusal("")}, {"func in a field", struct{ F func() }{}, refusal("")}, {"chan", []any{make(chan int)}, refusal("")},
	{"complex", struct{ C complex64 }{}, refusal("")}, {"hidden", hidden{1}, refusal("")}, {"hidden in a list", []hidden{}, map[codec.Codec]any{codec.JSON: []any{}, codec.CBOR: []any{}, codec.MsgPack: []any{}}},
	{"hidden in a field", struct{ H hidden }{}, refusal("")}, {"tag", codec.Tag{Number: 5, Content: 1}, refusal("a Tag")}, {"tag in a list", []any{codec.Tag{}}, refusal("a Tag")},

	// generics, pointers, recursive
	{"generic", generic[[]generic[any]]{[]generic[any]{{1}, {[]byte{1}}}}, dict("v", []any{dict("v", int64(1)), dict("v", []byte{1})})},
	{"recursive", recursive{Name: "a", Kids: []*recursive{{Name: "b"}, nil}}, dict("name", "a", "kids", []any{dict("name", "b"), nil})},
	{"pointers", ptr(ptr(ptr(5))), int64(5)}, {"arrays", [2][]int{{1}, nil}, []any{[]any{int64(1)}, nil}},
}

// made returns the zero value of a struct.
func made(fields ...reflect.StructField) any {
	return reflect.Zero(reflect.StructOf(fields)).Interface()
}

type hidden2 struct{ A int }

func (hidden2) IsZero() bool { return true }

// plainText writes plain values in a form in which equal ones are equal.
func plainText(v any) string {
	switch v := v.(type) {
	case *big.Int:
		return "big " + v.String()
	case []any:
		out := "["
		for _, e := range v {
			out += plainText(e) + " "
		}
		return out + "]"
	case map[string]any:
		out := sprint(len(v)) + "{"
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out += sprint(k) + ":" + plainText(v[k]) + " "
		}
		return out + "}"
	case codec.Tag:
		return v.String() + " of " + plainText(v.Content)
	}
	return sprint(v)
}

// What a Go value becomes, as an argument, a keyword argument, and in whatever else
// it may stand.
func TestSentRows(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range sentRows {
			want := tt.want
			if m, ok := want.(map[codec.Codec]any); ok {
				want = m[c]
			}
			for place, around := range map[string]struct {
				in   any
				want func(any) any
			}{
				"alone": {tt.in, func(v any) any { return v }}, "any": {[]any{tt.in}, func(v any) any { return []any{v} }},
				"field": {struct{ V any }{tt.in}, func(v any) any { return dict("V", v) }}, "typed": {sliceWith(tt.in), func(v any) any { return []any{v} }},
				"pointer": {pointerTo(tt.in), func(v any) any { return v }}, "map": {mapWith(tt.in), func(v any) any { return dict("k", v) }},
			} {
				args, _, err := codec.Args(around.in).Encode(c, []byte("dst"))
				if text, refused := want.(refusal); refused {
					var e *codec.EncodeError
					if err == nil || string(args) != "dst" || !errors.As(err, &e) || !strings.Contains(err.Error(), string(text)) || len(err.Error()) > proto.MaxText {
						t.Errorf("%s, %s: %v, want an error with %q", tt.name, place, err, text)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s, %s: %v", tt.name, place, err)
					continue
				}
				got, err := c.Plain(args[3:])
				if err != nil || plainText(got) != plainText([]any{around.want(want)}) {
					t.Errorf("%s, %s:\n got %s\nwant %s, %v", tt.name, place, plainText(got), plainText([]any{around.want(want)}), err)
				}
				kw, err := codec.Kwargs(map[string]any{"k": around.in}).Kwargs()
				if c == codec.CBOR && (err != nil || plainText(kw["k"]) != plainText(around.want(want))) {
					t.Errorf("%s, %s: keyword: %s, %v", tt.name, place, plainText(kw), err)
				}
			}
		}
	})
}

func sliceWith(v any) any {
	t := reflect.TypeOf(v)
	if t == nil {
		return []any{v}
	}
	s := reflect.MakeSlice(reflect.SliceOf(t), 1, 1)
	s.Index(0).Set(reflect.ValueOf(v))
	return s.Interface()
}

func mapWith(v any) any {
	m := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), reflect.TypeOf(v)))
	m.SetMapIndex(reflect.ValueOf("k"), reflect.ValueOf(v))
	return m.Interface()
}

func pointerTo(v any) any {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}
