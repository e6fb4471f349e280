package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

// A router cannot pass one message off as another.
func TestSealedForOnePlace(t *testing.T) {
	r := ring(t, key("k1", "com.example", 1))
	places := []seal.About{
		{Kind: seal.KindPublish, URI: "com.example.a"}, {Kind: seal.KindPublish, URI: "com.example.b"},
		{Kind: seal.KindCall, URI: "com.example.a"}, {Kind: seal.KindResult, URI: "com.example.a"},
		{Kind: seal.KindError, URI: "com.example.a", Error: "com.example.b"}, {Kind: seal.KindError, URI: "com.example.ac", Error: "om.example.b"},
	}
	for i, from := range places {
		o, err := r.Seal(from, payload())
		if err != nil {
			t.Fatal(err)
		}
		for k, to := range places {
			if _, err := r.Open(to, o); (err == nil) != (i == k) || i != k && !errors.Is(err, seal.ErrTampered) {
				t.Errorf("%v as %v: %v", from, to, err)
			}
		}
	}
}

// nexus hands bytes on to clients in JSON as base64, and says nothing of it.
func TestRingOpensBase64(t *testing.T) {
	r, about := ring(t, key("k1", "com.example", 1)), seal.About{Kind: seal.KindCall, URI: "com.example.a"}
	o, err := r.Seal(about, payload())
	if err != nil {
		t.Fatal(err)
	}
	o.Data, o.Value = nil, base64.StdEncoding.EncodeToString(o.Data)
	if p, err := r.Open(about, o); err != nil || text(t, p) != secret {
		t.Error(err)
	}
	for _, v := range []any{"?", map[string]any{"args": []any{"forged"}}} {
		o.Value = v
		if _, err := r.Open(about, o); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%v: %v", v, err)
		}
	}
}

func TestRingPicksKeys(t *testing.T) {
	exact := seal.Key{ID: "exact", Pattern: "com.example.a", Secret: bytes.Repeat([]byte{3}, 32)}
	wildcard := seal.Key{ID: "wildcard", Pattern: "com..b", Match: wamp.Wildcard, Secret: bytes.Repeat([]byte{4}, 32)}
	old := key("old", "com.example", 5)
	old.OnlyOpen = true
	r := ring(t, old, wildcard, key("short", "com", 1), key("long", "com.example", 2), key("second", "com.example", 6), exact)
	for uri, want := range map[string]string{"com.example.a": "exact", "com.example.b": "long", "com.other": "short", "org": ""} {
		o, err := r.Seal(seal.About{Kind: seal.KindPublish, URI: uri}, payload())
		if err != nil || (o == nil) != (want == "") || o != nil && o.KeyID != want {
			t.Errorf("%s: %+v, %v", uri, o, err)
		}
	}
	before := key("old", "com.example", 5)
	about := seal.About{Kind: seal.KindCall, URI: "com.example.b"}
	o, err := ring(t, before).Seal(about, payload())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.Open(about, o); err != nil || text(t, p) != secret {
		t.Errorf("a key that was rotated: %v", err)
	}
	for _, bad := range []seal.Key{{}, {ID: "\xff", Pattern: "a", Secret: exact.Secret}, {ID: "short", Secret: []byte{1}}, {ID: "x", Pattern: "a b", Secret: exact.Secret}, {ID: "x", Pattern: "a", Cipher: "rot13", Secret: exact.Secret}} {
		if _, err := seal.NewRing([]seal.Key{bad}); err == nil {
			t.Errorf("%+v", bad)
		}
	}
	lenient, err := seal.NewRing([]seal.Key{exact}, seal.AllowPlain())
	if err != nil || lenient.Plain(seal.About{URI: "com.example.a"}) != nil || r.Plain(seal.About{URI: "org"}) != nil {
		t.Error("plain payloads are refused")
	}
}
