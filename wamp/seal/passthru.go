package seal

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// native is the ppt_serializer of a payload that is a value of the session's own
// serializer. None at all means the same.
const native = "native"

// passthru is what PassThru returns.
type passthru struct{ scheme, serializer string }

// PassThru returns a codec for payload passthru without encryption, as other
// clients have it for schemes of one's own: the payload is a dict {"args",
// "kwargs"} in another serializer than the session's, or in the session's own.
// It is no encryption. Routers, and whoever else carries a payload, can read it,
// change it and make one up.
//
// The scheme begins with "x_". The serializer is the form of what is sent:
// "json", "msgpack" or "cbor" for bytes, "native" or "" for a value of the
// session's own serializer, which differ in that the latter names none. All that
// is sent has the scheme, and needs a router with payload_passthru_mode. What
// comes with it is opened in whatever of these forms it says; what comes with
// another scheme is refused with [ErrFormat], and what comes as it is, is taken.
//
// wampy.js 8 reads values in any session, "msgpack" and "cbor" where its session
// is not in JSON, and "json" only as text. nexus 3 reads the three kinds of
// bytes where its session is not in JSON, and no values. What they send is
// opened here in all forms that they read themselves.
func PassThru(scheme, serializer string) (Codec, error) {
	if !strings.HasPrefix(scheme, "x_") || len(scheme) == len("x_") || !utf8.ValidString(scheme) {
		return nil, fmt.Errorf("seal: the scheme %q does not begin with x_", scheme)
	}
	if scheme == Scheme {
		return nil, fmt.Errorf("seal: the scheme %q is that of a Ring, which encrypts", scheme)
	}
	if _, ok := codec.ByName(serializer); !ok && serializer != native && serializer != "" {
		return nil, fmt.Errorf("seal: unknown serializer %q", serializer)
	}
	return passthru{scheme, serializer}, nil
}

// Seal implements [Codec].
func (c passthru) Seal(_ About, p codec.Payload) (*Opaque, error) {
	o := &Opaque{Scheme: c.scheme, Serializer: c.serializer}
	if form, ok := codec.ByName(c.serializer); ok {
		data, err := codec.AppendPacked(form, nil, p)
		o.Data = data
		return o, err
	}
	args, kwargs, err := values(p)
	if err != nil {
		return nil, err
	}
	dict := map[string]any{"args": nil, "kwargs": nil}
	if args != nil {
		dict["args"] = args
	}
	if kwargs != nil {
		dict["kwargs"] = kwargs
	}
	o.Value = dict
	return o, nil
}

// Open implements [Codec].
func (c passthru) Open(_ About, o *Opaque) (codec.Payload, error) {
	if o.Autobahn || o.Scheme != c.scheme {
		return codec.Payload{}, ErrFormat
	}
	if o.Serializer == "" || o.Serializer == native {
		dict, ok := o.Value.(map[string]any)
		if !ok {
			return codec.Payload{}, ErrFormat
		}
		if o.Received != nil && o.Received.Codec() != nil {
			return only(*o.Received)
		}
		return payload(dict)
	}
	form, ok := codec.ByName(o.Serializer)
	if !ok {
		return codec.Payload{}, ErrFormat
	}
	data := o.Data
	switch text := o.Value.(type) {
	case nil:
	case string: // no bytes in JSON, of those who have none of WAMP's form
		if data, ok = bytesOf(form, text); !ok {
			return codec.Payload{}, ErrFormat
		}
	default:
		return codec.Payload{}, ErrFormat
	}
	p, err := codec.Unpacked(form, data)
	if err != nil {
		return codec.Payload{}, formatError(err)
	}
	return p, nil
}

// only returns the payload in the dict that is the only argument of what came. It is not
// decoded: values may be among it that are read by their type, and some that have no form
// in Go, such as what msgpackr makes of undefined.
func only(p codec.Payload) (codec.Payload, error) {
	list, err := p.Codec().Elements(nil, p.RawArgs())
	if err != nil {
		return codec.Payload{}, formatError(err)
	}
	if len(list) != 1 {
		return codec.Payload{}, ErrFormat
	}
	if p, err = codec.Unpacked(p.Codec(), list[0]); err != nil {
		return codec.Payload{}, formatError(err)
	}
	return p, nil
}

// bytesOf returns the bytes that text stands for: it is the JSON itself, as from
// wampy.js, or base64, as from nexus in a session in JSON.
func bytesOf(form codec.Codec, text string) ([]byte, bool) {
	if form == codec.JSON && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return []byte(text), true
	}
	data, err := base64.StdEncoding.DecodeString(text)
	return data, err == nil
}

// Plain implements [Codec].
func (passthru) Plain(About) error { return nil }
