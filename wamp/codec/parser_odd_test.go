package codec_test

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Options that do not fit cost as little as can be: they are left out, and the
// message says so.
func TestOddOptions(t *testing.T) {
	dict := map[string]any{}
	tests := []struct {
		name   string
		v      any
		left   proto.Dict
		what   proto.Oddities
		reason string
	}{
		{"descriptive, range", []any{36, 1, 2, map[string]any{"trustlevel": -1}}, nil, proto.OddDetail, "EVENT.trustlevel is not a non-negative integer"},
		{"descriptive, type", []any{36, 1, 2, map[string]any{"publisher": "joe"}}, nil, proto.OddDetail, "publisher"},
		{"descriptive, list", []any{16, 1, map[string]any{"exclude": []any{1, "x"}}, "a"}, nil, proto.OddDetail, "exclude"},
		{"descriptive, big", []any{36, 1, 2, map[string]any{"trustlevel": bigInt("99999999999999999999")}}, nil, proto.OddDetail, "trustlevel"},
		{"receive_progress", []any{68, 1, 2, map[string]any{"receive_progress": 1}}, nil, proto.OddDetail, "receive_progress"},
		{"topic", []any{36, 1, 2, map[string]any{"topic": 5}}, nil, proto.OddDetail, "topic"},
		{"mode", []any{69, 1, map[string]any{"mode": "murder"}}, nil, proto.OddDetail, "mode"},
		{"match at the router", []any{32, 1, map[string]any{"match": 5}, "a"}, nil, proto.OddDetail, "match"},
		{"ppt_keyid", []any{36, 1, 2, map[string]any{"ppt_keyid": 5}}, nil, proto.OddPayload, "EVENT.ppt_keyid is not a string"},
		{"ppt_scheme", []any{50, 1, map[string]any{"ppt_scheme": []byte("x")}}, nil, proto.OddPayload, "ppt_scheme"},
		{"enc_key", []any{68, 1, 2, map[string]any{"enc_key": true}}, nil, proto.OddPayload, "enc_key"},
		{"error payload", []any{8, 48, 1, map[string]any{"ppt_cipher": 1.5}, "a.b"}, nil, proto.OddPayload, "ppt_cipher"},
		{"enc_algo", []any{36, 1, 2, map[string]any{"enc_algo": "rot13"}, []byte("secret")}, nil, proto.OddPayload, "enc_algo"},
		{"progress of a RESULT", []any{50, 1, map[string]any{"progress": 1}}, nil, proto.OddProgress, "RESULT.progress is not a bool"},
		{"progress of an INVOCATION", []any{68, 1, 2, map[string]any{"progress": "x"}}, nil, proto.OddProgress, "progress"},
		{"progress of a CALL", []any{48, 1, map[string]any{"progress": dict}, "a"}, nil, proto.OddProgress, "progress"},
		{"progress of a YIELD", []any{70, 1, map[string]any{"progress": 0}}, nil, proto.OddProgress, "progress"},
		{"subscription", []any{35, 0, map[string]any{"subscription": "x"}}, nil, proto.OddID, "UNSUBSCRIBED.subscription is not an id"},
		{"registration", []any{67, 0, map[string]any{"registration": -5}}, nil, proto.OddID, "registration"},
		{"registration too big", []any{67, 0, map[string]any{"registration": math.MaxUint32 * 1e9}}, nil, proto.OddID, "registration"},
		{"too deep", []any{36, 1, 2, map[string]any{"topic": deep(127)}}, nil, proto.OddDetail, "EVENT.topic is not a string: nested too deeply"},
		{"unknown key, too deep", []any{36, 1, 2, map[string]any{"x_deep": deep(127)}}, nil, proto.OddDetail, "x_deep"},
		{"deep", []any{36, 1, 2, map[string]any{"x_deep": deep(126)}}, proto.Dict{{Key: "x_deep", Value: deep(126)}}, 0, ""},
		{"several", []any{50, 1, map[string]any{"progress": 1, "ppt_keyid": 1, "callee": "x"}}, nil, proto.OddProgress | proto.OddPayload | proto.OddDetail, "RESULT."},
		{"one of two", []any{68, 1, 2, map[string]any{"caller": -1, "caller_authid": "joe"}}, proto.Dict{{Key: "caller_authid", Value: "joe"}}, proto.OddDetail, "caller"},
		{"of another message", []any{50, 1, map[string]any{"match": 5, "trustlevel": -1}}, proto.Dict{{Key: "match", Value: int64(5)}, {Key: "trustlevel", Value: int64(-1)}}, 0, ""},
		{"null", []any{50, 1, map[string]any{"progress": nil}}, proto.Dict{{Key: "progress", Value: nil}}, 0, ""},
		{"floats for integers", []any{68, 1, 2, map[string]any{"caller": 7.0}}, proto.Dict{{Key: "caller", Value: int64(7)}}, 0, ""},
		{"floats in a list", []any{16, 1, map[string]any{"eligible": []any{7.0, 8}}, "a"}, proto.Dict{{Key: "eligible", Value: []any{int64(7), int64(8)}}}, 0, ""},
		{"float of a timeout", []any{48, 1, map[string]any{"timeout": 1.7e12}, "a"}, proto.Dict{{Key: "timeout", Value: int64(1.7e12)}}, 0, ""},
		{"half a second", []any{48, 1, map[string]any{"timeout": 0.5}, "a"}, nil, proto.OddDetail, "timeout"},
		{"NaN", []any{36, 1, 2, map[string]any{"x_nan": 1.0}}, proto.Dict{{Key: "x_nan", Value: 1.0}}, 0, ""},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(codec.Limits{})
		for _, tt := range tests {
			data := looseMessage(t, c, tt.v)
			for range 2 { // the second time from the memo
				m := proto.Message{Odd: &proto.Oddity{}}
				if err := p.Parse(data, &m); err != nil {
					t.Errorf("%s: %v", tt.name, err)
					continue
				}
				checkOdd(t, tt.name, &m, tt.left, tt.what, tt.reason)
			}
			var m proto.Message
			if err := c.NewParser(strict).Parse(data, &m); (err == nil) != (tt.what == 0) || m.Odd != nil {
				t.Errorf("%s: a strict parser says %v, %+v", tt.name, err, m.Odd)
			}
		}
	})
}

