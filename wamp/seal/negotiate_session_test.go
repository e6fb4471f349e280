package seal_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// spy keeps the messages of joins, and who has sealed events with which key.
type spy struct {
	hellos, aborts []proto.Message
	keys           []string
}

func (s *spy) hook(x *wamptest.Exchange) wamptest.Action {
	switch {
	case x.Sent:
	case x.Message.Type == proto.Hello:
		s.hellos = append(s.hellos, *x.Message)
	case x.Message.Type == proto.Abort:
		s.aborts = append(s.aborts, *x.Message)
	case x.Message.Type == proto.Publish:
		s.keys = append(s.keys, x.Message.Options.Str(proto.KeyPPTKeyID)+" "+x.Message.Options.Str(proto.KeyPPTCipher))
	}
	return wamptest.Pass()
}

// connect joins, and returns why it could not.
func connect(t *testing.T, r *wamptest.Router, options ...wamp.Option) error {
	t.Helper()
	s, err := wamp.Connect(t.Context(), "", "realm1", append([]wamp.Option{wamp.WithTransport(r.Dial)}, options...)...)
	if err == nil {
		sessiontest.Close(t, s)
	}
	return err
}

func logins(t *testing.T) (router []wamptest.Login, clients map[string]authn.Authenticator) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(curve(1))
	record, err := accept.NewSCRAMRecord("swordfish", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	router = []wamptest.Login{wamptest.Anonymous(),
		wamptest.Ticket(func(string, string) (string, string, bool) { return "swordfish", "user", true }),
		wamptest.CRA(func(string, string) (accept.CRASecret, string, bool) {
			return accept.CRASecret{Key: "swordfish"}, "user", true
		}),
		wamptest.SCRAM(func(string, string) (accept.SCRAMRecord, string, bool) { return record, "user", true }),
		wamptest.Cryptosign(nil, func(string, ed25519.PublicKey, string) (string, string, bool) { return "joe", "user", true })}
	extra := authn.WithExtra(map[string]any{"mine": "stays", "e2ee": "is replaced"})
	clients = map[string]authn.Authenticator{
		"anonymous":  authn.Anonymous(extra),
		"ticket":     authn.Ticket("joe", "swordfish", extra),
		"CRA":        authn.CRA("joe", "swordfish", extra),
		"SCRAM":      authn.SCRAM("joe", "swordfish", extra),
		"cryptosign": authn.Cryptosign("joe", private, extra),
		"any":        authn.Any(authn.Cryptosign("joe", private, extra), authn.SCRAM("joe", "swordfish", extra)),
		"in turn":    authn.InTurn(authn.Ticket("joe", "wrong", extra), authn.Ticket("joe", "swordfish", extra)),
	}
	return router, clients
}

// The offer goes with whatever login there is, and takes nothing of it away.
func TestOfferGoesWithLogins(t *testing.T) {
	router, clients := logins(t)
	for name, login := range clients {
		for _, cd := range codec.All() {
			t.Run(name+" "+cd.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var seen spy
					r := wamptest.NewRouter(t, wamptest.WithHook(seen.hook), wamptest.WithLogins(router...), wamptest.WithE2EE(wamptest.E2EE{Required: true, KeyIDs: []string{"k2"}}))
					p := profile1(t, []seal.Profile1Option{seal.Required()}, key("k1", "com", 1), key("k2", "com", 2))
					s := join(t, r, wamp.WithAuth(login), wamp.WithPayloadCodec(p), wamp.WithSerializers(cd))
					s.Publish(t.Context(), "com.example", payload())
					synctest.Wait()
					extra := seen.hellos[len(seen.hellos)-1].Options.Dict(proto.KeyAuthExtra)
					offer, _ := extra["e2ee"].(map[string]any)
					want := map[string]any{"version": int64(1), "required": true, "schemes": []any{"wamp"}, "serializers": []any{"cbor"},
						"ciphers": []any{"xsalsa20poly1305", "aes256gcm"}, "key_ids": []any{"k1", "k2"}}
					if extra["mine"] != "stays" || !reflect.DeepEqual(offer, want) {
						t.Errorf("authextra %v", extra)
					}
					if (name == "cryptosign" || name == "any") && extra["pubkey"] == nil || (name == "SCRAM" || name == "any") && extra["nonce"] == nil {
						t.Errorf("authextra %v", slices.Sorted(maps.Keys(extra)))
					}
					said, _ := s.Details().AuthExtra["e2ee"].(map[string]any)
					if said["established"] != true || said["send_key_id"] != "k2" || !slices.Equal(seen.keys, []string{"k2 xsalsa20poly1305"}) {
						t.Errorf("agreed %v, sealed with %q", said, seen.keys)
					}
				})
			})
		}
	}
}

