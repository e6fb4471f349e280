package accept_test

import (
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// An error names what the client has to mend, and not what it said.
func TestHelloError(t *testing.T) {
	for want, extra := range map[string]map[string]any{
		"cryptosign: authextra.pubkey is no string":                      {"pubkey": 1},
		"cryptosign: authextra.pubkey is not 32 bytes in hex":            {"pubkey": "xx"},
		"cryptosign: authextra.challenge has more than 1024 bytes":       {"challenge": strings.Repeat("0", 1025)},
		"cryptosign: authextra.channel_binding has more than 1024 bytes": {"channel_binding": strings.Repeat("x", 1025)},
	} {
		if _, err := accept.Cryptosign(authn.Hello{Extra: extra}, nil, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
