package wamptest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A refused login looks like a connection that is lost.
func TestLostAborts(t *testing.T) {
	for name, tt := range map[string]struct {
		methods []string
		refuse  bool
	}{
		"HELLO": {nil, true}, "AUTHENTICATE": {[]string{"ticket"}, false}, "no method": {[]string{"wampcra"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				if tt.refuse {
					r.Refuse(1, proto.ErrURINotAuthorized)
				}
				c := dial(t, r.Dial, "cbor")
				c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles(), "authmethods", tt.methods, "authid", "joe")})
				if name == "AUTHENTICATE" {
					c.expect(proto.Challenge)
					c.send(&proto.Message{Type: proto.Authenticate, Text: "wrong"})
				}
				if err := c.expectEnd(); code(err) != 0 || !errors.As(err, new(*transport.CloseError)) {
					t.Error(err)
				}
				// What is no login is told.
				d := join(t, r)
				d.send(&proto.Message{Type: proto.Welcome, ID: 1})
				d.expectAbort(proto.ErrURIProtocolViolation)
			}, wamptest.WithLostAborts(), wamptest.WithLogins(wamptest.Anonymous(), wamptest.Ticket(lookup)))
		})
	}
}

func TestKillReason(t *testing.T) {
	for name, tt := range map[string]struct {
		o    wamptest.Option
		want string
	}{
		"default": {wamptest.WithSeed(1), proto.CloseURIKilled}, "given": {wamptest.WithKillReason(proto.CloseURINormal), proto.CloseURINormal},
		"Crossbar": {wamptest.CrossbarQuirks(), proto.CloseURINormal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				a, b := join(t, r), join(t, r)
				a.call("wamp.session.kill", nil, b.id)
				a.expect(proto.Result)
				if m := b.expect(proto.Goodbye); m.URI != tt.want {
					t.Error(m.URI)
				}
				r.Kill(a.id, "com.example.reason")
				if m := a.expect(proto.Goodbye); m.URI != "com.example.reason" {
					t.Error(m.URI)
				}
			}, tt.o)
		})
	}
}

func TestWithoutGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		time.Sleep(time.Hour)
		synctest.Wait()
		c.expectNothing()
		if s := r.Stats(); s.Sessions != 0 || s.Links != 1 || !s.Idle() {
			t.Errorf("%+v", s)
		}
		c.hello("realm1", proto.Entry{Key: "roles", Value: roles()}) // it may join again
		r.Kill(c.id, proto.CloseURISystemShutdown)
		c.expect(proto.Goodbye)
		c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut}) // the answer to the router's ends the link
		c.expectEnd()
	}, wamptest.WithoutGoodbye())
}

// Crossbar refuses logins in its own words.
func TestCrossbarRefusesLogins(t *testing.T) {
	custom := wamptest.LoginFunc("x_own", func(wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{Refuse: &wamptest.Refusal{Reason: "com.example.no"}}
	})
	for name, tt := range map[string]struct {
		methods []string
		answer  string // to a CHALLENGE, "" if there is none
		want    string // "" for WELCOME
	}{
		"wrong ticket":            {[]string{"ticket"}, "wrong", proto.ErrURINotAuthorized},
		"no method":               {[]string{"wampcra"}, "", proto.ErrURINoAuthMethod},
		"unknown method":          {[]string{"nope"}, "", proto.ErrURINotAuthorized},
		"unknown before the good": {[]string{"nope", "anonymous"}, "", proto.ErrURINotAuthorized},
		"unknown behind the good": {[]string{"anonymous", "nope"}, "", ""},
		"passed over":             {[]string{"cryptosign", "anonymous"}, "", ""},
		"of one's own":            {[]string{"x_own"}, "", "com.example.no"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := dial(t, r.Dial, "cbor")
				c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles(), "authmethods", tt.methods, "authid", "joe")})
				if tt.answer != "" {
					c.expect(proto.Challenge)
					c.send(&proto.Message{Type: proto.Authenticate, Text: tt.answer})
				}
				if tt.want == "" {
					c.expect(proto.Welcome)
				} else {
					c.expectAbort(tt.want)
				}
			}, wamptest.CrossbarQuirks(), wamptest.WithLogins(wamptest.Anonymous(), wamptest.Ticket(lookup), custom))
		})
	}
}