// A map of the user's own is not written into.
func TestOfferLeavesLoginAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithE2EE(wamptest.E2EE{}))
		own := map[string]any{"mine": 1}
		s := join(t, r, wamp.WithAuth(helloOnly{own}), wamp.WithPayloadCodec(profile1(t, nil, key("k1", "com", 1))))
		if len(own) != 1 || s.Details().AuthExtra["e2ee"] == nil {
			t.Errorf("%v, %v", own, s.Details().AuthExtra)
		}
	})
}

// helloOnly is a login of a user's, which is accepted at once.
type helloOnly struct{ extra map[string]any }

func (h helloOnly) Begin(context.Context, authn.JoinInfo) (authn.Attempt, error) { return h, nil }
func (h helloOnly) Hello(hello *authn.Hello) error                               { hello.Extra = h.extra; return nil }
func (h helloOnly) Challenge(context.Context, authn.Challenge) (authn.Response, error) {
	return authn.Response{}, errors.New("unexpected")
}
func (h helloOnly) Welcome(authn.Welcome) error { return nil }

// Where it is required, a router that does not agree is left with ABORT, which says what was
// missing; so is one whose answer cannot be, required or not.
func TestJoinFailsWithoutAgreement(t *testing.T) {
	lies := func(change map[string]any) wamptest.Option {
		return wamptest.WithE2EE(wamptest.E2EE{Answer: func(answer map[string]any) any { maps.Copy(answer, change); return answer }})
	}
	says := func(v any) wamptest.Option {
		return wamptest.WithE2EE(wamptest.E2EE{Answer: func(map[string]any) any { return v }})
	}
	for name, tt := range map[string]struct {
		router   wamptest.Option
		field    string
		says     string
		optional bool // it fails only where it is required
	}{
		"never heard of it": {wamptest.LenientIDs(), "", "authextra.e2ee is missing, and it is required", true},
		"no answer":         {says(nil), "", "is missing", true},
		"other keys":        {wamptest.WithE2EE(wamptest.E2EE{KeyIDs: []string{"k7"}}), "established", "is false", true},
		"an unknown key":    {lies(map[string]any{"send_key_id": "k9"}), "send_key_id", `"k9"`, false},
		"another cipher":    {lies(map[string]any{"cipher": "rot13"}), "cipher", `"rot13"`, false},
		"another version":   {lies(map[string]any{"version": 2}), "version", "is 2", false},
		"a number":          {says(5), "", "is a number, and no dict", false},
	} {
		for _, cd := range codec.All() {
			for _, required := range []bool{false, true} {
				t.Run(name+" "+cd.Name(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var seen spy
						r := wamptest.NewRouter(t, wamptest.WithHook(seen.hook), tt.router)
						var options []seal.Profile1Option
						if required {
							options = append(options, seal.Required())
						}
						err := connect(t, r, wamp.WithPayloadCodec(profile1(t, options, key("k1", "com", 1))), wamp.WithSerializers(cd))
						if tt.optional && !required {
							if err != nil {
								t.Error(err)
							}
							return
						}
						var login *wamp.LoginError
						var bad *seal.NegotiationError
						if !errors.As(err, &login) || !errors.As(err, &bad) || bad.Field != tt.field || !strings.Contains(err.Error(), tt.says) {
							t.Errorf("%v", err)
						}
						synctest.Wait()
						if len(seen.aborts) != 1 || seen.aborts[0].URI != proto.ErrURIAuthenticationFailed || !strings.Contains(seen.aborts[0].Options.Str("message"), tt.says) {
							t.Errorf("sent %+v", seen.aborts)
						}
					})
				})
			}
		}
	}
}

