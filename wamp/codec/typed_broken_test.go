package codec_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// byHand is of a plain type; byReference has a tag beside that makes it another.
type (
	byHand struct {
		A int              `json:"a"`
		B string           `json:"b"`
		C []byte           `json:"c"`
		T time.Time        `json:"t"`
		M map[string]uint8 `json:"m"`
		L []float64        `json:"l"`
		V any              `json:"v"`
		N []struct{ X, Y bool }
	}
	byReference struct {
		byHandFields
		Z struct{} `json:"no such name" cbor:"other"`
	}
	byHandFields = byHand
)

// What is broken, odd or cut is read by hand as the reference reads it, or not at all.
func TestBrokenByHand(t *testing.T) {
	whole := map[string]any{"a": -12, "b": "xü\n😀", "c": []byte{1, 2, 255}, "t": "2023-11-14T22:13:20.005+01:00", "m": map[string]any{"k": 7, "q": 1}, "l": []any{1, 2.5, -0.5, 1e3}, "v": []any{map[string]any{"z": []any{1, nil, "s"}}, "\u2028"},
		"N": []any{map[string]any{"X": true, "Y": false}, nil}, "u": "skip", "w": nil}
	pieces := map[codec.Codec][]string{
		codec.JSON:    {`"`, `\`, `\ud800`, `"\u0000`, `,`, `:`, `{`, `}`, `[`, `]`, `null`, `1`, `-`, `.`, `e`, ` `, "\x00", "\xff", `"a":`, "\n", `true`, `00`, `\/`, `=`, `T2:13`, `+25:00`},
		codec.CBOR:    {"\x00", "\xff", "\xa1", "\x81", "\x61", "\xf6", "\xf9\x3c\x00", "\xc1", "\xc0", "\x9f", "\x7f", "\x61a", "\x41", "\x40", "\x38", "\x1b", "\xe0", "\x18"},
		codec.MsgPack: {"\x00", "\xff", "\x81", "\x91", "\xa1", "\xc0", "\xc4\x01", "\xd0", "\xcf", "\xcb", "\xc1", "\xd9", "\xa1a", "\xd6\xff", "\x90", "\x80", "\xd4"},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		r := rand.New(rand.NewPCG(7, 7))
		seed, taken := appendValue(t, c, whole), 0
		for range 20_000 {
			b := append([]byte(nil), seed...)
			for range 1 + r.IntN(2) {
				at, piece := r.IntN(len(b)), pieces[c][r.IntN(len(pieces[c]))]
				rest := append([]byte(nil), b[min(len(b), at+r.IntN(len(piece)+1)):]...)
				b = append(append(b[:at], piece...), rest...)
			}
			args := codec.Raw(c, wrap(c, b), nil)
			var hand byHand
			var ref byReference
			err, refErr := args.Scan(&hand), args.Scan(&ref)
			if (err == nil) != (refErr == nil) {
				t.Fatalf("%q: %v, the reference says %v", b, err, refErr)
			}
			if err != nil {
				continue
			}
			taken++
			if reflect.DeepEqual(hand, ref.byHandFields) {
				continue
			}
			got, want := fmt.Sprintf("%+v", hand), fmt.Sprintf("%+v", ref.byHandFields)
			if got != want || !strings.Contains(got, "NaN") { // which equals nothing
				t.Fatalf("%q:\n got %s\nwant %s", b, got, want)
			}
		}
		if taken < 500 {
			t.Errorf("%d were read", taken)
		}
	})
}
