package wamp_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A ticket that is good for one join only: the provider is asked at each.
func TestLoginTicketRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		valid := "ticket-1"
		next := map[string]string{"ticket-1": "ticket-2", "ticket-2": "ticket-3", "ticket-3": "none"}
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Ticket(func(string, string) (string, string, bool) {
			now := valid
			valid = next[valid]
			return now, "user", true
		})))
		var rejoins []int
		tickets := []string{"ticket-1", "ticket-2", "ticket-3"}
		s := connect(t, "", wamp.WithTransport(r.Dial), wamp.WithReconnect(wamp.Backoff{}), wamp.WithAuth(authn.Ticket("joe",
			func(_ context.Context, q authn.Request) (string, error) {
				rejoins = append(rejoins, q.Rejoin)
				ticket := tickets[0]
				tickets = tickets[1:]
				return ticket, nil
			})))
		for range 2 {
			rejoined := nextJoin(t, s)
			r.Cut(s.Details().Session)
			if d := <-rejoined; d.AuthMethod != "ticket" {
				t.Fatalf("%+v", d)
			}
		}
		if len(rejoins) != 3 || rejoins[0] != 0 || rejoins[1] == 0 || rejoins[2] == 0 {
			t.Errorf("asked %v", rejoins)
		}
	})
}

// A key that is replaced in its file between two joins.
func TestLoginKeyFileRotates(t *testing.T) {
	path := writeKey(t, 1)
	var seen []byte
	r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Cryptosign(nil, func(_ string, key ed25519.PublicKey, _ string) (string, string, bool) {
		for b := byte(1); b < 4; b++ {
			if key.Equal(publicOf(b)) {
				seen = append(seen, b)
				return "joe", "user", true
			}
		}
		return "", "", false
	})))
	s := connect(t, "", wamp.WithTransport(r.Dial), wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}), wamp.WithAuth(must(t)(authn.CryptosignFile("", path))))
	for b := byte(2); b < 4; b++ {
		if err := os.Rename(writeKey(t, b), path); err != nil {
			t.Fatal(err)
		}
		rejoined := nextJoin(t, s)
		r.Cut(s.Details().Session)
		if d := <-rejoined; d.AuthMethod != "cryptosign" {
			t.Fatalf("%+v", d)
		}
	}
	if string(seen) != "\x01\x02\x03" {
		t.Errorf("keys %v", seen)
	}
}

// InTurn: for a router that aborts at the first name it does not know.
func TestLoginInTurn(t *testing.T) {
	unknown := func(method string) wamptest.Login {
		return wamptest.LoginFunc(method, func(wamptest.LoginRequest) wamptest.LoginStep {
			return wamptest.LoginStep{Refuse: &wamptest.Refusal{Reason: proto.ErrURINotAuthorized, Message: `invalid authmethod "` + method + `"`}}
		})
	}
	router := func(t *testing.T) (*wamptest.Router, *tap) {
		seen := new(tap)
		return wamptest.NewRouter(t, wamptest.WithHook(seen.hook), wamptest.WithLogins(unknown("wamp-scram"), unknown("tls"), craLogin(accept.CRASecret{Key: "s"}))), seen
	}
	scram, cra := authn.SCRAM("joe", "p"), authn.CRA("joe", "s")
	t.Run("Any is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := router(t)
			if err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.Any(scram, cra))); !as[*authn.Refusal](err) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("one after the other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, seen := router(t)
			s := connect(t, "", wamp.WithTransport(r.Dial), wamp.WithReconnect(wamp.Backoff{}), wamp.WithAuth(authn.InTurn(scram, authn.Anonymous(), cra)))
			if d := s.Details(); d.AuthMethod != "wampcra" {
				t.Errorf("%+v", d)
			}
			if got := len(seen.take(proto.Hello)); got != 3 {
				t.Errorf("%d HELLOs", got)
			}
			// later it begins with what worked
			rejoined := nextJoin(t, s)
			r.Cut(s.Details().Session)
			if d := <-rejoined; d.AuthMethod != "wampcra" {
				t.Errorf("%+v", d)
			}
			if got := len(seen.take(proto.Hello)); got != 1 {
				t.Errorf("%d HELLOs at the reconnect", got)
			}
		})
	})
	t.Run("all refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, seen := router(t)
			err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.InTurn(scram, authn.TLS(), authn.CRA("joe", "wrong"))))
			var turns *authn.TurnsError
			if !errors.As(err, &turns) || len(turns.Errs) != 3 || !errors.Is(err, wamp.ErrAuthenticationFailed) || !as[*authn.TransportError](err) {
				t.Errorf("%v", err)
			}
			if strings.Contains(err.Error(), "wrong\"") || strings.Count(err.Error(), "wamp: ") != 1 || len(seen.take(proto.Hello)) != 2 {
				t.Errorf("%v", err)
			}
			synctest.Wait()
			if st := r.Stats(); st.Links != 0 {
				t.Errorf("%d links are left", st.Links)
			}
		})
	})
	t.Run("a realm that is not there ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithRealms("other"))
			err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.InTurn(scram, cra)))
			if !errors.Is(err, wamp.ErrNoSuchRealm) || as[*authn.TurnsError](err) || r.Stats().Received[proto.Hello] != 1 {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("nothing, and nil", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			for _, auth := range []authn.Authenticator{authn.InTurn(), authn.InTurn(nil, cra)} {
				if err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(auth)); !as[*authn.ConfigError](err) {
					t.Errorf("%v", err)
				}
			}
		})
	})
}

