package wamptest

import (
	"slices"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Payload passthru: the router hands the payload on without looking at it, and
// with it the keys that say what it is.

// passes reports whether a message may have the keys of payload passthru that
// it has. Who did not announce them breaks the protocol; Crossbar takes them
// off without a word.
func (r *Router) passes(s *session, m *proto.Message, client, router proto.Role) bool {
	if m.Options.Str(proto.KeyPPTScheme) == "" || r.cfg.crossbar {
		return true
	}
	if r.cfg.roles.Features(router).Has(proto.PayloadPassthruMode) && s.has(client, proto.PayloadPassthruMode) {
		return true
	}
	r.violation(s.link, m.Type.String()+": payload_passthru_mode was not announced by both")
	return false
}

// passthru returns, of the options of a message, the keys that go with its
// payload.
func (r *Router) passthru(role proto.Role, options proto.Dict) (keys proto.Dict) {
	f := r.cfg.roles.Features(role)
	for _, e := range options {
		ppt, enc := strings.HasPrefix(e.Key, "ppt_"), strings.HasPrefix(e.Key, "enc_")
		if ppt && !f.Has(proto.PayloadPassthruMode) || enc && !f.Has(proto.PayloadEncryptionCryptobox) {
			r.note("passthru", "%s is taken off: this router does not know it", e.Key)
		}
		if ppt && f.Has(proto.PayloadPassthruMode) || enc && f.Has(proto.PayloadEncryptionCryptobox) {
			keys = append(keys, e)
		}
	}
	return keys
}

// handedOn returns, of the options of a CALL or PUBLISH, those that WithForwardedOptions
// names.
func (r *Router) handedOn(options proto.Dict) (details proto.Dict) {
	for _, e := range options {
		if slices.Contains(r.cfg.forwarded, e.Key) {
			details = append(details, e)
		}
	}
	return details
}
