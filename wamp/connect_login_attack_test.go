package wamp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// writeKey writes a key as PEM and returns the path.
func writeKey(t *testing.T, b byte) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(keyOf(b))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// as reports whether an error is of a type.
func as[T error](err error) bool {
	var e T
	return errors.As(err, &e)
}

// hostile is a router's side that sends a challenge and, if the client answers
// nevertheless, lets it in.
func hostile(method string, extra func(req wamptest.LoginRequest) map[string]any, welcome map[string]any) wamptest.Login {
	return wamptest.LoginFunc(method, func(req wamptest.LoginRequest) wamptest.LoginStep {
		grant := wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe", AuthRole: "user", Extra: welcome}}
		if extra == nil {
			return grant
		}
		return wamptest.LoginStep{Challenge: extra(req), Next: func(authn.Response) wamptest.LoginStep { return grant }}
	})
}

// The attacks of authn's own table that say most, through a whole join: Connect
// fails with the typed error, the router gets ABORT and no AUTHENTICATE, and it
// costs neither time nor memory.
func TestLoginAttacks(t *testing.T) {
	scram := authn.SCRAM("joe", "password")
	nonce := func(req wamptest.LoginRequest) string { s, _ := req.Extra["nonce"].(string); return s }
	challenge := func(kv ...any) func(wamptest.LoginRequest) map[string]any {
		return func(req wamptest.LoginRequest) map[string]any {
			m := map[string]any{"nonce": nonce(req) + "xyz", "salt": "AAECAwQFBgcICQoLDA0ODw==", "kdf": "argon2id13", "iterations": 3, "memory": 4096}
			for i := 0; i < len(kv); i += 2 {
				m[kv[i].(string)] = kv[i+1]
			}
			return m
		}
	}
	cra := func(kv ...any) func(wamptest.LoginRequest) map[string]any {
		return func(wamptest.LoginRequest) map[string]any {
			m := map[string]any{"challenge": `{"nonce":"n"}`}
			for i := 0; i < len(kv); i += 2 {
				m[kv[i].(string)] = kv[i+1]
			}
			return m
		}
	}
	zero := func(kv ...any) func(wamptest.LoginRequest) map[string]any {
		return func(wamptest.LoginRequest) map[string]any {
			m := map[string]any{"challenge": hex.EncodeToString(make([]byte, 32))}
			for i := 0; i < len(kv); i += 2 {
				m[kv[i].(string)] = kv[i+1]
			}
			return m
		}
	}
	limit, bad, router, method, binding := as[*authn.LimitError], as[*authn.ChallengeError], as[*authn.RouterError], as[*authn.MethodError], as[*authn.BindingError]
	for _, tt := range []struct {
		name   string
		auth   authn.Authenticator
		accept wamptest.Login
		want   func(error) bool
		answer bool // AUTHENTICATE may go out: the attack comes behind it
	}{
		{"argon2 memory of 2 TiB", scram, hostile("wamp-scram", challenge("memory", math.MaxInt32), nil), limit, false},
		{"argon2 work without end", scram, hostile("wamp-scram", challenge("memory", 256<<10, "iterations", 60000), nil), limit, false},
		{"argon2 downgrade", scram, hostile("wamp-scram", challenge("memory", 64, "iterations", 1), nil), limit, false},
		{"pbkdf2 without end", scram, hostile("wamp-scram", challenge("kdf", "pbkdf2", "iterations", math.MaxInt32), nil), limit, false},
		{"pbkdf2 downgrade", scram, hostile("wamp-scram", challenge("kdf", "pbkdf2", "iterations", 1), nil), limit, false},
		{"kdf that was ruled out", authn.SCRAM("joe", "password", authn.WithKDF(authn.Argon2id13)), hostile("wamp-scram", challenge("kdf", "pbkdf2", "iterations", 4096), nil), bad, false},
		{"nonce not ours", scram, hostile("wamp-scram", challenge("nonce", "another"), nil), bad, false},
		{"salt of 1 MiB", scram, hostile("wamp-scram", challenge("salt", strings.Repeat("AAAA", 1<<18)), nil), limit, false},
		{"verifier missing", scram, hostile("wamp-scram", challenge(), nil), router, true},
		{"verifier wrong", scram, hostile("wamp-scram", challenge(), map[string]any{"verifier": strings.Repeat("A", 43) + "="}), router, true},
		{"cra key of 2 GiB", authn.CRA("joe", "p"), hostile("wampcra", cra("salt", "s", "keylen", math.MaxInt32), nil), limit, false},
		{"cra iterations without end", authn.CRA("joe", "p"), hostile("wampcra", cra("salt", "s", "iterations", math.MaxInt32), nil), limit, false},
		{"cra downgrade", authn.CRA("joe", "p"), hostile("wampcra", cra("salt", "s", "iterations", 1), nil), limit, false},
		{"cra salt dropped", authn.CRA("joe", "p", authn.RequireSalt()), hostile("wampcra", cra(), nil), bad, false},
		{"cra signs a token", authn.CRA("joe", "p"), hostile("wampcra", cra("challenge", "eyJhbGciOiJIUzI1NiJ9.e30"), nil), bad, false},
		{"cryptosign challenge too long", authn.Cryptosign("joe", keyOf(1)), hostile("cryptosign", zero("challenge", strings.Repeat("00", 64)), nil), bad, false},
		{"cryptosign binding not asked for", authn.Cryptosign("joe", keyOf(1)), hostile("cryptosign", zero("channel_binding", "tls-unique"), nil), binding, false},
		{"cryptosign router proves nothing", authn.Cryptosign("joe", keyOf(1), authn.RouterKey(publicOf(9))), hostile("cryptosign", zero(), nil), router, false},
		{"cryptosign router of another key", authn.Cryptosign("joe", keyOf(1), authn.RouterKey(publicOf(8))), signLogin(), router, false},
		{"let in without a challenge", scram, hostile("wamp-scram", nil, nil), router, false},
		{"let in without a challenge, any", authn.Any(scram, authn.CRA("joe", "p")), hostile("wampcra", nil, nil), router, false},
		{"ticket in place of scram", scram, twoFaced{hostile("ticket", func(wamptest.LoginRequest) map[string]any { return nil }, nil), "wamp-scram"}, method, false},
		{"a second round", authn.CRA("joe", "p"), wamptest.LoginFunc("wampcra", func(wamptest.LoginRequest) wamptest.LoginStep {
			again := hostile("wampcra", cra(), nil)
			return wamptest.LoginStep{Challenge: cra()(wamptest.LoginRequest{}), Next: func(authn.Response) wamptest.LoginStep { return again.Begin(wamptest.LoginRequest{}) }}
		}), bad, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen tap
				r := wamptest.NewRouter(t, wamptest.WithLogins(tt.accept), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if f, ok := tt.accept.(twoFaced); ok && x.Sent && x.Message.Type == proto.Challenge {
						x.Message.Text = f.Login.Method()
					}
					return seen.hook(x)
				}))
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				err := fails(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth))
				if took := time.Since(start); took > 0 { // fake time
					t.Errorf("it took %v", took)
				}
				runtime.ReadMemStats(&after)
				if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
					t.Errorf("it took %d bytes", took)
				}
				if !as[*wamp.LoginError](err) || !tt.want(err) || len(err.Error()) > 400 {
					t.Errorf("%v", err)
				}
				synctest.Wait()
				aborts, answers := 0, 0
				for _, m := range seen.take(proto.Abort, proto.Authenticate) {
					if m.Type == proto.Abort {
						aborts++
						if m.URI != proto.ErrURIAuthenticationFailed {
							t.Errorf("ABORT %s", m.URI)
						}
					} else {
						answers++
					}
				}
				if aborts != 1 || (answers > 0) != tt.answer {
					t.Errorf("the router got %d ABORTs and %d answers", aborts, answers)
				}
				if st := r.Stats(); st.Links != 0 {
					t.Errorf("%d links are left", st.Links)
				}
			})
		})
	}
}

