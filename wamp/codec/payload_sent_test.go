package codec_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Types that contain themselves, and such as a library cannot bear.
type (
	list    []list
	ptrs    []*ptrs
	tree    map[string]tree
	forest  map[string][]tree
	tight   [1]*tight
	endless *endless
	node    struct {
		Name string  `json:"name"`
		Up   *node   `json:"up"`
		Kids []*node `json:"kids"`
	}
	leafy struct {
		Name string   `json:"name"`
		Up   *leafy   `json:"-"`
		Kids []*leafy `json:"kids"`
	}
	holder struct {
		V any `json:"v"`
	}
	outer     struct{ holder }
	embedding struct {
		*embedding
		N int `json:"n"`
	}
	reads struct { // only reads itself
		V any `json:"v"`
	}
	label string
	one   struct {
		P *int `json:"p"`
	}
	pair struct {
		A [1]*int `json:"a"`
	}
)

// refused checks that v is refused as it stands in a payload and inside of others,
// with an error that says why and is not long.
func refused(t *testing.T, c codec.Codec, v any, want string) {
	t.Helper()
	check := func(what string, out []byte, err error) {
		t.Helper()
		var bad *codec.EncodeError
		if !errors.As(err, &bad) || bad.Codec != c.Name() || !strings.Contains(err.Error(), want) || len(err.Error()) > proto.MaxText {
			t.Errorf("%s: error is %v, want one with %q", what, err, want)
		}
		if string(out) != "dst" {
			t.Errorf("%s: %q was written", what, out)
		}
	}
	out, err := c.AppendValue([]byte("dst"), v)
	check("value", out, err)
	out, err = c.AppendList([]byte("dst"), []any{1, v})
	check("list", out, err)
	out, err = c.AppendValue([]byte("dst"), map[string]any{"a": []any{1, v}})
	check("nested", out, err)
	out, err = c.AppendValue([]byte("dst"), holder{v})
	check("in a struct", out, err)
	out, err = c.AppendValue([]byte("dst"), &holder{map[string]any{"v": []any{&v}}})
	check("in an any of a struct", out, err)
	out, n, err := codec.Args(1, v).Encode(c, []byte("dst"))
	check("Args", out, err)
	if n != 0 {
		t.Errorf("%d bytes of arguments", n)
	}
	out, _, err = codec.Args(1).With("k", v).Encode(c, []byte("dst"))
	check("With", out, err)
}

func self() (values map[string]any) {
	m := map[string]any{}
	m["m"] = m
	s := make([]any, 1)
	s[0] = s
	l := make(list, 1)
	l[0] = l
	var ps ptrs
	ps = ptrs{&ps}
	tr := tree{}
	tr["t"] = tr
	fo := forest{"f": {tr}}
	n := &node{Name: "root"}
	n.Kids = []*node{{Name: "kid", Up: n}}
	h := &holder{}
	h.V = h
	var iface any
	iface = &iface
	var tg tight
	tg[0] = &tg
	e := embedding{}
	e.embedding = &e
	r := &reads{}
	r.V = r
	return map[string]any{"map": m, "list": s, "slice type": l, "slice of pointers": ps, "map type": tr, "map of slices": fo, "struct": n,
		"interface": h, "pointer to an interface": iface, "array": tg, "struct by value": *n, "list of structs": []*node{n},
		"type that reads text": r, "dict": proto.Dict{{Key: "d", Value: m}}, "maps": []map[string]any{m}}
}

// A value that contains itself is an error, whatever it is made of. It used to
// kill the process.
func TestEncodeRefusesCycles(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, v := range self() {
			t.Run(name, func(t *testing.T) { refused(t, c, v, "contains itself") })
		}
		var e endless
		e = &e
		refused(t, c, e, "pointer to its own type")
	})
}

