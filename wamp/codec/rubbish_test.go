package codec_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/fxamacker/cbor/v2"
)

// writes is a type that writes itself, as it is told.
type writes struct {
	json, cbor string
	err        error
}

func (w writes) MarshalJSON() ([]byte, error) { return []byte(w.json), w.err }
func (w writes) MarshalCBOR() ([]byte, error) { return []byte(w.cbor), w.err }

// What a marshaler of the user's has written is looked at like all else.
func TestMarshalersThatWriteRubbish(t *testing.T) {
	deepJSON, deepCBOR := strings.Repeat("[", 200)+strings.Repeat("]", 200), strings.Repeat("\x81", 200)+"\x80"
	for _, tt := range []struct {
		c    codec.Codec
		v    any
		want string
	}{
		{codec.JSON, writes{json: "["}, ""}, {codec.JSON, writes{json: ""}, ""}, {codec.JSON, writes{json: "1 2"}, ""}, {codec.JSON, writes{json: "NaN"}, ""},
		{codec.JSON, writes{json: "\"\xff\""}, "UTF-8"}, {codec.JSON, writes{json: "{\"\xff\":1}"}, "UTF-8"}, {codec.JSON, writes{json: `"\ud800"`}, ""}, {codec.JSON, writes{json: "{1:2}"}, ""},
		{codec.JSON, writes{json: `{"\u0000AQ==":1}`}, "key"}, {codec.JSON, writes{json: deepJSON}, "deep"},
		{codec.JSON, []writes{{json: deepJSON}}, "deep"}, {codec.JSON, map[string]*writes{"a": {json: deepJSON}}, "deep"},
		{codec.JSON, writes{json: "[" + strings.Repeat("1", 1<<16+1) + "]"}, "digits"},
		{codec.CBOR, writes{cbor: "\x81"}, ""}, {codec.CBOR, writes{cbor: ""}, ""}, {codec.CBOR, writes{cbor: "\x00\x00"}, ""}, {codec.CBOR, writes{cbor: "\x61\xff"}, "UTF-8"},
		{codec.CBOR, writes{cbor: "\xa1\xf9\x3c\x00\x01"}, "key"}, {codec.CBOR, writes{cbor: "\xa1\x41\x01\x01"}, "key"}, {codec.CBOR, writes{cbor: deepCBOR}, "deep"}, {codec.CBOR, cbor.RawMessage("\x81"), ""},
		{codec.CBOR, cbor.RawMessage("\x61\xff"), "UTF-8"}, {codec.CBOR, cbor.RawMessage(deepCBOR), "deep"}, {codec.CBOR, []any{cbor.RawMessage("\x81\x81\x61\xff")}, "UTF-8"},
		{codec.CBOR, cbor.Tag{Number: 99, Content: "\xff"}, "UTF-8"}, {codec.CBOR, cbor.RawTag{Number: 99, Content: cbor.RawMessage("\x61\xff")}, "UTF-8"}, {codec.CBOR, cbor.RawTag{Number: 2, Content: cbor.RawMessage("\x01")}, ""},
		{codec.MsgPack, holder{writes{cbor: "\x61\xff"}}, "UTF-8"}, {codec.MsgPack, holder{writes{cbor: deepCBOR}}, "deep"}, {codec.MsgPack, holder{writes{cbor: "\xa1\xf5\x01"}}, "key"},
	} {
		t.Run(tt.c.Name(), func(t *testing.T) { refused(t, tt.c, tt.v, tt.want) })
	}
	for c, v := range map[codec.Codec]any{codec.JSON: writes{json: ` {"a": [1.50, "x"]} `}, codec.CBOR: writes{cbor: "\xbf\x61a\x9f\xf9\x3e\x00\x7f\x61x\xff\xff\xff"},
		codec.MsgPack: holder{writes{cbor: "\xbf\x61a\x9f\xf9\x3e\x00\x7f\x61x\xff\xff\xff"}}} {
		if got, err := c.Plain(appendValue(t, c, v)); err != nil {
			t.Errorf("%s: %v, %v", c.Name(), got, err)
		}
	}
	for _, c := range []codec.Codec{codec.JSON, codec.CBOR} {
		_, err := c.AppendValue(nil, []any{writes{err: errBug}})
		var e *codec.EncodeError
		if !errors.Is(err, errBug) || !errors.As(err, &e) || !strings.Contains(err.Error(), "a bug") {
			t.Errorf("%s: %v", c.Name(), err)
		}
		long := errors.New(strings.Repeat("long ", 100_000))
		if _, err := c.AppendValue(nil, writes{err: long}); !errors.Is(err, long) || len(err.Error()) > 200 {
			t.Errorf("%s: %d bytes of error", c.Name(), len(err.Error()))
		}
	}
	each(t, func(t *testing.T, c codec.Codec) {
		n := new(big.Int).Lsh(big.NewInt(1), 1<<20)
		_, err := c.AppendValue(nil, struct{ N big.Int }{*n})
		if (err == nil) != (c == codec.CBOR) {
			t.Errorf("%v", err)
		}
	})
}

// Errors of what was received are short too, and wrap what an unmarshaler has said.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("long ", 10_000)
	each(t, func(t *testing.T, c codec.Codec) {
		type wide struct {
			A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z struct{ First, Second, Third, Fourth []map[string]map[string]int }
		}
		for _, v := range []any{long, []any{long}, map[string]any{long: 1}, map[string]any{"A": long}, []byte(long)} {
			p := codec.Raw(c, appendValue(t, c, []any{v}), appendValue(t, c, map[string]any{long: v}))
			for _, target := range []any{new(int), new(key), new(texter), new(fails), new(wide), new(map[string]int), new([]int), new(struct{ A int }), new(struct{ A fails })} {
				for _, err := range []error{p.Scan(target), p.ScanKw(target), c.Unmarshal(p.RawKwargs(), target), c.Unmarshal(appendValue(t, c, v), target)} {
					if err != nil && len(err.Error()) > 200 {
						t.Errorf("%T: %d bytes of error: %.100s", target, len(err.Error()), err)
					}
				}
			}
		}
		err := codec.Raw(c, appendValue(t, c, []any{"x"}), nil).Scan(new(fails))
		var scan *codec.ScanError
		if !errors.Is(err, errBug) || !errors.As(err, &scan) || scan.Index != 0 {
			t.Errorf("%v", err)
		}
	})
}

// fails takes no text.
type fails struct{ A int }

func (*fails) UnmarshalText(b []byte) error    { return errors.Join(errBug, errors.New(string(b))) }
func (fails) MarshalText() (b []byte, e error) { return nil, errBug }
