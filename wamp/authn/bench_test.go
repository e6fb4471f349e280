package authn_test

import (
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// What a login costs, both sides of it and nothing of a connection. The costs of
// SCRAM and of salted WAMP-CRA are the router's choice within Limits; those of
// the defaults of NewSCRAMRecord and NewCRASecret are here, and those of
// records as they are found.
func BenchmarkLogin(b *testing.B) {
	for _, salted := range []int{0, 1000, 100_000} {
		secret, name := accept.CRASecret{Key: "password"}, "cra/plain"
		if salted > 0 {
			var err error
			if secret, err = accept.NewCRASecret("password", accept.CRAParams{Iterations: salted}); err != nil {
				b.Fatal(err)
			}
			name = fmt.Sprintf("cra/pbkdf2-%d", salted)
		}
		b.Run(name, func(b *testing.B) {
			run(b, authn.CRA("joe", "password"), func(authn.Hello) (acceptor, error) { return craServer{Secret: secret, Text: craText}, nil })
		})
	}
	for _, p := range []accept.SCRAMParams{
		{KDF: authn.PBKDF2, Iterations: 4096}, {KDF: authn.PBKDF2}, {Memory: 4 << 10, Iterations: 3}, {}, {Memory: 256 << 10, Iterations: 4},
	} {
		r := record(b, "password", p)
		name := fmt.Sprintf("scram/%s-%d", r.KDF, r.Iterations)
		if r.Memory > 0 {
			name += fmt.Sprintf("-%dMiB", r.Memory>>10)
		}
		b.Run(name, func(b *testing.B) {
			run(b, authn.SCRAM("joe", "password"), func(h authn.Hello) (acceptor, error) { return accept.SCRAM(r, h, nil) })
		})
	}
	sign := func(h authn.Hello) (acceptor, error) {
		s, err := accept.Cryptosign(h, seed(9), nil)
		return signServer{CryptosignLogin: s}, err
	}
	b.Run("cryptosign", func(b *testing.B) { run(b, authn.Cryptosign("joe", seed(1)), sign) })
	b.Run("cryptosign/router-proves-itself", func(b *testing.B) {
		run(b, authn.Cryptosign("joe", seed(1), authn.RouterKey(public(seed(9)))), sign)
	})
	b.Run("ticket", func(b *testing.B) {
		run(b, authn.Ticket("joe", "t"), func(authn.Hello) (acceptor, error) { return ticketServer("t"), nil })
	})
}

func run(b *testing.B, auth authn.Authenticator, router func(authn.Hello) (acceptor, error)) {
	b.ReportAllocs()
	for b.Loop() {
		if err := login(b, auth, router); err != nil {
			b.Fatal(err)
		}
	}
}

// The worst that the default limits let a router ask for.
func BenchmarkWorst(b *testing.B) {
	for _, p := range []accept.SCRAMParams{
		{KDF: authn.PBKDF2, Iterations: 1_000_000}, {Memory: 256 << 10, Iterations: 4}, {Memory: 64, Iterations: 1 << 14},
	} {
		r, err := accept.MockSCRAMRecord("joe", []byte("secret"), p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%s-%d-%dKiB", r.KDF, r.Iterations, r.Memory), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, h := begin(b, authn.SCRAM("joe", "password"), joe)
				s, err := accept.SCRAM(r, h, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := a.Challenge(b.Context(), s.Challenge()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
