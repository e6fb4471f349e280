package accept_test

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"
)

func TestCryptosign(t *testing.T) {
	begin := func(h authn.Hello) (acceptor, error) {
		l, err := accept.Cryptosign(h, seed(9), nil)
		if err == nil && !l.Key.Equal(public(seed(1))) {
			t.Errorf("the key is %x", l.Key)
		}
		return authtest.Cryptosign{CryptosignLogin: l}, err
	}
	another := func(h authn.Hello) (acceptor, error) {
		l, err := accept.Cryptosign(h, seed(9), nil)
		l.Key = public(seed(2)) // as the router knows joe
		return authtest.Cryptosign{CryptosignLogin: l}, err
	}
	inAndOut(t, begin, authn.Cryptosign("", seed(1)), nil)
	inAndOut(t, begin, authn.Cryptosign("joe", seed(1), authn.RouterKey(public(seed(8)), public(seed(9)))), nil)
	inAndOut(t, another, authn.Cryptosign("", seed(2)), authn.Cryptosign("", seed(1)))
}

// What a broken or hostile client sends does not get in.
func TestCryptosignRefuses(t *testing.T) {
	for name, extra := range map[string]map[string]any{
		"short key": {"pubkey": "00"}, "key of another type": {"pubkey": 1}, "short challenge": {"challenge": "00"}, "binding of another type": {"channel_binding": 1},
	} {
		if l, err := accept.Cryptosign(authn.Hello{Extra: extra}, seed(9), nil); !is[*accept.HelloError](err) || l != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := authn.Hello{Extra: map[string]any{"channel_binding": "tls-unique"}}
	if _, err := accept.Cryptosign(h, seed(9), nil); !is[*authn.BindingError](err) {
		t.Errorf("binding not known: %v", err)
	}
	no := errors.New("no")
	if _, err := accept.Cryptosign(h, seed(9), func(authn.Binding) ([]byte, error) { return nil, no }); !errors.Is(err, no) {
		t.Errorf("binding that the connection does not have: %v", err)
	}
	l, err := accept.Cryptosign(authn.Hello{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(authn.Response{}); !errors.Is(err, accept.ErrProof) {
		t.Errorf("no key: %v", err)
	}
}

func TestCryptosignSignature(t *testing.T) {
	challenge, channel := make([]byte, 32), make([]byte, 32)
	channel[0] = 1
	text, err := accept.CryptosignSignature(seed(1), challenge, channel)
	if err != nil {
		t.Fatal(err)
	}
	if err := accept.CryptosignVerify(public(seed(1)), challenge, channel, text); err != nil {
		t.Error(err)
	}
	if err := accept.CryptosignVerify(public(seed(1)), challenge, nil, text); !errors.Is(err, accept.ErrProof) {
		t.Errorf("without the channel: %v", err)
	}
	if err := accept.CryptosignVerify(public(seed(2)), challenge, channel, text); !errors.Is(err, accept.ErrProof) {
		t.Errorf("another key: %v", err)
	}
	if _, err := accept.CryptosignSignature(nil, challenge, nil); !is[*authn.CredentialError](err) {
		t.Errorf("no key: %v", err)
	}
	if _, err := accept.CryptosignSignature(seed(1), challenge[1:], nil); !is[*authn.ConfigError](err) {
		t.Errorf("short challenge: %v", err)
	}
}
