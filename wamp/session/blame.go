package session

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// An operation that is sent again on each link may be what ends the links: a
// router that chokes on it hangs up. This file finds it, so that it ends and
// not the session.

const (
	// deathTime is how soon after an operation was written the link must have
	// ended for that to count against it.
	deathTime = 10 * time.Second
	// mostDeaths in a row end an operation.
	mostDeaths = 3
	// suspectedFrom that many, an operation is sent alone: no other one that is
	// repeated is sent before it was answered, so that the blame is certain.
	suspectedFrom = 2
)

// blame is what is known of operations and the ends of links. Actor only.
type blame struct {
	marks []mark
	since uint64 // of a link that is being lost: batches from here on were written shortly before
	big   request
	err   error // of big

	suspects list[parked] // to be sent one by one, oldest first
	probing  repeated
	timed    bool // it has been written, and has until
	until    time.Time
	timer    *timer // of until

	loose int // bytes of the largest message on this link that no answer is waited for
}

// mark notes when a batch was handed to the link.
type mark struct {
	seq uint64
	at  time.Time
}

// markEvery is how exact the marks are.
const markEvery = 10 * time.Millisecond

// repeated is an operation that is sent again on the next link.
type repeated interface {
	parked
	// suspected counts the links in a row that ended with it.
	suspected() int
	// pending reports whether it waits for an answer, and nothing has come for it.
	pending(c *core) bool
	// queued reports whether it waits to be sent.
	queued() bool
	// probed notes that it is the one that is sent alone. It says so when it ends.
	probed(b *blame)
}

var (
	_ repeated = (*Call)(nil)
	_ repeated = (*Publish)(nil)
	_ repeated = (*askSuspect)(nil)
)

// askSuspect is an ask that is repeated.
type askSuspect struct {
	ask ask
	at  *node[parked]
	n   int
}

func (s *askSuspect) apply(*core)                {}
func (s *askSuspect) refuse(error)               {}
func (s *askSuspect) resume(c *core)             { c.ask(s.ask) }
func (s *askSuspect) parkedNode() **node[parked] { return &s.at }
func (s *askSuspect) suspected() int             { return s.n }
func (s *askSuspect) pending(*core) bool         { return s.ask.state().pending() }
func (s *askSuspect) queued() bool               { return s.ask.state().at.listed() }
func (s *askSuspect) probed(*blame)              {}

// askAgain asks for a handle on a new link. deaths counts the links that ended
// with it.
func (c *core) askAgain(a ask, deaths uint8) {
	if deaths < suspectedFrom {
		c.ask(a)
		return
	}
	s := &askSuspect{ask: a, n: int(deaths)}
	s.at = c.blame.suspects.push(s)
	if c.blame.probing == nil {
		c.nextSuspect()
	}
}

// linkUp forgets what is of the old link.
func (b *blame) linkUp() { b.marks, b.probing, b.loose = b.marks[:0], nil, 0 }

// wrote notes that a batch was handed to the link.
func (b *blame) wrote(seq uint64, now time.Time) {
	n := len(b.marks)
	if n > 0 && now.Sub(b.marks[n-1].at) < markEvery {
		return
	}
	if n >= 64 && now.Sub(b.marks[n/2].at) > deathTime { // the older half is of no use
		b.marks = b.marks[:copy(b.marks, b.marks[n/2:])]
	}
	b.marks = append(b.marks, mark{seq, now})
}

// judge is called when a link is lost, before its requests are suspended.
func (b *blame) judge(c *core, reason error) {
	now := c.host.now()
	b.since = c.outSeq // nothing
	if !deadly(reason) {
		b.marks = b.marks[:0]
	}
	for i := len(b.marks) - 1; i >= 0 && now.Sub(b.marks[i].at) <= deathTime; i-- {
		b.since = b.marks[i].seq
	}
	b.big, b.err = nil, nil
	if closed, is := Find[*transport.CloseError](reason); is && closed.Code == 1009 {
		b.tooBig(c, reason)
	}
	for at := b.suspects.first(); at != nil; at = b.suspects.first() {
		p := at.value
		c.unpark(p)
		if _, handle := p.(*askSuspect); !handle { // those are restored
			c.park(p)
		}
	}
	b.probing = nil
	c.timers.stop(b.timer)
}

// deadly reports whether an operation may be the reason of a loss: the router
// hung up, or went silent. Neither a GOODBYE is one, nor what we decide.
func deadly(reason error) bool {
	_, goodbye := Find[*GoodbyeError](reason)
	return !goodbye && !Is(reason, ErrAckTimeout)
}

// tooBig finds the message that the router closed the connection for: the only
// operation that was written and is unanswered, else the largest. What nobody
// waits for an answer of may have been larger than that; it is gone with the
// link.
func (b *blame) tooBig(c *core, reason error) {
	most := -1
	for _, r := range c.requests.All() {
		seq, size := r.written()
		if seq > c.sentSeq || size < most {
			continue
		}
		b.big, most = r, size
	}
	if b.big == nil || most < b.loose {
		b.big = nil
		c.notes.tooBig(c, b.loose, reason)
		return
	}
	b.err = &OutcomeUnknown{Reason: wrapf("%w: the router closed the connection for a message of about %d bytes: %w",
		ErrPayloadTooBig, most, reason)}
}

// death judges an operation that was written to the link that is being lost and
// would be sent again: it counts the death, and returns an error if there is to
// be no other try.
func (b *blame) death(c *core, r request, deaths *uint8, reason error) error {
	if b.big != nil {
		if b.big == r {
			return b.err
		}
		return nil
	}
	if seq, _ := r.written(); seq < b.since || seq > c.sentSeq {
		*deaths = 0
		return nil
	}
	if *deaths++; *deaths < mostDeaths {
		return nil
	}
	return &OutcomeUnknown{Links: int(*deaths), Reason: reason}
}

// over notes that an operation has ended. It is not looked at again: the struct of
// a publish may be used for the next one. b is nil for those that were not probed.
func (b *blame) over(r repeated) {
	if b != nil && b.probing == r {
		b.probing = answered{}
	}
}

// answered is in the place of a suspect that has ended, until the next is sent.
type answered struct{ repeated }

func (answered) pending(*core) bool { return false }

// certain reports whether a suspect alone is to blame for the end of the link.
func (b *blame) certain(c *core) bool { return b.probing != nil && b.probing.pending(c) }

// nextSuspect sends the next suspect when the one before it is answered, or has
// lived for long enough.
func (c *core) nextSuspect() {
	b := &c.blame
	for b.probing == nil || !b.alone(c) {
		b.probing = nil
		c.timers.stop(b.timer)
		if b.suspects.len() == 0 || c.state != proto.StateEstablished {
			return
		}
		p := b.suspects.first().value.(repeated)
		c.unpark(p)
		b.probing, b.timed = p, false
		p.probed(b)
		p.resume(c)
	}
}

// alone reports whether the suspect at hand has neither been answered nor lived
// for long enough. Its time begins when it has been written.
func (b *blame) alone(c *core) bool {
	switch {
	case !b.probing.pending(c):
		return false
	case b.probing.queued():
	case !b.timed:
		b.timed = true
		b.until = c.host.now().Add(deathTime)
		b.timer = c.timerNow(deathTime, func(*core) {}) // the turn that it makes looks again
	default:
		return c.host.now().Before(b.until)
	}
	return true
}
