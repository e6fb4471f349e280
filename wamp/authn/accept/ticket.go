package accept

import "crypto/subtle"

// Ticket reports in constant time whether got, the signature of an
// AUTHENTICATE, is the wanted ticket (WAMP specification, section "Ticket-based
// Authentication"). An empty ticket is never accepted.
func Ticket(want, got string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}
