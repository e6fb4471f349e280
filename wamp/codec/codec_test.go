package codec_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// each runs a test for every codec.
func each(t *testing.T, test func(t *testing.T, c codec.Codec)) {
	t.Helper()
	for _, c := range codecs {
		t.Run(c.Name(), func(t *testing.T) { test(t, c) })
	}
}

func appendValue(t *testing.T, c codec.Codec, v any) []byte {
	t.Helper()
	raw, err := c.AppendValue(nil, v)
	if err != nil {
		t.Fatalf("append %#v: %v", v, err)
	}
	return raw
}

func TestByName(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		if got, ok := codec.ByName(c.Name()); !ok || got != c {
			t.Errorf("ByName(%q) = %v, %v", c.Name(), got, ok)
		}
	})
	if _, ok := codec.ByName("ubjson"); ok {
		t.Error("ByName knows ubjson")
	}
}

// Every message of the trait table must come back as it was sent.
func TestMessageRoundTrip(t *testing.T) {
	dicts := map[string]proto.Dict{
		"empty":    nil,
		"progress": {{Key: "progress", Value: true}},
		"many": {
			{Key: "_b", Value: false}, {Key: "_i", Value: int64(-7)}, {Key: "_f", Value: 1.5}, {Key: "_s", Value: "ü\n\"\\\u2028😀"},
			{Key: "_n", Value: nil}, {Key: "_l", Value: []any{int64(1), "a"}}, {Key: "_d", Value: map[string]any{"k": []byte{0, 255}}},
			{Key: "_u", Value: uint64(math.MaxUint64)}, {Key: "_bytes", Value: []byte{}},
		},
	}
	payloads := []struct{ args, kwargs any }{
		{nil, nil}, {[]any{}, nil}, {[]any{int64(1), "two"}, nil}, {[]any{}, map[string]any{"k": int64(1)}},
		{[]any{nil}, map[string]any{}},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(codec.Limits{})
		for _, tr := range proto.AllTraits() {
			for name, d := range dicts {
				for _, load := range payloads {
					m := proto.Message{Type: tr.Type}
					for _, f := range tr.Fields {
						setField(&m, f, d)
					}
					if tr.Payload && load.args != nil {
						m.Args = appendValue(t, c, load.args)
					}
					if tr.Payload && load.kwargs != nil {
						m.Kwargs = appendValue(t, c, load.kwargs)
					}
					data, err := c.AppendMessage([]byte("before"), &m)
					if err != nil {
						t.Fatalf("%v %s: %v", tr.Type, name, err)
					}
					data = data[len("before"):]
					for range 2 { // the second time from the memo
						got := proto.Message{Type: 99, URI: "left over", Args: []byte("x")}
						if err := p.Parse(data, &got); err != nil {
							t.Fatalf("%v %s: %v in %q", tr.Type, name, err, data)
						}
						if !reflect.DeepEqual(got, m) {
							t.Fatalf("%v %s:\n got %+v\nwant %+v", tr.Type, name, got, m)
						}
					}
				}
			}
		}
	})
}

func setField(m *proto.Message, f proto.Field, d proto.Dict) {
	switch f {
	case proto.FieldRequestType:
		m.RequestType = proto.Call
	case proto.FieldRequest:
		m.Request = proto.MaxID
	case proto.FieldID:
		m.ID = 65536
	case proto.FieldPublication:
		m.Publication = 1<<32 + 1
	case proto.FieldURI:
		m.URI = "com.example.höhe"
	case proto.FieldText:
		m.Text = "a \"text\""
	case proto.FieldOptions:
		m.Options = d
	}
}

