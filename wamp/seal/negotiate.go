package seal

import (
	"fmt"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Negotiator is a [Codec] that agrees with the router on how payloads are
// sealed, at each join, the first one and those after a reconnect. [Profile1] is
// one. A session with a Negotiator sends what it offers with the login, and asks
// it about the answer. What was agreed on belongs to the session: it is the
// codec that Agree has returned, until the next join. What was sealed before
// that is sent as it is. Offer and Agree have the time of a login (wamp.LoginTimeout);
// one that takes longer has failed it, and may still run when the next begins.
type Negotiator interface {
	Codec
	// Offer returns HELLO.Details.authextra.e2ee, or nil to send none. It is sent
	// beside what the login method has in authextra.
	Offer() map[string]any
	// Agree judges the answer, WELCOME.Details.authextra.e2ee, nil if there is
	// none. It must not change it, since the session's Details have it too. It
	// returns the codec of the session, nil for the Negotiator itself. An error
	// ends the join with ABORT; it counts as a login that was refused. A type that
	// embeds a Negotiator, to see what it seals, has to wrap what this returns too.
	Agree(answer any) (Codec, error)
}

// NegotiationError reports that a router's answer to an offer of end-to-end
// encryption will not do: there is none where [Required] asks for one, or what it
// says cannot be.
type NegotiationError struct {
	// Field is the key of WELCOME.Details.authextra.e2ee at fault, "" if it is the
	// answer itself.
	Field string
	// Problem says what is wrong with it.
	Problem string
}

func (e *NegotiationError) Error() string {
	field := "authextra.e2ee"
	if e.Field != "" {
		field += "." + e.Field
	}
	return prefix + "no end-to-end encryption: the router's " + field + " " + e.Problem
}

// The keys of an offer, and of an answer. Version is one of both.
const (
	keyVersion     = "version"
	keyRequired    = "required"
	keySchemes     = "schemes"
	keySerializers = "serializers"
	keyCiphers     = "ciphers"
	keyKeyIDs      = "key_ids"

	keyEstablished  = "established"
	keyScheme       = "scheme"
	keySerializer   = "serializer"
	keyCipher       = "cipher"
	keySendKeyID    = "send_key_id"
	keyReceiveKeyID = "receive_key_id"
)

// version is that of the profile.
const version = 1

// Offer implements [Negotiator]. The ids are those of the keys that seal, in
// their order.
func (p *Profile1) Offer() map[string]any {
	ids, ciphers := []string{}, []string{}
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for i := range p.keys {
		k := &p.keys[i]
		if k.OnlyOpen {
			continue
		}
		add(&ids, k.ID)
		if k.Cipher != "" {
			add(&ciphers, string(k.Cipher))
			continue
		}
		add(&ciphers, string(SecretBox))
		add(&ciphers, string(AES256GCM))
	}
	return map[string]any{keyVersion: version, keyRequired: p.required, keySchemes: []string{schemeProfile1},
		keySerializers: []string{serializer}, keyCiphers: ciphers, keyKeyIDs: ids}
}

// Agree implements [Negotiator]. The error is a [NegotiationError].
//
// An answer without established, or with false, agrees on nothing. It is refused
// where [Required] was given; else Agree returns nil, and the keys are chosen as
// without it. One that
// is established must name this scheme and serializer, a cipher and keys that
// there are, and no other version; a key that it leaves out, which it may do
// unless Required was given, is none.
//
// The cipher is what keys without one seal with, the first key of the answer
// seals where it is as specific as any other, and the second opens payloads that
// name no key. Patterns come first: a router cannot make a payload leave with
// another key than the most specific ones.
func (p *Profile1) Agree(answer any) (Codec, error) {
	if answer == nil {
		return p.none("", "is missing")
	}
	m, ok := answer.(map[string]any)
	if !ok {
		return nil, &NegotiationError{"", "is " + kindOf(answer) + ", and no dict"}
	}
	switch v := m[keyEstablished].(type) {
	case nil:
		return p.none(keyEstablished, "is missing")
	case bool:
		if !v {
			return p.none(keyEstablished, "is false")
		}
	default:
		return nil, &NegotiationError{keyEstablished, "is " + kindOf(v) + ", and no boolean"}
	}
	return p.established(m)
}

// none is the answer of a router with which nothing was agreed on.
func (p *Profile1) none(field, problem string) (Codec, error) {
	if p.required {
		return nil, &NegotiationError{field, problem + ", and it is required"}
	}
	return nil, nil
}

// established reads an answer that says what was agreed on.
func (p *Profile1) established(m map[string]any) (Codec, error) {
	if v, is := m[keyVersion]; is && v != nil {
		if n, ok := (proto.Dict{{Key: keyVersion, Value: v}}).Int(keyVersion); !ok || n != version {
			return nil, &NegotiationError{keyVersion, fmt.Sprintf("is %s, and not %d", shown(v), version)}
		}
	}
	a := &agreed{profile: p}
	for _, f := range []struct {
		key   string
		must  bool
		check func(value string) (problem string)
	}{
		{keyScheme, true, func(v string) string { return mustBe(v, schemeProfile1) }},
		{keySerializer, true, func(v string) string { return mustBe(v, serializer) }},
		{keyCipher, true, a.chooseCipher},
		{keySendKeyID, p.required, a.chooseSend},
		{keyReceiveKeyID, p.required, a.chooseReceive},
	} {
		problem := ""
		switch v := m[f.key].(type) {
		case nil:
			if f.must {
				problem = "is missing"
			}
		case string:
			problem = f.check(v)
		default:
			problem = "is " + kindOf(v) + ", and no text"
		}
		if problem != "" {
			return nil, &NegotiationError{f.key, problem}
		}
	}
	return a, nil
}

// shown is a value of a router's in an error.
func shown(v any) string { return proto.Short(fmt.Sprintf("%#v", v)) }

func mustBe(v, want string) string {
	if v != want {
		return fmt.Sprintf("is %s, and not %q", shown(v), want)
	}
	return ""
}

// kindOf says what a value is, in words of WAMP.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case []byte:
		return "bytes"
	case []any:
		return "a list"
	case map[string]any:
		return "a dict"
	case codec.Tag:
		return "a tag"
	}
	return "a number"
}

