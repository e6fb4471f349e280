package wamptest

import (
	"bytes"
	"encoding/base64"
	"maps"
	"math"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// content is the payload of a message on its way through the router, in each
// serializer that it was asked for. The zero content is empty.
type content struct {
	codec        codec.Codec
	args, kwargs []byte
	other        []content
}

// contentOf returns the payload of a message that came from a session. It is
// valid until the message has been processed.
func contentOf(s *session, m *proto.Message) *content {
	return &content{codec: s.link.codec, args: m.Args, kwargs: m.Kwargs}
}

// keep returns the content with bytes of its own, which stay valid.
func (p *content) keep() *content {
	return &content{codec: p.codec, args: bytes.Clone(p.args), kwargs: bytes.Clone(p.kwargs)}
}

// in returns the payload in the form of c.
func (p *content) in(c codec.Codec, q *quirks) (args, kwargs []byte, err error) {
	if p.codec == c || p.args == nil && p.kwargs == nil {
		return p.args, p.kwargs, nil
	}
	for i := range p.other {
		if p.other[i].codec == c {
			return p.other[i].args, p.other[i].kwargs, nil
		}
	}
	args, kwargs, err = encode(codec.Raw(p.codec, p.args, p.kwargs), c)
	if q.binaryAsText && p.codec == codec.JSON || q.looseJSON && c == codec.JSON && err != nil {
		args, kwargs, err = p.oddly(c)
	}
	if err == nil {
		p.other = append(p.other, content{codec: c, args: args, kwargs: kwargs})
	}
	return args, kwargs, err
}

// encode returns a payload in the form of c.
func encode(p codec.Payload, c codec.Codec) (args, kwargs []byte, err error) {
	buf, n, err := p.Encode(c, nil)
	if err != nil {
		return nil, nil, err
	}
	if n > 0 {
		args = buf[:n:n]
	}
	if len(buf) > n {
		kwargs = buf[n:]
	}
	return args, kwargs, nil
}

// oddly returns the payload in the form of c as WithBinaryAsText and
// WithLooseJSON have it.
func (p *content) oddly(c codec.Codec) (args, kwargs []byte, err error) {
	one := func(raw []byte) []byte {
		if raw == nil || err != nil {
			return nil
		}
		var v any
		if v, err = p.codec.Plain(raw); err != nil {
			return nil
		}
		if p.codec == codec.JSON {
			v = binaryToText(v)
		}
		var out []byte
		if c == codec.JSON {
			out, err = appendLoose(nil, v)
		} else {
			out, err = c.AppendValue(nil, v)
		}
		return out
	}
	return one(p.args), one(p.kwargs), err
}

// binaryToText returns a value with each binary one as its text in JSON.
func binaryToText(v any) any {
	switch v := v.(type) {
	case []byte:
		return "\x00" + base64.StdEncoding.EncodeToString(v)
	case []any:
		for i := range v {
			v[i] = binaryToText(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = binaryToText(v[key])
		}
	}
	return v
}

// appendLoose appends a plain value in JSON, with words for the floats that have
// no number there.
func appendLoose(dst []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case float64:
		switch {
		case math.IsNaN(v):
			return append(dst, "NaN"...), nil
		case math.IsInf(v, 1):
			return append(dst, "Infinity"...), nil
		case math.IsInf(v, -1):
			return append(dst, "-Infinity"...), nil
		}
	case []any:
		dst = append(dst, '[')
		for i := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendLoose(dst, v[i]); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = codec.JSON.AppendValue(dst, key); err != nil {
				return dst, err
			}
			if dst, err = appendLoose(append(dst, ':'), v[key]); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return codec.JSON.AppendValue(dst, v)
}
