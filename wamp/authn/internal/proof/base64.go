package proof

import (
	"encoding/base64"
	"strings"
)

// Base64 returns the standard base64 text of b, with padding.
func Base64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// FromBase64 reads standard base64 with its padding and nothing else: package
// base64 would skip line breaks.
func FromBase64(s string) (b []byte, ok bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}
