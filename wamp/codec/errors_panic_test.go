package codec_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Types whose own code panics, or ends the goroutine.
type (
	textPanics   struct{ A int }
	jsonPanics   struct{ A int }
	cborPanics   struct{ A int }
	zeroPanics   struct{ A int }
	binaryPanics struct{ A int }
	keyPanics    string
	exits        struct{ A int }
)

var errBug = errors.New("a bug")

func (textPanics) MarshalText() ([]byte, error)     { panic("MarshalText") }
func (*textPanics) UnmarshalText([]byte) error      { panic("UnmarshalText") }
func (jsonPanics) MarshalJSON() ([]byte, error)     { panic(errBug) }
func (*jsonPanics) UnmarshalJSON([]byte) error      { panic(errBug) }
func (cborPanics) MarshalCBOR() ([]byte, error)     { panic("MarshalCBOR") }
func (*cborPanics) UnmarshalCBOR([]byte) error      { var p *int; *p = 1; return nil }
func (zeroPanics) IsZero() bool                     { panic("IsZero") }
func (binaryPanics) MarshalBinary() ([]byte, error) { panic("MarshalBinary") }
func (*binaryPanics) UnmarshalBinary([]byte) error  { panic("UnmarshalBinary") }
func (keyPanics) MarshalText() ([]byte, error)      { panic("key") }
func (*keyPanics) UnmarshalText([]byte) error       { panic("key") }
func (exits) MarshalText() ([]byte, error)          { runtime.Goexit(); return nil, nil }
func (*exits) UnmarshalText([]byte) error           { runtime.Goexit(); return nil }

// A marshaler that panics is an error of what was to be sent, in whatever it
// stands, and so is an unmarshaler of what was received.
func TestPanics(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, tt := range map[string]struct {
			v      any
			where  string // "" for all serializers
			sample any    // what its unmarshaler is given
		}{
			"MarshalText": {textPanics{1}, "", "x"},
			"MarshalJSON": {jsonPanics{1}, "", map[string]any{"A": 1}},
			"MarshalCBOR": {cborPanics{1}, "none", map[string]any{"A": 1}},
			"key":         {map[keyPanics]int{"k": 1}, "", map[string]any{"k": 1}},
			"IsZero": {struct {
				Z zeroPanics `json:"z,omitzero"`
			}{}, "", nil},
		} {
			if tt.where != "" && tt.where != c.Name() {
				if raw, err := c.AppendValue(nil, tt.v); err != nil {
					t.Errorf("%s: %q, %v", name, raw, err)
				}
				continue
			}
			t.Run(name, func(t *testing.T) { refused(t, c, tt.v, "panic") })
			var p *codec.PanicError
			_, err := c.AppendList(nil, []any{[]any{tt.v}})
			if !errors.As(err, &p) || p.Value == nil || !strings.Contains(string(p.Stack), "panic_test.go") || len(p.Stack) > 16<<10 {
				t.Errorf("%s: %v", name, err)
			}
			if name == "MarshalJSON" && !errors.Is(err, errBug) {
				t.Errorf("%v does not wrap what it panicked with", err)
			}
			if tt.sample == nil {
				continue
			}
			payload := codec.Raw(c, appendValue(t, c, []any{tt.sample, []any{tt.sample}}), appendValue(t, c, map[string]any{"k": tt.sample}))
			target := func() any { return newOf(tt.v) }
			for what, err := range map[string]error{"Scan": payload.Scan(target()), "Scan into a list": payload.Scan(nil, sliceOf(tt.v)),
				"ScanKw": payload.ScanKw(mapOf(tt.v)), "Unmarshal": c.Unmarshal(appendValue(t, c, tt.sample), target())} {
				if p = nil; !errors.As(err, &p) || len(err.Error()) > proto.MaxText {
					t.Errorf("%s: %s: %v", name, what, err)
				}
			}
		}
		// MarshalBinary means nothing.
		if _, err := c.AppendValue(nil, []binaryPanics{{1}}); err != nil {
			t.Errorf("%v", err)
		}
		var b []binaryPanics
		if err := c.Unmarshal(appendValue(t, c, []any{map[string]any{"A": 3}}), &b); err != nil || b[0].A != 3 {
			t.Errorf("%v, %v", b, err)
		}
	})
}