func checkOdd(t *testing.T, name string, m *proto.Message, left proto.Dict, what proto.Oddities, reason string) {
	t.Helper()
	if len(left) < 2 && !reflect.DeepEqual(m.Options, left) || len(left) > 1 && !reflect.DeepEqual(m.Options.Map(), left.Map()) {
		t.Errorf("%s: options are %#v, want %#v", name, m.Options, left)
	}
	if what == 0 {
		if m.Odd != nil {
			t.Errorf("%s: %+v", name, m.Odd)
		}
		return
	}
	if m.Odd == nil || m.Odd.What != what || !strings.Contains(m.Odd.Reason, reason) || len(m.Odd.Reason) > proto.MaxText {
		t.Errorf("%s: %+v, want %v and %q", name, m.Odd, what, reason)
	}
}

// looseMessage encodes a message whose elements may be deeper than can be encoded.
func looseMessage(t *testing.T, c codec.Codec, v any) []byte {
	t.Helper()
	if raw, err := c.AppendValue(nil, v); err == nil {
		return raw
	}
	return bytesOf(c, v)
}

// bytesOf encodes lists and dicts of any depth.
func bytesOf(c codec.Codec, v any) []byte {
	var open, comma, colon, end string
	var parts [][]byte
	switch v := v.(type) {
	case []any:
		open, comma, end = "[", ",", "]"
		if c != codec.JSON {
			open, comma, end = string([]byte{map[codec.Codec]byte{codec.CBOR: 0x80, codec.MsgPack: 0x90}[c] + byte(len(v))}), "", ""
		}
		for _, e := range v {
			parts = append(parts, bytesOf(c, e))
		}
	case map[string]any:
		open, comma, colon, end = "{", ",", ":", "}"
		if c != codec.JSON {
			open, comma, colon, end = string([]byte{map[codec.Codec]byte{codec.CBOR: 0xa0, codec.MsgPack: 0x80}[c] + byte(len(v))}), "", "", ""
		}
		for k, e := range v {
			parts = append(parts, append(append(bytesOf(c, k), colon...), bytesOf(c, e)...))
		}
	default:
		raw, err := c.AppendValue(nil, v)
		if err != nil {
			panic(err)
		}
		return raw
	}
	out := []byte(open)
	for i, p := range parts {
		if i > 0 {
			out = append(out, comma...)
		}
		out = append(out, p...)
	}
	return append(out, end...)
}

