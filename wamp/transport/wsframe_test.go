//go:build !js

package transport_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// What stands in a stream of frames: messages, control frames, and the close code
// for what is wrong with it, 0 where it just ends.
type stream struct {
	events []string
	code   int
}

func (s *stream) add(what string, payload []byte) {
	s.events = append(s.events, fmt.Sprintf("%s %x", what, payload))
}

// slowStream reads frames as RFC 6455 describes them, with all of the stream
// before it.
func slowStream(p []byte, ofClient, text bool, limit int) (s stream) {
	var message []byte
	open := false
	for {
		if len(p) < 2 {
			return s
		}
		fin, rsv, op := p[0]>>7 == 1, p[0]>>4&7, p[0]&15
		masked, size := p[1]>>7 == 1, uint64(p[1]&127)
		rest := p[2:]
		if size >= 126 {
			width := 2
			if size == 127 {
				width = 8
			}
			if len(rest) < width {
				return s
			}
			size = 0
			for _, b := range rest[:width] {
				size = size*256 + uint64(b)
			}
			rest = rest[width:]
		}
		var key [4]byte
		if masked {
			if copy(key[:], rest) < 4 {
				return s
			}
			rest = rest[4:]
		}
		control := op == 8 || op == 9 || op == 10
		known := control || op == 0 || op == 1 || op == 2
		switch {
		case rsv != 0, masked != ofClient, !known, size >= 1<<63, control && (size > 125 || !fin):
			s.code = 1002
		case control:
		case op == 0 && !open, op != 0 && open:
			s.code = 1002
		case op == 1 && !text, op == 2 && text:
			s.code = 1003
		case uint64(len(message))+size > uint64(limit):
			s.code = 1009
		}
		if s.code != 0 {
			return s
		}
		whole := size <= uint64(len(rest))
		payload := rest
		if whole {
			payload = rest[:size]
		}
		plain := make([]byte, len(payload))
		for i := range plain {
			plain[i] = payload[i] ^ key[i%4]
		}
		if control {
			switch {
			case !whole:
				return s
			case op == 8:
				s.add("close", plain)
				return s
			case op == 9:
				s.add("ping", plain)
			default:
				s.add("pong", plain)
			}
			p = rest[size:]
			continue
		}
		message = append(message, plain...)
		open = true
		if possible, complete := slowText(message); text && (!possible || whole && fin && !complete) {
			s.code = 1007
			return s
		}
		if !whole {
			return s
		}
		if fin {
			s.add("message", message)
			message, open = nil, false
		}
		p = rest[size:]
	}
}

// slowText reads UTF-8 by the table of RFC 3629: whether p can be the beginning of
// text, and whether it is text.
func slowText(p []byte) (possible, complete bool) {
	in := func(b, low, high byte) bool { return b >= low && b <= high }
	for len(p) > 0 {
		b, more, low, high := p[0], 0, byte(0x80), byte(0xbf)
		switch {
		case b <= 0x7f:
		case in(b, 0xc2, 0xdf):
			more = 1
		case b == 0xe0:
			more, low = 2, 0xa0
		case b == 0xed:
			more, high = 2, 0x9f
		case in(b, 0xe1, 0xef):
			more = 2
		case b == 0xf0:
			more, low = 3, 0x90
		case b == 0xf4:
			more, high = 3, 0x8f
		case in(b, 0xf1, 0xf3):
			more = 3
		default:
			return false, false
		}
		for p = p[1:]; more > 0; more-- {
			if len(p) == 0 {
				return true, false
			}
			if !in(p[0], low, high) {
				return false, false
			}
			p, low, high = p[1:], 0x80, 0xbf
		}
	}
	return true, true
}

// smallBuffer is the smallest that a reader may have: a control frame fits.
const smallBuffer = 14 + 125

// counted counts the reads of a source.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	c.n++
	return c.Reader.Read(p)
}

// inPieces gives what it has in pieces of chance.
type inPieces struct {
	p      []byte
	chance *rand.Rand
}

func (r *inPieces) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+r.chance.IntN(40))], r.p)
	r.p = r.p[n:]
	return n, nil
}

// fastStream reads frames as the transport does.
func fastStream(t *testing.T, src io.Reader, ofClient, text bool, limit, size int) (s stream) {
	t.Helper()
	closed := errors.New("closed")
	from := &counted{Reader: src}
	r := transport.NewMessageReader(from, ofClient, text, limit, size, func(op byte, payload []byte) error {
		s.add(map[byte]string{8: "close", 9: "ping", 10: "pong"}[op], payload)
		if op == 8 {
			return closed
		}
		return nil
	})
	for {
		whole, before := r.Whole(), from.n
		m, err := r.Next()
		if whole && from.n != before {
			t.Fatal("a message that was at hand was read for")
		}
		if n := r.Memory(); n > size+2*limit+512 {
			t.Fatalf("it holds %d bytes", n)
		}
		var bad *transport.FrameError
		switch {
		case err == nil:
			s.add("message", m)
			continue
		case errors.As(err, &bad):
			s.code = transport.CloseCode(bad)
		case err != io.EOF && err != closed:
			t.Fatal(err)
		}
		if err != closed {
			_ = r.Drain() // which ends
		}
		return s
	}
}

