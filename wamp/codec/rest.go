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
	tr := m.Type.Traits()
	if tr == nil || !tr.Payload || len(tr.Fields) == 0 || tr.Fields[0] != proto.FieldRequest {
		return dst, &EncodeError{Codec: c.Name(), Path: m.Type.String(), Reason: "the message is no request with a payload"}
	}
	start := len(dst)
	dst, n, err := appendBehind(c, append(dst, 0), m, tr.Fields[1:], p)
	if err != nil {
		return dst[:start], err
	}
	dst[start] = byte(2 + n)
	return dst, nil
}

// AppendRestTo appends a payload to a rest that has none yet and begins at an offset of
// dst. On error dst comes back unchanged in length.
func AppendRestTo(c Codec, dst []byte, start int, p Payload) ([]byte, error) {
	buf, n, err := appendPayload(c, dst, p)
	if err != nil {
		return buf[:len(dst)], err
	}
	buf[start] += byte(n)
	return buf, nil
}

// AppendWith is AppendMessage of a message with the payload p, unless m has one.
func AppendWith(c Codec, dst []byte, m *proto.Message, p Payload) ([]byte, error) {
	f, tr := c.format(), m.Type.Traits()
	if tr == nil || !tr.Payload {
		return dst, &EncodeError{Codec: f.name(), Path: m.Type.String(), Reason: "the message has no payload"}
	}
	start := len(dst)
	dst, n, err := appendBehind(c, f.appendUint(f.listHead(dst, 1), uint64(m.Type)), m, tr.Fields, p)
	if err != nil {
		return dst[:start], err
	}
	f.listHead(dst[:start], 1+n) // one byte too
	return appendEnd(f, dst), nil
}

// appendBehind appends fields of a message and its payload behind an element. n is how
// many elements that are.
func appendBehind(c Codec, dst []byte, m *proto.Message, fields []proto.Field, p Payload) (buf []byte, n int, err error) {
	f := c.format()
	text := f.text()
	if dst, err = appendFields(f, dst, m, fields, text); err != nil {
		return dst, 0, err
	}
	n = len(fields)
	if m.Args != nil || m.Kwargs != nil {
		if n++; m.Kwargs != nil {
			n++
		}
		return appendParts(openPayload(f, dst, m, text), m, text), n, nil
	}
	dst, more, err := appendPayload(c, dst, p)
	return dst, n + more, err
}

// appendPayload appends a payload behind the fields of a message. n is how many elements
// that are.
func appendPayload(c Codec, dst []byte, p Payload) (buf []byte, n int, err error) {
	f := c.format()
	text := f.text()
	if text {
		dst = append(dst, ',')
	}
	at := len(dst)
	dst, args, err := p.Encode(c, dst)
	if err != nil || len(dst) == at {
		if text {
			dst = dst[:len(dst)-1]
		}
		return dst, 0, err
	}
	n = 1
	if at+args < len(dst) {
		if n++; text {
			dst = slices.Insert(dst, at+args, ',')
		}
		if args == 0 {
			dst = insertEmptyList(f, dst, at)
		}
	}
	return dst, n, nil
}

// insertEmptyList is for a payload that has keyword arguments only.
func insertEmptyList(f format, dst []byte, at int) []byte {
	return slices.Insert(dst, at, appendEnd(f, f.listHead(nil, 0))...)
}

// AppendRequest appends a request: its type and id, and rest, which is everything after
// them.
func AppendRequest(c Codec, dst []byte, t proto.MessageType, id proto.ID, rest []byte) []byte {
	dst = AppendRequestHead(c, dst, t, id, rest[0])
	return AppendEnd(c, append(dst, rest[1:]...))
}

// AppendRequestHead appends the part of a request that stands in front of its rest, whose
// first byte is n. It has no more than [MostRequestHead] bytes.
func AppendRequestHead(c Codec, dst []byte, t proto.MessageType, id proto.ID, n byte) []byte {
	f := c.format()
	dst = f.listHead(dst, int(n))
	dst = f.appendUint(dst, uint64(t))
	text := f.text()
	if text {
		dst = append(dst, ',')
	}
	return f.appendUint(dst, uint64(id))
}

// MostRequestHead is how long the head of a request is at most.
const MostRequestHead = 24

// AppendHead appends the part of a message that stands in front of its payload. That
// follows, in JSON with a comma between its two parts, and then what [AppendEnd] appends.
func AppendHead(c Codec, dst []byte, m *proto.Message) ([]byte, error) {
	return appendHead(c.format(), dst, m)
}

// AppendEnd appends the end of a message.
func AppendEnd(c Codec, dst []byte) []byte { return appendEnd(c.format(), dst) }