// Options that cannot be decoded, as bytes.
func TestUnreadableOptions(t *testing.T) {
	const noKeys = "dict key is not a string"
	for _, tt := range []struct {
		c      codec.Codec
		raw    string // a RESULT
		left   proto.Dict
		what   proto.Oddities
		reason string
	}{
		{codec.JSON, `[50,1,{"progress":undefined}]`, nil, proto.OddProgress, "RESULT.progress is not a bool: unexpected character"},
		{codec.JSON, `[50,1,{"progress":true,"x":NaN}]`, proto.Dict{{Key: "progress", Value: true}}, proto.OddDetail, `"x"`},
		{codec.JSON, `[50,1,{"ppt_keyid":"` + "\xff" + `"}]`, nil, proto.OddPayload, "ppt_keyid"},
		{codec.JSON, `[50,1,{"ppt_keyid":"\x"}]`, nil, proto.OddPayload, "ppt_keyid"},
		{codec.JSON, `[50,1,{"ppt_keyid":"\ud800"}]`, nil, proto.OddPayload, "ppt_keyid"},
		{codec.JSON, `[50,1,{"ppt_keyid":{"a":1,"a":2}}]`, nil, proto.OddPayload, "ppt_keyid"},
		{codec.JSON, `[50,1,{"ppt_keyid":[1 2]}]`, nil, proto.OddPayload, "ppt_keyid"},
		{codec.JSON, `[50,1,{"callee":1e999}]`, nil, proto.OddDetail, "callee"},
		{codec.JSON, `[50,1,{"callee":12abc}]`, nil, proto.OddDetail, "callee"},
		{codec.JSON, `[50,1,{"progress":truex}]`, nil, proto.OddProgress, "progress"},
		{codec.JSON, `[50,1,{"progress":true,"progress":true}]`, nil, proto.OddProgress, "duplicate key"},
		{codec.JSON, `[50,1,{"progress":true,"pro\u0067ress":false,"progress":true}]`, nil, proto.OddProgress, "duplicate key"},
		{codec.JSON, `[50,1,{5:1,"progress":true}]`, proto.Dict{{Key: "progress", Value: true}}, proto.OddDetail, noKeys},
		{codec.JSON, `[50,1,{progress:true}]`, nil, proto.OddDetail, noKeys},
		{codec.JSON, `[50,1,{"a\x":true,"":5}]`, proto.Dict{{Key: "", Value: int64(5)}}, proto.OddDetail, noKeys},
		{codec.CBOR, "83 1832 01 a1 68 70726f6772657373 61ff", nil, proto.OddProgress, "UTF-8"},
		{codec.CBOR, "83 1832 01 a1 68 70726f6772657373 d82af5", nil, proto.OddProgress, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f d82af5", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a2 615f d82af5 6178 01", proto.Dict{{Key: "x", Value: int64(1)}}, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c100", proto.Dict{{Key: "_", Value: "1970-01-01T00:00:00Z"}}, 0, ""},
		{codec.CBOR, "83 1832 01 a1 615f c14130", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c001", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c11b7fffffffffffffff", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c482016161", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f 8201c14130", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f 81a16161c001", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c1c14130", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 68 70726f6772657373 c14130", nil, proto.OddProgress, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c482206130", nil, proto.OddDetail, "unknown tag"},
		{codec.CBOR, "83 1832 01 a1 615f c4822118 6e", proto.Dict{{Key: "_", Value: "1.10"}}, 0, ""},
		{codec.CBOR, "83 1832 01 a1 615f d82550000102030405060708090a0b0c0d0e0f", proto.Dict{{Key: "_", Value: "00010203-0405-0607-0809-0a0b0c0d0e0f"}}, 0, ""},
		{codec.CBOR, "83 1832 01 a1 615f d9d9f700", proto.Dict{{Key: "_", Value: int64(0)}}, 0, ""},
		{codec.CBOR, "83 1832 01 a1 615f c249010000000000000000", proto.Dict{{Key: "_", Value: new(big.Int).Lsh(big.NewInt(1), 64)}}, 0, ""},
		{codec.CBOR, "83 1832 01 a1 615f c26161", nil, proto.OddDetail, "big number"},
		{codec.CBOR, "83 1832 01 a1 615f a1f601", nil, proto.OddDetail, noKeys},
		{codec.CBOR, "83 1832 01 a1 615f 5f6161ff", nil, proto.OddDetail, "chunk"},
		{codec.CBOR, "83 1832 01 a2 05 01 68 70726f6772657373 f5", proto.Dict{{Key: "progress", Value: true}}, proto.OddDetail, noKeys},
		{codec.CBOR, "83 1832 01 a2 61ff 01 4161 01", nil, proto.OddDetail, "UTF-8"},
		{codec.CBOR, "83 1832 01 bf 80 80 ff", nil, proto.OddDetail, noKeys},
		{codec.MsgPack, "93 32 01 81 a8 70726f6772657373 a1ff", nil, proto.OddProgress, "UTF-8"},
		{codec.MsgPack, "93 32 01 81 a8 70726f6772657373 d40100", nil, proto.OddProgress, "unknown tag or extension"},
		{codec.MsgPack, "93 32 01 81 a15f 9201d40100", nil, proto.OddDetail, "unknown tag or extension"},
		{codec.MsgPack, "93 32 01 81 a15f 81a161d40100", nil, proto.OddDetail, "unknown tag or extension"},
		{codec.MsgPack, "93 32 01 81 a15f d4ff00", nil, proto.OddDetail, "unknown tag or extension"},
		{codec.MsgPack, "93 32 01 81 a15f d6ff00000000", proto.Dict{{Key: "_", Value: "1970-01-01T00:00:00Z"}}, 0, ""},
		{codec.MsgPack, "93 32 01 82 05 01 a8 70726f6772657373 c3", proto.Dict{{Key: "progress", Value: true}}, proto.OddDetail, noKeys},
		{codec.MsgPack, "93 32 01 81 a15f 81a1ff01", nil, proto.OddDetail, ""},
		{codec.MsgPack, "93 32 01 82 a15f 01 a15f 02", nil, proto.OddDetail, "duplicate key"},
		{codec.MsgPack, "93 32 01 81 a15f c1", nil, proto.OddDetail, ""},
	} {
		raw := rawOf(t, tt.c, tt.raw)
		if err := tt.c.NewParser(strict).Parse(raw, new(proto.Message)); (err == nil) != (tt.what == 0) {
			t.Errorf("%s %s: a strict parser says %v", tt.c.Name(), tt.raw, err)
		}
		p := tt.c.NewParser(codec.Limits{})
		for range 2 {
			var m proto.Message
			if err := p.Parse(raw, &m); err != nil {
				t.Errorf("%s %s: %v", tt.c.Name(), tt.raw, err)
				continue
			}
			checkOdd(t, tt.c.Name()+" "+tt.raw, &m, tt.left, tt.what, tt.reason)
		}
	}
	// What is no dict at all, or one whose entries cannot be told apart.
	for _, tt := range []struct {
		c   codec.Codec
		raw string
	}{
		{codec.JSON, `[50,1,[]]`}, {codec.JSON, `[50,1,null]`}, {codec.JSON, `[50,1,{"a"}]`}, {codec.JSON, `[50,1,{"a":}]`}, {codec.JSON, `[50,1,{"a":1,}]`}, {codec.JSON, `[50,1,{,}]`},
		{codec.JSON, `[50,1,{"a" 1}]`}, {codec.JSON, `[50,1,{"a":1 "b":2}]`}, {codec.JSON, `[50,1,{"a":1]`}, {codec.JSON, `[50,1,{"a":[}]}]`}, {codec.JSON, `[50,1,{"a":"}]`},
		{codec.JSON, `[50,1,{1}]`}, {codec.CBOR, "83 1832 01 bf 6161 ff"}, {codec.CBOR, "83 1832 01 f6"}, {codec.CBOR, "83 1832 01 a1 6161"}, {codec.MsgPack, "93 32 01 c0"},
		{codec.MsgPack, "93 32 01 81 a161"}, {codec.MsgPack, "93 32 01 90"},
	} {
		var m proto.Message
		var syntax *codec.SyntaxError
		if err := tt.c.NewParser(codec.Limits{}).Parse(rawOf(t, tt.c, tt.raw), &m); !errors.As(err, &syntax) {
			t.Errorf("%s %s: %+v, %v", tt.c.Name(), tt.raw, m, err)
		}
	}
}

// A URI must be text, in every byte.
func TestMalformedText(t *testing.T) {
	for _, tt := range []struct {
		c   codec.Codec
		raw string
	}{
		{codec.JSON, `[48,1,{},"a\x"]`}, {codec.JSON, "[48,1,{},\"a\nb\"]"}, {codec.JSON, "[48,1,{},\"a\xff\"]"}, {codec.JSON, `[48,1,{},"\ud800"]`}, {codec.JSON, `[48,1,{},"\u0000EAD/"]`},
		{codec.JSON, `[48,1,{},"a\u00"]`}, {codec.JSON, `[5,"\x",{}]`}, {codec.JSON, `[8,48,1,{},"\x",[]]`}, {codec.CBOR, "84 1830 01 a0 61ff"}, {codec.CBOR, "84 1830 01 a0 7f4161ff"},
		{codec.CBOR, "84 1830 01 a0 7f7f6161ffff"}, {codec.MsgPack, "94 30 01 80 a1ff"},
	} {
		for _, l := range []codec.Limits{{}, strict} {
			var m proto.Message
			var syntax *codec.SyntaxError
			if err := tt.c.NewParser(l).Parse(rawOf(t, tt.c, tt.raw), &m); !errors.As(err, &syntax) {
				t.Errorf("%s %q: %+v, %v", tt.c.Name(), tt.raw, m, err)
			}
		}
	}
	// But what stands in the place of encrypted arguments is payload.
	var m proto.Message
	if err := codec.JSON.NewParser(codec.Limits{}).Parse([]byte(`[36,1,2,{"enc_algo":"cryptobox"},"\x"]`), &m); err != nil || string(m.Args) != `"\x"` {
		t.Errorf("%q, %v", m.Args, err)
	}
	typed(t, "encrypted", codec.Received(codec.JSON, &m).Scan(new(string)))
	// Which says nothing of the next message.
	p := codec.JSON.NewParser(codec.Limits{})
	for _, s := range []string{`[36,1,2,{"enc_algo":"cryptobox"},"\x"]`, `[8,48,1,{},"a.b"]`} {
		if err := p.Parse([]byte(s), &m); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// What stands in the place of the arguments may be bytes where it is said that the
// payload is encrypted, also if it is said wrongly.
func TestEncryptedPayload(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, tt := range map[string]struct {
			options map[string]any
			ok      bool
		}{
			"plain": {map[string]any{}, false}, "cryptobox": {map[string]any{"enc_algo": "cryptobox"}, true}, "rot13": {map[string]any{"enc_algo": "rot13"}, true},
			"a number": {map[string]any{"enc_algo": 5}, true}, "another oddity": {map[string]any{"publisher": "x"}, false},
		} {
			var m proto.Message
			err := c.NewParser(codec.Limits{}).Parse(appendValue(t, c, []any{36, 1, 2, tt.options, []byte("secret")}), &m)
			if (err == nil) != tt.ok {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && !codec.Received(c, &m).Opaque() {
				t.Errorf("%s: the payload is not opaque", name)
			}
		}
	})
	var m proto.Message
	if err := codec.JSON.NewParser(codec.Limits{}).Parse([]byte(`[36,1,2,{"enc_algo":"rot13"},"frperg"]`), &m); err != nil || !m.Odd.Has(proto.OddPayload) {
		t.Errorf("%+v, %v", m, err)
	}
}

// Harmless oddities of a WELCOME are taken as what they mean.
func TestOddWelcome(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		var m proto.Message
		v := []any{2.0, 9129137332.0, map[string]any{"roles": map[string]any{"broker": nil, "dealer": map[string]any{"features": nil}}, "agent": 1.5, "authid": 1234,
			"authrole": uint64(math.MaxUint64), "authmethod": 7.0, "authprovider": bigInt("123456789012345678901234567890"), "realm": -1, "authextra": nil}}
		if c == codec.MsgPack { // which has no number for it
			v[2].(map[string]any)["authprovider"] = "123456789012345678901234567890"
		}
		if err := c.NewParser(codec.Limits{}).Parse(appendValue(t, c, v), &m); err != nil || m.Odd != nil || m.ID != 9129137332 {
			t.Fatalf("%+v, %v, %v", m, m.Odd, err)
		}
		for key, want := range map[string]string{"agent": "1.5", "authid": "1234", "authrole": "18446744073709551615", "authmethod": "7",
			"authprovider": "123456789012345678901234567890", "realm": "-1"} {
			if got := m.Options.Str(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		roles := proto.ParseRoles(m.Options)
		if !roles.Has(proto.Broker) || !roles.Has(proto.Dealer) || roles.Features(proto.Dealer) != 0 {
			t.Errorf("roles: %v", roles.Dict())
		}
		if err := c.NewParser(codec.Limits{}).Parse(appendValue(t, c, []any{2, 1, map[string]any{"authid": true, "roles": []any{}}}), &m); err != nil ||
			m.Odd == nil || m.Odd.What != proto.OddDetail || len(m.Options) != 0 {
			t.Errorf("%+v, %+v, %v", m, m.Odd, err)
		}
	})
}

// An oddity costs nothing when it is seen again, and what is all right never does.
func TestOddDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		data := appendValue(t, c, []any{50, 1, map[string]any{"progress": 1, "callee": 5}, []any{1}})
		p := c.NewParser(codec.Limits{})
		var m proto.Message
		if n := testing.AllocsPerRun(100, func() {
			if err := p.Parse(data, &m); err != nil || m.Odd == nil || m.Options.ID("callee") != 5 {
				t.Fatal(m, err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// Options are read to a depth that is bounded, whatever the limits of a parser are.
func TestStrictDepthIsBounded(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		const n = 1 << 20
		data := map[codec.Codec][]byte{
			codec.JSON:    []byte(`[48,1,{"_d":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `},"a"]`),
			codec.CBOR:    slices.Concat([]byte{0x84, 0x18, 48, 1, 0xa1, 0x62, '_', 'd'}, bytes.Repeat([]byte{0x81}, n), []byte{0x80, 0x61, 'a'}),
			codec.MsgPack: slices.Concat([]byte{0x94, 48, 1, 0x81, 0xa2, '_', 'd'}, bytes.Repeat([]byte{0x91}, n), []byte{0x90, 0xa1, 'a'}),
		}[c]
		var m proto.Message
		for _, l := range []codec.Limits{{}, {Strict: true, Depth: math.MaxInt}} {
			err := c.NewParser(l).Parse(data, &m)
			if l.Strict && (err == nil || !strings.Contains(err.Error(), "deep")) || !l.Strict && (err != nil || m.Odd == nil) {
				t.Errorf("%+v, %v", m.Odd, err)
			}
		}
	})
}
