package proto_test

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What does not fit is taken out, and what it was is said by the row of its key.
func TestSiftOptions(t *testing.T) {
	for _, tt := range []struct {
		typ  proto.MessageType
		key  string
		bad  any
		what proto.Oddities
	}{
		{proto.Event, "trustlevel", int64(-1), proto.OddDetail}, {proto.Event, "publisher", 1.5, proto.OddDetail}, {proto.Event, "topic", int64(1), proto.OddDetail},
		{proto.Invocation, "receive_progress", "yes", proto.OddDetail}, {proto.Interrupt, "mode", "stop", proto.OddDetail},
		{proto.Call, "progress", int64(1), proto.OddProgress}, {proto.Invocation, "progress", 1.0, proto.OddProgress},
		{proto.Result, "progress", "x", proto.OddProgress}, {proto.Yield, "progress", proto.Unreadable("broken"), proto.OddProgress},
		{proto.Event, "ppt_scheme", int64(1), proto.OddPayload}, {proto.Error, "ppt_serializer", true, proto.OddPayload},
		{proto.Result, "ppt_cipher", []any{}, proto.OddPayload}, {proto.Call, "ppt_keyid", []byte("x"), proto.OddPayload},
		{proto.Event, "enc_algo", "rot13", proto.OddPayload}, {proto.Publish, "enc_key", int64(1), proto.OddPayload}, {proto.Yield, "enc_serializer", int64(1), proto.OddPayload},
		{proto.Unsubscribed, "subscription", "x", proto.OddID}, {proto.Unregistered, "registration", int64(1<<53 + 1), proto.OddID},
		{proto.Unregistered, "reason", int64(1), proto.OddDetail}, {proto.Welcome, "roles", []any{}, proto.OddDetail}, {proto.Welcome, "authid", true, proto.OddDetail},
		{proto.Welcome, "agent", math.NaN(), proto.OddDetail}, {proto.Welcome, "realm", new(big.Int).Lsh(big.NewInt(1), 5000), proto.OddDetail},
		{proto.Hello, "authid", int64(1), proto.OddDetail},
	} {
		other := proto.Entry{Key: "_other", Value: int64(1)}
		d, odd := proto.SiftOptions(tt.typ, proto.Dict{other, {Key: tt.key, Value: tt.bad}})
		if !reflect.DeepEqual(d, proto.Dict{other}) || odd == nil || odd.What != tt.what || !strings.HasPrefix(odd.Reason, tt.typ.String()+"."+tt.key+" is not ") {
			t.Errorf("%v.%s: %v, %+v", tt.typ, tt.key, d, odd)
		}
	}
	d, odd := proto.SiftOptions(proto.Result, proto.Dict{{Key: "progress", Value: true}, {Key: strings.Repeat("long ", 100), Value: proto.Unreadable("why")},
		{Key: "ppt_keyid", Value: int64(1)}, {Key: "progress", Value: "x"}})
	if len(d) != 1 || odd == nil || odd.What != proto.OddDetail|proto.OddPayload|proto.OddProgress || !strings.Contains(odd.Reason, "why") || len(odd.Reason) > proto.MaxText {
		t.Errorf("%v, %+v", d, odd)
	}
	if !odd.Has(proto.OddPayload) || odd.Has(proto.OddID) || (*proto.Oddity)(nil).Has(proto.OddDetail) {
		t.Error("Has is wrong")
	}
	all := proto.Dict{{Key: "caller", Value: 7.0}, {Key: "timeout", Value: 1.7e12}, {Key: "trustlevel", Value: nil}, {Key: "_x", Value: 7.0}}
	want := proto.Dict{{Key: "caller", Value: int64(7)}, {Key: "timeout", Value: int64(1.7e12)}, {Key: "trustlevel", Value: nil}, {Key: "_x", Value: 7.0}}
	if d, odd := proto.SiftOptions(proto.Invocation, all); odd != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("%v, %+v", d, odd)
	}
	if d, odd := proto.SiftOptions(proto.Call, proto.Dict{}); d != nil || odd != nil {
		t.Errorf("%v, %+v", d, odd)
	}
}

// A float that is an integer is one.
func TestIntegralFloats(t *testing.T) {
	for _, tt := range []struct {
		v    any
		n    int64
		isID bool
		ok   bool
	}{
		{7.0, 7, true, true}, {0.0, 0, false, true}, {-7.0, -7, false, true}, {float64(1 << 53), 1 << 53, true, true}, {float64(1 << 54), 1 << 54, false, true},
		{-float64(1 << 63), math.MinInt64, false, true}, {float64(1 << 63), 0, false, false}, {1.5, 0, false, false}, {math.NaN(), 0, false, false},
		{math.Inf(1), 0, false, false}, {math.Inf(-1), 0, false, false}, {int64(7), 7, true, true}, {"7", 0, false, false},
	} {
		d := proto.Dict{{Key: "k", Value: tt.v}}
		n, ok := d.Int("k")
		if ok != tt.ok || ok && n != tt.n || (d.ID("k") != 0) != tt.isID || tt.isID && d.ID("k") != proto.ID(tt.n) {
			t.Errorf("%v: %d, %v, %d", tt.v, n, ok, d.ID("k"))
		}
		fits := proto.CheckOptions(proto.Event, proto.Dict{{Key: "publisher", Value: tt.v}}) == nil
		if fits != (tt.ok && (tt.isID || tt.n == 0)) {
			t.Errorf("%v fits an id: %v", tt.v, fits)
		}
		if fits := proto.CheckOptions(proto.Event, proto.Dict{{Key: "trustlevel", Value: tt.v}}) == nil; fits != (tt.ok && tt.n >= 0) {
			t.Errorf("%v fits an integer: %v", tt.v, fits)
		}
		if fits := proto.CheckOptions(proto.Publish, proto.Dict{{Key: "exclude", Value: []any{int64(1), tt.v}}}) == nil; fits != (tt.ok && (tt.isID || tt.n == 0)) {
			t.Errorf("%v fits a list of ids: %v", tt.v, fits)
		}
	}
}

func TestCheckError(t *testing.T) {
	for uri, want := range map[string]bool{"com.example.error": true, "wamp.error.invalid_argument": true, "a": true, "": false, "bad file": false, "com..x": false,
		"com.": false, ".com": false, "a#b": false, "a\xff": false} {
		if err := proto.CheckError(uri); (err == nil) != want {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if err := proto.CheckError(strings.Repeat("x", 1<<20) + " "); err == nil || len(err.Error()) > proto.MaxText {
		t.Errorf("%v", err)
	}
}

func TestShort(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", proto.MaxText), strings.Repeat("x", proto.MaxText+1), strings.Repeat("ü", 5000),
		strings.Repeat("日本", 5000), "a" + strings.Repeat("😀", 5000), strings.Repeat("\xff", 5000), strings.Repeat("\x80", 5000)} {
		got := proto.Short(s)
		if len(got) > proto.MaxText || len(s) <= proto.MaxText && got != s || utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%.20q became %q", s, got)
		}
		if len(s) > proto.MaxText && (!strings.Contains(got, "...") || utf8.ValidString(s) && (len(got) < proto.MaxText-8 || got[:4] != s[:4] || got[len(got)-4:] != s[len(s)-4:])) {
			t.Errorf("%.20q became %q", s, got)
		}
	}
}
