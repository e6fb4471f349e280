package wamptest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// bubble runs f in fake time with a router.
func bubble(t *testing.T, f func(t *testing.T, r *wamptest.Router), o ...wamptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, wamptest.NewRouter(t, o...)) })
}

func TestWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := dial(t, r.Dial, "json")
		w := c.hello("realm1", proto.Entry{Key: "roles", Value: roles()}, proto.Entry{Key: "authid", Value: "joe"})
		for key, want := range map[string]string{
			"realm": "realm1", "authid": "joe", "authrole": "anonymous", "authmethod": "anonymous", "agent": "wamptest",
		} {
			if got := w.Options.Str(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		got, want := proto.ParseRoles(w.Options), wamptest.Features()
		if got != want {
			t.Errorf("roles are %v, want %v", got.Dict(), want.Dict())
		}
		if info := r.Sessions(); len(info) != 1 || info[0].ID != w.ID || info[0].AuthID != "joe" || info[0].Protocol.Name != "wamp.2.json" {
			t.Errorf("sessions: %+v", info)
		}
	})
}

func TestAuthIDIsMade(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		info := r.Sessions()
		if a.id == b.id || info[0].AuthID == info[1].AuthID || info[0].AuthID == "" {
			t.Errorf("%+v", info)
		}
	})
}

func TestRefusedJoins(t *testing.T) {
	all := proto.Entry{Key: "roles", Value: roles()}
	for name, c := range map[string]struct {
		realm   string
		details proto.Dict
		reason  string
	}{
		"unknown realm": {"other", proto.Dict{all}, proto.ErrURINoSuchRealm},
		"broken realm":  {"a..b", proto.Dict{all}, proto.ErrURINoSuchRealm},
		"no roles":      {"realm1", nil, proto.ErrURIProtocolViolation},
		"router's role": {"realm1", options("roles", dict{"broker": dict{}}), proto.ErrURIProtocolViolation},
		"no such login": {"realm1", append(options("authmethods", []string{"cookie"}), all), proto.ErrURINoMatchingAuthMethod},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				cl := dial(t, r.Dial, "cbor")
				cl.send(&proto.Message{Type: proto.Hello, URI: c.realm, Options: c.details})
				if m := cl.expectAbort(c.reason); m.Options.Str("message") == "" {
					t.Error("it does not say why")
				}
				synctest.Wait()
				if s := r.Stats(); s.Links != 0 || s.Sessions != 0 {
					t.Errorf("left: %+v", s)
				}
			}, wamptest.WithRealms("realm1"))
		})
	}
}

func lookup(authid, realm string) (ticket, role string, ok bool) {
	return "secret-" + realm, "user", authid == "joe"
}

func TestTicket(t *testing.T) {
	for name, c := range map[string]struct{ authid, ticket, reason string }{
		"right":         {"joe", "secret-realm1", ""},
		"wrong ticket":  {"joe", "secret", proto.ErrURIAuthenticationFailed},
		"empty ticket":  {"joe", "", proto.ErrURIAuthenticationFailed},
		"unknown":       {"jim", "secret-realm1", proto.ErrURINoSuchPrincipal},
		"authid absent": {"", "secret-realm1", proto.ErrURINoSuchPrincipal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				cl := dial(t, r.Dial, "msgpack")
				details := options("roles", roles(), "authmethods", []string{"cookie", "ticket", "anonymous"})
				if c.authid != "" {
					details = details.With("authid", c.authid)
				}
				cl.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: details})
				if m := cl.expect(proto.Challenge); m.Text != "ticket" {
					t.Fatalf("challenged by %q", m.Text)
				}
				cl.send(&proto.Message{Type: proto.Authenticate, Text: c.ticket})
				if c.reason != "" {
					cl.expectAbort(c.reason)
					return
				}
				if m := cl.expect(proto.Welcome); m.Options.Str("authrole") != "user" || m.Options.Str("authmethod") != "ticket" {
					t.Error(m.Options.Map())
				}
			}, wamptest.WithLogins(wamptest.Ticket(lookup), wamptest.Anonymous()))
		})
	}
}

func TestAnonymousIsNotAccepted(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		cl := dial(t, r.Dial, "cbor")
		cl.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
		cl.expectAbort(proto.ErrURINoMatchingAuthMethod)
	}, wamptest.WithLogins(wamptest.Ticket(lookup)))
}

