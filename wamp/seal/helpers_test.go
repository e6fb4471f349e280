package seal_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

const secret = "the very secret text"

func key(id, pattern string, n byte) seal.Key {
	return seal.Key{ID: id, Pattern: pattern, Match: wamp.Prefix, Secret: bytes.Repeat([]byte{n}, 32)}
}

func ring(t *testing.T, keys ...seal.Key) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func payload() wamp.Payload { return wamp.Args(secret).With("also", secret) }

func text(t *testing.T, p wamp.Payload) string {
	t.Helper()
	var s string
	if err := p.Scan(&s); err != nil {
		t.Errorf("scan: %v", err)
	}
	kw, err := p.Kwargs()
	if err != nil || !reflect.DeepEqual(kw, map[string]any{"also": secret}) {
		t.Errorf("kwargs %v, %v", kw, err)
	}
	return s
}

func curve(n byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i) + 32*(n-1)
	}
	return b
}

// pub is the public key of curve(n), as PyNaCl gives it.
func pub(t *testing.T, n byte) []byte {
	t.Helper()
	b, err := hex.DecodeString(map[byte]string{
		1: "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f",
		2: "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
	}[n])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var join = sessiontest.Join

// nosy is a router's hook that looks for what it must not see.
func nosy(t *testing.T) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if bytes.Contains(x.Message.Args, []byte(secret)) || bytes.Contains(x.Message.Kwargs, []byte(secret)) {
			t.Errorf("%v shows the text", x.Message.Type)
		}
		return wamptest.Pass()
	}
}
