package wamptest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

const methodCookie = "cookie"

// Ticket lets those in whose ticket is the one that lookup says; ok is false
// for a principal that does not exist.
func Ticket(lookup func(authid, realm string) (ticket, role string, ok bool)) Login {
	return loginFunc{"ticket", func(req LoginRequest) LoginStep {
		return LoginStep{Challenge: map[string]any{}, Next: func(answer authn.Response) LoginStep {
			ticket, role, ok := lookup(req.AuthID, req.Realm)
			if !ok {
				return LoginStep{Refuse: &Refusal{Reason: proto.ErrURINoSuchPrincipal, Message: "no such principal"}}
			}
			if !accept.Ticket(ticket, answer.Signature) {
				return LoginStep{Refuse: &Refusal{Message: "the ticket is not valid"}}
			}
			return LoginStep{Grant: &Grant{AuthID: req.AuthID, AuthRole: role}}
		}}
	}}
}

// CRA lets those in who sign with the secret that lookup says; ok is false for
// a principal that does not exist.
func CRA(lookup func(authid, realm string) (secret accept.CRASecret, role string, ok bool)) Login {
	return loginFunc{"wampcra", func(req LoginRequest) LoginStep {
		secret, role, ok := lookup(req.AuthID, req.Realm)
		if !ok {
			return nobody()
		}
		text := accept.NewCRAChallenge(req.AuthID, role, "static", req.Session, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
		return LoginStep{Challenge: secret.Challenge(text).Extra.Map(), Next: func(answer authn.Response) LoginStep {
			if err := secret.Verify(text, answer); err != nil {
				return LoginStep{Refuse: &Refusal{Message: "the signature is not valid"}}
			}
			return LoginStep{Grant: &Grant{AuthID: req.AuthID, AuthRole: role}}
		}}
	}}
}

// SCRAM lets those in who know the password of the record that lookup says, and
// proves that the router has the record; ok is false for a principal that does
// not exist, which a client is told only after its answer if there is a record
// nevertheless (accept.MockSCRAMRecord). With accept.CrossbarDialect the method
// is Crossbar's.
func SCRAM(lookup func(authid, realm string) (record accept.SCRAMRecord, role string, ok bool), options ...accept.SCRAMOption) Login {
	return loginFunc{accept.SCRAMMethod(options...), func(req LoginRequest) LoginStep {
		record, role, ok := lookup(req.AuthID, req.Realm)
		if !ok && record.KDF == "" {
			return nobody()
		}
		server, err := accept.SCRAM(record, req.Hello(), req.Binding, options...)
		if err != nil {
			return LoginStep{Refuse: &Refusal{Message: err.Error()}}
		}
		return LoginStep{Challenge: server.Challenge().Extra.Map(), Next: func(answer authn.Response) LoginStep {
			extra, err := server.Verify(answer)
			if err != nil || !ok {
				return LoginStep{Refuse: &Refusal{Message: "the proof is not valid", Details: proto.Dict{{Key: "scram", Value: "invalid-proof"}}}}
			}
			return LoginStep{Grant: &Grant{AuthID: req.AuthID, AuthRole: role, Extra: extra}}
		}}
	}}
}

// Cryptosign lets those in who have the key that lookup knows. It is given the
// authid, which may be empty, and says as whom the client is let in; ok is
// false for a key that is not known. router is the key by which the router
// proves itself to those who ask, nil for none.
func Cryptosign(router crypto.Signer, lookup func(authid string, key ed25519.PublicKey, realm string) (as, role string, ok bool)) Login {
	return loginFunc{"cryptosign", func(req LoginRequest) LoginStep {
		server, err := accept.Cryptosign(req.Hello(), router, req.ChannelID)
		if err != nil {
			return LoginStep{Refuse: &Refusal{Message: err.Error()}}
		}
		as, role, ok := lookup(req.AuthID, server.Key, req.Realm)
		if !ok {
			return nobody()
		}
		return LoginStep{Challenge: server.Challenge().Extra.Map(), Next: func(answer authn.Response) LoginStep {
			if err := server.Verify(answer); err != nil {
				return LoginStep{Refuse: &Refusal{Message: "the signature is not valid"}}
			}
			return LoginStep{Grant: &Grant{AuthID: as, AuthRole: role}}
		}}
	}}
}

// TLS lets those in whose client certificate lookup knows. It passes on those
// without one. The listener's tls.Config has to ask for certificates, and what
// it checks of them is its own business; LocalIdentity makes one.
func TLS(lookup func(cert *x509.Certificate, realm string) (authid, role string, ok bool)) Login {
	return loginFunc{"tls", func(req LoginRequest) LoginStep {
		if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
			return LoginStep{Pass: true}
		}
		authid, role, ok := lookup(req.TLS.PeerCertificates[0], req.Realm)
		if !ok {
			return nobody()
		}
		return LoginStep{Grant: &Grant{AuthID: authid, AuthRole: role}}
	}}
}

// Cookie lets those in again who were let in with the same cookie before, by
// another method than anonymous, and says that method. It passes on others. The
// listener needs WithCookies.
func Cookie() Login {
	return loginFunc{methodCookie, func(req LoginRequest) LoginStep {
		if req.Remembered == nil {
			return LoginStep{Pass: true}
		}
		g := *req.Remembered
		g.Provider, g.Extra = methodCookie, nil
		return LoginStep{Grant: &g}
	}}
}

func nobody() LoginStep {
	return LoginStep{Refuse: &Refusal{Reason: proto.ErrURINoSuchPrincipal, Message: "no such principal"}}
}
