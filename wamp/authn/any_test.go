package authn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestAnyOffers(t *testing.T) {
	_, h := begin(t, authn.Any(
		authn.Cookie(), authn.SCRAM("joe", "p", authn.WithRole("user")),
		authn.Cryptosign("joe", seed(1), authn.RouterKey(public(seed(2)))), authn.CRA("joe", "p", authn.WithExtra(map[string]any{"device": "d1"})),
	), joe)
	if want := []string{"cookie", "wamp-scram", "cryptosign", "wampcra"}; !reflect.DeepEqual(h.Methods, want) || h.AuthID != "joe" || h.AuthRole != "user" {
		t.Errorf("%v", h)
	}
	for _, key := range []string{"nonce", "channel_binding", "pubkey", "challenge", "device"} {
		if _, ok := h.Extra[key]; !ok {
			t.Errorf("authextra.%s is missing", key)
		}
	}
}

func TestAnyAsksTheChosenMethod(t *testing.T) {
	var asked []string
	p := func(_ context.Context, r authn.Request) (string, error) {
		asked = append(asked, r.Method)
		return "password", nil
	}
	auth := authn.Any(authn.SCRAM("joe", p), authn.CRA("joe", p), authn.Ticket("joe", p))
	r := record(t, "password", cheap)
	for _, router := range []func(h authn.Hello) (acceptor, error){
		func(authn.Hello) (acceptor, error) { return ticketServer("password"), nil },
		func(authn.Hello) (acceptor, error) {
			return craServer{Secret: accept.CRASecret{Key: "password"}, Text: craText}, nil
		},
		func(h authn.Hello) (acceptor, error) { return accept.SCRAM(r, h, nil) },
	} {
		if err := login(t, auth, router); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"ticket", "wampcra", "wamp-scram"}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked for %v", asked)
	}
}