// A router that requires it turns away who does not offer what it has.
func TestRouterRequires(t *testing.T) {
	required := wamptest.WithE2EE(wamptest.E2EE{Required: true, Ciphers: []string{"aes256gcm"}, KeyIDs: []string{"k2"}})
	box := key("k2", "com", 2)
	box.Cipher = seal.SecretBox
	for name, tt := range map[string]struct {
		payloads seal.Codec
		says     string // "" where it is let in
	}{
		"nothing":        {nil, "no end-to-end encryption is offered"},
		"a ring":         {ring(t, key("k2", "com", 2)), "no end-to-end encryption is offered"},
		"another key":    {profile1(t, nil, key("k1", "com", 1)), "authextra.e2ee.key_ids"},
		"another cipher": {profile1(t, nil, box), "authextra.e2ee.ciphers"},
		"what it has":    {profile1(t, nil, key("k1", "com", 1), key("k2", "com", 2)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, required)
				err := connect(t, r, wamp.WithPayloadCodec(tt.payloads))
				var abort *wamp.AbortError
				switch {
				case tt.says == "":
					if err != nil {
						t.Error(err)
					}
				case !errors.As(err, &abort) || abort.Reason != proto.ErrURINotAuthorized || !strings.Contains(err.Error(), tt.says):
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// Each join agrees anew; sessions of one Profile1 have agreements of their own; and what has
// come opens as it was agreed when it came.
func TestAgreementOfEachJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen spy
		var key2 atomic.Bool
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Event {
				x.Message.Options = without(x.Message.Options, "ppt_keyid")
			}
			return seen.hook(x)
		}), wamptest.WithE2EE(wamptest.E2EE{Answer: func(answer map[string]any) any {
			if key2.Load() {
				answer["send_key_id"], answer["receive_key_id"], answer["cipher"] = "k2", "k2", "aes256gcm"
			}
			return answer
		}}))
		p := wamp.WithPayloadCodec(profile1(t, []seal.Profile1Option{seal.Required()}, key("k1", "com", 1), key("k2", "com", 2)))
		policy := wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second})
		a := join(t, r, p, policy)
		key2.Store(true)
		b := join(t, r, p, policy)
		ctx := t.Context()
		sub, err := a.Subscribe(ctx, "com.example")
		if err != nil {
			t.Fatal(err)
		}
		publish := func(s *wamp.Session) {
			t.Helper()
			if _, err := s.Publish(ctx, "com.example", payload(), wamp.Acknowledge(), wamp.ExcludeMe(false)).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		publish(a)
		before := <-sub.Events()
		publish(b)
		if ev := <-sub.Events(); !errors.Is(ev.Scan(new(string)), seal.ErrTampered) {
			t.Error("a key of another session's agreement opens")
		}
		r.Cut(a.ID())
		time.Sleep(5 * time.Second)
		publish(a)
		if ev := <-sub.Events(); text(t, ev.Payload) != secret {
			t.Error("another text")
		}
		if text(t, before.Payload) != secret {
			t.Error("another text")
		}
		if want := []string{"k1 xsalsa20poly1305", "k2 aes256gcm", "k2 aes256gcm"}; !slices.Equal(seen.keys, want) {
			t.Errorf("sealed with %q", seen.keys)
		}
	})
}

// Where it is required, a router that has stopped agreeing is no router to go on with: such
// joins are refused logins, until one agrees again or there were too many.
func TestAgreementIsRequiredAtEachJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mute atomic.Bool
		r := wamptest.NewRouter(t, wamptest.WithE2EE(wamptest.E2EE{Answer: func(answer map[string]any) any {
			if mute.Load() {
				return nil
			}
			return answer
		}}))
		s := join(t, r, wamp.WithPayloadCodec(profile1(t, []seal.Profile1Option{seal.Required()}, key("k1", "com", 1))),
			wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second}))
		mute.Store(true)
		r.Cut(s.ID())
		time.Sleep(5500 * time.Millisecond) // between two attempts
		var bad *seal.NegotiationError
		var unwell *wamp.HealthError
		if err := s.Healthy(); !errors.As(err, &unwell) || unwell.Phase != wamp.Reconnecting || s.Err() != nil {
			t.Errorf("%v, %v", err, s.Err())
		}
		mute.Store(false)
		time.Sleep(5 * time.Second)
		if err := s.Healthy(); err != nil {
			t.Error(err)
		}
		mute.Store(true)
		time.Sleep(time.Minute)
		r.Cut(s.ID())
		time.Sleep(2 * time.Minute)
		if err := s.Err(); !errors.As(err, &bad) {
			t.Errorf("the end is %v", err)
		}
	})
}

// slips is a Negotiator of a user's own, with whatever faults.
type slips struct {
	seal.Codec
	offer func() map[string]any
	agree func(any) (seal.Codec, error)
}

func (s slips) Offer() map[string]any                { return s.offer() }
func (s slips) Agree(answer any) (seal.Codec, error) { return s.agree(answer) }

type ownError struct{}

func (ownError) Error() string { panic("no text") }

