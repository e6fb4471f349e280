package wamptest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Login is the accepting side of one login method. There is one for each
// method of package authn; LoginFunc makes any other, also one that attacks.
// Its functions run inside of the router: they must not wait, and must not call
// the router. A hook that answers with Hold makes a login slow.
type Login interface {
	// Method is the name as it stands in authmethods.
	Method() string
	// Begin looks at a HELLO that asked for the method.
	Begin(req LoginRequest) LoginStep
}

// LoginRequest is what a HELLO says of a login.
type LoginRequest struct {
	Realm, AuthID, AuthRole string
	// Session is the id that the session will have.
	Session proto.ID
	// Extra is HELLO.Details.authextra.
	Extra map[string]any
	// Details is all of HELLO.Details.
	Details proto.Dict
	// TLS is the state of the client's connection, nil without TLS.
	TLS *tls.ConnectionState
	// Header is that of the request of a WebSocket connection, else nil.
	Header http.Header
	// Remembered is as whom a client with the same cookie was let in last, nil
	// if there was none. It needs WithCookies.
	Remembered *Grant

	cert *x509.Certificate // the listener's
}

// Hello is the request as package authn has it.
func (q LoginRequest) Hello() authn.Hello {
	return authn.Hello{AuthID: q.AuthID, AuthRole: q.AuthRole, Extra: q.Extra}
}

// Binding returns the data of a channel binding of the client's connection, as
// SCRAM wants it. For cryptosign see ChannelID.
func (q LoginRequest) Binding(b authn.Binding) ([]byte, error) {
	if b == authn.TLSServerEndPoint && q.cert != nil {
		return accept.EndPoint(q.cert), nil
	}
	return authn.BindingData(q.TLS, b)
}

// ChannelID returns what cryptosign binds with to the client's connection.
func (q LoginRequest) ChannelID(b authn.Binding) ([]byte, error) { return authn.ChannelID(q.TLS, b) }

// LoginStep is what the router does next in a login; exactly one of Grant,
// Refuse, Challenge and Pass says what.
type LoginStep struct {
	// Grant lets the client in.
	Grant *Grant
	// Refuse turns the client away.
	Refuse *Refusal
	// Challenge asks the client, Next looks at its answer.
	Challenge map[string]any
	Next      func(authn.Response) LoginStep
	// Pass goes on to the next method of the client that is accepted. Only
	// Begin may say so.
	Pass bool
}

// Grant says as whom a client is let in.
type Grant struct {
	AuthID, AuthRole string
	// Method is WELCOME.Details.authmethod, that of the Login if it is empty.
	Method string
	// Provider is WELCOME.Details.authprovider, "static" if it is empty.
	Provider string
	// Extra is WELCOME.Details.authextra if it is not nil.
	Extra map[string]any
}

// Refusal is the ABORT that a client gets.
type Refusal struct {
	// Reason is a URI, wamp.error.authentication_failed if it is empty.
	Reason string
	// Message is ABORT.Details.message.
	Message string
	// Details are further ABORT.Details.
	Details proto.Dict
}

// Anonymous lets everybody in, with the role "anonymous".
func Anonymous() Login {
	return loginFunc{"anonymous", func(req LoginRequest) LoginStep {
		g := &Grant{AuthID: req.AuthID, AuthRole: "anonymous"}
		if g.AuthID == "" {
			g.AuthID = "anonymous-" + strconv.FormatUint(uint64(req.Session), 36)
		}
		return LoginStep{Grant: g}
	}}
}

// LoginFunc returns a login of the given method made of one function.
func LoginFunc(method string, begin func(req LoginRequest) LoginStep) Login {
	return loginFunc{method, begin}
}

type loginFunc struct {
	method string
	begin  func(LoginRequest) LoginStep
}

// Method implements Login.
func (l loginFunc) Method() string { return l.method }

// Begin implements Login.
func (l loginFunc) Begin(req LoginRequest) LoginStep { return l.begin(req) }

// login is a login that is under way on a link. Actor only.
type login struct {
	session *session
	next    func(authn.Response) LoginStep
}

