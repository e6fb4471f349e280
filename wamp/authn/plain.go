package authn

import (
	"context"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Anonymous logs in as nobody in particular: the router assigns role and authid.
func Anonymous(options ...PlainOption) Authenticator {
	return newPlain("authn.Anonymous()", "anonymous", options)
}

// TLS logs in with the client certificate of the TLS connection (WAMP
// specification, section "TLS Certificate Authentication"). The certificate has
// to be in the [tls.Config] of the connection. A transport of the application's
// own has to report that it runs over TLS, so that TLS of [JoinInfo] is set.
func TLS(options ...PlainOption) Authenticator { return newPlain("authn.TLS()", "tls", options) }

// Cookie logs in with a cookie that the router set on an earlier connection
// (WAMP specification, section "Cookie-based Authentication"). The transport
// sends it: its HTTP client needs a cookie jar that lives as long as the
// session, over reconnects. The first connection needs another method, such as
// Any(Cookie(), Ticket(...)). A transport without HTTP has no cookies, and the
// router then chooses the other method.
func Cookie(options ...PlainOption) Authenticator {
	return newPlain("authn.Cookie()", "cookie", options)
}

func newPlain(name, method string, options []PlainOption) Authenticator {
	a := &plain{quiet: quiet{name}, method: method}
	for _, o := range options {
		o.plain(&a.cfg)
	}
	return a
}

// plain is a login without a challenge; being its own attempt it has no state.
type plain struct {
	quiet
	method string
	cfg    config
}

func (a *plain) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	if a.method == "tls" && info.TLS == nil {
		return nil, &TransportError{a.method, "the connection has no TLS"}
	}
	return a, ctx.Err()
}

func (a *plain) Hello(h *Hello) error {
	a.cfg.fill(h, "", a.method)
	return nil
}

func (a *plain) Challenge(_ context.Context, c Challenge) (Response, error) {
	if c.Method != a.method {
		return Response{}, &MethodError{clip(c.Method), []string{a.method}}
	}
	return Response{}, &ChallengeError{Method: a.method, Problem: "is unexpected: the method has none"}
}

// Welcome takes what comes, for a client that proves nothing has nothing to
// lose; and behind a cookie stands the method that it was got with. Only who
// wants to be known by a certificate is told when that was not looked at.
func (a *plain) Welcome(w Welcome) error {
	if m := w.Details.Str(proto.KeyAuthMethod); a.method == "tls" && m != "" && m != a.method {
		return &MethodError{clip(m), []string{a.method}}
	}
	return nil
}

// Ticket logs in with a ticket (WAMP specification, section "Ticket-based
// Authentication"): a password or a token that is sent as it is, and therefore
// over private connections only. See [JoinInfo] and [AllowPlaintext].
func Ticket[S Secret](authid string, ticket S, options ...TicketOption) Authenticator {
	a := &ticketAuth{quiet: quiet{fmt.Sprintf("authn.Ticket(%q)", authid)}, authid: authid, secret: sourceOf(ticket)}
	for _, o := range options {
		o.ticket(&a.cfg)
	}
	return a
}

type ticketAuth struct {
	quiet
	authid string
	secret source
	cfg    config
}

func (a *ticketAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	if a.authid == "" {
		return nil, &ConfigError{"ticket: the authid is empty"}
	}
	if !info.Private && !a.cfg.plaintext {
		return nil, &PlaintextError{"ticket"}
	}
	return &ticketAttempt{quiet: a.quiet, auth: a, request: request("ticket", a.authid, info)}, ctx.Err()
}

type ticketAttempt struct {
	quiet
	once
	auth    *ticketAuth
	request Request
}

func (t *ticketAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, "ticket")
	return nil
}

func (t *ticketAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	if err := t.challenged("ticket", c); err != nil {
		return Response{}, err
	}
	t.request.Challenge = c.Extra
	ticket, err := t.auth.secret.get(ctx, t.request)
	if err != nil {
		return Response{}, err
	}
	return Response{Signature: ticket}, nil
}

func (t *ticketAttempt) Welcome(Welcome) error { return t.welcomed("ticket") }

// once is the rule of a method with one round: exactly one CHALLENGE, of the
// method that was offered, before WELCOME.
type once struct{ done bool }

func (o *once) challenged(method string, c Challenge) error {
	switch {
	case c.Method != method:
		return &MethodError{clip(c.Method), []string{method}}
	case o.done:
		return &ChallengeError{Method: method, Problem: "is the second one"}
	}
	o.done = true
	return nil
}

func (o *once) welcomed(method string) error {
	if !o.done {
		return &RouterError{method, "let the client in without a challenge"}
	}
	return nil
}

func request(method, authid string, info JoinInfo) Request {
	return Request{Method: method, AuthID: authid, Realm: info.Realm, Rejoin: info.Rejoin}
}
