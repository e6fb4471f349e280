package transport

import (
	"io"
	"math"
	"unicode/utf8"
)

// wsReader makes messages of the frames that come from src. A frame that the
// buffer has in full is handed out where it stands; one that is larger than the
// buffer gets, and a message in several frames, have memory of their own, which
// grows with what has come and not by what a header says.
type wsReader struct {
	src      io.Reader
	ofClient bool // the frames are a client's
	text     bool // and so are the messages; others are refused
	limit    int  // the largest message
	control  func(op byte, payload []byte) error

	inBuffer
	// Of the first frame in buf, while its end has not come: how many bytes of
	// its payload are unmasked, and how many are checked.
	bare, valid int

	large   large  // the message under way, or the last one, if it has memory of its own
	checked int    // bytes of it that are checked
	open    bool   // there is a frame to come, or a part of one
	left    uint64 // bytes to come of a frame whose header is behind us
	last    bool   // which is the last one of the message
	key     uint32 // for them

	lost bool // drain cannot tell frames apart any more
}

// next returns the next message, which is valid until the next call.
func (r *wsReader) next() ([]byte, error) {
	r.large.settle()
	for {
		p := r.buf[r.r:r.w]
		h := parseHead(p)
		if h.size == 0 {
			if err := r.fill(0); err != nil {
				return nil, err
			}
			continue
		}
		if err := r.check(&h); err != nil {
			return nil, err
		}
		whole := h.n <= uint64(len(p)-h.size)
		switch {
		case h.control():
			if err := r.take(&h, whole); err != nil {
				return nil, err
			}
		case r.open || !h.fin() || h.n > uint64(r.most-h.size):
			if err := r.gather(&h); err != nil {
				return nil, err
			}
			if !r.open {
				return r.large.done(), nil
			}
		default:
			m, err := r.inPlace(&h, p[h.size:min(h.size+int(h.n), len(p))], whole)
			if err != nil || whole {
				r.large.small++
				return m, err
			}
			if err := r.fill(h.size + int(h.n)); err != nil {
				return nil, err
			}
		}
	}
}

// check looks at the header of the first frame in the buffer.
func (r *wsReader) check(h *wsHead) error {
	if err := h.check(r.ofClient); err != nil {
		return &FrameError{Err: err}
	}
	if h.control() {
		return nil
	}
	size := h.n
	switch {
	case (h.op() == opContinue) != r.open:
		return &FrameError{Err: errFragment}
	case r.open:
		size += uint64(len(r.large.b))
	case (h.op() == opText) != r.text:
		return &FrameError{Err: ErrFrameType}
	}
	if size > uint64(r.limit) {
		return &FrameError{Err: ErrTooBig, Size: int(min(size, math.MaxInt))}
	}
	return nil
}

// take hands a control frame over, or waits for the rest of it.
func (r *wsReader) take(h *wsHead, whole bool) error {
	if !whole {
		return r.fill(0)
	}
	r.r += h.size
	body := r.buf[r.r : r.r+int(h.n)]
	r.r += len(body)
	if h.masked {
		mask(body, body, h.key)
	}
	return r.control(h.op(), body)
}

// inPlace unmasks and checks what there is of a message in one frame. Text is
// looked at before it is there in full.
func (r *wsReader) inPlace(h *wsHead, body []byte, whole bool) ([]byte, error) {
	if h.masked && (whole || r.text) {
		turn := r.bare % 4 * 8
		mask(body[r.bare:], body[r.bare:], h.key>>turn|h.key<<(32-turn))
		r.bare = len(body)
	}
	switch {
	case !r.text:
	case whole:
		if !utf8.Valid(body[r.valid:]) {
			return nil, &FrameError{Err: ErrNotUTF8}
		}
	default:
		n, ok := validText(body[r.valid:])
		if !ok {
			return nil, &FrameError{Err: ErrNotUTF8}
		}
		r.valid += n
	}
	if !whole {
		return nil, nil
	}
	r.r += h.size + len(body)
	r.bare, r.valid = 0, 0
	return body[:len(body):len(body)], nil
}

