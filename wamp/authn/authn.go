package authn

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Authenticator logs sessions in. One value serves any number of sessions and
// joins at once; the state of one join is kept in its [Attempt].
type Authenticator interface {
	// Begin starts one join. ctx bounds Begin and the credential providers that
	// it asks.
	Begin(ctx context.Context, info JoinInfo) (Attempt, error)
}

// Attempt is one join: HELLO, any number of challenges, WELCOME. It is used by
// one goroutine, and no longer after WELCOME or an error.
type Attempt interface {
	// Hello fills in what HELLO says of the client.
	Hello(h *Hello) error
	// Challenge answers one CHALLENGE. An error ends the join with ABORT.
	Challenge(ctx context.Context, c Challenge) (Response, error)
	// Welcome checks the WELCOME. An error refuses the session with ABORT.
	Welcome(w Welcome) error
}

// JoinInfo tells an [Authenticator] about the connection of a join.
type JoinInfo struct {
	// Realm is the realm to be joined.
	Realm string
	// TLS is the state of the connection, nil without TLS.
	TLS *tls.ConnectionState
	// Private is true if nobody on the way can read the connection: TLS, a Unix
	// socket, loopback or memory. Secrets in the clear are sent only then.
	Private bool
	// Rejoin counts the joins of this session before this one.
	Rejoin int
}

// Hello is the part of HELLO.Details that an [Authenticator] may fill in.
type Hello struct {
	// Methods is HELLO.Details.authmethods, in order of preference.
	Methods []string
	// AuthID and AuthRole are sent if they are not empty.
	AuthID, AuthRole string
	// Extra is HELLO.Details.authextra, sent if it is not nil.
	Extra map[string]any
}

// Format implements [fmt.Formatter]. It writes who logs in and how, and the
// keys of Extra without their values, which may be secrets.
func (h Hello) Format(s fmt.State, v rune) { quiet{h.shown()}.Format(s, v) }

// MarshalText implements [encoding.TextMarshaler]. It returns what Format
// writes.
func (h Hello) MarshalText() ([]byte, error) { return []byte(h.shown()), nil }

func (h Hello) shown() string {
	return fmt.Sprintf("authn.Hello{%q %q %q %q}", h.Methods, h.AuthID, h.AuthRole, slices.Sorted(maps.Keys(h.Extra)))
}

// Challenge is a CHALLENGE message. The values of Extra are plain, as
// [proto.Dict] describes them.
type Challenge struct {
	Method string
	Extra  proto.Dict
}

// Response is an AUTHENTICATE message. Signature may be the secret itself, so
// nothing of a Response is printed.
type Response struct {
	Signature string
	Extra     map[string]any
}

// Format implements [fmt.Formatter]. It writes that there is a response, not
// what is in it.
func (Response) Format(s fmt.State, v rune) { quiet{"authn.Response{...}"}.Format(s, v) }

// MarshalText implements [encoding.TextMarshaler]. It returns what Format
// writes.
func (Response) MarshalText() ([]byte, error) { return []byte("authn.Response{...}"), nil }

// Welcome is a WELCOME message.
type Welcome struct {
	Session proto.ID
	Details proto.Dict
}
