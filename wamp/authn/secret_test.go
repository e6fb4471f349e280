package authn_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

const hidden = "hunter2-opensesame"

func TestNothingShowsASecret(t *testing.T) {
	key := ed25519.NewKeyFromSeed([]byte(hidden + "xxxxxxxxxxxxxx"))
	keyHex := hex.EncodeToString(key.Seed())
	keySecret := string(key.Seed())
	hexAuth, err := authn.CryptosignHex("joe", keyHex)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(keyHex), 0o600); err != nil {
		t.Fatal(err)
	}
	fileAuth, err := authn.CryptosignFile("joe", path, authn.WithPassphrase(hidden))
	if err != nil {
		t.Fatal(err)
	}
	extra := authn.WithExtra(map[string]any{"token": hidden})
	scramRecord := record(t, hidden, cheap)
	answer := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
		return authn.Response{Signature: hidden}, nil
	}
	craChallenge := authn.Challenge{Method: "wampcra", Extra: dict("challenge", craText, "salt", "s")}
	for _, tt := range []struct {
		auth      authn.Authenticator
		challenge func(h authn.Hello) authn.Challenge
	}{
		{authn.Anonymous(extra), nil}, {authn.TLS(), nil}, {authn.Cookie(), nil},
		{authn.Ticket("joe", hidden, extra), func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "ticket"} }},
		{authn.CRA("joe", hidden), func(authn.Hello) authn.Challenge { return craChallenge }},
		{authn.SCRAM("joe", hidden), func(h authn.Hello) authn.Challenge {
			s, err := accept.SCRAM(scramRecord, h, nil)
			if err != nil {
				t.Fatal(err)
			}
			return s.Challenge()
		}},
		{authn.Cryptosign("joe", key), nil}, {hexAuth, nil}, {fileAuth, nil},
		{authn.CryptosignFunc("joe", func(context.Context, authn.Request) (crypto.Signer, error) { return key, nil }), nil},
		{authn.Custom("pin", "joe", answer), func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "pin"} }},
		{authn.Any(authn.Ticket("joe", hidden), authn.CRA("joe", hidden)), func(authn.Hello) authn.Challenge { return craChallenge }},
		{authn.InTurn(authn.Ticket("joe", hidden), authn.CRA("joe", hidden)), nil},
	} {
		t.Run(fmt.Sprint(tt.auth), func(t *testing.T) {
			if !strings.HasPrefix(fmt.Sprint(tt.auth), "authn.") {
				t.Errorf("shown as %v", tt.auth)
			}
			secrets := []string{hidden, keySecret, keyHex}
			mustNotShow(t, tt.auth, secrets...)
			if s, ok := tt.auth.(authn.Sequence); ok {
				mustNotShow(t, s.Turns(), secrets...)
				return
			}
			info := joe
			info.TLS = nil
			a, err := tt.auth.Begin(t.Context(), info)
			if err != nil {
				if errors.Is(err, authn.ErrUnusable) {
					return // TLS
				}
				t.Fatal(err)
			}
			mustNotShow(t, a, secrets...)
			var h authn.Hello
			if err := a.Hello(&h); err != nil {
				t.Fatal(err)
			}
			mustNotShow(t, a, secrets...)
			mustNotShow(t, h, secrets...)
			if tt.challenge == nil {
				return
			}
			r, err := a.Challenge(t.Context(), tt.challenge(h))
			if err != nil {
				t.Fatal(err)
			}
			mustNotShow(t, r, append(secrets, r.Signature)...)
			mustNotShow(t, &r, append(secrets, r.Signature)...)
			mustNotShow(t, a, append(secrets, r.Signature)...)
		})
	}
	for name, o := range map[string]any{"extra": extra, "passphrase": authn.WithPassphrase(hidden)} {
		t.Run(name, func(t *testing.T) { mustNotShow(t, fmt.Sprintf("%v %+v %#v", o, o, o), hidden) })
	}
}