func TestAppendMessage(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		list, dict := appendValue(t, c, []any{1}), appendValue(t, c, map[string]any{"k": 1})
		plain := func(m proto.Message) any {
			t.Helper()
			data, err := c.AppendMessage(nil, &m)
			if err != nil {
				t.Fatal(err)
			}
			v, err := c.Plain(data)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for _, tt := range []struct {
			name string
			m    proto.Message
			want any
		}{
			{"kwargs only", proto.Message{Type: proto.Call, Request: 1, URI: "a", Kwargs: dict},
				[]any{int64(48), int64(1), map[string]any{}, "a", []any{}, map[string]any{"k": int64(1)}}},
			{"args", proto.Message{Type: proto.Call, Request: 1, URI: "a", Args: list},
				[]any{int64(48), int64(1), map[string]any{}, "a", []any{int64(1)}}},
			{"acknowledgement", proto.Message{Type: proto.Unsubscribed, Request: 1}, []any{int64(35), int64(1)}},
			{"revocation", proto.Message{Type: proto.Unregistered, Options: proto.Dict{{Key: "registration", Value: proto.ID(7)}}},
				[]any{int64(67), int64(0), map[string]any{"registration": int64(7)}}},
			{"Go values in options", proto.Message{Type: proto.Publish, Request: 1, URI: "a", Options: proto.Dict{
				{Key: "exclude", Value: []proto.ID{1, 2}}, {Key: "eligible_authid", Value: []string{"joe"}}, {Key: "_n", Value: int8(3)}}},
				[]any{int64(16), int64(1), map[string]any{"exclude": []any{int64(1), int64(2)},
					"eligible_authid": []any{"joe"}, "_n": int64(3)}, "a"}},
		} {
			if got := plain(tt.m); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s:\n got %v\nwant %v", tt.name, got, tt.want)
			}
		}
		for name, m := range map[string]proto.Message{
			"unknown type":    {Type: 7},
			"id too big":      {Type: proto.Published, Request: proto.MaxID + 1},
			"invalid UTF-8":   {Type: proto.Call, URI: "a\xff"},
			"option":          {Type: proto.Call, URI: "a", Options: proto.Dict{{Key: "_c", Value: make(chan int)}}},
			"needless load":   {Type: proto.Subscribe, URI: "a", Args: list},
			"contains itself": {Type: proto.Call, URI: "a", Options: proto.Dict{{Key: "_c", Value: selfMap()}}},
		} {
			if out, err := c.AppendMessage([]byte("dst"), &m); err == nil || string(out) != "dst" {
				t.Errorf("%s: %q, %v", name, out, err)
			}
		}
	})
}

func selfMap() map[string]any {
	m := map[string]any{}
	m["self"] = m
	return m
}

// strict are the limits of a parser that looks at everything.
var strict = codec.Limits{Strict: true}

func deep(n int) any {
	var v any = []any{}
	for range n {
		v = []any{v}
	}
	return v
}

var someTime = time.Date(2024, 2, 29, 12, 30, 45, 123456789, time.FixedZone("", 2*3600))

