package authn_test

import (
	"context"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// attack is what a hostile or broken router does. Each is refused with a typed
// error, at once, and before the secret is asked for.
type attack struct {
	name string
	auth func(secret authn.Provider) authn.Authenticator
	// challenge makes CHALLENGE.Extra of what HELLO said; nil: there is none.
	challenge func(h authn.Hello) proto.Dict
	method    string // of the challenge
	want      func(error) bool
}

func with(base proto.Dict, kv ...any) proto.Dict {
	for i := 0; i < len(kv); i += 2 {
		base = base.With(kv[i].(string), kv[i+1])
	}
	return base
}

func attacks() []attack {
	challengeError, limit, method, router := is[*authn.ChallengeError], is[*authn.LimitError], is[*authn.MethodError], is[*authn.RouterError]
	binding := is[*authn.BindingError]
	var out []attack
	add := func(m, name string, auth func(authn.Provider) authn.Authenticator, want func(error) bool, c func(authn.Hello) proto.Dict) {
		out = append(out, attack{m + ": " + name, auth, c, m, want})
	}

	scram := func(p authn.Provider) authn.Authenticator { return authn.SCRAM("joe", p) }
	good := func(h authn.Hello) proto.Dict {
		return dict("nonce", h.Extra["nonce"].(string)+"xyz", "salt", "AAECAwQFBgcICQoLDA0ODw==", "kdf", "argon2id13", "iterations", int64(3), "memory", int64(4096))
	}
	change := func(name string, want func(error) bool, kv ...any) {
		add("wamp-scram", name, scram, want, func(h authn.Hello) proto.Dict { return with(good(h), kv...) })
	}
	change("argon2 memory of 2 TiB", limit, "memory", int64(math.MaxInt32))
	change("argon2 memory beyond 64 bits", challengeError, "memory", uint64(math.MaxUint64))
	change("argon2 memory negative", limit, "memory", int64(-1))
	change("argon2 memory as text", challengeError, "memory", "4096")
	change("argon2 memory missing", challengeError, "memory", nil)
	change("argon2 memory cheap", limit, "memory", int64(8))
	change("argon2 passes without end", limit, "iterations", int64(math.MaxInt32))
	change("argon2 no pass", limit, "iterations", int64(0))
	change("argon2 memory and passes fine, their product not", limit, "iterations", int64(60000), "memory", int64(256<<10))
	change("argon2 little work", limit, "iterations", int64(1), "memory", int64(64))
	change("pbkdf2 without end", limit, "kdf", "pbkdf2", "iterations", int64(math.MaxInt64))
	change("pbkdf2 downgrade", limit, "kdf", "pbkdf2", "iterations", int64(1))
	change("pbkdf2 fractional iterations", challengeError, "kdf", "pbkdf2", "iterations", 4096.5)
	change("unknown kdf", challengeError, "kdf", "bcrypt")
	change("kdf of the other dialect", challengeError, "kdf", "argon2id-13")
	change("kdf missing", challengeError, "kdf", nil)
	change("nonce not ours", challengeError, "nonce", "another nonce")
	change("nonce missing", challengeError, "nonce", nil)
	change("nonce a list", challengeError, "nonce", []any{"x"})
	change("nonce of 1 MiB", limit, "nonce", strings.Repeat("x", 1<<20))
	change("salt of 1 MiB", limit, "salt", strings.Repeat("AAAA", 1<<18))
	change("salt no base64", challengeError, "salt", "%%%")
	change("salt with a line break", challengeError, "salt", "AAAA\nAAAA")
	change("salt empty", challengeError, "salt", "")
	add("wamp-scram", "nonce ours and nothing more", scram, challengeError, func(h authn.Hello) proto.Dict { return with(good(h), "nonce", h.Extra["nonce"]) })
	add("wamp-scram", "nonce ours with a comma that ends it", scram, challengeError, func(h authn.Hello) proto.Dict {
		return with(good(h), "nonce", h.Extra["nonce"].(string)+",s=AAAA")
	})
	add("wamp-scram", "everything missing", scram, challengeError, func(authn.Hello) proto.Dict { return proto.Dict{} })
	add("wamp-scram", "kdf that the user forbids", func(p authn.Provider) authn.Authenticator {
		return authn.SCRAM("joe", p, authn.WithKDF(authn.PBKDF2))
	}, challengeError, good)
	add("scram", "nonce not ours, Crossbar", func(p authn.Provider) authn.Authenticator {
		return authn.SCRAM("joe", p, authn.CrossbarDialect())
	}, challengeError, func(h authn.Hello) proto.Dict {
		return with(good(h), "kdf", "argon2id-13", "nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	})

	cra := func(p authn.Provider) authn.Authenticator { return authn.CRA("joe", p) }
	craChange := func(name string, want func(error) bool, kv ...any) {
		add("wampcra", name, cra, want, func(authn.Hello) proto.Dict { return with(dict("challenge", craText), kv...) })
	}
	craChange("challenge missing", challengeError, "challenge", nil)
	craChange("challenge of another type", challengeError, "challenge", []byte(craText))
	craChange("challenge that is no JSON: a token to be signed", challengeError, "challenge", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0")
	craChange("challenge a JSON list", challengeError, "challenge", "[1]")
	craChange("challenge of 1 MiB", limit, "challenge", "{"+strings.Repeat(" ", 1<<20)+"}")
	craChange("iterations without end", limit, "salt", "s", "iterations", int64(math.MaxInt64))
	craChange("iterations downgrade", limit, "salt", "s", "iterations", int64(1))
	craChange("iterations as text", challengeError, "salt", "s", "iterations", "1000")
	craChange("key of 2 GiB", limit, "salt", "s", "keylen", int64(math.MaxInt32))
	craChange("key of one byte", limit, "salt", "s", "keylen", int64(1))
	craChange("salt of 1 MiB", limit, "salt", strings.Repeat("s", 1<<20))
	craChange("salt of another type", challengeError, "salt", int64(5))
	add("wampcra", "salt dropped where it is required", func(p authn.Provider) authn.Authenticator {
		return authn.CRA("joe", p, authn.RequireSalt())
	}, challengeError, func(authn.Hello) proto.Dict { return dict("challenge", craText) })

	sign := func(o ...authn.CryptosignOption) func(authn.Provider) authn.Authenticator {
		return func(authn.Provider) authn.Authenticator { return authn.Cryptosign("joe", seed(1), o...) }
	}
	zero := hex.EncodeToString(make([]byte, 32))
	for name, v := range map[string]any{"missing": nil, "of another type": make([]byte, 32), "too short": zero[2:], "too long": zero + "00", "no hex": strings.Repeat("x", 64)} {
		add("cryptosign", "challenge "+name, sign(), challengeError, func(authn.Hello) proto.Dict { return dict("challenge", v) })
	}
	add("cryptosign", "challenge of 1 MiB", sign(), limit, func(authn.Hello) proto.Dict { return dict("challenge", strings.Repeat("0", 1<<20)) })
	add("cryptosign", "channel binding that was not asked for", sign(), binding, func(authn.Hello) proto.Dict {
		return dict("challenge", zero, "channel_binding", "tls-unique")
	})
	trust := authn.RouterKey(public(seed(9)))
	add("cryptosign", "router does not prove itself", sign(trust), router, func(authn.Hello) proto.Dict { return dict("challenge", zero) })
	proof := func(key byte, of func(h authn.Hello) []byte) func(authn.Hello) proto.Dict {
		return func(h authn.Hello) proto.Dict {
			s, _ := accept.CryptosignSignature(seed(key), of(h), nil)
			return dict("challenge", zero, "pubkey", hex.EncodeToString(public(seed(key))), "signature", s)
		}
	}
	asked := func(h authn.Hello) []byte { b, _ := hex.DecodeString(h.Extra["challenge"].(string)); return b }
	add("cryptosign", "router with another key", sign(trust), router, proof(8, asked))
	add("cryptosign", "router signs something else", sign(trust), router, proof(9, func(authn.Hello) []byte { return make([]byte, 32) }))
	add("cryptosign", "router shows the right key and the signature of another", sign(trust), router, func(h authn.Hello) proto.Dict {
		return with(proof(8, asked)(h), "pubkey", hex.EncodeToString(public(seed(9))))
	})
	add("cryptosign", "router sends our own challenge back", sign(trust), challengeError, func(h authn.Hello) proto.Dict {
		return with(proof(9, asked)(h), "challenge", h.Extra["challenge"])
	})

	ticket := func(p authn.Provider) authn.Authenticator { return authn.Ticket("joe", p) }
	all := func(p authn.Provider) authn.Authenticator { return authn.Any(scram(p), cra(p), sign()(p)) }
	empty := func(authn.Hello) proto.Dict { return nil }
	add("ticket", "a ticket in place of SCRAM", scram, method, empty)
	add("ticket", "a ticket in place of CRA", cra, method, empty)
	add("ticket", "a ticket in place of cryptosign", sign(), method, empty)
	add("ticket", "a ticket where none of three methods is one", all, method, empty)
	add("wampcra", "CRA in place of a ticket", ticket, method, empty)
	add(strings.Repeat("x", 1<<16), "a name without end", all, method, empty)
	add("ticket", "a challenge to an anonymous client", func(authn.Provider) authn.Authenticator { return authn.Anonymous() }, method, empty)
	add("anonymous", "a challenge to an anonymous client", func(authn.Provider) authn.Authenticator { return authn.Anonymous() }, challengeError, empty)
	add("cookie", "a challenge for a cookie", func(authn.Provider) authn.Authenticator { return authn.Cookie() }, challengeError, empty)
	custom := func(p authn.Provider) authn.Authenticator {
		return authn.Custom("pin", "joe", func(ctx context.Context, _ authn.Challenge, r authn.Request) (authn.Response, error) {
			s, err := p(ctx, r)
			return authn.Response{Signature: s}, err
		})
	}
	add("ticket", "a ticket in place of a method of one's own", custom, method, empty)
	for _, m := range []func(authn.Provider) authn.Authenticator{scram, cra, sign(), ticket, all, custom} {
		add("welcome", "no challenge at all", m, router, nil)
	}
	return out
}

func TestAttacks(t *testing.T) {
	for _, tt := range attacks() {
		name := tt.name
		if len(name) > 80 {
			name = name[len(name)-60:]
		}
		t.Run(name, func(t *testing.T) {
			asked := 0
			a, h := begin(t, tt.auth(func(context.Context, authn.Request) (string, error) { asked++; return "secret", nil }), joe)
			start := time.Now()
			var err error
			if tt.challenge == nil {
				err = a.Welcome(welcome(nil))
			} else {
				var r authn.Response
				r, err = a.Challenge(t.Context(), authn.Challenge{Method: tt.method, Extra: tt.challenge(h)})
				if r.Signature != "" {
					t.Error("there is an answer")
				}
			}
			if !tt.want(err) {
				t.Errorf("%T: %v", err, err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if asked != 0 {
				t.Error("the secret was asked for")
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// What comes after a good answer: the router's proof, and a second challenge.
func TestAttacksAfterTheAnswer(t *testing.T) {
	known := record(t, "password", cheap)
	for _, tt := range []struct {
		name  string
		extra func(good map[string]any) map[string]any
	}{
		{"verifier missing", func(map[string]any) map[string]any { return nil }},
		{"verifier empty", func(map[string]any) map[string]any { return map[string]any{"verifier": ""} }},
		{"verifier of another type", func(map[string]any) map[string]any { return map[string]any{"verifier": []byte{1}} }},
		{"verifier no base64", func(map[string]any) map[string]any { return map[string]any{"verifier": "%"} }},
		{"verifier wrong", func(map[string]any) map[string]any {
			return map[string]any{"verifier": strings.Repeat("A", 43) + "="}
		}},
		{"verifier too short", func(g map[string]any) map[string]any {
			return map[string]any{"verifier": g["verifier"].(string)[:8]}
		}},
		{"verifier under Crossbar's name", func(g map[string]any) map[string]any {
			return map[string]any{"scram_server_signature": g["verifier"]}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, h := begin(t, authn.SCRAM("joe", "password"), joe)
			s, err := accept.SCRAM(known, h, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Challenge(t.Context(), s.Challenge())
			if err != nil {
				t.Fatal(err)
			}
			good, err := s.Verify(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Welcome(welcome(tt.extra(good))); !is[*authn.RouterError](err) {
				t.Errorf("%v", err)
			}
		})
	}
	craChallenge := authn.Challenge{Method: "wampcra", Extra: dict("challenge", craText)}
	signChallenge := authn.Challenge{Method: "cryptosign", Extra: dict("challenge", hex.EncodeToString(make([]byte, 32)))}
	ticketChallenge := authn.Challenge{Method: "ticket"}
	pin := authn.Custom("pin", "joe", func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
		return authn.Response{}, nil
	}, authn.Rounds(1))
	for _, tt := range []struct {
		name          string
		auth          authn.Authenticator
		first, second authn.Challenge
	}{
		{"cra twice", authn.CRA("joe", "s"), craChallenge, craChallenge},
		{"ticket twice", authn.Ticket("joe", "s"), ticketChallenge, ticketChallenge},
		{"cryptosign twice", authn.Cryptosign("joe", seed(1)), signChallenge, signChallenge},
		{"one method after the other", authn.Any(authn.CRA("joe", "s"), authn.Ticket("joe", "s")), craChallenge, ticketChallenge},
		{"a method of one's own twice", pin, authn.Challenge{Method: "pin"}, authn.Challenge{Method: "pin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := begin(t, tt.auth, joe)
			if _, err := a.Challenge(t.Context(), tt.first); err != nil {
				t.Fatal(err)
			}
			if r, err := a.Challenge(t.Context(), tt.second); !is[*authn.ChallengeError](err) || r.Signature != "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// A secret in the clear stays at home unless the connection is private.
func TestPlaintext(t *testing.T) {
	open := authn.JoinInfo{Realm: "realm1"}
	answer := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
		return authn.Response{Signature: "s"}, nil
	}
	for _, auth := range []authn.Authenticator{authn.Ticket("joe", "s"), authn.Custom("pin", "joe", answer), authn.Any(authn.Ticket("joe", "s"))} {
		if _, err := auth.Begin(t.Context(), open); !is[*authn.PlaintextError](err) {
			t.Errorf("%v: %v", auth, err)
		}
	}
	for _, auth := range []authn.Authenticator{
		authn.Ticket("joe", "s", authn.AllowPlaintext()), authn.Custom("pin", "joe", answer, authn.AllowPlaintext()),
		authn.CRA("joe", "s"), authn.SCRAM("joe", "s"), authn.Cryptosign("joe", seed(1)), authn.Anonymous(), authn.Cookie(),
	} {
		if _, err := auth.Begin(t.Context(), open); err != nil {
			t.Errorf("%v: %v", auth, err)
		}
	}
	// Any leaves the ticket out and keeps the rest.
	_, h := begin(t, authn.Any(authn.Ticket("joe", "s"), authn.SCRAM("joe", "s")), open)
	if len(h.Methods) != 1 || h.Methods[0] != "wamp-scram" {
		t.Errorf("offered %v", h.Methods)
	}
}
