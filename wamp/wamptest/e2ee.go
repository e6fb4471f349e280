package wamptest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// E2EE says how a router answers clients that offer to encrypt payloads end to
// end, in HELLO.Details.authextra.e2ee: profile 1 of the connectanum family
// (package seal). The router has no keys, and knows ids only. A client that
// offers nothing gets no answer.
type E2EE struct {
	// Required turns clients away that do not offer a scheme, a serializer, a cipher
	// and a key which the router has: wamp.error.not_authorized, with a message that
	// says what is missing. Without it they are told that nothing is established.
	Required bool
	// Ciphers are those that the router has, the preferred one first. Default:
	// xsalsa20poly1305 and aes256gcm.
	Ciphers []string
	// KeyIDs are the keys that the router has, the preferred one first, for both
	// directions. Default: those of the client.
	KeyIDs []string
	// Answer makes a router that deviates: it is given the answer to an offer, or nil
	// where a client makes none, and returns what WELCOME.Details.authextra.e2ee is to
	// be, nil for nothing. It runs inside of the router.
	Answer func(answer map[string]any) any
}

// WithE2EE makes the router answer what clients offer of end-to-end encryption.
// By default it does not look at it, as routers that have not heard of it.
func WithE2EE(e E2EE) Option {
	e.Ciphers, e.KeyIDs = slices.Clone(e.Ciphers), slices.Clone(e.KeyIDs)
	if len(e.Ciphers) == 0 {
		e.Ciphers = []string{"xsalsa20poly1305", "aes256gcm"}
	}
	return optionFunc(func(c *config) { c.e2ee = &e })
}

// keyE2EE is the key of authextra.
const keyE2EE = "e2ee"

// negotiate answers the offer in a HELLO. missing is what it lacks, "" where there is an
// agreement.
func (e *E2EE) negotiate(extra map[string]any) (answer map[string]any, missing string) {
	offer, offered := extra[keyE2EE].(map[string]any)
	if !offered {
		return nil, "no end-to-end encryption is offered in authextra.e2ee"
	}
	none := map[string]any{"established": false}
	if v := offer["version"]; v != int64(1) && v != uint64(1) && v != 1.0 { // JSON may make a float of it
		return none, fmt.Sprintf("authextra.e2ee.version is %v, and not 1", offer["version"])
	}
	chosen := map[string]string{}
	for _, f := range []struct {
		key  string
		have []string
	}{{"schemes", []string{"wamp"}}, {"serializers", []string{"cbor"}}, {"ciphers", e.Ciphers}, {"key_ids", e.KeyIDs}} {
		v, ok := pick(offer[f.key], f.have)
		if !ok {
			return none, fmt.Sprintf("authextra.e2ee.%s is %v, which has none of %q", f.key, offer[f.key], f.have)
		}
		chosen[f.key] = v
	}
	return map[string]any{"established": true, "scheme": chosen["schemes"], "serializer": chosen["serializers"], "cipher": chosen["ciphers"],
		"send_key_id": chosen["key_ids"], "receive_key_id": chosen["key_ids"]}, ""
}

// pick returns the first of those that the router has which is in a client's list, or the
// first text of that where the router has anything.
func pick(list any, have []string) (string, bool) {
	theirs, _ := list.([]any)
	if have == nil && len(theirs) > 0 {
		s, ok := theirs[0].(string)
		return s, ok
	}
	i := slices.IndexFunc(have, func(s string) bool { return slices.Contains(theirs, any(s)) })
	if i < 0 {
		return "", false
	}
	return have[i], true
}

// answer returns what goes into WELCOME.Details.authextra.e2ee, nil for nothing, or why
// the client is turned away.
func (e *E2EE) answer(extra map[string]any) (answer any, refusal *Refusal) {
	if e == nil {
		return nil, nil
	}
	agreed, missing := e.negotiate(extra)
	if e.Answer != nil {
		return e.Answer(agreed), nil
	}
	if e.Required && missing != "" {
		return nil, &Refusal{Reason: proto.ErrURINotAuthorized, Message: proto.Short(missing)}
	}
	if agreed == nil {
		return nil, nil
	}
	return agreed, nil
}

// withE2EE returns what WELCOME.Details.authextra is with an answer.
func withE2EE(extra map[string]any, answer any) map[string]any {
	if answer == nil {
		return extra
	}
	out := map[string]any{}
	maps.Copy(out, extra)
	out[keyE2EE] = answer
	return out
}
