package authn

// Golden data has nonces and channel ids of its own; these put them in place of
// what an attempt made up.

// SASLprep is for the tests of the profile.
func SASLprep(s string) (string, bool) { return saslprep(s) }

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
	salted, err = saltPassword(password, p, &cfg)
	if err != nil {
		return "", nil, nil, nil, nil, err
	}
	k := keysOf(salted)
	return authMessage(authid, clientNonce, p, b, cbind, cfg.crossbar), salted, k.client, k.stored, k.server, nil
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
