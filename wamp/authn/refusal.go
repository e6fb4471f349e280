package authn

import (
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// RefusalKind tells why a login was refused.
type RefusalKind uint8

// The kinds of refusals.
const (
	// NotAuthorized means that the router does not say more than that.
	NotAuthorized RefusalKind = iota
	// WrongCredentials means that the password, ticket, signature or key is wrong.
	WrongCredentials
	// NoSuchPrincipal means that nobody is known by this authid, key or certificate.
	NoSuchPrincipal
	// NoCommonMethod means that the router wants another method.
	NoCommonMethod
	// NoSuchRealm means that the realm does not exist.
	NoSuchRealm
	// NoSuchRole means that the role does not exist.
	NoSuchRole
	// Forbidden means that the router knows the client and a rule forbids the login.
	Forbidden
)

var refusalNames = [...]string{
	NotAuthorized: "not authorized", WrongCredentials: "wrong credentials", NoSuchPrincipal: "no such principal",
	NoCommonMethod: "no authentication method in common", NoSuchRealm: "no such realm", NoSuchRole: "no such role",
	Forbidden: "forbidden by policy",
}

// String returns the name of the kind.
func (k RefusalKind) String() string {
	if int(k) < len(refusalNames) {
		return refusalNames[k]
	}
	return "unknown"
}

// Refusal reports an ABORT that refuses a login.
type Refusal struct {
	// Kind is read from the URI and, where that does not tell, from the message.
	Kind RefusalKind
	// URI and Message are those of the ABORT.
	URI, Message string
}

func (r *Refusal) Error() string {
	s := "login refused: " + r.Kind.String() + " (" + proto.Short(r.URI) + ")"
	if r.Message != "" {
		s += ": " + proto.Short(r.Message)
	}
	return s
}

var refusalURIs = map[string]RefusalKind{
	proto.ErrURINotAuthorized:          NotAuthorized,
	proto.ErrURIAuthenticationRequired: NotAuthorized,
	proto.ErrURIAuthenticationFailed:   WrongCredentials,
	proto.ErrURIAuthenticationDenied:   WrongCredentials,
	proto.ErrURINoSuchPrincipal:        NoSuchPrincipal,
	proto.ErrURINoAuthMethod:           NoCommonMethod,
	proto.ErrURINoMatchingAuthMethod:   NoCommonMethod,
	proto.ErrURINoSuchRealm:            NoSuchRealm,
	proto.ErrURINoSuchRole:             NoSuchRole,
	proto.ErrURIAuthorizationDenied:    Forbidden,
	proto.ErrURIAuthorizationRequired:  Forbidden,
	proto.ErrURIAuthorizationFailed:    Forbidden,
}

// What routers write into the message of an ABORT whose URI says nothing; in
// lower case. Crossbar's, where no other is named.
var refusalTexts = []struct {
	text string
	kind RefusalKind
}{
	{"no principal", NoSuchPrincipal},
	{"no such principal", NoSuchPrincipal},
	{"invalid authmethod", NoCommonMethod},
	{"any of the offered authmethods", NoCommonMethod},
	{"no realm", NoSuchRealm},
	{"no such realm", NoSuchRealm},
	{"no role", NoSuchRole},
	{"no such role", NoSuchRole},
	{"signature is invalid", WrongCredentials},
	{"invalid signature", WrongCredentials},
	{"authentication is invalid", WrongCredentials}, // ticket
	{"authentication failed", WrongCredentials},     // SCRAM
	{"does not match any one of authorized_keys", WrongCredentials},
	{"not a hex encoded string", WrongCredentials},
}

// NewRefusal returns the refusal of an ABORT that came before WELCOME, or nil if
// the ABORT is not about the login.
func NewRefusal(uri, message string) *Refusal {
	kind, ok := refusalURIs[uri]
	if !ok {
		return nil
	}
	if kind == NotAuthorized {
		text := strings.ToLower(message)
		for _, t := range refusalTexts {
			if strings.Contains(text, t.text) {
				kind = t.kind
				break
			}
		}
	}
	return &Refusal{kind, uri, message}
}
