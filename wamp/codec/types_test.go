package codec_test

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

type (
	key     []byte
	digest  [4]byte
	texter  struct{ a, b byte }
	colours map[string]texter
)

func (x texter) MarshalText() ([]byte, error) {
	if x.a == 0 {
		return nil, errors.New("no text")
	}
	return []byte{x.a, '-', x.b}, nil
}

func (x *texter) UnmarshalText(b []byte) error {
	if len(b) != 3 {
		return errors.New("wrong text")
	}
	x.a, x.b = b[0], b[2]
	return nil
}

// Types that the libraries treat each in their own way are the same in all
// serializers.
func TestSpecialTypes(t *testing.T) {
	type special struct {
		Key  key        `json:"key"`
		Sum  digest     `json:"sum"`
		None key        `json:"none"`
		Text texter     `json:"text"`
		Addr netip.Addr `json:"addr"`
		Map  colours    `json:"map"`
		When *time.Time `json:"when"`
		Keys []key      `json:"keys"`
	}
	when := someTime.UTC()
	in := special{Key: key{1, 2}, Sum: digest{3, 4, 5, 6}, Text: texter{'x', 'y'}, Addr: netip.MustParseAddr("::1"),
		Map: colours{"c": {'r', 'g'}}, When: &when, Keys: []key{{7}, {8}}}
	want := map[string]any{"key": []byte{1, 2}, "sum": []byte{3, 4, 5, 6}, "none": nil, "text": "x-y", "addr": "::1",
		"map": map[string]any{"c": "r-g"}, "when": "2024-02-29T10:30:45.123456789Z", "keys": []any{[]byte{7}, []byte{8}}}
	each(t, func(t *testing.T, c codec.Codec) {
		raw := appendValue(t, c, in)
		if got, err := c.Plain(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("plain:\n got %v\nwant %v, %v", got, want, err)
		}
		var out special
		if err := c.Unmarshal(raw, &out); err != nil || !reflect.DeepEqual(out, in) {
			t.Errorf("\n got %+v\nwant %+v, %v", out, in, err)
		}
		for name, v := range map[string]any{
			"failing marshaler": texter{}, "channel inside": struct{ C chan int }{make(chan int, 1)},
			"function inside": struct{ F func() }{func() {}}, "complex": 1i,
		} {
			if raw, err := c.AppendValue(nil, v); err == nil {
				t.Errorf("%s: %q", name, raw)
			}
		}
		var short digest
		if err := c.Unmarshal(appendValue(t, c, []byte{1, 2, 3, 4}), &short); err != nil || short != (digest{1, 2, 3, 4}) {
			t.Errorf("array: %v, %v", short, err)
		}
	})
}

// What the type of a struct does not tell, since it stands in an interface, is
// the same too; and so is what the libraries have their own mind about.
func TestTypesInsideStructs(t *testing.T) {
	local := someTime
	addr := netip.MustParseAddr("192.0.2.1")
	type holder struct {
		V any `json:"v"`
	}
	each(t, func(t *testing.T, c codec.Codec) {
		for _, tt := range []struct{ in, want any }{
			{local, "2024-02-29T12:30:45.123456789+02:00"}, {&local, "2024-02-29T12:30:45.123456789+02:00"},
			{[]time.Time{local}, []any{"2024-02-29T12:30:45.123456789+02:00"}}, {map[string]any{"t": local}, map[string]any{"t": "2024-02-29T12:30:45.123456789+02:00"}},
			{struct{ T time.Time }{local}, map[string]any{"T": "2024-02-29T12:30:45.123456789+02:00"}},
			{key{1, 2}, []byte{1, 2}}, {digest{1, 2, 3, 4}, []byte{1, 2, 3, 4}}, {texter{'x', 'y'}, "x-y"}, {addr, "192.0.2.1"},
			{time.Second, int64(time.Second)}, {uint64(math.MaxUint64), uint64(math.MaxUint64)}, {1.0, 1.0}, {[]byte{}, []byte{}},
		} {
			raw := appendValue(t, c, holder{tt.in})
			want := map[string]any{"v": tt.want}
			if got, err := c.Plain(raw); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%T: %v, want %v, %v", tt.in, got, want, err)
			}
			var out holder
			if err := c.Unmarshal(raw, &out); err != nil || !reflect.DeepEqual(out.V, tt.want) {
				t.Errorf("%T: into any %T %v, want %v, %v", tt.in, out.V, out.V, tt.want, err)
			}
		}
		for _, bad := range []any{make(chan int), func() {}, 1i, texter{}} {
			if raw, err := c.AppendValue(nil, holder{bad}); err == nil {
				t.Errorf("%T: %q", bad, raw)
			}
		}
		var when struct {
			V time.Time
			D time.Duration
		}
		raw := appendValue(t, c, map[string]any{"V": local, "D": time.Minute})
		if err := c.Unmarshal(raw, &when); err != nil || !when.V.Equal(local) || when.D != time.Minute {
			t.Errorf("%+v, %v", when, err)
		}
		var at time.Time
		var d time.Duration
		if err := c.Unmarshal(appendValue(t, c, local), &at); err != nil || !at.Equal(local) {
			t.Errorf("time: %v, %v", at, err)
		}
		if err := c.Unmarshal(appendValue(t, c, time.Minute), &d); err != nil || d != time.Minute {
			t.Errorf("duration: %v, %v", d, err)
		}
		var narrow struct {
			V any   `json:"v"`
			N int64 `json:"n"`
		}
		if err := c.Unmarshal(appendValue(t, c, map[string]any{"n": uint64(math.MaxUint64)}), &narrow); err == nil {
			t.Errorf("2^64-1 into an int64: %d", narrow.N)
		}
	})
}
