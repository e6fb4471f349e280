package wamp_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestConnectDetails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roles := wamptest.FeaturesWithout(proto.CallTimeout)
		r := wamptest.NewRouter(t, wamptest.WithFeatures(roles), wamptest.WithLogins(wamptest.LoginFunc("anonymous", func(req wamptest.LoginRequest) wamptest.LoginStep {
			if req.Details.Str("agent") != "tester" {
				return wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "agent"}}
			}
			return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe", AuthRole: "admin", Provider: "static", Extra: map[string]any{"floor": 3}}}
		})))
		s := join(t, r, wamp.WithAgent("tester"), wamp.WithSerializers(codec.MsgPack))
		d := s.Details()
		if len(r.Sessions()) != 1 || d.Session != r.Sessions()[0].ID || s.ID() != d.Session || !d.Session.Valid() {
			t.Errorf("session %d", d.Session)
		}
		if d.Realm != "realm1" || d.AuthID != "joe" || d.AuthRole != "admin" || d.AuthMethod != "anonymous" || d.AuthProvider != "static" ||
			!reflect.DeepEqual(d.AuthExtra, map[string]any{"floor": int64(3)}) || d.Agent != "wamptest" || d.Protocol != "wamp.2.msgpack" {
			t.Errorf("%+v", d)
		}
		if !d.Roles.Has(proto.Broker) || !d.Roles.Has(proto.Dealer) || d.Roles != roles {
			t.Errorf("roles %v, want %v", d.Roles.Dict(), roles.Dict())
		}
		if d.Roles.Features(proto.Dealer).Has(proto.CallTimeout) || !d.Roles.Features(proto.Dealer).Has(proto.CallCanceling) {
			t.Errorf("features %v", d.Roles.Features(proto.Dealer).Names())
		}
		if d.Welcome.Str("authid") != "joe" {
			t.Errorf("WELCOME %v", d.Welcome.Map())
		}
		if s.Err() != nil || s.Context().Err() != nil {
			t.Error(s.Err())
		}
	})
}

func TestLoginTicket(t *testing.T) {
	lookup := func(authid, realm string) (ticket, role string, ok bool) {
		return "secret!!", "member", authid == "joe" && realm == "realm1"
	}
	vault := errors.New("the vault is shut")
	asked := 0
	provider := func(ticket string, err error) authn.Provider {
		return func(_ context.Context, r authn.Request) (string, error) {
			asked++
			if r.Method != "ticket" || r.AuthID != "joe" || r.Realm != "realm1" || r.Rejoin != 0 {
				return "", errors.New("asked for something else")
			}
			return ticket, err
		}
	}
	for _, tt := range []struct {
		name   string
		auth   authn.Authenticator
		logins []wamptest.Login
		check  func(err error) bool // nil: it succeeds
	}{
		{"right", authn.Ticket("joe", "secret!!"), nil, nil},
		{"from a provider", authn.Ticket("joe", provider("secret!!", nil)), nil, nil},
		{"wrong", authn.Ticket("joe", "guess!!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrAuthenticationFailed) }},
		{"nobody", authn.Ticket("jane", "secret!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoSuchPrincipal) }},
		{"the provider fails", authn.Ticket("joe", provider("", vault)), nil, func(err error) bool {
			var login *wamp.LoginError
			return errors.As(err, &login) && errors.Is(err, vault)
		}},
		{"not accepted", authn.Ticket("joe", "secret!!"), []wamptest.Login{wamptest.Anonymous()}, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous, not accepted", authn.Anonymous(), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous by default, not accepted", nil, nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logins := tt.logins
				if logins == nil {
					logins = []wamptest.Login{wamptest.Ticket(lookup)}
				}
				var log strings.Builder
				r := wamptest.NewRouter(t, wamptest.WithLogins(logins...))
				options := []wamp.Option{wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth),
					wamp.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))}
				s, err := wamp.Connect(t.Context(), "", "realm1", options...)
				if tt.check == nil {
					if err != nil {
						t.Fatal(err)
					}
					if d := s.Details(); d.AuthID != "joe" || d.AuthRole != "member" || d.AuthMethod != "ticket" {
						t.Errorf("%+v", d)
					}
					closeIt(t, s)
				} else if err == nil || !tt.check(err) {
					t.Errorf("%v", err)
				}
				for _, secret := range []string{"secret!!", "guess!!!"} {
					if strings.Contains(log.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("the ticket is told: %v, %s", err, log.String())
					}
				}
				synctest.Wait()
				if links := r.Stats().Links; links != 0 {
					t.Errorf("%d links are left", links)
				}
			})
		})
	}
	if asked != 2 {
		t.Errorf("providers were asked %d times", asked)
	}
	t.Run("over sockets", func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Ticket(lookup)))
		overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) {
			s := connect(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "secret!!")))...)
			if d := s.Details(); d.AuthID != "joe" || d.AuthMethod != "ticket" {
				t.Errorf("%+v", d)
			}
			if err := fails(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "guess!!!")))...); !errors.Is(err, wamp.ErrAuthenticationFailed) {
				t.Errorf("wrong: %v", err)
			}
		})
	})
}
