package authn

import (
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
)

// saslprep prepares a name or a password by RFC 4013 as a stored string, which
// SCRAM asks for (RFC 5802 section 2.2): what looks the same is the same.
// Plain ASCII stays as it is. ok is false for what the profile does not allow;
// the library's reason is not passed on, for it names the offending character.
func saslprep(s string) (out string, ok bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	out, err := stringprep.SASLprep.Prepare(s)
	return out, err == nil
}
