package transport

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"unicode/utf8"
)

// The frames of RFC 6455, both directions and both sides. A frame is a header
// of 2 to 14 bytes and a payload, which a client masks with a key of four bytes
// and a server does not:
//
//	FIN, three reserved bits, opcode (4 bits)
//	MASK, length (7 bits): up to 125, or 126 and 127 for the two longer forms
//	length again, of 2 or 8 bytes
//	key, if masked
//
// wsread.go makes messages of frames, wswrite.go frames of messages, wsown.go
// the connection. With permessage-deflate frames are the library's: wsdeflate.go.
const (
	wsFin      = 0x80 // in the first byte
	wsReserved = 0x70
	wsOpcode   = 0x0f
	wsMasked   = 0x80 // in the second one

	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
	opControl  = 8 // the bit that all of them have

	wsMaxHead    = 14
	wsMaxControl = 125 // bytes of payload
)

// What can be wrong with a frame beside what is exported.
var (
	errOpcode   = fmt.Errorf("%w: a reserved opcode", ErrFrameType)
	errFragment = errors.New("fragments out of order")
	errMasked   = errors.New("a server's frame is masked")
	errUnmasked = errors.New("a client's frame is not masked")
	errCode     = errors.New("close code that may not be sent")
)

// wsHead is the header of a frame.
type wsHead struct {
	first  byte
	masked bool
	key    uint32 // little-endian
	size   int    // of the header, 0 if it is not there in full
	n      uint64 // size of the payload
}

func (h *wsHead) fin() bool     { return h.first&wsFin != 0 }
func (h *wsHead) op() byte      { return h.first & wsOpcode }
func (h *wsHead) control() bool { return h.first&opControl != 0 }

// parseHead reads the header that p begins with.
func parseHead(p []byte) (h wsHead) {
	if len(p) < 2 {
		return h
	}
	size, n := 2, uint64(p[1]&^wsMasked)
	switch n {
	case 126:
		if len(p) < 4 {
			return h
		}
		size, n = 4, uint64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		if len(p) < 10 {
			return h
		}
		size, n = 10, binary.BigEndian.Uint64(p[2:])
	}
	if p[1]&wsMasked != 0 {
		if len(p) < size+4 {
			return h
		}
		h.masked, h.key = true, binary.LittleEndian.Uint32(p[size:])
		size += 4
	}
	h.first, h.size, h.n = p[0], size, n
	return h
}

// check looks for what no frame may have, of a client or of a server.
func (h *wsHead) check(ofClient bool) error {
	switch {
	case h.first&wsReserved != 0:
		return ErrReserved
	case h.masked != ofClient:
		if ofClient {
			return errUnmasked
		}
		return errMasked
	case h.op() > opBinary && h.op() < opClose || h.op() > opPong:
		return errOpcode
	case h.control() && (h.n > wsMaxControl || !h.fin()), h.n>>63 != 0:
		return ErrBadLength
	}
	return nil
}

// appendHead appends the header of a frame with n bytes of payload.
func appendHead(dst []byte, first byte, n int, masked bool, key uint32) []byte {
	var bit byte
	if masked {
		bit = wsMasked
	}
	switch {
	case n <= wsMaxControl:
		dst = append(dst, first, bit|byte(n))
	case n < 1<<16:
		dst = append(dst, first, bit|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, bit|127), uint64(n))
	}
	if masked {
		dst = binary.LittleEndian.AppendUint32(dst, key)
	}
	return dst
}

// appendControl appends a control frame. The key of a client's comes straight
// from the system: these frames are few, and several goroutines make them.
func appendControl(dst []byte, op byte, payload []byte, ofClient bool) []byte {
	var key [4]byte
	if ofClient {
		_, _ = crand.Read(key[:]) // never fails
	}
	k := binary.LittleEndian.Uint32(key[:])
	dst = appendHead(dst, wsFin|op, len(payload), ofClient, k)
	at := len(dst)
	dst = append(dst, payload...)
	mask(dst[at:], payload, k)
	return dst
}

// mask puts src, masked or unmasked, into dst, which is as long; they may be
// the same. It returns the key for what follows.
func mask(dst, src []byte, key uint32) uint32 {
	k := uint64(key)<<32 | uint64(key)
	n := len(src)
	dst = dst[:n]
	for len(src) >= 32 && len(dst) >= 32 {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		c, d := binary.LittleEndian.Uint64(src[16:]), binary.LittleEndian.Uint64(src[24:])
		binary.LittleEndian.PutUint64(dst, a^k)
		binary.LittleEndian.PutUint64(dst[8:], b^k)
		binary.LittleEndian.PutUint64(dst[16:], c^k)
		binary.LittleEndian.PutUint64(dst[24:], d^k)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		src, dst = src[8:], dst[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(k>>(8*i))
	}
	turn := n % 4 * 8
	return key>>turn | key<<(32-turn)
}

// newKeys returns a source of masking keys. RFC 6455 wants them unpredictable
// from outside, so that nobody who chooses a payload chooses the bytes on the
// wire: hence ChaCha8 with a seed of the system's, not a plain generator. To ask
// the system for each key would cost more than the rest of a small frame.
func newKeys() *rand.ChaCha8 {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed)
}

// validText checks p, which may end inside a character: n is where the
// characters that are there in full end. ok is false if nothing that follows can
// make text of it.
func validText(p []byte) (n int, ok bool) {
	n = len(p)
	for i := n - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(p[:n])
}

// parseClose reads the payload of a close frame.
func parseClose(p []byte) (*CloseError, error) {
	switch {
	case len(p) == 0:
		return &CloseError{Code: closeNone}, nil
	case len(p) == 1:
		return nil, ErrBadLength
	}
	code := int(binary.BigEndian.Uint16(p))
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
	default:
		return nil, errCode
	}
	if !utf8.Valid(p[2:]) {
		return nil, ErrNotUTF8
	}
	return &CloseError{Code: code, Reason: string(p[2:])}, nil
}
