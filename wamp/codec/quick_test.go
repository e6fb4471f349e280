package codec_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// quickTargets are of all types that are decoded in one pass, some that are not, and
// pointers that are nil.
func quickTargets() []any {
	type name string
	return []any{
		ptr(-7), ptr(int64(-7)), ptr(uint64(7)), ptr(-7.5), ptr(true), ptr("before"), new(any), ptr([]byte("b")), ptr(int32(7)), ptr(name("n")),
		(*int)(nil), (*int64)(nil), (*uint64)(nil), (*float64)(nil), (*bool)(nil), (*string)(nil),
	}
}

// What is decoded in one pass is what Scan makes of it elsewhere, and all that is wrong
// is left to that: lists of each length, of values with each first byte, with and
// without a second argument, cut off everywhere, and scanned into each type.
func TestQuickScan(t *testing.T) {
	tails := [][]byte{
		{0, 0, 0, 0, 0, 0, 0, 0, 0}, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x40, 0x1c, 0, 0, 0, 0, 0, 0}, {0xbf, 0xf8, 0, 0, 0, 0, 0, 0}, {2, 'h', 'i'}, {2, 0xc3, 0x28}, []byte("abcdefghijklmnopqrstuvwxyzabcdefghijkl"), {},
	}
	quick := 0
	for c, list := range map[codec.Codec]byte{codec.CBOR: 0x80, codec.MsgPack: 0x90} {
		for n := range 3 {
			for head := range 256 {
				for _, tail := range tails {
					whole := append([]byte{list + byte(n), byte(head)}, tail...)
					for _, end := range []int{2, len(whole) - 1, len(whole)} {
						args := whole[:min(end, len(whole))]
						p := codec.Raw(c, args, nil)
						got, want := quickTargets(), quickTargets()
						for i := range got {
							err, wanted := p.Scan(got[i]), codec.SlowScan(p, want[i])
							if fmt.Sprint(err) != fmt.Sprint(wanted) || !same(got[i], want[i]) {
								t.Fatalf("%s %x into %T: %v, %v, want %v, %v", c.Name(), args, got[i], pointed(got[i]), err, pointed(want[i]), wanted)
							}
							one := quickTargets()[i]
							if !codec.Quick(&p, one) {
								if !same(one, quickTargets()[i]) {
									t.Fatalf("%s %x into %T: it is %v", c.Name(), args, one, pointed(one))
								}
								continue
							}
							quick++
							if wanted != nil || !same(one, want[i]) || n != 1 {
								t.Fatalf("%s %x into %T: %v, want %v, %v", c.Name(), args, one, pointed(one), pointed(want[i]), wanted)
							}
						}
						a, b, x, y := "", 0, "", 0
						if err, wanted := p.Scan(&a, &b), codec.SlowScan(p, &x, &y); fmt.Sprint(err) != fmt.Sprint(wanted) || a != x || b != y {
							t.Fatalf("%s %x: %q %d %v, want %q %d %v", c.Name(), args, a, b, err, x, y, wanted)
						}
					}
				}
			}
		}
	}
	if quick < 1000 {
		t.Errorf("only %d were decoded in one pass", quick)
	}
}

func same(a, b any) bool { return fmt.Sprint(pointed(a)) == fmt.Sprint(pointed(b)) }

// pointed is what a pointer points to, so that NaN is equal to NaN.
func pointed(v any) any {
	if r := reflect.ValueOf(v); !r.IsNil() {
		return r.Elem().Interface()
	}
	return nil
}

func TestQuickIsOneArgument(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for _, p := range []codec.Payload{
			{}, codec.Args(1), codec.Kwargs(map[string]any{"k": 1}), codec.Raw(c, appendValue(t, c, []any{}), nil), codec.Raw(c, appendValue(t, c, []any{1, 2}), nil),
			codec.Raw(c, appendValue(t, c, []any{1}), appendValue(t, c, map[string]any{"k": 1})), codec.Raw(c, nil, appendValue(t, c, map[string]any{"k": 1})),
			codec.Sealed(func() (codec.Payload, error) { return codec.Args(1), nil }),
		} {
			if n := 5; codec.Quick(&p, &n) || n != 5 {
				t.Errorf("%v: %d", p, n)
			}
		}
		p := codec.Raw(c, appendValue(t, c, []any{1}), nil)
		if n := 5; codec.Quick(&p, &n) != (c != codec.JSON) || n == 5 != (c == codec.JSON) {
			t.Error(n)
		}
		kept := bytes.Clone(p.RawArgs())
		if err := p.Scan(new(int)); err != nil || !bytes.Equal(kept, p.RawArgs()) {
			t.Error(err)
		}
	})
}

// No target is set where one of them cannot be one.
func TestScanChecksAllTargetsFirst(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		p := codec.Raw(c, appendValue(t, c, []any{1, 2}), nil)
		for _, second := range []any{5, (*int)(nil), nil} {
			first := -1
			if err := p.Scan(&first, second); (err == nil) != (second == nil) || (first == 1) != (second == nil) {
				t.Errorf("%T: %d, %v", second, first, err)
			}
		}
	})
}
