package session

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// shaking is a Handshake of functions.
type shaking struct {
	extra   func() map[string]any
	welcome func(map[string]any) (any, error)
}

func (s shaking) Extra() map[string]any                     { return s.extra() }
func (s shaking) Welcome(extra map[string]any) (any, error) { return s.welcome(extra) }

// TestJoinHandshake checks what HELLO says, what Welcome is given, and what becomes of its
// answer.
func TestJoinHandshake(t *testing.T) {
	refused := errors.New("not what was asked for")
	for name, tt := range map[string]struct {
		more    map[string]any // of the handshake
		want    any            // authextra of HELLO
		said    any            // authextra of WELCOME
		given   map[string]any // to Welcome
		refuses error
	}{
		"beside the login": {map[string]any{"e2ee": "offer"}, map[string]any{"mine": "stays", "e2ee": "offer"},
			map[string]any{"e2ee": "answer"}, map[string]any{"e2ee": "answer"}, nil},
		"nothing":        {nil, map[string]any{"mine": "stays"}, nil, nil, nil},
		"in its place":   {map[string]any{"mine": "goes"}, map[string]any{"mine": "goes"}, map[string]any{}, map[string]any{}, nil},
		"no dict":        {nil, map[string]any{"mine": "stays"}, "text", nil, nil},
		"refused":        {nil, map[string]any{"mine": "stays"}, nil, nil, refused},
		"refused at all": {nil, map[string]any{"mine": "stays"}, map[string]any{"e2ee": 5}, map[string]any{"e2ee": int64(5)}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, router := newWires()
				f := &far{t: t, w: router, parser: codec.CBOR.NewParser(codec.Limits{})}
				var given map[string]any
				own := map[string]any{"mine": "stays"}
				type outcome struct {
					s   *Session
					err error
				}
				done := make(chan outcome, 1)
				go func() {
					s, err := Connect(t.Context(), Config{Realm: "realm1", Auth: saying{extra: own}, Handshake: shaking{
						func() map[string]any { return tt.more },
						func(extra map[string]any) (any, error) { given = extra; return "agreed", tt.refuses },
					}, Dial: func(context.Context, []transport.Protocol) (transport.Conn, error) { return client, nil }})
					done <- outcome{s, err}
				}()
				hello := f.expect(proto.Hello)
				if got := any(hello.Options.Dict(proto.KeyAuthExtra)); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("HELLO has %v", got)
				}
				if len(own) != 1 {
					t.Errorf("the login's own is %v", own)
				}
				m := welcome()
				if tt.said != nil {
					m.Options = m.Options.With(proto.KeyAuthExtra, tt.said)
				}
				f.send(m)
				if tt.refuses != nil {
					abort := f.expect(proto.Abort)
					o := <-done
					var login *LoginError
					if !errors.As(o.err, &login) || !errors.Is(o.err, tt.refuses) || abort.URI != proto.ErrURIAuthenticationFailed ||
						!strings.Contains(abort.Options.Str(proto.KeyMessage), tt.refuses.Error()) {
						t.Errorf("%v, sent %+v", o.err, abort)
					}
				} else {
					o := <-done
					if o.err != nil {
						t.Fatal(o.err)
					}
					if o.s.Agreed() != "agreed" {
						t.Errorf("agreed on %v", o.s.Agreed())
					}
					f.close(o.s)
				}
				if !reflect.DeepEqual(given, tt.given) {
					t.Errorf("Welcome was given %v", given)
				}
			})
		})
	}
}

// saying is a login that has something in authextra.
type saying struct {
	noAuth
	extra map[string]any
}

func (s saying) Begin(context.Context, authn.JoinInfo) (authn.Attempt, error) { return s, nil }
func (s saying) Hello(h *authn.Hello) error                                   { h.Extra = s.extra; return nil }