// What a Negotiator of a user's does wrong costs the join.
func TestNegotiatorSlips(t *testing.T) {
	offer := func() map[string]any { return map[string]any{"version": 1} }
	stop := make(chan struct{})
	for name, tt := range map[string]struct {
		offer func() map[string]any
		agree func(any) (seal.Codec, error)
		fails bool
	}{
		"none, and no codec": {func() map[string]any { return nil }, func(answer any) (seal.Codec, error) {
			if answer != nil {
				return nil, errors.New("an answer to nothing")
			}
			return nil, nil
		}, false},
		"cannot be sent":   {func() map[string]any { return map[string]any{"version": make(chan int)} }, nil, true},
		"offer panics":     {func() map[string]any { panic("slip") }, nil, true},
		"offer exits":      {func() map[string]any { runtime.Goexit(); return nil }, nil, true},
		"offer blocks":     {func() map[string]any { <-stop; return nil }, nil, true},
		"agree panics":     {offer, func(any) (seal.Codec, error) { panic("slip") }, true},
		"agree exits":      {offer, func(any) (seal.Codec, error) { runtime.Goexit(); return nil, nil }, true},
		"agree blocks":     {offer, func(any) (seal.Codec, error) { <-stop; return nil, nil }, true},
		"its error panics": {offer, func(any) (seal.Codec, error) { return nil, ownError{} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop = make(chan struct{})
				r := wamptest.NewRouter(t, wamptest.WithE2EE(wamptest.E2EE{}))
				var log sessiontest.Log
				c := slips{ring(t, key("k1", "com", 1)), tt.offer, tt.agree}
				err := sessiontest.EndsWithin(t, "Connect", 30*time.Second, func() error {
					return connect(t, r, wamp.WithPayloadCodec(c), log.Option())
				})
				if (err != nil) != tt.fails || errors.Is(err, context.Canceled) {
					t.Errorf("%s", func() (s string) { defer func() { recover() }(); return err.Error() }())
				}
				close(stop)
			})
		})
	}
}

// The chunks of a call are sealed as its first, which alone says how, whatever is agreed on
// before they leave.
func TestChunksAreSealedAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var second atomic.Bool
		r := wamptest.NewRouter(t, wamptest.WithE2EE(wamptest.E2EE{Answer: func(answer map[string]any) any {
			if second.Load() {
				answer["send_key_id"], answer["receive_key_id"], answer["cipher"] = "k2", "k2", "aes256gcm"
			}
			return answer
		}}))
		p := wamp.WithPayloadCodec(profile1(t, []seal.Profile1Option{seal.Required()}, key("k1", "com", 1), key("k2", "com", 2)))
		a, b := join(t, r, p, wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second})), join(t, r, p)
		ctx := t.Context()
		var ids []string
		if _, err := b.Handle(ctx, "com.example.upload", func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			ids = append(ids, inv.Details.Str("ppt_keyid"))
			for p := range inv.Chunks() {
				if n++; text(t, p) != secret {
					t.Errorf("another text in chunk %d", n)
				}
			}
			return inv.Return(wamp.Args(n))
		}); err != nil {
			t.Fatal(err)
		}
		second.Store(true)
		r.Cut(a.ID())
		synctest.Wait()
		sum, err := a.CallFunc(ctx, "com.example.upload", func(_ context.Context, send func(wamp.Payload) error) error {
			if err := send(payload()); err != nil { // it waits for the next link
				return err
			}
			time.Sleep(5 * time.Second)
			return errors.Join(send(payload()), send(payload()))
		}).Final()
		var chunks int
		if err != nil || sum.Scan(&chunks) != nil || chunks != 3 || !slices.Equal(ids, []string{"k1"}) {
			t.Errorf("%d chunks, sealed with %q, %v", chunks, ids, err)
		}
	})
}

// counting is a codec that embeds another one.
type counting struct {
	*seal.Profile1
	sealed *atomic.Int32
}

func (c counting) Seal(about seal.About, p codec.Payload) (*seal.Opaque, error) {
	c.sealed.Add(1)
	return c.Profile1.Seal(about, p)
}

// Where nothing was agreed on, the codec that was given is the one that is asked.
func TestNegotiatorItselfSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := counting{profile1(t, nil, key("k1", "com", 1)), new(atomic.Int32)}
		s := join(t, wamptest.NewRouter(t, wamptest.WithHook(nosy(t))), wamp.WithPayloadCodec(c))
		if _, err := s.Publish(t.Context(), "com.example", payload(), wamp.Acknowledge()).Wait(); err != nil || c.sealed.Load() != 1 {
			t.Errorf("%v, sealed %d", err, c.sealed.Load())
		}
	})
}