// agreed is a Profile1 for one session, from one join to the next.
type agreed struct {
	profile       *Profile1
	cipher        Cipher
	send, receive string // ids of keys, "" for none
}

// Format implements [fmt.Formatter], as Profile1 does.
func (a agreed) Format(f fmt.State, verb rune) { a.profile.Format(f, verb) }

func (a *agreed) chooseCipher(name string) string {
	a.cipher = Cipher(name)
	if !slices.Contains(a.profile.Offer()[keyCiphers].([]string), name) {
		return "is " + shown(name) + ", which was not offered"
	}
	return ""
}

// chooseSend looks for a key that seals, with the cipher of the answer.
func (a *agreed) chooseSend(id string) string {
	a.send = id
	problem := "is " + shown(id) + ", and there is no such key"
	for _, k := range a.profile.keys {
		switch {
		case k.ID != id:
		case k.OnlyOpen:
			problem = "is " + shown(id) + ", a key that only opens"
		case k.Cipher != "" && k.Cipher != a.cipher:
			problem = fmt.Sprintf("is %s, a key that does not seal with the cipher %s", shown(id), a.cipher)
		default:
			return ""
		}
	}
	return problem
}

func (a *agreed) chooseReceive(id string) string {
	a.receive = id
	if !slices.ContainsFunc(a.profile.keys, func(k Key) bool { return k.ID == id }) {
		return "is " + shown(id) + ", and there is no such key"
	}
	return ""
}

// Seal implements [Codec].
func (a *agreed) Seal(about About, p codec.Payload) (*Opaque, error) {
	return a.profile.seal(about, p, a.cipher, a.send)
}

// Open implements [Codec].
func (a *agreed) Open(about About, o *Opaque) (codec.Payload, error) {
	return a.profile.open(about, o, a.receive)
}

// Plain implements [Codec].
func (a *agreed) Plain(about About) error { return a.profile.Plain(about) }