// frameSeeds are streams of a server, and the same ones of a client.
func frameSeeds(masked bool) [][]byte {
	join := func(all ...[]byte) []byte { return bytes.Join(all, nil) }
	f := func(first byte, payload string) []byte {
		p := frame(masked, first, []byte(payload))
		if masked { // with another key than that of frame
			at := len(p) - len(payload)
			for i := range p[at-4:] {
				p[at-4+i] ^= "\x37\xfa\x21\x3d"[i%4]
			}
		}
		return p
	}
	long := string(payload(300))
	return [][]byte{
		join(f(0x82, "one"), f(0x82, ""), f(0x82, long)),
		join(f(0x81, "te\xe2\x82\xacxt"), f(0x01, "\xf0\x9f"), f(0x89, "ping"), f(0x80, "\x98\x80")),
		join(f(0x02, long), f(0x00, ""), f(0x8a, ""), f(0x00, long), f(0x80, "end"), f(0x82, "next")),
		f(0x88, "\x03\xe8bye"), f(0x88, ""), f(0x88, "x"),
		f(0xc2, "rsv"), f(0x83, "opcode"), f(0x8b, "opcode"), f(0x80, "alone"), join(f(0x02, "a"), f(0x82, "b")),
		f(0x09, "part of a ping"), f(0x89, long[:126]), f(0x81, "\xff"), f(0x81, "\xed\xa0\x80"), f(0x81, "\xe2\x82"),
		join(f(0x01, "\xe2"), f(0x80, "")), f(0x82, long)[:50], f(0x81, long+"\xf4\x90")[:290],
		{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x82, 127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 'x'}, {0x82, 126, 0, 1, 'x'},
		{0x82, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4, 'x'},
	}
}

// The reader agrees with a slow one about each stream of frames, however it comes.
func FuzzWebSocketFrames(f *testing.F) {
	for _, ofClient := range []bool{false, true} {
		for _, masked := range []bool{false, true} {
			for i, seed := range frameSeeds(masked) {
				f.Add(seed, ofClient, true, uint64(i))
				f.Add(seed, ofClient, false, uint64(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, ofClient, text bool, seed uint64) {
		const limit = 700
		want := slowStream(p, ofClient, text, limit)
		for name, src := range map[string]io.Reader{
			"at once": bytes.NewReader(p), "byte by byte": iotest.OneByteReader(bytes.NewReader(p)),
			"in pieces": &inPieces{bytes.Clone(p), rand.New(rand.NewPCG(seed, 0))},
		} {
			for _, size := range []int{smallBuffer, 4096} {
				got := fastStream(t, src, ofClient, text, limit, size)
				if got.code != want.code || fmt.Sprint(got.events) != fmt.Sprint(want.events) {
					t.Fatalf("%s, buffer of %d:\n%v %d, want\n%v %d", name, size, got.events, got.code, want.events, want.code)
				}
				src = bytes.NewReader(p)
			}
		}
	})
}

// What is written for a batch is read as its messages, by the slow reader, and
// no two frames of a client have the same key.
func FuzzWebSocketWrite(f *testing.F) {
	f.Add(uint64(1), uint16(3), uint32(40), false, false)
	f.Add(uint64(2), uint16(300), uint32(1000), true, false)
	f.Add(uint64(3), uint16(5), uint32(200_000), false, true)
	f.Add(uint64(4), uint16(2000), uint32(100), false, false)
	f.Add(uint64(5), uint16(40), uint32(20_000), true, true)
	f.Fuzz(func(t *testing.T, seed uint64, count uint16, size uint32, server, text bool) {
		chance := rand.New(rand.NewPCG(seed, 0))
		name := "wamp.2.cbor"
		if text {
			name = "wamp.2.json"
		}
		total, want := 0, stream{}
		var messages [][]byte
		for range count % 3000 {
			m := payload(chance.IntN(int(size%300_000) + 1))
			if total += len(m); total > 2<<20 {
				break
			}
			messages = append(messages, m)
			want.add("message", m)
		}
		var wire []byte
		b := batch(messages...)
		w := transport.NewMessageWriter(server, protocol(t, name))
		w.Pieces(b, func(p []byte) {
			if len(p) == 0 || len(p) > 64<<10+14 {
				t.Fatalf("a piece of %d bytes", len(p))
			}
			wire = append(wire, p...)
		})
		got := slowStream(wire, !server, text, 1<<30)
		if got.code != 0 || fmt.Sprint(got.events) != fmt.Sprint(want.events) {
			t.Fatalf("%d events, code %d: want %d", len(got.events), got.code, len(want.events))
		}
		for i, m := range messages {
			if string(b.Message(i)) != string(m) {
				t.Fatalf("message %d of the batch was changed", i)
			}
		}
	})
}

// Keys of frames are all different and have nothing in common.
func TestMaskingKeys(t *testing.T) {
	keys := make(map[uint32]int)
	var bits [32]int
	const frames = 1 << 14
	for range 2 { // of two connections
		w := transport.NewMessageWriter(false, protocol(t, "wamp.2.cbor"))
		for range frames / 2 {
			w.Pieces(batch([]byte("message")), func(p []byte) {
				key := binary.BigEndian.Uint32(p[2:])
				keys[key]++
				for i := range bits {
					bits[i] += int(key >> i & 1)
				}
			})
		}
	}
	if len(keys) < frames-3 { // by chance one pair in 32 runs
		t.Errorf("%d keys in %d frames", len(keys), frames)
	}
	for i, n := range bits {
		if n < frames*45/100 || n > frames*55/100 {
			t.Errorf("bit %d is set in %d of %d keys", i, n, frames)
		}
	}
}
