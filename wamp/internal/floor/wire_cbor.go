package floor

import "encoding/binary"

// cborWire is CBOR, without indefinite lengths.
type cborWire struct{}

func (cborWire) Name() string        { return "cbor" }
func (cborWire) rawID() byte         { return 3 }
func (cborWire) subprotocol() string { return "wamp.2.cbor" }
func (cborWire) Text() bool          { return false }
func (cborWire) NewReader() Reader   { return new(cborReader) }

// appendCBOR appends the first bytes of a value: major type and number.
func appendCBOR(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func (cborWire) AppendHead(dst []byte, n int, typ, id uint64) []byte {
	return appendCBOR(appendCBOR(appendCBOR(dst, 4, uint64(n)), 0, typ), 0, id)
}

func (w cborWire) AppendTail(dst []byte, values ...any) []byte {
	for _, v := range values {
		dst = w.appendValue(dst, v)
	}
	return dst
}

func (cborWire) AppendRest(dst, rest []byte) []byte { return append(append(dst, 0xa0), rest...) }

func (w cborWire) AppendList(dst []byte, values ...any) []byte {
	return w.AppendTail(appendCBOR(dst, 4, uint64(len(values))), values...)
}

func (w cborWire) appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case raw:
		return append(dst, v...)
	case int:
		return appendCBOR(dst, 0, uint64(v))
	case uint64:
		return appendCBOR(dst, 0, v)
	case string:
		return append(appendCBOR(dst, 3, uint64(len(v))), v...)
	case bool:
		if v {
			return append(dst, 0xf5)
		}
		return append(dst, 0xf4)
	case []any:
		return w.AppendList(dst, v...)
	case Dict:
		dst = appendCBOR(dst, 5, uint64(len(v)))
		for _, e := range v {
			dst = w.AppendTail(dst, e.key, e.value)
		}
		return dst
	}
	panic(unsupported(v))
}

// cborReader reads what cborWire writes, and what any other encoder without
// indefinite lengths does.
type cborReader struct {
	b   []byte
	bad bool
}

func (r *cborReader) Begin(msg []byte) { r.b, r.bad = msg, false }
func (r *cborReader) OK() bool         { return !r.bad }
func (r *cborReader) rest() []byte     { return r.b }

// header reads the first bytes of a value.
func (r *cborReader) header() (major byte, n uint64) {
	if len(r.b) == 0 {
		r.bad = true
		return 0, 0
	}
	first := r.b[0]
	info := first & 31
	if info < 24 {
		r.b = r.b[1:]
		return first >> 5, uint64(info)
	}
	if info > 27 {
		r.bad, r.b = true, nil
		return 0, 0
	}
	size := 1 << (info - 24)
	if len(r.b) <= size {
		r.bad, r.b = true, nil
		return 0, 0
	}
	for _, c := range r.b[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	r.b = r.b[1+size:]
	return first >> 5, n
}

// want reads a header that must be of the given major type.
func (r *cborReader) want(major byte) uint64 {
	m, n := r.header()
	if m != major {
		r.bad = true
		return 0
	}
	return n
}

func (r *cborReader) List() int    { return int(r.want(4)) }
func (r *cborReader) Uint() uint64 { return r.want(0) }
func (r *cborReader) str() []byte  { return r.take(r.want(3)) }

// take cuts n bytes off.
func (r *cborReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *cborReader) flag() bool {
	set := false
	for n := r.want(5); n > 0 && !r.bad; n-- {
		if isFlag(r.str()) && len(r.b) > 0 && r.b[0] == 0xf5 {
			set = true
		}
		r.skip()
	}
	return set
}

func (r *cborReader) skip() {
	major, n := r.header()
	switch major {
	case 2, 3:
		r.take(n)
	case 4, 5, 6:
		if major == 5 {
			n *= 2
		}
		if major == 6 {
			n = 1
		}
		for ; n > 0 && !r.bad; n-- {
			r.skip()
		}
	}
}
