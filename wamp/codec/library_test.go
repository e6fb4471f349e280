package codec_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	ugorji "github.com/ugorji/go/codec"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// library is what another implementation makes of values and bytes.
type library struct {
	write func(v any) ([]byte, error)
	read  func(data []byte) (any, error)
}

// libraries are the serializers that Go programs use most beside this one.
func libraries(t *testing.T) map[codec.Codec]library {
	mode, err := cbor.EncOptions{BigIntConvert: cbor.BigIntConvertShortest}.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	reading, err := cbor.DecOptions{
		DefaultMapType: reflect.TypeFor[map[string]any](), IntDec: cbor.IntDecConvertSignedOrBigInt, BigIntDec: cbor.BigIntDecodePointer,
		MaxNestedLevels: 256,
	}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	handle := &ugorji.MsgpackHandle{WriteExt: true}
	handle.MapType = reflect.TypeFor[map[string]any]()
	return map[codec.Codec]library{
		codec.CBOR: {mode.Marshal, func(data []byte) (v any, err error) {
			err = reading.Unmarshal(data, &v)
			return v, err
		}},
		codec.MsgPack: {func(v any) (out []byte, err error) {
			err = ugorji.NewEncoderBytes(&out, handle).Encode(v)
			return out, err
		}, func(data []byte) (v any, err error) {
			err = ugorji.NewDecoderBytes(data, handle).Decode(&v)
			return v, err
		}},
	}
}

// What the two libraries write is read here as what it was, and the reverse: any tree of
// the values that WAMP knows.
func TestLibrariesAgree(t *testing.T) {
	for c, lib := range libraries(t) {
		t.Run(c.Name(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				v := randomValue(random, c == codec.CBOR, 4)
				theirs, err := lib.write(v)
				if err != nil {
					t.Fatalf("%#v: the library: %v", v, err)
				}
				if got, err := c.Plain(theirs); err != nil || !sameValue(got, v) {
					t.Fatalf("%#v is %x there, and read as %#v (%v)", v, theirs, got, err)
				}
				ours, err := c.AppendValue(nil, v)
				if err != nil {
					t.Fatalf("%#v: %v", v, err)
				}
				if got, err := lib.read(ours); err != nil || !sameValue(got, v) {
					t.Fatalf("%#v is %x here, and read there as %#v (%v)", v, ours, got, err)
				}
			}
		})
	}
}

// randomValue is a tree of plain values.
func randomValue(random *rand.Rand, bignums bool, depth int) any {
	n := 9
	if depth > 0 {
		n = 11
	}
	switch random.IntN(n) {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 1
	case 2:
		return int64(random.Uint64()) >> random.IntN(64)
	case 3:
		return math.MaxUint64 - random.Uint64()>>(1+random.IntN(63)) // above int64
	case 4:
		return []float64{0.5, -1.25, 1e300, math.Pi, math.Inf(-1), float64(float32(0.1)), 65504}[random.IntN(7)]
	case 5:
		return strings.Repeat("aü😀\n", random.IntN(80))
	case 6:
		return []byte(strings.Repeat("\x00\xff", random.IntN(200)))
	case 7:
		return float64(random.Int32())
	case 8:
		if bignums {
			return new(big.Int).Lsh(big.NewInt(random.Int64()|1), uint(64+random.IntN(100)))
		}
		return int64(-1) << random.IntN(64)
	case 9:
		list := make([]any, random.IntN(20))
		for i := range list {
			list[i] = randomValue(random, bignums, depth-1)
		}
		return list
	}
	dict := map[string]any{}
	for range random.IntN(20) {
		dict[strings.Repeat("k", random.IntN(3))+string(rune('a'+random.IntN(26)))] = randomValue(random, bignums, depth-1)
	}
	return dict
}

// sameValue compares plain values. An integer is the same whatever its type is.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, is := b.([]any)
		if !is || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameValue(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, is := b.(map[string]any)
		if !is || len(x) != len(y) {
			return false
		}
		for k := range x {
			if other, there := y[k]; !there || !sameValue(x[k], other) {
				return false
			}
		}
		return true
	}
	if n := integer(a); n != nil {
		m := integer(b)
		return m != nil && n.Cmp(m) == 0
	}
	return reflect.DeepEqual(a, b)
}

// integer is an integer of any type, nil for what is none.
func integer(v any) *big.Int {
	switch n := v.(type) {
	case int64:
		return big.NewInt(n)
	case uint64:
		return new(big.Int).SetUint64(n)
	case *big.Int:
		return n
	case big.Int:
		return &n
	}
	return nil
}
