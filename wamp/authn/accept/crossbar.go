package accept

import (
	"crypto/ed25519"
	"encoding/hex"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CrossbarTicket returns an entry of auth.ticket.principals in a Crossbar
// configuration. It contains the ticket.
func CrossbarTicket(ticket, role string) map[string]any {
	return map[string]any{"ticket": ticket, "role": role}
}

// CrossbarCRA returns an entry of auth.wampcra.users in a Crossbar
// configuration. It contains the password itself: Crossbar salts it, with the
// salt, iterations and key length of the entry.
func CrossbarCRA(password, role string, p CRAParams) map[string]any {
	p = p.filled()
	return map[string]any{"secret": password, "role": role, "salt": p.Salt, "iterations": p.Iterations, "keylen": p.KeyLen}
}

// CrossbarCryptosign returns an entry of auth.cryptosign.principals in a
// Crossbar configuration.
func CrossbarCryptosign(realm, role string, keys ...ed25519.PublicKey) map[string]any {
	text := make([]string, len(keys))
	for i, k := range keys {
		text[i] = hex.EncodeToString(k)
	}
	return map[string]any{proto.KeyRealm: realm, "role": role, "authorized_keys": text}
}
