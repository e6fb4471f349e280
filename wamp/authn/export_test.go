package authn

import "github.com/connectanum/connectanum-go/wamp/authn/internal/proof"

// Golden data has nonces and channel ids of its own; these put them in place of
// what an attempt made up.

// SetSCRAM sets the nonce and the channel binding of a SCRAM attempt.
func SetSCRAM(a Attempt, nonce string, b Binding, data []byte) {
	t := a.(*scramAttempt)
	t.nonce, t.binding, t.cbind = nonce, b, data
}

// SetCryptosign sets the channel id and the client's challenge of a cryptosign
// attempt; nil leaves them.
func SetCryptosign(a Attempt, b Binding, channel, challenge []byte) {
	t := a.(*cryptosignAttempt)
	if channel != nil {
		t.binding, t.channel = b, channel
	}
	if challenge != nil {
		t.challenge = challenge
	}
}

// SCRAMSteps returns the steps of a SCRAM computation.
func SCRAMSteps(authid, password, clientNonce string, c Challenge, b Binding, cbind []byte, options ...SCRAMOption) (message string, salted, client, stored, server []byte, err error) {
	cfg := scramConfig(options)
	p, err := parseSCRAM(c.Extra, clientNonce, &cfg)
	if err != nil {
		return "", nil, nil, nil, nil, err
	}
	prepared, _ := cfg.dialect.Prepare(password)
	salted, err = cfg.dialect.Salted(prepared, p.hash)
	if err != nil {
		return "", nil, nil, nil, nil, err
	}
	t := scramAttempt{auth: &scramAuth{cfg: cfg}, name: authid, nonce: clientNonce, binding: b, cbind: cbind}
	k := proof.KeysOf(salted)
	return t.exchange(p).Message(), salted, k.Client, k.Stored, k.Server, nil
}

// Occupy takes all turns that an authenticator has for hashing, until free is
// called.
func Occupy(a Authenticator) (free func()) {
	var t turns
	switch a := a.(type) {
	case *craAuth:
		t = a.turns
	case *scramAuth:
		t = a.turns
	}
	for range cap(t) {
		t <- struct{}{}
	}
	return func() {
		for range cap(t) {
			<-t
		}
	}
}