// WELCOME without a challenge: fine for what needs none, else refused.
func TestWelcomeWithoutChallenge(t *testing.T) {
	cra, ticket := authn.CRA("joe", "p"), authn.Ticket("joe", "p")
	ok := func(err error) bool { return err == nil }
	over := joe
	over.TLS = &tls.ConnectionState{}
	for _, tt := range []struct {
		name, method string
		auth         authn.Authenticator
		want         func(error) bool
	}{
		{"anonymous", "anonymous", authn.Anonymous(), ok},
		{"anonymous, router trusts the transport", "trusted", authn.Anonymous(), ok},
		{"tls", "tls", authn.TLS(), ok},
		{"tls, not said", "", authn.TLS(), ok},
		{"tls, let in as anybody", "anonymous", authn.TLS(), is[*authn.MethodError]},
		{"cookie", "cookie", authn.Cookie(), ok},
		{"cookie among others", "cookie", authn.Any(authn.Cookie(), cra), ok},
		{"cookie that stands for a ticket", "ticket", authn.Any(authn.Cookie(), cra), ok},
		{"anonymous among others", "anonymous", authn.Any(cra, authn.Anonymous()), ok},
		{"anonymous among others, not said", "", authn.Any(cra, authn.Anonymous()), ok},
		{"anonymous among others, another said", "wampcra", authn.Any(authn.Anonymous(), cra), is[*authn.RouterError]},
		{"not offered", "anonymous", authn.Any(cra, ticket), is[*authn.MethodError]},
		{"not said", "", authn.Any(cra, ticket), is[*authn.RouterError]},
		{"said, without a challenge", "ticket", authn.Any(cra, ticket), is[*authn.RouterError]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := begin(t, tt.auth, over)
			var d proto.Dict
			if tt.method != "" {
				d = dict("authmethod", tt.method)
			}
			if err := a.Welcome(authn.Welcome{Session: 1, Details: d}); !tt.want(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWrongConfigurations(t *testing.T) {
	client, _ := tlsPair(t, tls.VersionTLS13)
	info := joe
	info.TLS = &client
	answer := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
		return authn.Response{}, nil
	}
	for name, auth := range map[string]authn.Authenticator{
		"nothing": authn.Any(), "nil": authn.Any(nil), "the same twice": authn.Any(authn.CRA("joe", "p"), authn.CRA("joe", "q")),
		"two authids": authn.Any(authn.CRA("joe", "p"), authn.Ticket("jim", "q")), "two roles": authn.Any(authn.CRA("joe", "p", authn.WithRole("a")), authn.Ticket("joe", "q", authn.WithRole("b"))),
		"two values of a key":         authn.Any(authn.CRA("joe", "p", authn.WithExtra(map[string]any{"k": 1})), authn.Ticket("joe", "q", authn.WithExtra(map[string]any{"k": 2}))),
		"binding for one only, SCRAM": authn.Any(authn.SCRAM("joe", "p", authn.BindChannel(authn.TLSExporter)), authn.Cryptosign("joe", seed(1))),
		"binding for one only, sign":  authn.Any(authn.SCRAM("joe", "p"), authn.Cryptosign("joe", seed(1), authn.BindChannel(authn.TLSExporter))),
		"InTurn inside":               authn.Any(authn.InTurn(authn.Anonymous())), "empty InTurn": authn.InTurn(),
		"no authid, CRA": authn.CRA("", "p"), "no authid, SCRAM": authn.SCRAM("", "p"), "no authid, ticket": authn.Ticket("", "p"),
		"authid that cannot be prepared": authn.SCRAM("a\u0007", "p"), "custom without a name": authn.Custom("", "joe", answer), "custom without a function": authn.Custom("pin", "joe", nil),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := auth.Begin(t.Context(), info)
			if err == nil {
				var h authn.Hello
				err = a.Hello(&h)
			}
			if !is[*authn.ConfigError](err) {
				t.Errorf("%v", err)
			}
		})
	}
	_, h := begin(t, authn.Any(authn.SCRAM("joe", "p", authn.BindChannel(authn.TLSExporter)), authn.Cryptosign("joe", seed(1), authn.BindChannel(authn.TLSExporter))), info)
	if h.Extra["channel_binding"] != "tls-exporter" {
		t.Errorf("%v", h.Extra)
	}
	if _, err := authn.TLS().Begin(t.Context(), joe); !is[*authn.TransportError](err) || !errors.Is(err, authn.ErrUnusable) {
		t.Errorf("TLS without TLS: %v", err)
	}
	_, err := authn.Any(authn.TLS(), authn.Ticket("joe", "t")).Begin(t.Context(), authn.JoinInfo{})
	if !is[*authn.NoMethodError](err) || !is[*authn.TransportError](err) || !is[*authn.PlaintextError](err) {
		t.Errorf("nothing left: %v", err)
	}
}

func TestInTurn(t *testing.T) {
	a, b, c := authn.SCRAM("a", "p"), authn.CRA("b", "p"), authn.Anonymous()
	s := authn.InTurn(a, authn.InTurn(b, c))
	if got := s.Turns(); len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("%v", got)
	}
	if _, h := begin(t, s, joe); h.AuthID != "a" {
		t.Errorf("begins with %v", h)
	}
	for err, want := range map[error]bool{
		authn.NewRefusal("wamp.error.not_authorized", ""):                              true,
		authn.NewRefusal("wamp.error.no_such_realm", ""):                               false,
		authn.NewRefusal("wamp.error.authorization_denied", ""):                        false,
		authn.NewRefusal("wamp.error.authentication_failed", ""):                       true,
		fmt.Errorf("x: %w", &authn.PlaintextError{Method: "ticket"}):                   true,
		&authn.BindingError{Method: "cryptosign", Binding: authn.TLSUnique}:            true,
		&authn.BindingError{Method: "cryptosign", Router: true}:                        false,
		&authn.RouterError{Method: "wamp-scram"}:                                       false,
		&authn.CredentialError{Method: "ticket", Err: errors.New("the vault is down")}: false,
		errors.New("connection lost"):                                                  false,
	} {
		if got := authn.TryNext(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	if authn.TryNext(nil) {
		t.Error("nil")
	}
}

// The texts are Crossbar's, as it sent them.
func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		uri, message string
		want         authn.RefusalKind
	}{
		{"wamp.error.not_authorized", "ticket in static WAMP-Ticket authentication is invalid", authn.WrongCredentials},
		{"wamp.error.not_authorized", "WAMP-CRA client signature is invalid", authn.WrongCredentials},
		{"wamp.error.not_authorized", "SCRAM authentication failed", authn.WrongCredentials},
		{"wamp.error.not_authorized", "signed message has invalid signature", authn.WrongCredentials},
		{"wamp.error.not_authorized", "extra.pubkey provided does not match any one of authorized_keys for the principal", authn.WrongCredentials},
		{"wamp.error.not_authorized", `no principal with authid "nobody" exists`, authn.NoSuchPrincipal},
		{"wamp.error.not_authorized", "cannot identify client: no authid requested and no principal found for provided extra.pubkey", authn.NoSuchPrincipal},
		{"wamp.error.not_authorized", `invalid authmethod "wamp-scram"`, authn.NoCommonMethod},
		{"wamp.error.not_authorized", "something else", authn.NotAuthorized},
		{"wamp.error.not_authorized", "", authn.NotAuthorized},
		{"wamp.error.no_auth_method", "cannot authenticate [2] using any of the offered authmethods ['tls']", authn.NoCommonMethod},
		{"wamp.error.no_matching_auth_method", "", authn.NoCommonMethod},
		{"wamp.error.no_such_realm", `no realm "realm-none" exists on this router`, authn.NoSuchRealm},
		{"wamp.error.no_such_role", "", authn.NoSuchRole},
		{"wamp.error.no_such_principal", "", authn.NoSuchPrincipal},
		{"wamp.error.authentication_failed", "no principal", authn.WrongCredentials}, // the URI says enough
		{"wamp.error.authorization_denied", "", authn.Forbidden},
	} {
		r := authn.NewRefusal(tt.uri, tt.message)
		if r == nil || r.Kind != tt.want || r.URI != tt.uri || r.Message != tt.message {
			t.Errorf("%s %q: %v", tt.uri, tt.message, r)
		}
	}
	if r := authn.NewRefusal("wamp.error.protocol_violation", "no principal"); r != nil {
		t.Errorf("%v", r)
	}
	if s := authn.RefusalKind(99).String(); s != "unknown" {
		t.Error(s)
	}
}

