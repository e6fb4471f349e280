package floor

import "encoding/binary"

// msgpackWire is MessagePack.
type msgpackWire struct{}

func (msgpackWire) Name() string        { return "msgpack" }
func (msgpackWire) rawID() byte         { return 2 }
func (msgpackWire) subprotocol() string { return "wamp.2.msgpack" }
func (msgpackWire) Text() bool          { return false }
func (msgpackWire) NewReader() Reader   { return new(msgpackReader) }

func appendMsgpackUint(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func (msgpackWire) AppendHead(dst []byte, n int, typ, id uint64) []byte {
	return appendMsgpackUint(appendMsgpackUint(append(dst, 0x90|byte(n)), typ), id)
}

func (w msgpackWire) AppendTail(dst []byte, values ...any) []byte {
	for _, v := range values {
		dst = w.appendValue(dst, v)
	}
	return dst
}

func (msgpackWire) AppendRest(dst, rest []byte) []byte { return append(append(dst, 0x80), rest...) }

func (w msgpackWire) AppendList(dst []byte, values ...any) []byte {
	return w.AppendTail(append(dst, 0x90|byte(len(values))), values...)
}

func (w msgpackWire) appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case raw:
		return append(dst, v...)
	case int:
		return appendMsgpackUint(dst, uint64(v))
	case uint64:
		return appendMsgpackUint(dst, v)
	case string:
		switch n := len(v); {
		case n < 32:
			dst = append(dst, 0xa0|byte(n))
		case n < 1<<16:
			dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
		default:
			dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
		}
		return append(dst, v...)
	case bool:
		if v {
			return append(dst, 0xc3)
		}
		return append(dst, 0xc2)
	case []any:
		return w.AppendList(dst, v...)
	case Dict:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xde), uint16(len(v)))
		if len(v) < 16 {
			dst = append(dst[:len(dst)-3], 0x80|byte(len(v)))
		}
		for _, e := range v {
			dst = w.AppendTail(dst, e.key, e.value)
		}
		return dst
	}
	panic(unsupported(v))
}

// msgpackReader reads MessagePack.
type msgpackReader struct {
	b   []byte
	bad bool
}

func (r *msgpackReader) Begin(msg []byte) { r.b, r.bad = msg, false }
func (r *msgpackReader) OK() bool         { return !r.bad }
func (r *msgpackReader) rest() []byte     { return r.b }

// take cuts n bytes off.
func (r *msgpackReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// number reads a big-endian number of some bytes.
func (r *msgpackReader) number(size int) (n uint64) {
	for _, c := range r.take(uint64(size)) {
		n = n<<8 | uint64(c)
	}
	return n
}

// first reads the first byte of a value; of nothing it is 0xc1, which
// MessagePack never uses.
func (r *msgpackReader) first() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0xc1
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// length reads a header that is short (bits of the first byte) or wide (one of
// the codes from base on, with the number after it).
func (r *msgpackReader) length(short, mask, base byte, sizes ...int) uint64 {
	c := r.first()
	if c&^mask == short {
		return uint64(c & mask)
	}
	if i := int(c) - int(base); i >= 0 && i < len(sizes) {
		return r.number(sizes[i])
	}
	r.bad = true
	return 0
}

func (r *msgpackReader) List() int    { return int(r.length(0x90, 0x0f, 0xdc, 2, 4)) }
func (r *msgpackReader) Uint() uint64 { return r.length(0, 0x7f, 0xcc, 1, 2, 4, 8) }
func (r *msgpackReader) str() []byte  { return r.take(r.length(0xa0, 0x1f, 0xd9, 1, 2, 4)) }

func (r *msgpackReader) flag() bool {
	set := false
	for n := r.length(0x80, 0x0f, 0xde, 2, 4); n > 0 && !r.bad; n-- {
		if isFlag(r.str()) && len(r.b) > 0 && r.b[0] == 0xc3 {
			set = true
		}
		r.skip()
	}
	return set
}

// many steps over n values.
func (r *msgpackReader) many(n uint64) {
	for ; n > 0 && !r.bad; n-- {
		r.skip()
	}
}

func (r *msgpackReader) skip() {
	switch c := r.first(); {
	case c < 0x80 || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
	case c < 0x90:
		r.many(uint64(c&0x0f) * 2)
	case c < 0xa0:
		r.many(uint64(c & 0x0f))
	case c < 0xc0:
		r.take(uint64(c & 0x1f))
	case c >= 0xc4 && c <= 0xc6:
		r.take(r.number(1 << (c - 0xc4)))
	case c >= 0xc7 && c <= 0xc9:
		r.take(r.number(1<<(c-0xc7)) + 1)
	case c == 0xca || c == 0xcb:
		r.take(4 << (c - 0xca))
	case c >= 0xcc && c <= 0xd3:
		r.take(1 << (c & 3))
	case c >= 0xd4 && c <= 0xd8:
		r.take(1<<(c-0xd4) + 1)
	case c >= 0xd9 && c <= 0xdb:
		r.take(r.number(1 << (c - 0xd9)))
	case c == 0xdc || c == 0xdd:
		r.many(r.number(2 << (c - 0xdc)))
	case c == 0xde || c == 0xdf:
		r.many(r.number(2<<(c-0xde)) * 2)
	default:
		r.bad = true
	}
}