// hello begins a session.
func (r *Router) hello(l *link, m *proto.Message) {
	l.state = proto.StateJoining
	if time.Now().Before(r.refused.until) || takeOne(&r.refused.joins) {
		r.turnAway(l, Refusal{Reason: r.refused.reason, Message: r.refused.message})
		return
	}
	roles := proto.ParseRoles(m.Options)
	if !slices.ContainsFunc([]proto.Role{proto.Publisher, proto.Subscriber, proto.Caller, proto.Callee}, roles.Has) {
		r.violation(l, "HELLO without a role")
		return
	}
	if proto.CheckURI(m.URI) != nil || len(r.cfg.realms) > 0 && !slices.Contains(r.cfg.realms, m.URI) {
		r.turnAway(l, Refusal{Reason: proto.ErrURINoSuchRealm, Message: "there is no realm " + strconv.Quote(m.URI)})
		return
	}
	methods, refusal := r.chooseLogins(m.Options)
	if len(methods) == 0 {
		r.turnAway(l, refusal)
		return
	}
	s := &session{
		id: r.newID(func(id proto.ID) bool { return r.sessions[id] != nil }), link: l, roles: roles,
		realm: r.realm(m.URI), subscriptions: map[proto.ID]*subscription{}, registrations: map[proto.ID]*registration{},
		calls: map[proto.ID]*call{}, invocations: map[proto.ID]*invocation{},
	}
	l.login = &login{session: s}
	req := LoginRequest{
		Realm: m.URI, AuthID: m.Options.Str(proto.KeyAuthID), AuthRole: m.Options.Str(proto.KeyAuthRole), Session: s.id,
		Extra: m.Options.Dict(proto.KeyAuthExtra), Details: m.Options, TLS: l.conn.TLS(), Header: l.origin.header, cert: l.origin.cert,
	}
	var refused *Refusal
	if s.e2ee, refused = r.cfg.e2ee.answer(req.Extra); refused != nil {
		r.turnAway(l, *refused)
		return
	}
	if g, ok := r.cookies[l.origin.cookie]; ok {
		req.Remembered = &g
	}
	for _, method := range methods {
		s.method = method.Method()
		if step := method.Begin(req); !step.Pass {
			r.loginStep(l, step)
			return
		}
	}
	r.turnAway(l, r.noMethod("none of the authmethods fits"))
}

// noMethod is the refusal of a client none of whose methods will do.
func (r *Router) noMethod(message string) Refusal {
	if r.cfg.crossbar {
		return Refusal{Reason: proto.ErrURINoAuthMethod, Message: message}
	}
	return Refusal{Reason: proto.ErrURINoMatchingAuthMethod, Message: message}
}

// crossbarMethods are the methods whose names Crossbar knows.
var crossbarMethods = []string{"anonymous", "ticket", "wampcra", "scram", "cryptosign", "tls", "cookie"}

// chooseLogins returns the methods of the client that are accepted, in its
// order. A client that names none is anonymous. Crossbar turns away who names
// a method that it has not heard of before one that it accepts.
func (r *Router) chooseLogins(details proto.Dict) (methods []Login, refusal Refusal) {
	v, _ := details.Get(proto.KeyAuthMethods)
	wanted, _ := v.([]any)
	if len(wanted) == 0 {
		wanted = []any{"anonymous"}
	}
	for _, w := range wanted {
		i := slices.IndexFunc(r.cfg.logins, func(l Login) bool { return l.Method() == w })
		if i >= 0 {
			methods = append(methods, r.cfg.logins[i])
			continue
		}
		if name, _ := w.(string); r.cfg.crossbar && !slices.Contains(crossbarMethods, name) {
			return methods, Refusal{Reason: proto.ErrURINotAuthorized, Message: "invalid authmethod " + strconv.Quote(name)}
		}
	}
	return methods, r.noMethod("none of the authmethods is accepted")
}

// realm returns a realm and makes it if it is not there yet.
func (r *Router) realm(name string) *realm {
	re := r.realms[name]
	if re == nil {
		re = &realm{name: name, broker: newBroker(r), dealer: newDealer(r)}
		r.realms[name] = re
	}
	return re
}

