package codec_test

import (
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// writes is a type that writes itself, as it is told.
type writes struct {
	json string
	err  error
}

func (w writes) MarshalJSON() ([]byte, error) { return []byte(w.json), w.err }

// What a marshaler of the user's has written is looked at like all else.
func TestMarshalersThatWriteRubbish(t *testing.T) {
	deepJSON := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, tt := range []struct {
		v    any
		want string
	}{
		{writes{json: "["}, ""}, {writes{json: ""}, ""}, {writes{json: "1 2"}, ""}, {writes{json: "NaN"}, ""},
		{writes{json: "\"\xff\""}, "UTF-8"}, {writes{json: "{\"\xff\":1}"}, "UTF-8"}, {writes{json: `"\ud800"`}, ""}, {writes{json: "{1:2}"}, ""},
		{writes{json: deepJSON}, "deep"},
		{[]writes{{json: deepJSON}}, "deep"}, {map[string]*writes{"a": {json: deepJSON}}, "deep"},
		{writes{json: "[" + strings.Repeat("1", 1<<16+1) + "]"}, "digits"},
	} {
		each(t, func(t *testing.T, c codec.Codec) { refused(t, c, tt.v, tt.want) })
	}
	// In JSON alone a string may be binary.
	refused(t, codec.JSON, writes{json: `"\u0000AQ=="`}, "U+0000")
	refused(t, codec.JSON, writes{json: `{"\u0000AQ==":1}`}, "key")
	each(t, func(t *testing.T, c codec.Codec) {
		want := map[string]any{"a": []any{1.5, "x", 7.0, int64(7)}}
		if got, err := c.Plain(appendValue(t, c, writes{json: ` {"a": [1.50, "x", 7.0, 7 ]} `})); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %v", got, err)
		}
		_, err := c.AppendValue(nil, []any{writes{err: errBug}})
		var e *codec.EncodeError
		if !errors.Is(err, errBug) || !errors.As(err, &e) || !strings.Contains(err.Error(), "a bug") {
			t.Errorf("%s: %v", c.Name(), err)
		}
		long := errors.New(strings.Repeat("long ", 100_000))
		if _, err := c.AppendValue(nil, writes{err: long}); !errors.Is(err, long) || len(err.Error()) > 200 {
			t.Errorf("%s: %d bytes of error", c.Name(), len(err.Error()))
		}
		n := new(big.Int).Lsh(big.NewInt(1), 1<<20)
		_, err = c.AppendValue(nil, struct{ N big.Int }{*n})
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
