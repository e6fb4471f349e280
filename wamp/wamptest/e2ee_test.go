package wamptest_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// offer is what a client offers, with changes; nil takes a key out.
func offer(changes dict) dict {
	m := dict{"version": 1, "required": true, "schemes": []any{"x_other", "wamp"}, "serializers": []any{"cbor"},
		"ciphers": []any{"aes256gcm", "xsalsa20poly1305"}, "key_ids": []any{"k1", "k2"}}
	for k, v := range changes {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

func TestE2EEAnswers(t *testing.T) {
	agreed := func(cipher, key string) any {
		return map[string]any{"established": true, "scheme": "wamp", "serializer": "cbor", "cipher": cipher, "send_key_id": key, "receive_key_id": key}
	}
	none := any(map[string]any{"established": false})
	for name, tt := range map[string]struct {
		router  wamptest.E2EE
		extra   any // authextra
		want    any // authextra.e2ee of WELCOME
		refused string
	}{
		"first key of the client": {extra: dict{"e2ee": offer(nil)}, want: agreed("xsalsa20poly1305", "k1")},
		"keys and ciphers of the router": {router: wamptest.E2EE{Ciphers: []string{"aes256gcm"}, KeyIDs: []string{"k9", "k2", "k1"}}, extra: dict{"e2ee": offer(nil)},
			want: agreed("aes256gcm", "k2")},
		"nothing offered":       {extra: dict{"x": 1}, want: nil, refused: "no end-to-end encryption is offered"},
		"no authextra":          {want: nil, refused: "no end-to-end encryption is offered"},
		"no dict":               {extra: dict{"e2ee": "yes"}, want: nil, refused: "no end-to-end encryption is offered"},
		"another version":       {extra: dict{"e2ee": offer(dict{"version": 2})}, want: none, refused: "version is 2"},
		"a version in words":    {extra: dict{"e2ee": offer(dict{"version": "1"})}, want: none, refused: "version is 1"},
		"another scheme":        {extra: dict{"e2ee": offer(dict{"schemes": []any{"mqtt"}})}, want: none, refused: "schemes"},
		"a scheme that is text": {extra: dict{"e2ee": offer(dict{"schemes": "wamp"})}, want: none, refused: "schemes"},
		"another serializer":    {extra: dict{"e2ee": offer(dict{"serializers": []any{"flatbuffers"}})}, want: none, refused: "serializers"},
		"another cipher":        {extra: dict{"e2ee": offer(dict{"ciphers": []any{"rot13"}})}, want: none, refused: "ciphers"},
		"no key":                {extra: dict{"e2ee": offer(dict{"key_ids": []any{}})}, want: none, refused: "key_ids"},
		"keys that are numbers": {extra: dict{"e2ee": offer(dict{"key_ids": []any{1, 2}})}, want: none, refused: "key_ids"},
		"other keys":            {router: wamptest.E2EE{KeyIDs: []string{"k9"}}, extra: dict{"e2ee": offer(nil)}, want: none, refused: "key_ids"},
		"a deviation": {router: wamptest.E2EE{Answer: func(a map[string]any) any { a["send_key_id"] = "k9"; return a }}, extra: dict{"e2ee": offer(nil)},
			want: map[string]any{"established": true, "scheme": "wamp", "serializer": "cbor", "cipher": "xsalsa20poly1305", "send_key_id": "k9", "receive_key_id": "k1"}},
		"an answer that nobody asked for": {router: wamptest.E2EE{Answer: func(a map[string]any) any { return len(a) }}, want: int64(0)},
	} {
		for _, required := range []bool{false, true} {
			for _, cd := range codec.All() {
				e := tt.router
				e.Required = required
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := dial(t, r.Dial, cd.Name())
					details := proto.Dict{{Key: proto.KeyRoles, Value: roles()}}
					if tt.extra != nil {
						details = append(details, proto.Entry{Key: proto.KeyAuthExtra, Value: tt.extra})
					}
					c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: details})
					if required && tt.refused != "" {
						m := c.expectAbort(proto.ErrURINotAuthorized)
						if !strings.Contains(m.Options.Str(proto.KeyMessage), tt.refused) {
							t.Errorf("%s: %v", name, m.Options.Map())
						}
						return
					}
					m := c.expect(proto.Welcome)
					extra := m.Options.Dict(proto.KeyAuthExtra)
					if got := extra["e2ee"]; !reflect.DeepEqual(got, tt.want) || tt.want == nil && extra != nil {
						t.Errorf("%s: %v", name, extra)
					}
				}, wamptest.WithE2EE(e))
			}
		}
	}
}

// The answer stands beside what a login says, and changes nothing of it.
func TestE2EEBesideLogin(t *testing.T) {
	own := dict{"floor": 3}
	login := wamptest.LoginFunc("anonymous", func(wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{Grant: &wamptest.Grant{Extra: own}}
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		for _, offers := range []bool{true, false} {
			c := dial(t, r.Dial, "cbor")
			details := proto.Dict{{Key: proto.KeyRoles, Value: roles()}}
			if offers {
				details = append(details, proto.Entry{Key: proto.KeyAuthExtra, Value: dict{"e2ee": offer(nil)}})
			}
			c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: details})
			extra := c.expect(proto.Welcome).Options.Dict(proto.KeyAuthExtra)
			if extra["floor"] != int64(3) || (extra["e2ee"] != nil) != offers || !maps.Equal(own, dict{"floor": 3}) {
				t.Errorf("%v", extra)
			}
		}
	}, wamptest.WithE2EE(wamptest.E2EE{}), wamptest.WithLogins(login))
}

// Who has not heard of it says nothing.
func TestE2EEIsNotLookedAt(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := dial(t, r.Dial, "cbor")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: proto.Dict{{Key: proto.KeyRoles, Value: roles()}, {Key: proto.KeyAuthExtra, Value: dict{"e2ee": offer(nil)}}}})
		if m := c.expect(proto.Welcome); m.Options.Has(proto.KeyAuthExtra) {
			t.Error(m.Options.Map())
		}
	})
}