// Values in, plain values out: the same in every serializer.
func TestPlain(t *testing.T) {
	big := strings.Repeat("long ", 20000)
	tests := []struct{ in, want any }{
		{nil, nil}, {true, true}, {false, false},
		{0, int64(0)}, {23, int64(23)}, {24, int64(24)}, {127, int64(127)}, {128, int64(128)}, {255, int64(255)}, {256, int64(256)},
		{65535, int64(65535)}, {65536, int64(65536)}, {int64(math.MaxUint32), int64(math.MaxUint32)}, {int64(1 << 53), int64(1 << 53)},
		{int64(1<<53 + 1), int64(1<<53 + 1)}, {int64(math.MaxInt64), int64(math.MaxInt64)}, {uint64(1 << 63), uint64(1 << 63)},
		{uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{-1, int64(-1)}, {-24, int64(-24)}, {-25, int64(-25)}, {-32, int64(-32)}, {-33, int64(-33)}, {-128, int64(-128)},
		{-129, int64(-129)}, {-32768, int64(-32768)}, {-32769, int64(-32769)}, {math.MinInt32, int64(math.MinInt32)},
		{int64(math.MinInt32 - 1), int64(math.MinInt32 - 1)}, {int64(math.MinInt64), int64(math.MinInt64)},
		{int8(-5), int64(-5)}, {uint8(200), int64(200)}, {int16(-300), int64(-300)}, {uint16(60000), int64(60000)},
		{int32(5), int64(5)}, {uint32(5), int64(5)}, {uint(5), int64(5)}, {proto.ID(5), int64(5)},
		{0.0, 0.0}, {1.0, 1.0}, {-2.0, -2.0}, {1.5, 1.5}, {1e300, 1e300}, {5e-324, 5e-324}, {float32(0.5), 0.5}, {1e21, 1e21},
		{math.Copysign(0, -1), math.Copysign(0, -1)}, {float64(1 << 60), float64(1 << 60)},
		{"", ""}, {"a", "a"}, {"ü\n\t\"\\/\x01\u2028😀", "ü\n\t\"\\/\x01\u2028😀"}, {big, big}, {"in\x00side", "in\x00side"},
		{[]byte{}, []byte{}}, {[]byte{0, 1, 255}, []byte{0, 1, 255}}, {[]byte(big), []byte(big)}, {[]byte(nil), nil},
		{[]any{}, []any{}}, {[]any(nil), nil}, {[]any{1, []any{"x", nil}}, []any{int64(1), []any{"x", nil}}},
		{map[string]any{}, map[string]any{}}, {map[string]any(nil), nil},
		{map[string]any{"a": 1, "b": map[string]any{"c": []byte("d")}}, map[string]any{"a": int64(1), "b": map[string]any{"c": []byte("d")}}},
		{[]string{"a", "b"}, []any{"a", "b"}}, {[]int{1, 2}, []any{int64(1), int64(2)}}, {[]int64{1}, []any{int64(1)}},
		{[]float64{1, 2.5}, []any{1.0, 2.5}}, {[]proto.ID{1}, []any{int64(1)}}, {map[string]string{"a": "b"}, map[string]any{"a": "b"}},
		{[]map[string]any{{"a": 1}}, []any{map[string]any{"a": int64(1)}}}, {make([]any, 20), make([]any, 20)},
		{proto.Dict{{Key: "a", Value: 1}}, map[string]any{"a": int64(1)}}, {make([]bool, 70000), boxed(make([]bool, 70000))},
		{someTime, "2024-02-29T12:30:45.123456789+02:00"},
		{record{Name: "x", Count: 3, Data: []byte{1}}, map[string]any{"name": "x", "count": int64(3), "data": []byte{1}}},
		{&record{Name: "x", Tags: []string{"t"}}, map[string]any{"name": "x", "count": int64(0), "data": nil, "tags": []any{"t"}}},
		{struct {
			F float64 `json:"f"`
			A any     `json:"a"`
		}{1, []any{2.0, []byte("x"), map[string]any{"k": []byte("y")}}},
			map[string]any{"f": 1.0, "a": []any{2.0, []byte("x"), map[string]any{"k": []byte("y")}}}},
		{[][]byte{{1}}, []any{[]byte{1}}}, {map[string][]byte{"a": {1}}, map[string]any{"a": []byte{1}}},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range tests {
			got, err := c.Plain(appendValue(t, c, tt.in))
			if err != nil {
				t.Errorf("%T %.40v: %v", tt.in, tt.in, err)
				continue
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%T %.80v: got %T %.80v", tt.in, tt.in, got, got)
			}
			var v any = "left over"
			if err := c.Unmarshal(appendValue(t, c, tt.in), &v); err != nil || !reflect.DeepEqual(v, tt.want) {
				t.Errorf("%T %.80v: Unmarshal got %T %.80v, %v", tt.in, tt.in, v, v, err)
			}
		}
		nan, inf := math.NaN(), math.Inf(-1)
		for _, x := range []float64{nan, inf} {
			raw, err := c.AppendValue(nil, x)
			if c == codec.JSON {
				if err == nil || !strings.Contains(err.Error(), "NaN") {
					t.Errorf("%v: %q, %v", x, raw, err)
				}
				continue
			}
			got, err := c.Plain(raw)
			if f, ok := got.(float64); err != nil || !ok || f != x && !math.IsNaN(x) {
				t.Errorf("%v: %v, %v", x, got, err)
			}
		}
	})
}

func boxed[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

type record struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Data  []byte   `json:"data"`
	Tags  []string `json:"tags,omitempty"`
	Skip  string   `json:"-"`
}

type embedded struct {
	record
	When   time.Time      `json:"when"`
	Ptr    *int           `json:"ptr,omitempty"`
	Zero   int            `json:"zero,omitempty"`
	Off    bool           `json:"off,omitempty"`
	Extra  map[string]any `json:"extra"`
	Any    any            `json:"any"`
	Nested []record       `json:"nested"`
	U      uint64         `json:"u"`
	F      float64        `json:"f"`
	F32    float32        `json:"f32"`
	Small  int8           `json:"small"`
}

// One struct with json tags goes through every serializer.
func TestStructRoundTrip(t *testing.T) {
	n := 5
	in := embedded{
		record: record{Name: "n", Count: -3, Data: []byte{0, 9}, Tags: []string{"a"}, Skip: "no"},
		When:   someTime, Ptr: &n, Extra: map[string]any{"b": []byte{1}, "i": int64(7), "f": 2.0, "l": []any{int64(1)}},
		Any: map[string]any{"x": []any{"y", nil, true}}, Nested: []record{{Name: "m"}}, U: math.MaxUint64, F: 3, F32: 0.1, Small: -128,
	}
	each(t, func(t *testing.T, c codec.Codec) {
		raw := appendValue(t, c, &in)
		var out embedded
		if err := c.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		if !out.When.Equal(in.When) {
			t.Errorf("time: %v", out.When)
		}
		want := in
		want.Skip, out.When = "", in.When
		if !reflect.DeepEqual(out, want) {
			t.Errorf("\n got %+v\nwant %+v", out, want)
		}
		plain, err := c.Plain(raw)
		if err != nil {
			t.Fatal(err)
		}
		m := plain.(map[string]any)
		for _, key := range []string{"zero", "off", "Skip", "record"} {
			if _, there := m[key]; there {
				t.Errorf("%s was written", key)
			}
		}
		if when, _ := m["when"].(string); when == "" {
			t.Errorf("time is %T", m["when"])
		}
	})
}

