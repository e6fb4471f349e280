// Package passthru reads and writes what messages say of sealed payloads: the ppt_
// and enc_ keys of options and details, and the one value, mostly bytes, that travels for
// the arguments. Package wamp uses it with the codecs of package seal.
package passthru

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

var (
	errNoBinary = fmt.Errorf("%w: it is not one binary value", seal.ErrFormat)
	errKwargs   = fmt.Errorf("%w: there are keyword arguments beside it", seal.ErrFormat)
	errKeys     = errors.New("the payload codec has named a scheme, cipher, serializer or key that cannot be sent")
	errNoScheme = errors.New("the payload codec has given no scheme")
)

// Keys returns the options that say how a payload was sealed. It refuses those for
// which a router would cut the link.
func Keys(o *seal.Opaque) (keys proto.Dict, err error) {
	add := func(key, value string) {
		if !utf8.ValidString(value) {
			err = errKeys
		}
		if value != "" {
			keys = append(keys, proto.Entry{Key: key, Value: value})
		}
	}
	switch {
	case o.Autobahn:
		add(proto.KeyEncAlgo, o.Cipher)
		add(proto.KeyEncSerializer, o.Serializer)
		add(proto.KeyEncKey, o.KeyID)
		if o.Cipher == "" || proto.CheckOptions(proto.Publish, keys) != nil {
			err = errKeys
		}
	case o.Scheme == "":
		err = errNoScheme
	default:
		add(proto.KeyPPTScheme, o.Scheme)
		add(proto.KeyPPTSerializer, o.Serializer)
		add(proto.KeyPPTCipher, o.Cipher)
		add(proto.KeyPPTKeyID, o.KeyID)
	}
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Described returns what a message says of its payload, without the data, nil if
// that is as it is.
func Described(details proto.Dict) *seal.Opaque {
	if scheme := details.Str(proto.KeyPPTScheme); scheme != "" {
		return &seal.Opaque{Scheme: scheme, Serializer: details.Str(proto.KeyPPTSerializer), Cipher: details.Str(proto.KeyPPTCipher),
			KeyID: details.Str(proto.KeyPPTKeyID)}
	}
	if algo := details.Str(proto.KeyEncAlgo); algo != "" {
		return &seal.Opaque{Autobahn: true, Cipher: algo, Serializer: details.Str(proto.KeyEncSerializer), KeyID: details.Str(proto.KeyEncKey)}
	}
	return nil
}

// With returns o with the data of the payload that it describes, or with the value that
// stands there. What is neither, or has something beside it, is another form.
func With(o *seal.Opaque, p codec.Payload) (*seal.Opaque, error) {
	v, err := valueOf(o, p)
	if err != nil {
		return nil, err
	}
	full := *o
	if full.Data, err = binaryOf(v); err == nil {
		return &full, nil
	}
	text, is := v.(string)
	if _, dict := v.(map[string]any); o.Autobahn || !dict && (!is || strings.HasPrefix(text, "\x00")) {
		return nil, err
	}
	came := codec.Raw(p.Codec(), p.RawArgs(), nil)
	full.Value, full.Received = v, &came
	return &full, nil
}

// valueOf returns what stands for the arguments, or is the only one.
func valueOf(o *seal.Opaque, p codec.Payload) (any, error) {
	if raw := p.RawKwargs(); raw != nil {
		if kwargs, err := codec.Entries(p.Codec(), raw); err != nil || len(kwargs) > 0 {
			return nil, errKwargs
		}
	}
	if raw := p.RawArgs(); o.Autobahn && raw != nil {
		v, err := p.Codec().Plain(raw)
		if err != nil {
			return nil, errNoBinary
		}
		return v, nil
	}
	args, err := p.Args()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", seal.ErrFormat, err)
	}
	if len(args) != 1 {
		return nil, errNoBinary
	}
	return args[0], nil
}

// binaryOf returns the bytes of a binary value, also in the form that it has in
// JSON: some routers hand that on as text to peers with another serializer.
func binaryOf(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		if text, ok := strings.CutPrefix(v, "\x00"); ok {
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				return data, nil
			}
		}
	}
	return nil, errNoBinary
}

// Argument returns what travels as the only argument.
func Argument(o *seal.Opaque) any {
	if o.Value != nil && !o.Autobahn {
		return o.Value
	}
	return o.Data
}

// Unreadable returns a payload of which nobody knows whether it is sealed. Whoever
// asks for its contents gets the reason.
func Unreadable(about seal.About, odd *proto.Oddity) codec.Payload {
	err := &seal.PayloadError{About: about, Err: errors.New(odd.Reason)}
	return codec.Sealed(func() (codec.Payload, error) { return codec.Payload{}, err })
}

// Place returns the URI that a payload which came belongs to: what the router says
// of it, as far as that can be. It must not choose the key, nor whether there has to
// be one, by naming something that was never asked for.
func Place(pattern string, match proto.MatchPolicy, said string) string {
	if proto.MatchURI(pattern, match, said) {
		return said
	}
	return pattern
}
