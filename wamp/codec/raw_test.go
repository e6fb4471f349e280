package codec_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Raw payloads are looked at before they are sent, like what a library has written.
func TestRawIsChecked(t *testing.T) {
	for c, rows := range map[codec.Codec]map[string]string{ // arguments: what is wrong with them
		codec.JSON: {"": "truncated", "[": "truncated", "{}": "not a list", "1": "not a list", "[1] ": "", " [ 1 , \"\\u00fc\" ] ": "", "null": "", `"x"`: "", "[NaN]": "unexpected", "[1,]": "unexpected",
			"[\"\xff\"]": "UTF-8", "[{\"\xff\":1}]": "UTF-8", `["\ud800"]`: "UTF-8", `["\udc00\ud800"]`: "UTF-8", `["\ud83d\ude00"]`: "", `["\\ud800"]`: "", "[{1:2}]": "key", `[{"\u0000AQ==":1}]`: "key", `[{"a":1}]`: "",
			"[1][2]": "trailing", "[01]": "", strings.Repeat("[", 128) + strings.Repeat("]", 128): "", strings.Repeat("[", 129) + strings.Repeat("]", 129): "deep",
			"[" + strings.Repeat("1", 1<<16+1) + "]": "digits"},
		codec.CBOR: {"": "truncated", "80": "", "f6": "", "4101": "", "6161": "not a list", "a0": "not a list", "01": "not a list", "8161ff": "UTF-8", "81a161ff01": "UTF-8", "817f61ffff": "UTF-8",
			"817f6161ff": "", "81a1410101": "key", "81a1f601": "key", "81a1c0616101": "key", "81bf616101ff": "", "81bf6161ff": "break", "9f01ff": "", "81c26161": "big number", "81c24101": "",
			strings.Repeat("81", 127) + "80": "", strings.Repeat("81", 128) + "80": "deep", strings.Repeat("81", 128) + "01": "", "81" + strings.Repeat("c1", 130) + "00": "deep", "81": "truncated", "8000": "trailing", "811c": "reserved", "81bb8000000000000000": "truncated",
			"81a1": "truncated", "81a16161": "truncated", "81df": "reserved", "815f6161ff": "chunk"},
		codec.MsgPack: {"": "truncated", "90": "", "c0": "", "c40101": "", "a161": "not a list", "80": "not a list", "91a1ff": "UTF-8", "9181a1ff01": "UTF-8", "91d901ff": "UTF-8", "9181c4010101": "key", "9181c001": "key", "9181ca0000000001": "key",
			"9181a16101": "", "91c1": "reserved", "91d40105": "", "91d401": "truncated", strings.Repeat("91", 127) + "90": "", strings.Repeat("91", 128) + "90": "deep", "9000": "trailing", "91ddffffffff": "truncated", "91dfffffffff": "truncated",
			"91df80000000": "truncated", "81": "truncated", "9181a161": "truncated"},
	} {
		if c == codec.JSON {
			rows["[01]"] = "unexpected"
		}
		for raw, want := range rows {
			args := rawOf(t, c, raw)
			out, _, err := codec.Raw(c, args, nil).Encode(c, []byte("dst"))
			if raw == "" { // which is nothing
				if err != nil || string(out) != "dst" {
					t.Errorf("%s: nothing: %v", c.Name(), err)
				}
				continue
			}
			checked := codec.CheckRaw(c, args, nil)
			if want == "" {
				if err != nil || !bytes.Equal(out, append([]byte("dst"), args...)) || checked != nil {
					t.Errorf("%s %.40q: %v, %v", c.Name(), raw, err, checked)
				}
				continue
			}
			for _, err := range []error{err, checked} {
				var e *codec.EncodeError
				if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || want != "deep" && !strings.Contains(err.Error(), "args") || string(out) != "dst" {
					t.Errorf("%s %.40q: %v, want %q", c.Name(), raw, err, want)
				}
			}
		}
	}
	each(t, func(t *testing.T, c codec.Codec) {
		args := appendValue(t, c, []any{1})
		for _, v := range []any{[]any{}, 1, "x", true} {
			for _, to := range codecs {
				if out, _, err := codec.Raw(c, args, appendValue(t, c, v)).Encode(to, []byte("dst")); err == nil || string(out) != "dst" {
					t.Errorf("to %s: %v for keyword arguments", to.Name(), v)
				}
			}
		}
		for _, v := range []any{map[string]any{}, 1, true} {
			for _, to := range codecs {
				if out, _, err := codec.Raw(c, appendValue(t, c, v), nil).Encode(to, []byte("dst")); err == nil || string(out) != "dst" {
					t.Errorf("to %s: %v for arguments", to.Name(), v)
				}
			}
		}
	})
	// Keys that are integers become text here too.
	for c, raw := range map[codec.Codec]string{codec.CBOR: "81a1056161", codec.MsgPack: "918105a161"} {
		p := codec.Raw(c, rawOf(t, c, raw), appendValue(t, c, map[string]any{"k": "v"}))
		buf, n, err := p.Encode(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Plain(buf[:n])
		kw, err2 := c.Plain(buf[n:])
		if err != nil || err2 != nil || !reflect.DeepEqual(got, []any{map[string]any{"5": "a"}}) || !reflect.DeepEqual(kw, map[string]any{"k": "v"}) || codec.CheckRaw(c, buf[:n], buf[n:]) != nil {
			t.Errorf("%s: %v, %v, %v, %v", c.Name(), got, kw, err, err2)
		}
		if err := codec.CheckRaw(c, rawOf(t, c, raw), nil); err == nil {
			t.Errorf("%s: integer keys are taken for text", c.Name())
		}
	}
}

// Items, Entries and Details take a list and a dict apart without looking into what
// is there, and come back from any bytes.
func TestItemsAndEntries(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		list := appendValue(t, c, []any{1, []any{"a", nil}, map[string]any{"k": 2.5, "n": nil}})
		items, err := codec.Items(c, list)
		if err != nil || len(items) != 3 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		entries, err := codec.Entries(c, items[2])
		if v, bad := c.Plain(entries["k"]); err != nil || bad != nil || v != 2.5 || len(entries) != 1 {
			t.Errorf("%q %v %v", entries, err, bad)
		}
		if d, err := codec.Details(c, items[2]); err != nil || !d.Has("k") || !d.Has("n") {
			t.Errorf("%v %v", d, err)
		}
		for _, raw := range [][]byte{items[0], items[1], nil, {}} {
			if _, err := codec.Entries(c, raw); err == nil {
				t.Errorf("%q makes a dict", raw)
			}
			if _, err := codec.Details(c, raw); err == nil {
				t.Errorf("%q makes details", raw)
			}
		}
		if _, err := codec.Items(c, items[2]); err == nil {
			t.Error("a dict makes a list")
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 100_000 {
			raw := slices.Clone(list[:1+r.IntN(len(list))])
			for range r.IntN(3) {
				raw[r.IntN(len(raw))] = byte(r.Uint32())
			}
			items, _ := codec.Items(c, raw)
			for _, item := range append(items, raw) {
				_, _ = codec.Entries(c, item)
				_, _ = codec.Details(c, item)
			}
		}
	})
}
