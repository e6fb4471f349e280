package codec_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// The first argument as text, cut, without anything else of the payload.
func TestText(t *testing.T) {
	long := strings.Repeat("wörd 😀 \" \\ ", 1000)
	each(t, func(t *testing.T, c codec.Codec) {
		for _, s := range []string{"", "x", "ü", "😀", "a\"b\\c\nd", "in\x00side", long} {
			args := appendValue(t, c, []any{s, 1})
			for name, p := range map[string]codec.Payload{"sent": codec.Args(s, 1), "received": codec.Raw(c, args, nil),
				"opened": opened(t, codec.Raw(c, args, nil))} {
				for _, limit := range []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 50, 200, len(s), len(s) + 1, 1 << 20} {
					got, ok := p.Text(limit)
					if !ok || len(got) > max(limit, 0) || !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(got) < min(len(s), limit)-3 {
						t.Errorf("%s: %d of %.20q: %q, %v", name, limit, s, got, ok)
					}
				}
			}
		}
		for _, v := range []any{1, nil, true, []byte("x"), []any{"x"}, map[string]any{"a": "x"}, 1.5} {
			for _, p := range []codec.Payload{codec.Args(v), codec.Raw(c, appendValue(t, c, []any{v}), nil)} {
				if got, ok := p.Text(10); ok || got != "" {
					t.Errorf("%v has the text %q", v, got)
				}
			}
		}
		for _, p := range []codec.Payload{{}, codec.Args(), codec.Kwargs(map[string]any{"a": "x"}), codec.Raw(c, appendValue(t, c, []any{}), nil),
			codec.Raw(c, appendValue(t, c, "x"), nil), codec.Raw(c, nil, appendValue(t, c, map[string]any{"a": "x"}))} {
			if got, ok := p.Text(10); ok {
				t.Errorf("%+v has the text %q", p, got)
			}
		}
	})
	for _, tt := range []struct {
		c    codec.Codec
		raw  string
		want string
		ok   bool
	}{
		{codec.JSON, `[ "a" ]`, "a", true}, {codec.JSON, `["\u0041\ud83d\ude00\u00fc"]`, "A😀ü", true}, {codec.JSON, `["\ud800x"]`, "\ufffdx", true}, {codec.JSON, `["\u0000EAD/"]`, "", false},
		{codec.JSON, "[\"a\xffb\"]", "a\ufffdb", true}, {codec.JSON, `[undefined]`, "", false}, {codec.JSON, `["x`, "x", true}, {codec.JSON, `["x\u00`, "x\ufffd00", true}, {codec.JSON, `[`, "", false}, {codec.JSON, `["\u0041\u0042"]`, "AB", true},
		{codec.CBOR, "81 7f 6161 60 6162 ff", "ab", true}, {codec.CBOR, "81 61ff", "\ufffd", true}, {codec.CBOR, "81 7f 01 ff", "", true}, {codec.CBOR, "81 7b ffffffffffffffff 61", "a", true},
		{codec.CBOR, "9f 6161 ff", "a", true}, {codec.CBOR, "9fff", "", false}, {codec.CBOR, "81", "", false}, {codec.MsgPack, "91 a1ff", "\ufffd", true}, {codec.MsgPack, "91 dbffffffff 61", "a", true},
		{codec.MsgPack, "91 d9", "", false}, {codec.MsgPack, "91", "", false}, {codec.MsgPack, "dc 0001 a161", "a", true},
	} {
		if got, ok := codec.Raw(tt.c, rawOf(t, tt.c, tt.raw), nil).Text(20); ok != tt.ok || got != tt.want {
			t.Errorf("%s %q: %q, %v", tt.c.Name(), tt.raw, got, ok)
		}
	}
}

func opened(t *testing.T, p codec.Payload) codec.Payload {
	t.Helper()
	s := codec.Sealed(func() (codec.Payload, error) { return p, nil })
	if _, ok := s.Text(10); ok {
		t.Error("a sealed payload was opened for its text")
	}
	s.NArgs()
	return s
}

// Whatever it is of, it costs next to nothing.
func TestTextIsCheap(t *testing.T) {
	const size = 16 << 20
	huge := map[codec.Codec][]byte{codec.JSON: []byte(`["` + strings.Repeat(`\u0041`, size/6) + `"]`), codec.CBOR: append([]byte{0x81, 0x7f}, []byte(strings.Repeat("\x60", size))...),
		codec.MsgPack: append([]byte{0x91, 0xdb, 1, 0, 0, 0}, make([]byte, size)...)}
	each(t, func(t *testing.T, c codec.Codec) {
		p := codec.Raw(c, huge[c], nil)
		if n := testing.AllocsPerRun(1000, func() { p.Text(200) }); n > 4 {
			t.Errorf("%v allocations", n)
		}
		atOnce(t, "text", func() {
			for range 10_000 {
				p.Text(200)
			}
		})
	})
	failed := codec.Sealed(func() (codec.Payload, error) { return codec.Payload{}, errors.New("no key") })
	failed.NArgs()
	if s, ok := failed.Text(10); ok {
		t.Errorf("%q", s)
	}
}