// Values that are recursive and end are written, and so are those in which the same
// thing stands twice.
func TestEncodeTakesRecursiveTypes(t *testing.T) {
	seven, half := 7, 0.5
	kid := &node{Name: "kid"}
	twice := []any{"x"}
	up := &leafy{Name: "root"}
	up.Kids = []*leafy{{Name: "kid", Up: up}}
	empty := map[string]any{"name": "kid", "up": nil, "kids": nil}
	each(t, func(t *testing.T, c codec.Codec) {
		for name, tt := range map[string]struct{ in, want any }{
			"slice type":        {list{list{}, list{list{}}}, []any{[]any{}, []any{[]any{}}}},
			"slice of pointers": {ptrs{&ptrs{}, nil}, []any{[]any{}, nil}},
			"map type":          {tree{"a": tree{"b": nil}}, map[string]any{"a": map[string]any{"b": nil}}},
			"map of slices":     {forest{"a": {tree{}}}, map[string]any{"a": []any{map[string]any{}}}},
			"struct":            {node{Name: "n", Kids: []*node{kid, kid}}, map[string]any{"name": "n", "up": nil, "kids": []any{empty, empty}}},
			"parents left out":  {up, map[string]any{"name": "root", "kids": []any{map[string]any{"name": "kid", "kids": nil}}}},
			"the same twice":    {holder{[]any{twice, twice}}, map[string]any{"v": []any{[]any{"x"}, []any{"x"}}}},
			"array":             {tight{&tight{}}, []any{[]any{nil}}},
			"[1]*int":           {[1]*int{&seven}, []any{int64(7)}}, "[1]*float64": {[1]*float64{&half}, []any{0.5}},
			"*[1]*int": {&[1]*int{&seven}, []any{int64(7)}}, "[1]*int, nil": {[1]*int{}, []any{nil}},
			"[2]*int": {[2]*int{&seven, &seven}, []any{int64(7), int64(7)}}, "[1]map": {[1]map[string]int{{"a": 1}}, []any{map[string]any{"a": int64(1)}}},
			"[1]struct": {[1]one{{&seven}}, []any{map[string]any{"p": int64(7)}}}, "[]struct": {[]one{{&seven}}, []any{map[string]any{"p": int64(7)}}},
			"map of struct": {map[string]one{"k": {&seven}}, map[string]any{"k": map[string]any{"p": int64(7)}}},
			"struct, [1]":   {pair{[1]*int{&seven}}, map[string]any{"a": []any{int64(7)}}}, "[1]struct, [1]": {[1]pair{{}}, []any{map[string]any{"a": []any{nil}}}},
			"map of [1]": {map[string][1]*int{"k": {&seven}}, map[string]any{"k": []any{int64(7)}}}, "[][1]": {[][1]*int{{&seven}}, []any{[]any{int64(7)}}},
			"[1][1]": {[1][1]*int{{&seven}}, []any{[]any{int64(7)}}}, "[1]any": {[1]any{&seven}, []any{int64(7)}},
			"any of [1]": {holder{[1]*int{&seven}}, map[string]any{"v": []any{int64(7)}}}, "embedding": {embedding{N: 1}, map[string]any{"n": int64(1)}},
		} {
			raw := appendValue(t, c, tt.in)
			if got, err := c.Plain(raw); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: %v, want %v, %v", name, got, tt.want, err)
			}
			again := reflect.New(reflect.TypeOf(tt.in))
			if err := c.Unmarshal(raw, again.Interface()); err != nil {
				t.Errorf("%s: back into its type: %v", name, err)
			} else if got, err := c.Plain(appendValue(t, c, again.Elem().Interface())); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: came back as %v, %v", name, got, err)
			}
		}
		for _, target := range []any{new(endless), new(list), new(tree), new(tight), new(one), new(pair), new([1]*int), new(map[string][1]*int), new(embedding)} {
			for _, v := range []any{5, "x", []any{1}, []any{[]any{}}, map[string]any{"a": 1, "p": 5, "n": nil}, nil} {
				_ = c.Unmarshal(appendValue(t, c, v), target) // and nothing dies of it
			}
		}
	})
}

