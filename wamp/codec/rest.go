package codec

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A rest is what stands behind the id of a request, encoded: how many elements the
// message has, in one byte, and then the elements. Whoever makes the request encodes
// that, and only the id is left for who gives the ids out.

// AppendRest appends the rest of a request with a payload, such as a PUBLISH: what
// [AppendRequest] needs beside the id. The payload is p, unless m has one. On error
// dst comes back unchanged in length.
func AppendRest(c Codec, dst []byte, m *proto.Message, p Payload) ([]byte, error) {
	f, start := c.format(), len(dst)
	tr := m.Type.Traits()
	if tr == nil || !tr.Payload || len(tr.Fields) == 0 || tr.Fields[0] != proto.FieldRequest {
		return dst, &EncodeError{Codec: f.name(), Path: m.Type.String(), Reason: "the message is no request with a payload"}
	}
	text, err := f.text(), error(nil)
	n := 1 + len(tr.Fields)
	dst = append(dst, 0)
	for _, field := range tr.Fields[1:] {
		if text {
			dst = append(dst, ',')
		}
		if dst, err = appendField(f, dst, m, field); err != nil {
			return dst[:start], encodeError(f, err, m.Type.String())
		}
	}
	if m.Args != nil || m.Kwargs != nil {
		if n++; m.Kwargs != nil {
			n++
		}
		dst = appendPayload(f, dst, m, text)
		dst[start] = byte(n)
		return dst, nil
	}
	at := len(dst)
	dst, args, err := p.Encode(c, dst)
	if err != nil {
		return dst[:start], err
	}
	if len(dst) > at {
		n++
		if at+args < len(dst) {
			if n++; text {
				dst = slices.Insert(dst, at+args, ',')
			}
			if args == 0 {
				dst = insertEmptyList(f, dst, at)
			}
		}
		if text {
			dst = slices.Insert(dst, at, ',')
		}
	}
	dst[start] = byte(n)
	return dst, nil
}

// insertEmptyList is for a payload that has keyword arguments only.
func insertEmptyList(f format, dst []byte, at int) []byte {
	list := f.listHead(nil, 0)
	if f.text() {
		list = append(list, ']')
	}
	return slices.Insert(dst, at, list...)
}

// AppendRequest appends a request with an id, of which rest has everything else.
func AppendRequest(c Codec, dst []byte, t proto.MessageType, id proto.ID, rest []byte) []byte {
	f := c.format()
	dst = f.listHead(dst, int(rest[0]))
	dst = f.appendUint(dst, uint64(t))
	text := f.text()
	if text {
		dst = append(dst, ',')
	}
	dst = f.appendUint(dst, uint64(id))
	dst = append(dst, rest[1:]...)
	if text {
		dst = append(dst, ']')
	}
	return dst
}
