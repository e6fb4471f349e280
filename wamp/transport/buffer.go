package transport

import "sync"

const (
	readBuffer = 64 << 10
	// A connection on which little arrives has a buffer of idleBuffer bytes: until one
	// read fills it, and again after calmReads that would not have filled the half.
	idleBuffer = 2 << 10
	calmReads  = 8
)

// inBuffer is what a connection reads into.
type inBuffer struct {
	buf  []byte
	most int // bytes of buf where much arrives
	r, w int // buf[r:w] has not been read
	got  int // bytes of the last read
	calm int // reads in a row that a small buffer would have done for
}

// room returns where to read next, in a buffer that has room for a frame of need bytes.
// What is left in it moves to its beginning, each frame once at most.
func (b *inBuffer) room(need int) []byte {
	left := b.buf[b.r:b.w]
	if size := b.roomFor(len(left), need); size != len(b.buf) {
		before := b.buf
		b.buf = takeBuffer(size)
		b.w = copy(b.buf, left)
		giveBuffer(before)
	} else {
		b.w = copy(b.buf, left)
	}
	b.r = 0
	return b.buf[b.w:]
}

// add says that n bytes have been read there.
func (b *inBuffer) add(n int) { b.w, b.got = b.w+n, n }

// roomFor is how large the buffer has to be for the next read, where left bytes of
// a frame of need bytes are there.
func (b *inBuffer) roomFor(left, need int) int {
	size, idle := len(b.buf), min(idleBuffer, b.most)
	switch {
	case size == 0 && need <= idle:
		return idle
	case size < b.most && (need > size || left == size || size > 0 && b.got == size): // there is more where that came from
		return b.most
	case left > 0 || size == idle:
	case b.got >= idle/2:
		b.calm = 0
	default:
		if b.calm++; b.calm >= calmReads {
			b.calm = 0
			return idle
		}
	}
	return size
}

// The buffers of connections on which much arrives go round between them.
var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

func takeBuffer(size int) []byte {
	if size == readBuffer {
		return readBuffers.Get().(*[readBuffer]byte)[:]
	}
	return make([]byte, size)
}

// giveBuffer gives a buffer back from which nobody reads any more.
func giveBuffer(b []byte) {
	if len(b) == readBuffer {
		readBuffers.Put((*[readBuffer]byte)(b))
	}
}
