package seal_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/seal"
)

// No printer shows a secret, in whatever form, nor the keys that AES makes of it.
func TestPrintersShowNoSecrets(t *testing.T) {
	k := key("kid-1", "com", 0xA7)
	p := profile1(t, nil, k)
	agreed, err := p.Agree(map[string]any{"established": true, "scheme": "wamp", "serializer": "cbor", "cipher": "aes256gcm"})
	if err != nil {
		t.Fatal(err)
	}
	r := ring(t, k)
	boxes := seal.BoxKey{Prefix: "kid-1", Private: k.Secret, Public: k.Secret}
	box, err := seal.NewCryptobox([]seal.BoxKey{boxes}, false)
	if err != nil {
		t.Fatal(err)
	}
	var leaks []string
	for _, verb := range []string{"%v", "%#v", "%s", "%x", "%X", "%q", "%08b", "%o"} { // four bytes, or a word of the key
		leaks = append(leaks, strings.Trim(strings.TrimPrefix(fmt.Sprintf(verb, k.Secret[:4]), "[]byte"), `[]{}"`), fmt.Sprintf(verb, uint32(0xA7A7A7A7)))
	}
	leaks = append(leaks, base64.StdEncoding.EncodeToString(k.Secret)[:8])
	for _, v := range []any{k, &k, []seal.Key{k}, p, *p, r, *r, agreed, boxes, &boxes, box, *box} {
		var text bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08b", "%o"} {
			fmt.Fprintf(&text, verb+"\n", v)
			fmt.Fprintf(&text, verb+"\n", struct{ V any }{v})
		}
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
		if _, list := v.([]seal.Key); !list { // data with exported fields, which JSON has to keep
			slog.New(slog.NewJSONHandler(&text, nil)).Info("m", "v", v)
		}
		for _, leak := range leaks {
			if strings.Contains(text.String(), leak) {
				t.Errorf("%T shows %q in\n%s", v, leak, text.String())
			}
		}
		if _, is := v.(fmt.Formatter); is && !strings.Contains(fmt.Sprint(v), "kid-1") && !strings.Contains(fmt.Sprint(v), "Cryptobox") {
			t.Errorf("%T is %v", v, v)
		}
	}
}

func TestNilOption(t *testing.T) {
	keys := []seal.Key{key("k1", "com", 1)}
	_, err1 := seal.NewProfile1(keys, nil)
	_, err2 := seal.NewProfile1(keys, seal.Option(nil))
	_, err3 := seal.NewRing(keys, seal.AllowPlain(), nil)
	for _, err := range []error{err1, err2, err3} {
		if err == nil || err.Error() != "seal: an option is nil" {
			t.Error(err)
		}
	}
}
