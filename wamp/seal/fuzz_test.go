package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

// What opens has been sealed with the key, and what was sealed opens as the payload that is
// in it or is an error of its form; nothing panics.
func FuzzProfile1Open(f *testing.F) {
	secret := bytes.Repeat([]byte{1}, 32)
	p, err := seal.NewProfile1([]seal.Key{{ID: "kid-1", Match: wamp.Prefix, Secret: secret}})
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors(f) {
		f.Add(v.Cipher, v.KeyID, []byte(v.Sealed), []byte(v.Plain))
	}
	f.Add("", "", []byte{}, []byte("\xa2\x64args\x80"))
	f.Add("rot13", "kid-1", []byte{1}, []byte("\xbf\x64args\x9f\xff\xff"))
	f.Fuzz(func(t *testing.T, cipher, id string, data, plain []byte) {
		o := &seal.Opaque{Scheme: "wamp", Serializer: "cbor", Cipher: cipher, KeyID: id, Data: data}
		if _, err := p.Open(anywhere, o); err == nil || !errors.Is(err, seal.ErrTampered) && !errors.Is(err, seal.ErrNoKey) && !errors.Is(err, seal.ErrFormat) {
			t.Fatalf("bytes that nobody has sealed: %v", err)
		}
		for _, c := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
			opened, err := p.Open(anywhere, &seal.Opaque{Scheme: "wamp", Serializer: "cbor", Cipher: string(c), KeyID: "kid-1", Data: seal.SealRaw(c, secret, plain)})
			want, bad := codec.Unpacked(codec.CBOR, plain)
			if (err == nil) != (bad == nil) || err != nil && !errors.Is(err, seal.ErrFormat) {
				t.Fatalf("%v, and %v", err, bad)
			}
			if !bytes.Equal(opened.RawArgs(), want.RawArgs()) || !bytes.Equal(opened.RawKwargs(), want.RawKwargs()) {
				t.Fatal("another payload")
			}
		}
	})
}

// A payload of others that is passed through opens or is an error of its form, in whatever
// serializer and whatever stands there; what opens is sealed again, and opens as the same.
func FuzzPassThruOpen(f *testing.F) {
	for _, v := range []string{`{"args":[1],"kwargs":{"a":2}}`, `{"args":{}}`, "eyJhcmdzIjpbXX0=", "\xa1\x64args\x81\x01", "\x81\xa4args\x91\x01", "\xde\x00\x01\xa6kwargs\xd4\x00\x00"} {
		for _, form := range serializers {
			f.Add(form, v, true)
			f.Add(form, v, false)
		}
	}
	f.Fuzz(func(t *testing.T, form, data string, text bool) {
		o := &seal.Opaque{Scheme: "x_a", Serializer: form, Data: []byte(data)}
		if text {
			o.Data, o.Value = nil, data
		}
		c, err := seal.PassThru("x_a", form)
		if err != nil {
			return
		}
		p, err := c.Open(anywhere, o)
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		again, err := c.Seal(anywhere, p)
		if err != nil {
			return // something inside of it cannot be sent
		}
		q, err := c.Open(anywhere, again)
		if err != nil || q.NArgs() != p.NArgs() {
			t.Fatalf("%v, %v", q, err)
		}
	})
}