func TestLoginOfSeveralRounds(t *testing.T) {
	second := func(answer authn.Response) wamptest.LoginStep {
		if answer.Signature != "2" {
			return wamptest.LoginStep{Refuse: &wamptest.Refusal{Reason: "com.example.no", Details: options("hint", "two")}}
		}
		return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "x", AuthRole: "y", Extra: dict{"verifier": "v"}, Provider: "p"}}
	}
	login := wamptest.LoginFunc("counting", func(req wamptest.LoginRequest) wamptest.LoginStep {
		if req.Extra["start"] != "here" {
			return wamptest.LoginStep{}
		}
		return wamptest.LoginStep{Challenge: dict{"n": 1, "a": true}, Next: func(answer authn.Response) wamptest.LoginStep {
			return wamptest.LoginStep{Challenge: dict{"n": 2}, Next: second}
		}}
	})
	hello := func(c *client, extra dict) {
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1",
			Options: options("roles", roles(), "authmethods", []string{"counting"}, "authextra", extra)})
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := dial(t, r.Dial, "cbor")
		hello(c, dict{"start": "here"})
		for i := int64(1); i <= 2; i++ {
			if n, _ := c.expect(proto.Challenge).Options.Int("n"); n != i {
				t.Fatalf("round %d", n)
			}
			c.send(&proto.Message{Type: proto.Authenticate, Text: string('0' + rune(i))})
		}
		w := c.expect(proto.Welcome)
		if w.Options.Dict("authextra")["verifier"] != "v" || w.Options.Str("authprovider") != "p" {
			t.Error(w.Options.Map())
		}
		d := dial(t, r.Dial, "cbor")
		hello(d, dict{"start": "here"})
		d.expect(proto.Challenge)
		d.send(&proto.Message{Type: proto.Authenticate, Text: "1"})
		d.expect(proto.Challenge)
		d.send(&proto.Message{Type: proto.Authenticate, Text: "3"})
		if m := d.expectAbort("com.example.no"); m.Options.Str("hint") != "two" {
			t.Error(m.Options.Map())
		}
		e := dial(t, r.Dial, "cbor")
		hello(e, nil)
		e.expectAbort(proto.ErrURIAuthenticationFailed)
	}, wamptest.WithLogins(login))
}

func TestGoodbyeOfClient(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.subscribe("com.example.topic")
		c.register("com.example.proc")
		c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		if m := c.expect(proto.Goodbye); m.URI != proto.CloseURIGoodbyeAndOut {
			t.Error(m.URI)
		}
		if s := r.Stats(); s.Sessions != 0 || !s.Idle() || s.Links != 1 {
			t.Errorf("left: %+v", s)
		}
		first := c.id
		c.hello("realm2", proto.Entry{Key: "roles", Value: roles()}) // the connection may be used again
		if c.id == first {
			t.Error("the session has the old id")
		}
		c.subscribe("com.example.topic")
		_ = c.conn.Close(t.Context())
		synctest.Wait()
		if s := r.Stats(); s.Sessions != 0 || !s.Idle() || s.Links != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestGoodbyeOfRouter(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b, other := join(t, r), join(t, r), join(t, r)
		b.register("com.example.proc")
		if !r.Kill(a.id, proto.CloseURIKilled) || r.Kill(a.id, proto.CloseURIKilled) {
			t.Error("Kill did not find it, or found it twice")
		}
		if m := a.expect(proto.Goodbye); m.URI != proto.CloseURIKilled {
			t.Error(m.URI)
		}
		a.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"}) // ignored by now
		a.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
		if err := a.expectEnd(); !errors.As(err, new(*transport.CloseError)) {
			t.Errorf("not closed in order: %v", err)
		}
		r.GoodbyeAll(proto.CloseURISystemShutdown)
		for _, c := range []*client{b, other} {
			if m := c.expect(proto.Goodbye); m.URI != proto.CloseURISystemShutdown {
				t.Error(m.URI)
			}
			c.send(&proto.Message{Type: proto.Abort, URI: "com.example.whatever"})
			c.expectEnd()
		}
		synctest.Wait()
		if s := r.Stats(); s.Links != 0 || s.Sessions != 0 || !s.Idle() || len(s.Violations) != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestDialEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Dial(ctx, transport.Protocols()); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}, wamptest.WithAccept(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		if _, err := r.Dial(t.Context(), []transport.Protocol{{Name: "wamp.2.ubjson"}, protocol(t, "cbor")}); !errors.Is(err, transport.ErrNoProtocol) {
			t.Error(err)
		}
		conn, err := r.Dial(t.Context(), transport.Protocols())
		if err != nil || conn.Protocol().Name != "wamp.2.json" {
			t.Error(conn, err)
		}
		r.Close()
		if _, err := r.Dial(t.Context(), transport.Protocols()); !errors.Is(err, wamptest.ErrClosed) {
			t.Error(err)
		}
		if _, err := conn.Read(); err == nil {
			t.Error("the link lives on")
		}
		if r.Cut(1) || r.Stats().Links != 0 || !errors.Is(r.WaitFor(t.Context(), nil), wamptest.ErrClosed) {
			t.Error("a closed router does something")
		}
		r.Close()
	}, wamptest.WithProtocols("wamp.2.json"))
}
