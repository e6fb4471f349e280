package seal_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/seal"
)

// answer is one that is right, with changes: a nil value takes a key out.
func answer(changes map[string]any) map[string]any {
	m := map[string]any{"established": true, "scheme": "wamp", "serializer": "cbor", "cipher": "xsalsa20poly1305", "send_key_id": "k1", "receive_key_id": "k2"}
	for k, v := range changes {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

func TestProfile1Offers(t *testing.T) {
	aes, old := key("k3", "com", 3), key("k0", "com", 9)
	aes.Cipher, old.OnlyOpen = seal.AES256GCM, true
	again := key("k1", "org", 1)
	for name, tt := range map[string]struct {
		p    *seal.Profile1
		want map[string]any
	}{
		"any cipher": {profile1(t, nil, old, key("k1", "com", 1), key("k2", "com", 2), again),
			map[string]any{"version": 1, "required": false, "schemes": []string{"wamp"}, "serializers": []string{"cbor"},
				"ciphers": []string{"xsalsa20poly1305", "aes256gcm"}, "key_ids": []string{"k1", "k2"}}},
		"required, one cipher": {profile1(t, []seal.Profile1Option{seal.Required(), seal.AllowPlain()}, aes),
			map[string]any{"version": 1, "required": true, "schemes": []string{"wamp"}, "serializers": []string{"cbor"},
				"ciphers": []string{"aes256gcm"}, "key_ids": []string{"k3"}}},
		"nothing": {profile1(t, nil, old),
			map[string]any{"version": 1, "required": false, "schemes": []string{"wamp"}, "serializers": []string{"cbor"},
				"ciphers": []string{}, "key_ids": []string{}}},
	} {
		if got := tt.p.Offer(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What a router says of the agreement is right in all its parts, or the join fails and says
// which part it was.
func TestProfile1JudgesAnswers(t *testing.T) {
	old, aes := key("old", "com", 3), key("aes", "com", 4)
	old.OnlyOpen, aes.Cipher = true, seal.AES256GCM
	keys := []seal.Key{key("k1", "com", 1), key("k2", "com", 2), old, aes}
	const ok, none = "ok", "none" // none: nothing is agreed on, which is an error only if it is required
	for name, tt := range map[string]struct {
		answer any
		field  string // of the error, or ok, or none
		says   string
	}{
		"right":                       {answer(nil), ok, ""},
		"version 1":                   {answer(map[string]any{"version": int64(1)}), ok, ""},
		"version 1, as JSON has it":   {answer(map[string]any{"version": 1.0}), ok, ""},
		"version null":                {map[string]any{"version": nil, "established": true, "scheme": "wamp", "serializer": "cbor", "cipher": "aes256gcm", "send_key_id": "k1", "receive_key_id": "k1"}, ok, ""},
		"more than is known":          {answer(map[string]any{"required": true, "kex": "x25519"}), ok, ""},
		"the other cipher":            {answer(map[string]any{"cipher": "aes256gcm", "send_key_id": "aes"}), ok, ""},
		"an old key for what comes":   {answer(map[string]any{"receive_key_id": "old"}), ok, ""},
		"no answer":                   {nil, none, "is missing, and it is required"},
		"not established":             {map[string]any{"established": false}, none, "established is false"},
		"nothing said":                {map[string]any{}, none, "established is missing"},
		"an echo, as of Crossbar":     {profile1(t, nil, keys...).Offer(), none, "established is missing"},
		"null":                        {map[string]any{"established": nil}, none, "established is missing"},
		"not established, nonsense":   {map[string]any{"established": false, "cipher": 5}, none, "established is false"},
		"text":                        {"yes", "", "is text, and no dict"},
		"a list":                      {[]any{}, "", "is a list"},
		"true":                        {true, "", "is a boolean"},
		"established in words":        {answer(map[string]any{"established": "true"}), "established", "is text, and no boolean"},
		"established, a number":       {answer(map[string]any{"established": int64(1)}), "established", "is a number"},
		"version 2":                   {answer(map[string]any{"version": int64(2)}), "version", "is 2, and not 1"},
		"version 1.5":                 {answer(map[string]any{"version": 1.5}), "version", "is 1.5"},
		"version in words":            {answer(map[string]any{"version": "1"}), "version", `is "1"`},
		"no scheme":                   {answer(map[string]any{"scheme": nil}), "scheme", "is missing"},
		"a Ring's scheme":             {answer(map[string]any{"scheme": "x_connectanum"}), "scheme", `is "x_connectanum", and not "wamp"`},
		"a scheme that is a list":     {answer(map[string]any{"scheme": []any{"wamp"}}), "scheme", "is a list, and no text"},
		"no serializer":               {answer(map[string]any{"serializer": nil}), "serializer", "is missing"},
		"FlatBuffers":                 {answer(map[string]any{"serializer": "flatbuffers"}), "serializer", `and not "cbor"`},
		"no cipher":                   {answer(map[string]any{"cipher": nil}), "cipher", "is missing"},
		"an unknown cipher":           {answer(map[string]any{"cipher": "plaintext"}), "cipher", `is "plaintext", which was not offered`},
		"an empty cipher":             {answer(map[string]any{"cipher": ""}), "cipher", "was not offered"},
		"a cipher that is bytes":      {answer(map[string]any{"cipher": []byte("aes256gcm")}), "cipher", "is bytes"},
		"an unknown key to send with": {answer(map[string]any{"send_key_id": "k9"}), "send_key_id", `is "k9", and there is no such key`},
		"a key that only opens":       {answer(map[string]any{"send_key_id": "old"}), "send_key_id", "only opens"},
		"a key of the other cipher":   {answer(map[string]any{"send_key_id": "aes"}), "send_key_id", "does not seal with the cipher xsalsa20poly1305"},
		"a key that is a dict":        {answer(map[string]any{"send_key_id": map[string]any{}}), "send_key_id", "is a dict"},
		"an unknown key for the rest": {answer(map[string]any{"receive_key_id": "k9"}), "receive_key_id", `is "k9"`},
		"an empty key":                {answer(map[string]any{"receive_key_id": ""}), "receive_key_id", "no such key"},
		"a key that is a number":      {answer(map[string]any{"receive_key_id": int64(1)}), "receive_key_id", "is a number"},
		"a very long key":             {answer(map[string]any{"send_key_id": strings.Repeat("k", 10_000)}), "send_key_id", "no such key"},
	} {
		for _, required := range []bool{false, true} {
			var options []seal.Profile1Option
			if required {
				options = append(options, seal.Required())
			}
			p := profile1(t, options, keys...)
			c, err := p.Agree(tt.answer)
			var bad *seal.NegotiationError
			switch {
			case tt.field == ok:
				if err != nil || c == nil {
					t.Errorf("%s: %v", name, err)
				}
			case tt.field == none && !required:
				if err != nil || c != nil {
					t.Errorf("%s: %v, %v", name, c, err)
				}
			default:
				if !errors.As(err, &bad) || c != nil || tt.field != none && bad.Field != tt.field || !strings.Contains(err.Error(), tt.says) ||
					!strings.HasPrefix(err.Error(), "seal: ") || len(err.Error()) > 400 {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	for _, field := range []string{"send_key_id", "receive_key_id"} {
		if _, err := profile1(t, nil, keys...).Agree(answer(map[string]any{field: nil})); err != nil {
			t.Errorf("no %s: %v", field, err)
		}
		var bad *seal.NegotiationError
		if _, err := profile1(t, []seal.Profile1Option{seal.Required()}, keys...).Agree(answer(map[string]any{field: nil})); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("no %s: %v", field, err)
		}
	}
}

// What was agreed on is what is done, and patterns come first.
func TestAgreementIsKept(t *testing.T) {
	fixed := key("fixed", "com.fixed", 4)
	fixed.Cipher = seal.SecretBox
	p := profile1(t, nil, key("few", "com.few", 3), key("k1", "com", 1), key("k2", "com", 2), fixed)
	agree := func(changes map[string]any) seal.Codec {
		c, err := p.Agree(answer(changes))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	second := agree(map[string]any{"cipher": "aes256gcm", "send_key_id": "k2", "receive_key_id": "k1"})
	for _, tt := range []struct {
		c           seal.Codec
		uri         string
		key, cipher string
	}{
		{p, "com.a", "k1", "xsalsa20poly1305"},
		{second, "com.a", "k2", "aes256gcm"},
		{second, "com.few.a", "few", "aes256gcm"},
		{second, "com.fixed.a", "fixed", "xsalsa20poly1305"},
		{agree(map[string]any{"send_key_id": "few"}), "com.a", "k1", "xsalsa20poly1305"},
		{agree(map[string]any{"send_key_id": nil}), "com.a", "k1", "xsalsa20poly1305"},
		{second, "org.a", "", ""},
	} {
		o, err := tt.c.Seal(seal.About{Kind: seal.KindCall, URI: tt.uri}, payload())
		if err != nil || (o == nil) != (tt.key == "") || o != nil && (o.KeyID != tt.key || o.Cipher != tt.cipher) {
			t.Errorf("%s: %+v, %v", tt.uri, o, err)
		}
	}
	about := seal.About{Kind: seal.KindCall, URI: "com.a"}
	o, err := p.Seal(about, payload()) // with k1
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Open(about, o); err != nil || text(t, got) != secret {
		t.Error(err)
	}
	o.KeyID = ""
	if _, err := p.Open(about, o); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("without a key, and an agreement: %v", err)
	}
	if got, err := second.Open(about, o); err != nil || text(t, got) != secret {
		t.Errorf("without a key: %v", err)
	}
	if _, err := agree(nil).Open(about, o); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("without a key, and another was agreed on: %v", err)
	}
	if err := second.Plain(about); !errors.Is(err, seal.ErrPlain) {
		t.Error(err)
	}
}
