package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A refusal is told apart whatever URI the router uses, its message is kept,
// and what is no refusal of a login is none.
func TestLoginRefusalKinds(t *testing.T) {
	for _, tt := range []struct {
		uri, message string
		want         authn.RefusalKind
	}{
		{proto.ErrURIAuthenticationFailed, "x", authn.WrongCredentials},
		{proto.ErrURIAuthenticationDenied, "x", authn.WrongCredentials},
		{proto.ErrURINoSuchPrincipal, "x", authn.NoSuchPrincipal},
		{proto.ErrURINoMatchingAuthMethod, "x", authn.NoCommonMethod},
		{proto.ErrURINoAuthMethod, "x", authn.NoCommonMethod},
		{proto.ErrURINoSuchRealm, "x", authn.NoSuchRealm},
		{proto.ErrURINoSuchRole, "x", authn.NoSuchRole},
		{proto.ErrURIAuthorizationDenied, "x", authn.Forbidden},
		{proto.ErrURINotAuthorized, "x", authn.NotAuthorized},
		{proto.ErrURINotAuthorized, `no principal with authid "joe" exists`, authn.NoSuchPrincipal},
		{proto.ErrURINotAuthorized, "WAMP-CRA client signature is invalid", authn.WrongCredentials},
		{proto.ErrURINotAuthorized, `invalid authmethod "wamp-scram"`, authn.NoCommonMethod},
	} {
		t.Run(tt.uri+" "+tt.message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.LoginFunc("wampcra", func(wamptest.LoginRequest) wamptest.LoginStep {
					return wamptest.LoginStep{Refuse: &wamptest.Refusal{Reason: tt.uri, Message: tt.message}}
				})))
				err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.CRA("joe", "s")))
				var refusal *authn.Refusal
				if !errors.As(err, &refusal) || refusal.Kind != tt.want || refusal.URI != tt.uri || refusal.Message != tt.message {
					t.Errorf("%v", err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		r.Refuse(1, "com.example.busy")
		err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.Anonymous()))
		if !as[*wamp.AbortError](err) || as[*authn.Refusal](err) {
			t.Errorf("%v", err)
		}
	})
}

// What an accepting side may look at beside HELLO.
func TestLoginSeesTheConnection(t *testing.T) {
	seen := make(chan wamptest.LoginRequest, 1)
	r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.LoginFunc("anonymous", func(req wamptest.LoginRequest) wamptest.LoginStep {
		seen <- req
		return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe"}}
	})))
	for where, secure := range map[string]bool{"ws": false, "wss": true, "tcp": false, "tcps": true, "memory": false} {
		address, options := place(t, r, where, noIdentity, 0)
		connect(t, address, append(options, wamp.WithHeader("X-Token", "abc"))...)
		req := <-seen
		if web := strings.HasPrefix(where, "ws"); req.Header.Get("X-Token") == "abc" != web {
			t.Errorf("%s: header %v", where, req.Header)
		}
		for _, b := range []authn.Binding{authn.TLSExporter, authn.TLSServerEndPoint} {
			if data, err := req.Binding(b); (err == nil && len(data) == 32) != secure {
				t.Errorf("%s: %s: %x, %v", where, b, data, err)
			}
		}
		if id, err := req.ChannelID(authn.TLSExporter); (err == nil && len(id) == 32) != secure || (req.TLS != nil) != secure {
			t.Errorf("%s: %x, %v", where, id, err)
		}
	}
}

// Who does not exist is asked like everybody, and refused like everybody who
// has the wrong password; the right one of a record that counts for nobody does
// not let in.
func TestLoginMockRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		params := accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.SCRAM(func(authid, _ string) (accept.SCRAMRecord, string, bool) {
			if authid == "jim" {
				record, err := accept.NewSCRAMRecord("password", params)
				if err != nil {
					t.Error(err)
				}
				return record, "", false
			}
			record, err := accept.MockSCRAMRecord(authid, []byte("the router's"), params)
			if err != nil {
				t.Error(err)
			}
			return record, "", false
		})))
		for _, authid := range []string{"joe", "jim"} {
			err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.SCRAM(authid, "password")))
			var abort *wamp.AbortError
			if !errors.As(err, &abort) || !errors.Is(err, wamp.ErrAuthenticationFailed) || abort.Details.Str("scram") != "invalid-proof" {
				t.Errorf("%s: %v", authid, err)
			}
		}
	})
}

// The rounds of a login have an end, whatever the method allows.
func TestLoginRoundsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		var again func(authn.Response) wamptest.LoginStep
		again = func(authn.Response) wamptest.LoginStep {
			rounds++
			return wamptest.LoginStep{Challenge: map[string]any{}, Next: again}
		}
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.LoginFunc("pin", func(wamptest.LoginRequest) wamptest.LoginStep { return again(authn.Response{}) })))
		answer := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
			return authn.Response{Signature: "x"}, nil
		}
		err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.Custom("pin", "joe", answer, authn.Rounds(1<<20))))
		synctest.Wait()
		if !as[*wamp.ProtocolError](err) || rounds > 20 {
			t.Errorf("after %d rounds: %v", rounds, err)
		}
	})
}