// authenticate takes the answer to a challenge.
func (r *Router) authenticate(l *link, m *proto.Message) {
	next := l.login.next
	l.state = proto.StateJoining
	r.loginStep(l, next(authn.Response{Signature: m.Text, Extra: m.Options.Map()}))
}

// loginStep does the next step of a login.
func (r *Router) loginStep(l *link, step LoginStep) {
	switch {
	case step.Grant != nil:
		r.welcome(l, *step.Grant)
	case step.Next != nil:
		l.login.next = step.Next
		l.state = proto.StateChallenged
		_ = r.send(l, &proto.Message{Type: proto.Challenge, Text: l.login.session.method, Options: dictOf(step.Challenge)}, nil)
	default:
		refusal := Refusal{Message: "the login was refused"}
		if step.Refuse != nil {
			refusal = *step.Refuse
		}
		if r.cfg.crossbar && (refusal.Reason == "" || refusal.Reason == proto.ErrURINoSuchPrincipal) {
			refusal.Reason = proto.ErrURINotAuthorized
		}
		r.turnAway(l, refusal)
	}
}

// turnAway refuses a login, with an ABORT if it is not lost.
func (r *Router) turnAway(l *link, refusal Refusal) {
	if refusal.Reason == "" {
		refusal.Reason = proto.ErrURIAuthenticationFailed
	}
	details := append(proto.Dict{{Key: proto.KeyMessage, Value: refusal.Message}}, refusal.Details...)
	if !r.cfg.lostAborts {
		_ = r.send(l, &proto.Message{Type: proto.Abort, URI: refusal.Reason, Options: details}, nil)
	}
	l.login = nil
	l.finish()
}

// welcome lets a client in.
func (r *Router) welcome(l *link, g Grant) {
	s := l.login.session
	l.login = nil
	s.grant = g
	l.session, l.state = s, proto.StateEstablished
	r.sessions[s.id] = s
	if g.Provider == "" {
		g.Provider = "static"
	}
	if g.Method == "" {
		g.Method = s.method
	}
	if l.origin.cookie != "" && s.method != methodCookie && s.method != "anonymous" {
		r.cookies[l.origin.cookie] = g
	}
	details := proto.Dict{
		{Key: proto.KeyRoles, Value: r.cfg.announced.Dict()},
		{Key: proto.KeyAgent, Value: "wamptest"},
		{Key: proto.KeyRealm, Value: s.realm.name},
		{Key: proto.KeyAuthID, Value: g.AuthID},
		{Key: proto.KeyAuthRole, Value: g.AuthRole},
		{Key: proto.KeyAuthMethod, Value: g.Method},
		{Key: proto.KeyAuthProvider, Value: g.Provider},
	}
	if extra := withE2EE(g.Extra, s.e2ee); extra != nil {
		details = append(details, proto.Entry{Key: proto.KeyAuthExtra, Value: extra})
	}
	for _, e := range r.cfg.welcome {
		if _, odd := e.Value.(oddRoles); odd {
			e.Value = withNulls(r.cfg.announced.Dict())
		}
		details = details.With(e.Key, e.Value)
	}
	s.grant.Provider = g.Provider
	_ = r.send(l, &proto.Message{Type: proto.Welcome, ID: s.id, Options: details}, nil)
	s.realm.broker.tellJoined(s)
}

// withNulls adds a role and, to each role, a feature that are null.
func withNulls(roles map[string]any) map[string]any {
	for _, role := range roles {
		if r, ok := role.(map[string]any); ok {
			if features, ok := r["features"].(map[string]any); ok {
				features["x_odd"] = nil
			}
		}
	}
	roles["x_odd"] = nil
	return roles
}

// dictOf returns a map as a dict, its keys in order.
func dictOf(m map[string]any) proto.Dict {
	var d proto.Dict
	for k, v := range m {
		d = append(d, proto.Entry{Key: k, Value: v})
	}
	slices.SortFunc(d, func(a, b proto.Entry) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return d
}
