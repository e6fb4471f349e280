package proof

import (
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
)

// SASLprep prepares a name or a password as a stored string (RFC 4013), which
// SCRAM asks for (RFC 5802 section 2.2), so that what looks the same is the
// same. Plain ASCII stays as it is. ok is false for what the profile does not
// allow; the reason is not passed on, for it names the offending character.
func SASLprep(s string) (out string, ok bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	out, err := stringprep.SASLprep.Prepare(s)
	return out, err == nil
}