// The bound of nesting is 128, in both directions and in whatever the levels are.
func TestDepth(t *testing.T) {
	plain := func(n int) any {
		var v any = "x"
		for i := range n {
			if i%2 == 1 {
				v = []any{v}
			} else {
				v = map[string]any{"k": v}
			}
		}
		return v
	}
	structs := func(n int) any {
		var v any = "x"
		for range n {
			v = holder{v}
		}
		return v
	}
	lists := func(n int) any {
		l := list(nil)
		for range n {
			l = list{l}
		}
		return l
	}
	chain := func(n int) any {
		var v *node
		for range n {
			v = &node{Up: v}
		}
		return v
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for name, nest := range map[string]func(int) any{"plain": plain, "structs": structs, "slices": lists, "pointers": chain,
			"mixed": func(n int) any { return []any{structs(n - 1), holder{plain(n - 2)}} }} {
			raw, err := c.AppendValue(nil, nest(128))
			if err != nil {
				t.Errorf("%s: 128 levels: %v", name, err)
				continue
			}
			for _, target := range []any{new(any), new(holder), new(list), new(node)} {
				if err := c.Unmarshal(raw, target); err != nil && strings.Contains(err.Error(), "deep") {
					t.Errorf("%s: 128 levels into %T: %v", name, target, err)
				}
			}
			if err := codec.Raw(c, raw, nil).Scan(new(any)); name == "plain" && err != nil {
				t.Errorf("%s: as arguments: %v", name, err)
			}
			for _, target := range []any{new(any), new(holder)} {
				if err := codec.Raw(c, wrap(c, raw), nil).Scan(target); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
					t.Errorf("%s: one level more, into %T: %v", name, target, err)
				}
			}
			refused(t, c, nest(129), "deep")
			deeper := wrap(c, raw)
			var syntax *codec.SyntaxError
			for _, target := range []any{new(any), new(holder), new(list), new(node), new([]any)} {
				if err := c.Unmarshal(deeper, target); !errors.As(err, &syntax) || !strings.Contains(err.Error(), "nested too deeply") {
					t.Errorf("%s: 129 levels into %T: %v", name, target, err)
				}
			}
		}
		// A list of arguments is one of the levels.
		if _, err := c.AppendList(nil, []any{plain(127)}); err != nil {
			t.Error(err)
		}
		if _, err := c.AppendList(nil, []any{plain(128)}); err == nil {
			t.Error("a list of arguments of 129 levels was written")
		}
		if _, err := c.AppendList(nil, []any{holder{plain(127)}}); err == nil {
			t.Error("a list of arguments of 129 levels was written")
		}
		// An embedded struct is no level of its own.
		if _, err := c.AppendValue(nil, wrapIn(127, outer{holder{1}})); err != nil {
			t.Error(err)
		}
		// What is written is what a strict parser takes, and a scalar has no depth.
		if _, err := c.AppendValue(nil, wrapIn(128, label("x"))); err != nil {
			t.Error(err)
		}
		args, err := c.AppendList(nil, []any{plain(127)})
		if err != nil {
			t.Fatal(err)
		}
		data, err := c.AppendMessage(nil, &proto.Message{Type: proto.Call, URI: "a", Args: args})
		if err != nil {
			t.Fatal(err)
		}
		var m proto.Message
		if err := c.NewParser(strict).Parse(data, &m); err != nil {
			t.Error(err)
		}
	})
}

func wrapIn(n int, v any) any {
	for range n {
		v = []any{v}
	}
	return v
}

// wrap puts an encoded value into a list.
func wrap(c codec.Codec, raw []byte) []byte {
	switch c {
	case codec.JSON:
		return []byte("[" + string(raw) + "]")
	case codec.CBOR:
		return append([]byte{0x81}, raw...)
	}
	return append([]byte{0x91}, raw...)
}

// What would make a router cut the link is an error before anything is written.
func TestEncodeRefuses(t *testing.T) {
	bad := "a\xff"
	nan := math.NaN()
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct {
			name string
			v    any
			want string
		}{
			{"string", bad, "UTF-8"}, {"named string", label(bad), "UTF-8"}, {"pointer", &bad, "UTF-8"}, {"struct", struct{ A string }{bad}, "UTF-8"},
			{"nested struct", []struct{ A []label }{{[]label{"x", label(bad)}}}, "UTF-8"}, {"key", map[string]any{bad: 1}, "UTF-8"},
			{"key of a typed map", map[string]int{bad: 1}, "UTF-8"}, {"named key", map[label]int{label(bad): 1}, "UTF-8"},
			{"strings", []string{"x", bad}, "UTF-8"}, {"map of strings", map[string]string{"a": bad}, "UTF-8"}, {"any in a struct", holder{bad}, "UTF-8"},
			{"text marshaler", text(bad), "UTF-8"}, {"text marshaler in a struct", struct{ T text }{text(bad)}, "UTF-8"},
			{"long string", struct{ A string }{strings.Repeat("x", 70000) + bad}, "UTF-8"}, {"dict", proto.Dict{{Key: "k", Value: bad}}, "UTF-8"},
			{"embedded", struct{ record }{record{Name: bad}}, "UTF-8"},

			{"float keys", map[float64]int{1.5: 1}, "string"}, {"bool keys", map[bool]int{true: 1}, "string"},
			{"struct keys", map[struct{ A int }]int{{1}: 1}, "string"}, {"binary keys", map[[2]byte]int{{1, 2}: 1}, "string"},
			{"mixed keys", map[any]int{"a": 1, 1.5: 2}, "string"}, {"nested keys", []map[float64]int{{1: 1}}, "string"},
			{"keys in a struct", struct{ M map[bool]int }{map[bool]int{false: 1}}, "string"},

			{"channel", make(chan int), ""}, {"function", func() {}, ""}, {"complex", 1i, ""}, {"channel in a struct", struct{ C chan int }{}, ""},
			{"year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ""}, {"failing marshaler", texter{}, "no text"},
		} {
			t.Run(tt.name, func(t *testing.T) { refused(t, c, tt.v, tt.want) })
		}
		for name, v := range map[string]any{"NaN": nan, "Inf": math.Inf(1), "in a struct": struct{ F float64 }{nan}, "float32": float32(math.Inf(-1)),
			"in a slice": []float32{float32(nan)}, "in a list": []float64{1, nan}, "in an any": holder{nan}, "named": time.Duration(1)} {
			if _, err := c.AppendValue(nil, v); c != codec.JSON || name == "named" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			t.Run(name, func(t *testing.T) { refused(t, c, v, "") })
		}
	})
}