// twoFaced accepts one method and then asks by another.
type twoFaced struct {
	wamptest.Login
	says string
}

func (f twoFaced) Method() string { return f.says }

// open is a connection of which nobody knows that it is private.
type openConn struct{ transport.Conn }

// A ticket and an answer of one's own stay at home where they can be read.
func TestLoginPlaintext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
			return authn.Response{Signature: "t"}, nil
		}
		var seen tap
		r := wamptest.NewRouter(t, wamptest.WithHook(seen.hook), wamptest.WithLogins(ticketLogin("t"), craLogin(accept.CRASecret{Key: "s"}),
			wamptest.LoginFunc("pin", func(wamptest.LoginRequest) wamptest.LoginStep {
				return wamptest.LoginStep{Challenge: map[string]any{}, Next: func(authn.Response) wamptest.LoginStep {
					return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe"}}
				}}
			})))
		over := wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
			c, err := r.Dial(ctx, p)
			if err != nil {
				return nil, err
			}
			return openConn{c}, nil
		})
		for _, auth := range []authn.Authenticator{authn.Ticket("joe", "t"), authn.Custom("pin", "joe", pin), authn.Any(authn.Ticket("joe", "t"))} {
			if err := fails(t, "", over, wamp.WithAuth(auth)); !as[*authn.PlaintextError](err) || !as[*wamp.LoginError](err) {
				t.Errorf("%v: %v", auth, err)
			}
		}
		synctest.Wait()
		if got := seen.take(proto.Hello, proto.Authenticate); len(got) != 0 {
			t.Errorf("%d messages went out", len(got))
		}
		for method, auth := range map[string]authn.Authenticator{
			"ticket": authn.Ticket("joe", "t", authn.AllowPlaintext()), "pin": authn.Custom("pin", "joe", pin, authn.AllowPlaintext()),
			"wampcra": authn.Any(authn.Ticket("joe", "t"), authn.CRA("joe", "s")), // the ticket is left out
		} {
			if d := connect(t, "", over, wamp.WithAuth(auth)).Details(); d.AuthMethod != method {
				t.Errorf("%v: %+v", auth, d)
			}
		}
	})
}