// A provider that fails at a reconnect is a loss, not an end. Neither is a login
// that is refused after the session has been joined, until that is so for the
// fifth time, and for a minute.
func TestLoginProviderFailsAtReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")))
		asked := 0
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithReconnect(wamp.Backoff{}), wamp.WithAuth(authn.Ticket("joe",
			func(context.Context, authn.Request) (string, error) {
				switch asked++; asked {
				case 2, 3:
					return "", errors.New("the vault is down")
				case 6, 7, 8, 9:
					return "revoked", nil
				}
				if asked > 11 {
					return "revoked", nil
				}
				return "t", nil
			})))
		if err != nil {
			t.Fatal(err)
		}
		rejoined := nextJoin(t, s)
		r.Cut(s.Details().Session)
		if d := <-rejoined; d.AuthMethod != "ticket" || asked != 4 {
			t.Fatalf("%+v, asked %d times", d, asked)
		}
		for _, times := range []int{5, 10} { // the second time four refusals come first
			was := s.ID()
			r.Cut(was)
			for s.ID() == was {
				<-time.After(time.Second)
			}
			if asked != times {
				t.Errorf("asked %d times, want %d", asked, times)
			}
		}
		asked = 11
		start := time.Now()
		r.Cut(s.Details().Session)
		<-s.Done()
		if took := time.Since(start); asked < 11+5 || took < time.Minute || took > 3*time.Minute {
			t.Errorf("given up after %v and %d refusals", took, asked-11)
		}
		if err := s.Err(); !errors.Is(err, wamp.ErrAuthenticationFailed) || !as[*authn.Refusal](err) {
			t.Errorf("%v", err)
		}
	})
}

// An authenticator of the user's own: several rounds, with state between them.
func TestLoginCustom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.LoginFunc("two-factor", func(req wamptest.LoginRequest) wamptest.LoginStep {
			refuse := wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "no"}}
			return wamptest.LoginStep{Challenge: map[string]any{"ask": "password"}, Next: func(a authn.Response) wamptest.LoginStep {
				if a.Signature != "password!" {
					return refuse
				}
				return wamptest.LoginStep{Challenge: map[string]any{"ask": "code"}, Next: func(a authn.Response) wamptest.LoginStep {
					if a.Signature != "code!" || a.Extra["device"] != "d1" {
						return refuse
					}
					return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: req.AuthID, AuthRole: "user", Extra: map[string]any{"seen": "yes"}}}
				}}
			}}
		})))
		answer := func(_ context.Context, c authn.Challenge, q authn.Request) (authn.Response, error) {
			return authn.Response{Signature: c.Extra.Str("ask") + "!", Extra: map[string]any{"device": "d1"}}, nil
		}
		for _, rounds := range []int{1, 2} {
			auth := authn.Custom("two-factor", "joe", answer, authn.Rounds(rounds), authn.CheckWelcome(func(w authn.Welcome) error {
				if w.Details.Dict("authextra")["seen"] != "yes" {
					return errors.New("not seen")
				}
				return nil
			}))
			if rounds == 1 {
				if err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(auth)); !as[*authn.ChallengeError](err) {
					t.Errorf("%v", err)
				}
				continue
			}
			if d := connect(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(auth)).Details(); d.AuthMethod != "two-factor" || d.AuthID != "joe" {
				t.Errorf("%+v", d)
			}
		}
	})
}