func (*reads) UnmarshalText([]byte) error { return nil }

type text string

func (s text) MarshalText() ([]byte, error) { return []byte(s), nil }

// Keys that are integers become text, as they are in JSON.
func TestIntegerKeys(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct{ in, want any }{
			{map[int]string{1: "a", -20: "b"}, map[string]any{"1": "a", "-20": "b"}}, {map[uint64]int{math.MaxUint64: 1}, map[string]any{"18446744073709551615": int64(1)}},
			{struct{ M map[int8][]byte }{map[int8][]byte{-1: {5}}}, map[string]any{"M": map[string]any{"-1": []byte{5}}}},
			{map[any]any{1: "a", "b": map[int]int{2: 3}}, map[string]any{"1": "a", "b": map[string]any{"2": int64(3)}}},
			{[]map[int]holder{{7: {map[uint8]float64{8: 1}}}}, []any{map[string]any{"7": map[string]any{"v": map[string]any{"8": 1.0}}}}},
		} {
			raw := appendValue(t, c, tt.in)
			if got, err := c.Plain(raw); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%T: %v, want %v, %v", tt.in, got, tt.want, err)
			}
			if args, _ := encode(t, codec.Args(tt.in), c); codec.Raw(c, args, nil).Scan(new(any)) != nil {
				t.Errorf("%T cannot be scanned", tt.in)
			}
			// They are text, not only taken for it: what was written may be sent again.
			if _, _, err := codec.Raw(c, wrap(c, raw), nil).Encode(c, nil); err != nil {
				t.Errorf("%T: %v", tt.in, err)
			}
		}
		refused(t, c, map[any]int{1: 1, "1": 2}, "")
	})
}

// An error says where the value stands, where that is known.
func TestEncodeErrorPath(t *testing.T) {
	bad := "\xff"
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct {
			p    codec.Payload
			path string
		}{
			{codec.Args(1, bad), "args[1]"}, {codec.Args(map[string]any{"a": []any{1, bad}}), "args[0].a[1]"}, {codec.Args([]string{"x", bad}), "args[0][1]"},
			{codec.Kwargs(map[string]any{"name": bad}), "kwargs.name"}, {codec.Args(proto.Dict{{Key: "k", Value: bad}}), "args[0].k"},
			{codec.Args(map[string]string{"k": bad}), "args[0].k"}, {codec.Args([]map[string]any{{"k": bad}}), "args[0][0].k"},
		} {
			_, _, err := tt.p.Encode(c, nil)
			var e *codec.EncodeError
			if !errors.As(err, &e) || e.Path != tt.path || !strings.Contains(err.Error(), tt.path+": ") {
				t.Errorf("path is %q, want %q: %v", e.Path, tt.path, err)
			}
		}
		_, err := c.AppendValue(nil, map[string]any{"a": bad})
		var e *codec.EncodeError
		if !errors.As(err, &e) || e.Path != "a" {
			t.Errorf("%+v", e)
		}
		if c == codec.JSON {
			return // the library says it in its own words
		}
		_, _, err = codec.Args(0, struct {
			List []label `json:"list"`
		}{[]label{"a", "\xff"}}).Encode(c, nil)
		if !errors.As(err, &e) || e.Path != "args[1].list[1]" {
			t.Errorf("%+v", e)
		}
	})
}