// A binding that the router does not take part in, and one that the connection
// does not have.
func TestLoginBindingRefused(t *testing.T) {
	deaf := wamptest.LoginFunc("cryptosign", func(req wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{Challenge: map[string]any{"challenge": hex.EncodeToString(make([]byte, 32))}, Next: func(authn.Response) wamptest.LoginStep {
			return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe"}}
		}}
	})
	bind := authn.BindChannel(authn.TLSExporter)
	for _, where := range []string{"wss", "tcps", "ws", "memory"} {
		r := wamptest.NewRouter(t, wamptest.WithLogins(deaf, scramLogin(t, "p", cheapKDF)))
		address, options := place(t, r, where, noIdentity, 0)
		for _, auth := range []authn.Authenticator{authn.Cryptosign("joe", keyOf(1), bind), authn.SCRAM("joe", "p", authn.BindChannel(authn.TLSUnique))} {
			var b *authn.BindingError
			err := fails(t, address, append(options, wamp.WithAuth(auth))...)
			secure := where == "wss" || where == "tcps"
			if !errors.As(err, &b) || b.Router != (secure && b.Binding == authn.TLSExporter) {
				t.Errorf("%s: %v: %v", where, auth, err)
			}
		}
		// it may go without, where the user says so
		connect(t, address, append(options, wamp.WithAuth(authn.Cryptosign("joe", keyOf(1), authn.BindChannel(authn.TLSExporter, authn.NoBinding))))...)
	}
}

