package session

import (
	"log/slog"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// This file is what the core tells of itself in the log, at rates that a flood of
// the same cannot raise.

const (
	oddEvery  = time.Minute     // odd messages are logged once in so long
	slowEvery = time.Second     // a slow consumer's losses
	heldAfter = 5 * time.Second // a link that is held back for so long
	waitAfter = 5 * time.Second // operations that wait for a link for so long
)

// notes is the core's part of the log. Actor only.
type notes struct {
	oddTimer *timer
	odds     uint64 // since the last record
	oddText  string

	held     *timer // logs that a consumer holds the link back
	heldFrom time.Time
	heldTold bool
	heldBy   consumer
	heldURI  string

	waitTimer *timer
	failures  failures

	handles   int // that are being restored
	back      int // of those
	lost      int // of those, that have ended
	rejoining bool
}

// odd reports whether a message had such an oddity.
func odd(m *proto.Message, what proto.Oddities) bool { return m.Odd != nil && m.Odd.What&what != 0 }

// odd counts a message of which something was left out.
func (c *core) odd(o *proto.Oddity) {
	c.stats.Odd++
	n := &c.notes
	n.odds++
	n.oddText = o.Reason
	if n.oddTimer == nil {
		n.oddNow(c)
	}
}

// oddNow logs what was odd since the last time, and waits for more.
func (n *notes) oddNow(c *core) {
	n.oddTimer = nil
	if n.odds == 0 {
		return
	}
	c.log.write(RecordOdd, slog.Uint64("messages", n.odds), slog.String("error", n.oddText))
	n.odds = 0
	n.oddTimer = c.timerNow(oddEvery, n.oddNow)
}

// consumer says of a stream whose consumer is slow what it has to do with.
type consumer struct {
	key    string // of the attribute that has the URI
	stream string
}

var (
	ofSubscription = consumer{"topic", "subscription"}
	ofCall         = consumer{"procedure", "call"}
	ofRegistration = consumer{"procedure", "registration"}
	ofChunks       = consumer{"procedure", "chunks"}
)

func (k consumer) attrs(uri string) []slog.Attr {
	return []slog.Attr{slog.String(k.key, uri), slog.String("stream", k.stream)}
}

// slowConsumer is what is told of a stream that loses messages because nobody
// reads it.
type slowConsumer struct {
	of    consumer
	uri   string
	lost  uint64 // since the last record
	timer *timer
}

// dropped notes that a stream has lost n messages to its policy.
func (c *core) dropped(s *slowConsumer, of consumer, uri string, n uint64) {
	c.stats.Dropped += n
	c.slowly(s, of, uri, n)
}

// slowly notes that n messages found no room at a consumer.
func (c *core) slowly(s *slowConsumer, of consumer, uri string, n uint64) {
	s.of, s.uri = of, uri
	if s.lost += n; s.timer == nil {
		s.tell(c)
	}
}

func (s *slowConsumer) tell(c *core) {
	s.timer = nil
	if s.lost == 0 {
		return
	}
	c.log.write(RecordSlow, append(s.of.attrs(s.uri), slog.Uint64("messages", s.lost))...)
	s.lost = 0
	s.timer = c.timerNow(slowEvery, s.tell)
}

// tellLast logs what a stream that ends has lost since the last record.
func (s *slowConsumer) tellLast(c *core) {
	if s.timer != nil {
		c.timers.stop(s.timer)
		s.tell(c)
		c.timers.stop(s.timer)
		s.timer = nil
	}
}

// overflowed logs a stream that ended because nobody reads it.
func (c *core) overflowed(of consumer, uri string) {
	c.stats.Overflowed++
	c.log.write(RecordOverflow, of.attrs(uri)...)
}

// gate notes that a stream holds the link back. Others do so beside it where they take
// the same event.
func (c *core) gate(of consumer, uri string) {
	if c.gates++; c.gates > 1 {
		return
	}
	n := &c.notes
	n.heldFrom, n.heldBy, n.heldURI, n.heldTold = c.host.now(), of, uri, false
	c.health.held.Store(c.since(n.heldFrom))
	n.held = c.timerNow(heldAfter, n.holding)
}

// holding logs that the link has been held back for long, and by whom.
func (n *notes) holding(c *core) {
	n.held, n.heldTold = nil, true
	c.log.write(RecordHeld, append(n.heldBy.attrs(n.heldURI), slog.Duration("held", heldAfter), slog.Int("streams", c.gates))...)
}

// ungate notes that a stream has room again.
func (c *core) ungate() {
	if c.gates--; c.gates > 0 {
		return
	}
	n := &c.notes
	c.health.held.Store(0)
	c.timers.stop(n.held)
	n.held = nil
	if n.heldTold {
		n.heldTold = false
		c.log.write(RecordFree, slog.Duration("held", c.host.now().Sub(n.heldFrom)))
	}
}

// linkDown begins to look for operations that wait for a link. It is told once
// for each loss.
func (n *notes) linkDown(c *core) {
	n.waitTimer = c.timerNow(waitAfter, n.waits)
}

func (n *notes) waits(c *core) {
	waiting, since := c.host.crowded()
	if parked := c.life.parked.len(); parked > 0 {
		waiting, since = waiting+parked, c.life.downAt
	}
	again := waitAfter
	if waiting > 0 {
		if again -= c.host.now().Sub(since); again <= 0 {
			c.log.write(RecordWaiting, slog.Int("waiting", waiting), slog.Duration("down", c.host.now().Sub(c.life.downAt)), failed(c.life.cause))
			return
		}
	}
	n.waitTimer = c.timerNow(again, n.waits)
}

// linkUp ends what was noted of the time without a link.
func (n *notes) linkUp(c *core) {
	c.timers.stop(n.waitTimer)
	n.waitTimer = nil
	n.failures = failures{}
}

// failures are attempts to connect that came to nothing, one after the other: a router
// may be down for a day.
type failures struct {
	next  time.Time // no record before that, but for another address
	pause time.Duration
	told  map[string]bool // addresses, where there are several
}

// failuresEvery is the pause between two records of failed attempts at first: each is
// twice as long as the one before, up to mostFailures.
const (
	failuresEvery = time.Minute
	mostFailures  = time.Hour
)

// tell logs that an attempt has failed.
func (f *failures) tell(cfg *settings, now time.Time, attempt int, err error) {
	early := now.Before(f.next)
	if early && !f.another(cfg) {
		cfg.log.leaveOut(RecordAttemptFailed)
		return
	}
	if !early {
		f.another(cfg)
		f.pause = min(max(2*f.pause, failuresEvery), mostFailures)
		f.next = now.Add(f.pause)
	}
	cfg.log.write(RecordAttemptFailed, append(cfg.addressAttr(), slog.Int("attempt", attempt), failed(err))...)
}

// another reports whether the address is one of several, and has not been told yet.
func (f *failures) another(cfg *settings) bool {
	a := cfg.address()
	if cfg.Rotation == nil || f.told[a] {
		return false
	}
	if f.told == nil {
		f.told = map[string]bool{}
	}
	f.told[a] = true
	return true
}

// restoring begins to count the handles that come back.
func (n *notes) restoring(c *core, handles int) {
	n.handles, n.back, n.lost, n.rejoining = handles, 0, 0, true
	c.health.missing.Store(int64(handles))
}

// cameBack counts a handle that is back, or gone for good.
func (n *notes) cameBack(c *core, back bool) {
	if !n.rejoining {
		return
	}
	n.handles--
	c.health.missing.Store(int64(n.handles))
	if back {
		n.back++
	} else {
		n.lost++
	}
	n.restored(c)
}

// restored logs that everything is back.
func (n *notes) restored(c *core) {
	if !n.rejoining || n.handles > 0 {
		return
	}
	n.rejoining = false
	attrs := []slog.Attr{slog.Uint64("session", uint64(c.details.Session)), slog.Int("handles", n.back)}
	if n.lost > 0 {
		attrs = append(attrs, slog.Int("ended", n.lost))
	}
	l := &c.life
	c.log.write(RecordRestored, append(attrs, slog.Duration("down", l.joinedAt.Sub(l.downAt)), slog.Duration("took", c.host.now().Sub(l.downAt)))...)
}

// taken logs that a procedure is somebody else's after a reconnect, once for each.
func (n *notes) taken(c *core, r *Registration, err error) {
	if r.restored == 1 {
		c.log.write(RecordTaken, slog.String("procedure", r.URI), failed(err))
	}
}

// tooBig logs that a message that nobody waits for was too big for the router.
func (n *notes) tooBig(c *core, size int, reason error) {
	c.log.write(RecordTooBig, slog.Int("bytes", size), failed(reason))
}

// addressAttr is the attribute of the address, if there is one.
func (cfg *Config) addressAttr() []slog.Attr {
	if a := cfg.address(); a != "" {
		return []slog.Attr{slog.String("address", a)}
	}
	return nil
}

// logState logs a change of the session's state.
func (c *core) logState(s State) {
	session := slog.Uint64("session", uint64(c.details.Session))
	switch s.Phase {
	case Joined:
		d, attrs := s.Details, c.cfg.addressAttr()
		if c.life.links > 1 {
			attrs = append(attrs, slog.Int("attempt", c.life.attempt))
		}
		c.log.write(RecordJoined, append(attrs, slog.String("realm", d.Realm), session, slog.String("subprotocol", d.Protocol),
			slog.String("authid", d.AuthID), slog.String("authrole", d.AuthRole), slog.String("authmethod", d.AuthMethod))...)
	case Reconnecting:
		c.log.write(RecordConnecting, slog.Int("attempt", s.Attempt), slog.Duration("delay", s.Delay), failed(s.Cause))
	case Closed:
		if s.Cause == nil {
			c.log.write(RecordClosed, session)
		} else {
			c.log.write(RecordEnded, append(c.cfg.addressAttr(), session, failed(s.Cause))...)
		}
		c.log.last()
	case Connecting:
	}
}

// logLoss logs that the link is lost.
func (c *core) logLoss(reason error) {
	c.log.write(RecordLost, append(c.cfg.addressAttr(), slog.Uint64("session", uint64(c.details.Session)),
		slog.Duration("up", c.life.downAt.Sub(c.life.joinedAt)), failed(reason))...)
}

// logHandle logs a registration or subscription that has ended by itself, or by
// its context. The user's own calls, and the end of the session, need no record, and
// that of a slow consumer has one.
func (c *core) logHandle(h handled, err error, now bool) {
	if c.ended || Asked(err) || err == ErrSlowConsumer {
		return
	}
	kind, b := h.kind(), h.handle()
	rec := kind.ended
	if _, canceled := err.(*CanceledError); canceled && now { //nolint:errorlint // its own, not one that is wrapped
		rec = kind.leftByCtx
	}
	c.log.write(rec, slog.String(kind.key, b.URI), slog.String("match", string(b.Match)), failed(err))
}