// gather reads a frame of a message that has memory of its own. open says
// whether there are more to come.
func (r *wsReader) gather(h *wsHead) error {
	if !r.open {
		r.large.b, r.checked, r.open = r.large.b[:0], 0, true
	}
	r.r += h.size
	r.left, r.last, r.key = h.n, h.fin(), h.key
	for r.left > 0 {
		n, err := r.part()
		if err != nil {
			return err
		}
		r.left -= uint64(n)
		if h.masked {
			piece := r.large.b[len(r.large.b)-n:]
			r.key = mask(piece, piece, r.key)
		}
		if r.text {
			n, ok := validText(r.large.b[r.checked:])
			if !ok {
				return &FrameError{Err: ErrNotUTF8}
			}
			r.checked += n
		}
	}
	if r.last {
		if r.open = false; r.text && r.checked < len(r.large.b) {
			return &FrameError{Err: ErrNotUTF8}
		}
	}
	return nil
}

// part appends some more of the frame to big, and says how much.
func (r *wsReader) part() (int, error) {
	if r.r == r.w && r.left < uint64(len(r.buf)) {
		if err := r.fill(0); err != nil {
			return 0, err
		}
	}
	r.large.grow(len(r.large.b)+int(r.left), !r.last)
	big := r.large.b
	room := big[len(big):cap(big)]
	room = room[:min(uint64(len(room)), r.left)]
	n, err := 0, error(nil)
	if r.r < r.w {
		n = copy(room, r.buf[r.r:r.w])
		r.r += n
	} else {
		n, err = r.read(room) // most of a large frame
	}
	r.large.b = big[:len(big)+n]
	return n, err
}

// whole reports whether a message in one frame is at hand. It does not look at
// more of the frame than it has to: next does.
func (r *wsReader) whole() bool {
	p := r.buf[r.r:r.w]
	if len(p) < 2 || r.open || p[0]&(wsFin|opControl) != wsFin || p[0]&wsOpcode == opContinue {
		return false
	}
	h := parseHead(p)
	return h.size > 0 && h.n <= uint64(len(p)-h.size)
}

// fill reads more into the buffer, which has room for a frame of need bytes
// afterwards.
func (r *wsReader) fill(need int) error {
	n, err := r.read(r.room(need))
	r.add(n)
	return err
}

// read reads at least a byte.
func (r *wsReader) read(p []byte) (int, error) {
	for range emptyReads {
		n, err := r.src.Read(p)
		if n > 0 {
			return n, nil // the error, if any, comes again
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// preload puts p in front of what src gives.
func (r *wsReader) preload(p []byte) {
	if len(p) > 0 {
		r.buf = append(r.buf, p...)
		r.w = len(p)
	}
}

// detach leaves the memory of the last message to who has it, before a drain.
func (r *wsReader) detach() {
	r.buf = append([]byte(nil), r.buf[r.r:r.w]...)
	r.r, r.w = 0, len(r.buf)
}

// drain drops what comes until the peer's close frame, or until src ends. Where
// frames cannot be told apart any more it is the latter, after a call of unsure.
func (r *wsReader) drain(unsure func()) error {
	for {
		skip := uint64(r.w - r.r)
		if !r.lost {
			skip = min(skip, r.left)
			r.left -= skip
		}
		r.r += int(skip)
		if h := parseHead(r.buf[r.r:r.w]); r.left == 0 && h.size > 0 {
			if r.lost = h.check(r.ofClient) != nil; r.lost {
				unsure()
				continue
			}
			if h.op() == opClose {
				return nil
			}
			r.r += h.size
			r.left = h.n
			continue
		}
		if err := r.fill(0); err != nil {
			return err
		}
	}
}