// A marshaler that ends its goroutine ends that alone: whoever encodes or decodes
// next finds everything in order.
func TestGoexit(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		raw := appendValue(t, c, []any{"x"})
		text := appendValue(t, c, "x")
		for i := range 50 {
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = c.AppendValue(nil, []any{benchValue, exits{i}})
				t.Error("the goroutine goes on")
			})
			wg.Go(func() {
				_, _ = c.AppendValue(nil, struct{ A []exits }{[]exits{{i}}})
				t.Error("the goroutine goes on")
			})
			wg.Go(func() {
				_ = codec.Raw(c, raw, nil).Scan(new(exits))
				t.Error("the goroutine goes on")
			})
			wg.Go(func() {
				_ = c.Unmarshal(text, new(exits))
				t.Error("the goroutine goes on")
			})
			wg.Wait()
			var out benchStruct
			if err := c.Unmarshal(appendValue(t, c, benchValue), &out); err != nil || out.Count != benchValue.Count {
				t.Fatalf("%+v, %v", out, err)
			}
		}
	})
}

// A target that nothing can go into is an error, not a panic.
func TestTargets(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		args, kwargs := appendValue(t, c, []any{1, "x", nil}), appendValue(t, c, map[string]any{"name": "n"})
		for name, p := range map[string]codec.Payload{"received": codec.Raw(c, args, kwargs), "sent": codec.Args(1, "x", nil).With("name", "n"), "empty": {}} {
			for _, target := range []any{(*int)(nil), (*int64)(nil), (*uint64)(nil), (*float64)(nil), (*bool)(nil), (*string)(nil), (*[]byte)(nil),
				(*any)(nil), (*[]any)(nil), (*map[string]any)(nil), (*record)(nil), (**int)(nil), 5, "x", record{}, map[string]any{}, map[string]int(nil),
				[]int{1}, func() {}, make(chan int)} {
				var scan *codec.ScanError
				if err := p.Scan(target); !errors.As(err, &scan) || scan.Index != 0 || !strings.Contains(err.Error(), "pointer") {
					t.Errorf("%s: Scan into %T: %v", name, target, err)
				}
				if err := p.Scan(new(int), nil, target); !errors.As(err, &scan) || scan.Index != 2 {
					t.Errorf("%s: Scan into %T as the third: %v", name, target, err)
				}
				if err := p.ScanKw(target); !errors.As(err, &scan) || scan.Index != -1 || !strings.Contains(err.Error(), "pointer") {
					t.Errorf("%s: ScanKw into %T: %v", name, target, err)
				}
				if err := c.Unmarshal(args, target); err == nil {
					t.Errorf("Unmarshal into %T", target)
				}
			}
			var scan *codec.ScanError
			if err := p.ScanKw(nil); !errors.As(err, &scan) {
				t.Errorf("%s: ScanKw into nil: %v", name, err)
			}
		}
		if err := c.Unmarshal(args, nil); err == nil {
			t.Error("Unmarshal into nil")
		}
		if err := codec.Raw(c, args, nil).Scan(nil, nil); err != nil { // which skip
			t.Error(err)
		}
	})
}

func newOf(v any) any   { return reflect.New(reflect.TypeOf(v)).Interface() }
func sliceOf(v any) any { return reflect.New(reflect.SliceOf(reflect.TypeOf(v))).Interface() }
func mapOf(v any) any {
	return reflect.New(reflect.MapOf(reflect.TypeFor[string](), reflect.TypeOf(v))).Interface()
}