func TestUnmarshalScalars(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct {
			in     any
			target any
			want   any // nil: an error
		}{
			{5, new(int), 5}, {-5, new(int), -5}, {5, new(int64), int64(5)}, {int64(math.MinInt64), new(int64), int64(math.MinInt64)},
			{uint64(math.MaxUint64), new(uint64), uint64(math.MaxUint64)}, {uint64(math.MaxUint64), new(int64), nil},
			{uint64(1 << 63), new(int), nil}, {-1, new(uint64), nil}, {"5", new(int), nil}, {true, new(int), nil},
			{1.5, new(int), nil}, {1.0, new(int), 1}, {math.Copysign(0, -1), new(int), 0}, {1.7e12, new(int64), int64(1.7e12)}, {5, new(float64), 5.0}, {-5, new(float64), -5.0}, {2.5, new(float64), 2.5},
			{"2", new(float64), nil}, {1, new(bool), nil}, {true, new(bool), true}, {"x", new(string), "x"}, {5, new(string), nil},
			{[]byte("x"), new(string), nil}, {[]byte("x"), new([]byte), []byte("x")}, {5, new([]byte), nil},
			{nil, new(int), 0}, {nil, new(string), ""}, {nil, new([]byte), []byte(nil)}, {[]any{}, new(int), nil},
			{map[string]any{}, new(string), nil}, {200, new(uint8), uint8(200)}, {300, new(uint8), nil}, {-129, new(int8), nil},
			{[]any{1, 2}, new([]int), []int{1, 2}}, {[]any{1}, new([]any), []any{int64(1)}}, {1, new([]any), nil},
			{map[string]any{"a": 1}, new(map[string]any), map[string]any{"a": int64(1)}}, {[]any{}, new(map[string]any), nil},
			{map[string]any{"a": 1}, new(map[string]int), map[string]int{"a": 1}},
			{map[string]any{"a": uint64(math.MaxUint64)}, new(map[string]int64), nil},
		} {
			err := c.Unmarshal(appendValue(t, c, tt.in), tt.target)
			got := reflect.ValueOf(tt.target).Elem().Interface()
			switch {
			case tt.want == nil && err == nil:
				t.Errorf("%#v into %T: no error, %v", tt.in, tt.target, got)
			case tt.want != nil && (err != nil || !reflect.DeepEqual(got, tt.want)):
				t.Errorf("%#v into %T: %#v, %v", tt.in, tt.target, got, err)
			}
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, v := range map[string]any{
			"channel": make(chan int), "function": func() {}, "invalid UTF-8": "\xff", "contains itself": selfMap(),
			"invalid key": map[string]any{"\xff": 1}, "year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			if out, err := c.AppendValue([]byte("dst"), v); err == nil || string(out) != "dst" {
				t.Errorf("%s: %q, %v", name, out, err)
			}
			if out, err := c.AppendList([]byte("dst"), []any{1, v}); err == nil || string(out) != "dst" {
				t.Errorf("%s in a list: %q, %v", name, out, err)
			}
		}
	})
}

func TestElements(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		raw := appendValue(t, c, []any{1, "two", []any{3}, nil})
		got, err := c.Elements(nil, raw)
		if err != nil || len(got) != 4 {
			t.Fatalf("%q, %v", got, err)
		}
		for i, want := range []any{int64(1), "two", []any{int64(3)}, nil} {
			if v, err := c.Plain(got[i]); err != nil || !reflect.DeepEqual(v, want) {
				t.Errorf("element %d: %v, %v", i, v, err)
			}
		}
		if got, err := c.Elements(nil, appendValue(t, c, []any{})); err != nil || len(got) != 0 {
			t.Errorf("empty list: %q, %v", got, err)
		}
		for _, v := range []any{1, "x", map[string]any{}, nil} {
			if _, err := c.Elements(nil, appendValue(t, c, v)); err == nil {
				t.Errorf("%v was taken for a list", v)
			}
		}
		if _, err := c.Elements(nil, nil); err == nil {
			t.Error("nothing was taken for a list")
		}
	})
}
