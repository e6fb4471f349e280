package passthru_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

func TestKeysAndBack(t *testing.T) {
	for name, tt := range map[string]struct {
		o    seal.Opaque
		want map[string]any
	}{
		"all":          {seal.Opaque{Scheme: "x_a", Serializer: "cbor", Cipher: "aes256gcm", KeyID: "k"}, map[string]any{"ppt_scheme": "x_a", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm", "ppt_keyid": "k"}},
		"scheme":       {seal.Opaque{Scheme: "mqtt"}, map[string]any{"ppt_scheme": "mqtt"}},
		"all, older":   {seal.Opaque{Autobahn: true, Cipher: "cryptobox", Serializer: "json", KeyID: "k"}, map[string]any{"enc_algo": "cryptobox", "enc_serializer": "json", "enc_key": "k"}},
		"cipher alone": {seal.Opaque{Autobahn: true, Cipher: "cryptobox"}, map[string]any{"enc_algo": "cryptobox"}},
	} {
		keys, err := passthru.Keys(&tt.o)
		if err != nil || !reflect.DeepEqual(keys.Map(), tt.want) {
			t.Errorf("%s: %v, %v", name, keys.Map(), err)
		}
		if back := passthru.Described(keys); !reflect.DeepEqual(back, &tt.o) {
			t.Errorf("%s: %+v", name, back)
		}
	}
	if o := passthru.Described(proto.Dict{}.With("topic", "com.example").With("ppt_keyid", "k")); o != nil {
		t.Errorf("as it is: %+v", o)
	}
}

// What a router would cut the link for.
func TestKeysThatCannotBeSent(t *testing.T) {
	for _, o := range []seal.Opaque{
		{}, {KeyID: "k"}, {Scheme: "\xff"}, {Scheme: "x_a", Serializer: "\xff"}, {Scheme: "x_a", Cipher: "\xff"}, {Scheme: "x_a", KeyID: "\xff"},
		{Autobahn: true}, {Autobahn: true, Cipher: "rot13"}, {Autobahn: true, Cipher: "cryptobox", KeyID: "\xff"},
	} {
		if keys, err := passthru.Keys(&o); err == nil || keys != nil {
			t.Errorf("%#v: %v, %v", o, keys.Map(), err)
		}
	}
}

func TestDataOfPayload(t *testing.T) {
	data := []byte{0, 1, 0xfe}
	for _, c := range []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR} {
		raw := func(v any) []byte {
			b, err := c.AppendValue(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		text := func(base64 string) []byte { // what JSON has for a binary
			if c == codec.JSON {
				return []byte(`"\u0000` + base64 + `"`)
			}
			return raw("\x00" + base64)
		}
		list := func(item []byte) []byte {
			if c == codec.JSON {
				return append(append([]byte{'['}, item...), ']')
			}
			return append(raw([]any{1})[:1:1], item...)
		}
		passed, older := &seal.Opaque{Scheme: "x_a", KeyID: "k"}, &seal.Opaque{Autobahn: true, Cipher: "cryptobox"}
		for name, tt := range map[string]struct {
			o    *seal.Opaque
			args []byte
			ok   bool
		}{
			"one binary":                   {passed, raw([]any{data}), true},
			"JSON's text, handed on":       {passed, list(text("AAH+")), true},
			"nothing":                      {passed, nil, false},
			"two":                          {passed, raw([]any{data, data}), false},
			"not base64":                   {passed, list(text("AAH")), false},
			"a number":                     {passed, raw([]any{1}), false},
			"for the arguments":            {older, raw(data), true},
			"JSON's text for arguments":    {older, text("AAH+"), true},
			"nothing, older":               {older, nil, false},
			"a number for arguments":       {older, raw(1), false},
			"a list, older, of one binary": {older, raw([]any{data}), false},
		} {
			full, err := passthru.With(tt.o, codec.Raw(c, tt.args, nil))
			if (err == nil) != tt.ok || tt.ok && !bytes.Equal(full.Data, data) {
				t.Errorf("%s, %s: %+v, %v", c.Name(), name, full, err)
			}
			if tt.ok && (full.KeyID != tt.o.KeyID || full.Autobahn != tt.o.Autobahn || tt.o.Data != nil) {
				t.Errorf("%s, %s: %+v of %+v", c.Name(), name, full, tt.o)
			}
		}
	}
}

// What stands in the place of bytes is handed on, for codecs that know it; with Autobahn,
// and where it can be nothing, it is an error.
func TestValueOfPayload(t *testing.T) {
	for _, c := range codec.All() {
		for name, tt := range map[string]struct {
			args, kwargs any
			older        bool
			want         any
		}{
			"a dict":                  {args: []any{map[string]any{"args": []any{int64(1)}}}, want: map[string]any{"args": []any{int64(1)}}},
			"a text":                  {args: []any{"AAH+"}, want: "AAH+"},
			"empty keyword arguments": {args: []any{"AAH+"}, kwargs: map[string]any{}, want: "AAH+"},
			"a list":                  {args: []any{[]any{}}},
			"null":                    {args: []any{nil}},
			"a boolean":               {args: []any{true}},
			"two":                     {args: []any{"a", "b"}},
			"none":                    {args: []any{}},
			"keyword arguments too":   {args: []any{[]byte{1}}, kwargs: map[string]any{"k": 1}},
			"a dict, older":           {args: map[string]any{}, older: true},
			"a text, older":           {args: "AAH+", older: true},
			"bytes, and more, older":  {args: []byte{1}, kwargs: map[string]any{"k": 1}, older: true},
		} {
			o := &seal.Opaque{Scheme: "x_a", Autobahn: tt.older}
			args, err := c.AppendValue(nil, tt.args)
			if err != nil {
				t.Fatal(err)
			}
			var kwargs []byte
			if tt.kwargs != nil {
				if kwargs, err = c.AppendValue(nil, tt.kwargs); err != nil {
					t.Fatal(err)
				}
			}
			full, err := passthru.With(o, codec.Raw(c, args, kwargs))
			switch {
			case tt.want == nil:
				if !errors.Is(err, seal.ErrFormat) {
					t.Errorf("%s, %s: %+v, %v", c.Name(), name, full, err)
				}
			case err != nil || !reflect.DeepEqual(full.Value, tt.want) || full.Data != nil || o.Value != nil:
				t.Errorf("%s, %s: %+v, %v", c.Name(), name, full, err)
			case !reflect.DeepEqual(passthru.Argument(full), tt.want):
				t.Errorf("%s, %s: %v", c.Name(), name, passthru.Argument(full))
			}
		}
		if _, err := passthru.With(&seal.Opaque{Scheme: "x_a"}, codec.Raw(c, []byte("\xff"), nil)); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
	if v := passthru.Argument(&seal.Opaque{Scheme: "x_a", Data: []byte{1}}); !reflect.DeepEqual(v, []byte{1}) {
		t.Errorf("%v", v)
	}
}

func TestPlaceIsNotTheRoutersChoice(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		match   proto.MatchPolicy
		said    string
		want    string
	}{
		{"com.a", proto.Exact, "com.a", "com.a"},
		{"com.a", proto.Exact, "com.b", "com.a"},
		{"com.a", proto.Prefix, "com.a.b", "com.a.b"},
		{"com.a", proto.Prefix, "wamp.session.on_join", "com.a"},
		{"com..b", proto.Wildcard, "com.x.b", "com.x.b"},
		{"com..b", proto.Wildcard, "com.x.c", "com..b"},
	} {
		if got := passthru.Place(tt.pattern, tt.match, tt.said); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestUnreadableSaysWhy(t *testing.T) {
	about := seal.About{Kind: seal.KindPublish, URI: "com.a"}
	p := passthru.Unreadable(about, &proto.Oddity{What: proto.OddPayload, Reason: "ppt_scheme is a number"})
	_, err := p.Args()
	var bad *seal.PayloadError
	if !errors.As(err, &bad) || bad.About != about || err.Error() != "seal: payload of publish com.a: ppt_scheme is a number" || p.Empty() {
		t.Error(err)
	}
}