// A login that is passed on by somebody in the middle of two TLS connections
// does not get in when it is bound to its connection, and does when it is not.
func TestLoginManInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name string
		auth func(o ...authn.Binding) authn.Authenticator
	}{
		{"cryptosign", func(b ...authn.Binding) authn.Authenticator {
			return authn.Cryptosign("joe", keyOf(1), authn.BindChannel(b...))
		}},
		{"scram", func(b ...authn.Binding) authn.Authenticator { return authn.SCRAM("joe", "p", authn.BindChannel(b...)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithLogins(signLogin(), scramLogin(t, "p", cheapKDF)))
			there, _ := place(t, r, "tcps", noIdentity, 0)
			address, options := relay(t, there)
			if err := fails(t, address, append(options, wamp.WithAuth(tt.auth(authn.TLSExporter)))...); !as[*authn.Refusal](err) && !as[*wamp.LinkError](err) {
				t.Errorf("bound: %v", err)
			}
			connect(t, address, append(options, wamp.WithAuth(tt.auth(authn.NoBinding)))...)
		})
	}
}

// noIdentity is a client without a certificate.
var noIdentity tls.Certificate

// relay ends the TLS of clients and passes what they say on over TLS of its own.
func relay(t *testing.T, to string) (address string, options []wamp.Option) {
	t.Helper()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := tls.Dial("tcp", strings.TrimPrefix(to, "tcps://"), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
			if err != nil {
				_ = in.Close()
				continue
			}
			pass := func(from, to net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = in.Close(), out.Close()
			}
			tasks.Go(func() { pass(in, out) })
			tasks.Go(func() { pass(out, in) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); tasks.Wait() })
	return "tcps://" + ln.Addr().String(), []wamp.Option{wamp.WithTLS(client)}
}

// The login has its own time: a router that goes silent in each of its places,
// and a provider that never answers.
func TestLoginTimeout(t *testing.T) {
	hang := func(typ proto.MessageType) wamptest.Option {
		return wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == typ {
				return wamptest.Drop()
			}
			return wamptest.Pass()
		})
	}
	slow := func(ctx context.Context, _ authn.Request) (string, error) {
		<-ctx.Done() // bounded by the login
		return "", context.Cause(ctx)
	}
	for _, tt := range []struct {
		name   string
		router wamptest.Option
		auth   authn.Authenticator
	}{
		{"no CHALLENGE", hang(proto.Challenge), authn.CRA("joe", "s")},
		{"no WELCOME", hang(proto.Welcome), authn.CRA("joe", "s")},
		{"no secret", hang(proto.Goodbye), authn.CRA("joe", slow)},
	} {
		for _, limit := range []time.Duration{0, 3 * time.Second} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t, tt.router, wamptest.WithLogins(craLogin(accept.CRASecret{Key: "s"})))
					options, want := []wamp.Option{wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth)}, 15*time.Second
					if limit > 0 {
						options, want = append(options, wamp.LoginTimeout(limit)), limit
					}
					start := time.Now()
					_, err := wamp.Connect(within(t, time.Hour), "", "realm1", options...)
					if took := time.Since(start); !errors.Is(err, wamp.ErrLoginTimeout) || took < want || took > want+2*time.Second {
						t.Errorf("after %v: %v", took, err)
					}
					synctest.Wait()
					if st := r.Stats(); st.Links != 0 {
						t.Errorf("%d links are left", st.Links)
					}
				})
			})
		}
	}
	if _, err := wamp.Connect(t.Context(), "ws://127.0.0.1", "realm1", wamp.LoginTimeout(0)); err == nil {
		t.Error("no time is no error")
	}
}

// A login that is only slow gets in.
func TestLoginSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(craLogin(accept.CRASecret{Key: "s"})), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Session == 0 {
				return wamptest.Hold(5 * time.Second)
			}
			return wamptest.Pass()
		}))
		connect(t, "", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.CRA("joe", "s")))
	})
}