func TestCustomRounds(t *testing.T) {
	checked := false
	auth := authn.Custom("pin", "joe", func(_ context.Context, c authn.Challenge, r authn.Request) (authn.Response, error) {
		if r.Challenge.Str("ask") != c.Extra.Str("ask") || r.Realm != "realm1" {
			t.Errorf("%+v", r)
		}
		return authn.Response{Signature: c.Extra.Str("ask") + "!"}, nil
	}, authn.Rounds(2), authn.CheckWelcome(func(w authn.Welcome) error {
		checked = true
		if w.Session != 1 {
			return errors.New("no")
		}
		return nil
	}))
	a, _ := begin(t, auth, joe)
	for _, ask := range []string{"pin", "code"} {
		if r, err := a.Challenge(t.Context(), authn.Challenge{Method: "pin", Extra: dict("ask", ask)}); err != nil || r.Signature != ask+"!" {
			t.Errorf("%q, %v", r.Signature, err)
		}
	}
	if err := a.Welcome(welcome(nil)); err != nil || !checked {
		t.Error(err)
	}
	if err := a.Welcome(authn.Welcome{Session: 2}); err == nil {
		t.Error("the look at WELCOME does not count")
	}
}

// One authenticator serves many joins at once; those that hash wait for each
// other only as long as they may.
func TestManyJoinsAtOnce(t *testing.T) {
	auth := authn.SCRAM("joe", "password", authn.WithLimits(authn.Limits{Parallel: 2}))
	r := record(t, "password", accept.SCRAMParams{Memory: 1 << 10, Iterations: 8})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := login(t, auth, func(h authn.Hello) (acceptor, error) { return accept.SCRAM(r, h, nil) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Who finds all turns taken hashes nothing, and waits as long as its ctx lives.
func TestHashingIsBounded(t *testing.T) {
	scram := record(t, "password", cheap)
	salted, err := accept.NewCRASecret("password", accept.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		auth   authn.Authenticator
		router func(authn.Hello) (acceptor, error)
	}{
		{authn.SCRAM("joe", "password"), func(h authn.Hello) (acceptor, error) { return accept.SCRAM(scram, h, nil) }},
		{authn.CRA("joe", "password"), func(authn.Hello) (acceptor, error) { return craServer{Secret: salted, Text: craText}, nil }},
	} {
		free := authn.Occupy(tt.auth)
		a, h := begin(t, tt.auth, joe)
		s, err := tt.router(h)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r, err := a.Challenge(ctx, s.Challenge())
		cancel()
		if !is[*authn.CredentialError](err) || !errors.Is(err, context.DeadlineExceeded) || r.Signature != "" {
			t.Errorf("%v: %v", tt.auth, err)
		}
		free()
		if err := login(t, tt.auth, tt.router); err != nil {
			t.Errorf("%v: %v", tt.auth, err)
		}
	}
}

// What a user sets as limits holds.
func TestLimits(t *testing.T) {
	weak := accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 10}
	router := func(h authn.Hello) (acceptor, error) { return accept.SCRAM(record(t, "p", weak), h, nil) }
	if err := login(t, authn.SCRAM("joe", "p"), router); !is[*authn.LimitError](err) {
		t.Errorf("by default: %v", err)
	}
	if err := login(t, authn.SCRAM("joe", "p", authn.WithLimits(authn.Limits{MinIterations: 1})), router); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if err := login(t, authn.SCRAM("joe", "p", authn.WithLimits(authn.Limits{MinIterations: 1, MaxIterations: 9})), router); !is[*authn.LimitError](err) {
		t.Errorf("forbidden: %v", err)
	}
	// RFC 9106's second choice and what libsodium calls moderate pass by default
	for _, p := range []accept.SCRAMParams{{}, {Memory: 256 << 10, Iterations: 3}} {
		if err := login(t, authn.SCRAM("joe", "p"), func(h authn.Hello) (acceptor, error) {
			return accept.SCRAM(record(t, "p", p), h, nil)
		}); err != nil {
			t.Error(err)
		}
	}
}
