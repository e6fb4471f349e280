package accept_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

const hidden = "hunter2-opensesame"

func TestNothingShowsASecret(t *testing.T) {
	r, cra := record(t, hidden, cheap), accept.CRASecret{Key: hidden}
	keys := []string{hidden, string(r.StoredKey), string(r.ServerKey)}
	l, err := accept.SCRAM(r, authn.Hello{AuthID: "joe", Extra: map[string]any{"nonce": "abc"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := accept.Cryptosign(authn.Hello{}, seed(9), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{r, &r, cra, &cra, l, *l} {
		mustNotShow(t, v, keys...)
	}
	for _, v := range []any{sign, *sign} {
		mustNotShow(t, v, sign.Challenge().Extra.Str("challenge"))
	}
	// A record is made to be stored: JSON keeps it.
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), base64.StdEncoding.EncodeToString(r.StoredKey)) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestNoErrorShowsASecret(t *testing.T) {
	_, prepared := accept.NewSCRAMRecord(hidden+"\x00\xff", cheap)
	for name, err := range map[string]error{
		"record not prepared": prepared,
		"proof":               accept.CRASecret{Key: hidden}.Verify(craText, authn.Response{Signature: hidden}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		mustNotShow(t, err, hidden, hidden[:8])
	}
}