// Every error there is, made by the real thing with a secret at hand.
func TestNoErrorShowsASecret(t *testing.T) {
	bad := hidden + "\x00\xff"
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := func(_ authn.Authenticator, err error) error { return err }
	ask := func(auth authn.Authenticator, c func(h authn.Hello) authn.Challenge) error {
		a, h := begin(t, auth, joe)
		_, err := a.Challenge(t.Context(), c(h))
		if err == nil {
			err = a.Welcome(welcome(nil))
		}
		return err
	}
	start := func(auth authn.Authenticator, info authn.JoinInfo) error {
		_, err := auth.Begin(t.Context(), info)
		return err
	}
	scram := func(h authn.Hello) authn.Challenge {
		s, err := accept.SCRAM(record(t, "password", cheap), h, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Challenge()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a, h := begin(t, authn.SCRAM("joe", hidden), joe)
	_, given := a.Challenge(ended, scram(h))
	errs := map[string]error{
		"plaintext":             start(authn.Ticket("joe", hidden), authn.JoinInfo{}),
		"no authid":             start(authn.Ticket("", hidden), joe),
		"password not prepared": ask(authn.SCRAM("joe", bad), scram),
		"verifier missing":      ask(authn.SCRAM("joe", hidden), scram),
		"given up":              given,
		"another method":        ask(authn.Ticket("joe", hidden), func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "wampcra"} }),
		"limits": ask(authn.CRA("joe", hidden), func(authn.Hello) authn.Challenge {
			return authn.Challenge{Method: "wampcra", Extra: dict("challenge", craText, "salt", "s", "iterations", int64(1))}
		}),
		"challenge":         ask(authn.CRA("joe", hidden), func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "wampcra"} }),
		"binding":           start(authn.SCRAM("joe", hidden, authn.BindChannel(authn.TLSExporter)), joe),
		"hex":               first(authn.CryptosignHex("joe", hidden)),
		"hex, wrong length": first(authn.CryptosignHex("joe", hex.EncodeToString([]byte(hidden)))),
		"file":              first(authn.CryptosignFile("joe", file("a", hidden))),
		"file with PEM":     first(authn.CryptosignFile("joe", file("b", "-----BEGIN PRIVATE KEY-----\n"+base64.StdEncoding.EncodeToString([]byte(hidden))+"\n-----END PRIVATE KEY-----\n"))),
		"passphrase":        start(must(authn.CryptosignFile("joe", file("c", testKey(t, "openssh_encrypted")), authn.WithPassphrase(hidden))), joe),
		"none usable":       start(authn.Any(authn.Ticket("joe", hidden)), authn.JoinInfo{}),
		"provider empty": ask(authn.Ticket("joe", func(context.Context, authn.Request) (string, error) { return "", nil }),
			func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "ticket"} }),
		"provider fails": ask(authn.Ticket("joe", func(context.Context, authn.Request) (string, error) { return hidden, errors.New("vault is sealed") }),
			func(authn.Hello) authn.Challenge { return authn.Challenge{Method: "ticket"} }),
		"refusal": authn.NewRefusal("wamp.error.not_authorized", "no"),
	}
	for name, err := range errs {
		t.Run(name, func(t *testing.T) {
			if err == nil {
				t.Fatal("no error")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				mustNotShow(t, e, hidden, string([]byte(hidden)[:8]))
			}
		})
	}
	if !is[*authn.CredentialError](errs["given up"]) || !errors.Is(errs["given up"], context.Canceled) {
		t.Errorf("%v", errs["given up"])
	}
}

func must(a authn.Authenticator, err error) authn.Authenticator {
	if err != nil {
		panic(err)
	}
	return a
}

// A provider or signer that does not come back holds nobody up for longer than
// the login may take.
func TestBoundedByContext(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	cause := errors.New("enough")
	for name, play := range map[string]func(ctx context.Context) error{
		"provider": func(ctx context.Context) error {
			a, _ := begin(t, authn.Ticket("joe", func(context.Context, authn.Request) (string, error) { <-never; return "", nil }), joe)
			_, err := a.Challenge(ctx, authn.Challenge{Method: "ticket"})
			return err
		},
		"key": func(ctx context.Context) error {
			_, err := authn.CryptosignFunc("joe", func(context.Context, authn.Request) (crypto.Signer, error) { <-never; return nil, nil }).Begin(ctx, joe)
			return err
		},
		"signer": func(ctx context.Context) error {
			a, _ := begin(t, authn.Cryptosign("joe", slowSigner{seed(1), never}), joe)
			_, err := a.Challenge(ctx, authn.Challenge{Method: "cryptosign", Extra: dict("challenge", strings.Repeat("00", 32))})
			return err
		},
		"answer": func(ctx context.Context) error {
			a, _ := begin(t, authn.Custom("pin", "joe", func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
				<-never
				return authn.Response{}, nil
			}), joe)
			_, err := a.Challenge(ctx, authn.Challenge{Method: "pin"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
			start := time.Now()
			if err := play(ctx); !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("after %v", d)
			}
		})
	}
}

type slowSigner struct {
	ed25519.PrivateKey
	never chan struct{}
}

func (s slowSigner) Sign(rand io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	<-s.never
	return s.PrivateKey.Sign(rand, message, o)
}
