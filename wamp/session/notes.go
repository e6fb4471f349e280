package session

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// This file is what the core tells of itself: the log, at rates that a flood of
// the same cannot raise, and the counters that goroutines beside the actor
// write.

const (
	oddEvery  = time.Minute     // odd messages are logged once in so long
	slowEvery = time.Second     // a slow consumer's losses
	heldAfter = 5 * time.Second // a link that is held back for so long
	waitAfter = 5 * time.Second // operations that wait for a link for so long
)

// notes is the core's part of the log. Actor only, but for faults and fault.
type notes struct {
	sink   *slog.Logger // of faults
	faults atomic.Uint64

	oddTimer *timer
	odds     uint64 // since the last record
	oddText  string

	held *timer // logs that a consumer holds the link back

	waitTimer *timer

	handles   int // that are being restored
	back      int // of those
	rejoining bool
}

// fault logs and counts what users' code must not do: a panic, or where p is nil
// a runtime.Goexit.
func (n *notes) fault(what string, p any) {
	if p == nil {
		n.faults.Add(1)
		n.sink.Error(what+" called runtime.Goexit", "stack", stackOf())
		return
	}
	n.panicked(what, p, stackOf())
}

// stuck logs and counts a user's code that has not returned.
func (n *notes) stuck(what string, after time.Duration) {
	n.faults.Add(1)
	n.sink.Error(what+" has not returned", "after", after)
}

func (n *notes) panicked(what string, p any, stack string) {
	n.faults.Add(1)
	n.sink.Error(what+" panicked", "panic", fmt.Sprint(p), "stack", stack)
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
	c.log.Warn("the router sends what it must not; it was left out", "messages", n.odds, "last", n.oddText)
	n.odds = 0
	n.oddTimer = c.timerNow(oddEvery, n.oddNow)
}

// slowConsumer is what is told of a stream that loses messages because nobody
// reads it.
type slowConsumer struct {
	what, uri string
	lost      uint64 // since the last record
	timer     *timer
}

// dropped notes that a stream has lost n messages to its policy.
func (c *core) dropped(s *slowConsumer, what, uri string, n uint64) {
	c.stats.Dropped += n
	c.slowly(s, what, uri, n)
}

// slowly notes that n messages found no room at a consumer.
func (c *core) slowly(s *slowConsumer, what, uri string, n uint64) {
	s.what, s.uri = what, uri
	if s.lost += n; s.timer == nil {
		s.tell(c)
	}
}

func (s *slowConsumer) tell(c *core) {
	s.timer = nil
	if s.lost == 0 {
		return
	}
	c.log.Warn("a slow consumer: there was no room", s.what, s.uri, "messages", s.lost)
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
func (c *core) overflowed(what, uri string) {
	c.stats.Overflowed++
	c.log.Warn("a slow consumer's stream has ended", what, uri)
}

// gate notes that a stream holds the link back.
func (c *core) gate(what, uri string) {
	c.gates++
	if c.notes.held != nil {
		return
	}
	c.notes.held = c.timerNow(heldAfter, func(c *core) {
		c.notes.held = nil
		if c.gates > 0 {
			c.log.Warn("a consumer that does not read holds the connection back", what, uri, "for", heldAfter)
		}
	})
}

// ungate notes that a stream has room again.
func (c *core) ungate() {
	if c.gates--; c.gates == 0 && c.notes.held != nil {
		c.timers.stop(c.notes.held)
		c.notes.held = nil
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
			c.log.Warn("operations wait for a connection", "waiting", waiting, "down", c.host.now().Sub(c.life.downAt),
				"cause", logText{c.life.cause})
			return
		}
	}
	n.waitTimer = c.timerNow(again, n.waits)
}

// linkUp ends what was noted of the time without a link.
func (n *notes) linkUp(c *core) {
	c.timers.stop(n.waitTimer)
	n.waitTimer = nil
}

// restoring begins to count the handles that come back.
func (n *notes) restoring(handles int) { n.handles, n.back, n.rejoining = handles, 0, true }

// cameBack counts a handle that is back, or gone for good.
func (n *notes) cameBack(c *core, back bool) {
	if !n.rejoining {
		return
	}
	n.handles--
	if back {
		n.back++
	}
	n.restored(c)
}

// restored logs that everything is back.
func (n *notes) restored(c *core) {
	if n.rejoining && n.handles <= 0 {
		n.rejoining = false
		c.log.Info("the session is back", "handles", n.back, "took", c.host.now().Sub(c.life.joinedAt),
			"down", c.life.joinedAt.Sub(c.life.downAt))
	}
}

// tooBig logs that a message that nobody waits for was too big for the router.
func (n *notes) tooBig(c *core, size int, reason error) {
	c.log.Warn("the router closed the connection for a message that was too big: a publish or an answer", "bytes", size,
		"cause", logText{reason})
}

// logState logs a change of the session's state.
func (c *core) logState(s State) {
	attrs := []any{"phase", s.Phase.String()}
	if a := c.cfg.address(); a != "" && s.Phase != Closed {
		attrs = append(attrs, "address", a)
	}
	switch s.Phase {
	case Joined:
		attrs = append(attrs, "session", uint64(s.Details.Session), "protocol", s.Details.Protocol, "authid", s.Details.AuthID)
	case Reconnecting:
		attrs = append(attrs, "attempt", s.Attempt, "delay", s.Delay)
	}
	if s.Cause != nil {
		attrs = append(attrs, "cause", logText{s.Cause})
	}
	c.log.Info("session "+s.Phase.String(), attrs...)
}

// logLoss logs that the link is lost.
func (c *core) logLoss(reason error) {
	c.log.Warn("the connection is lost", "address", c.cfg.address(), "reason", logText{reason}, "session", uint64(c.details.Session))
}

// logHandle logs a registration or subscription that has ended by itself, or by
// its context. The user's own calls, and the end of the session, need no record.
func (c *core) logHandle(what, uri string, err error, now bool) {
	if c.ended || Asked(err) {
		return
	}
	level := slog.LevelWarn
	if now {
		if _, canceled := err.(*CanceledError); canceled { //nolint:errorlint // its own, not one that is wrapped
			level = slog.LevelInfo
		}
	}
	c.log.Log(context.Background(), level, "a "+what+" has ended", "uri", uri, "reason", logText{err})
}
