package session

import (
	"fmt"
	"sync/atomic"
	"time"
)

// health is what probes look at. The actor writes it, but for pong; anybody reads it,
// since a probe waits for nobody. Times are since the epoch of the core's timers plus one,
// zero for none.
type health struct {
	over    atomic.Pointer[HealthError] // the session is being left, or is over
	down    atomic.Pointer[HealthError] // there is no connection
	joined  atomic.Int64
	held    atomic.Int64 // a consumer holds the connection back
	missing atomic.Int64 // handles that are not back yet
	pong    atomic.Int64 // the last one, or the login
}

// HealthError says why a session is not ready.
type HealthError struct {
	// Phase is Reconnecting while the next attempt is waited for, Connecting while it is
	// under way, Closed once the session is closed, and Joined otherwise.
	Phase Phase
	// Since is when it began: the loss of the connection, the login after which
	// handles are missing, the moment from which the connection is held back, the last
	// pong, or the end.
	Since time.Time
	// Attempt is the number of the attempt to reconnect that follows or is under
	// way, from 1; 0 where there is a connection.
	Attempt int
	// Login reports that the attempt has a connection and logs in.
	Login bool
	// Missing is how many registrations and subscriptions are not back yet.
	Missing int
	// Cause is why: how the connection was lost or the last attempt failed,
	// ErrHeldBack, ErrRestoring, ErrPongTimeout, ErrDraining, or what ended the
	// session.
	Cause error
}

func (e *HealthError) Error() string {
	since := e.Since.Format(time.RFC3339)
	switch {
	case e.Phase == Closed:
		return prefix + "session closed since " + since + closedBecause(e.Cause)
	case e.Phase == Connecting && e.Login:
		return fmt.Sprintf("%snot connected since %s, attempt %d logs in: %s", prefix, since, e.Attempt, bare(e.Cause))
	case e.Phase == Connecting:
		return fmt.Sprintf("%snot connected since %s, attempt %d connects: %s", prefix, since, e.Attempt, bare(e.Cause))
	case e.Phase == Reconnecting:
		return fmt.Sprintf("%snot connected since %s, attempt %d follows: %s", prefix, since, e.Attempt, bare(e.Cause))
	case e.Missing > 0:
		return fmt.Sprintf("%s%s since %s", prefix,
			count(e.Missing, "registration or subscription is not back", "registrations and subscriptions are not back"), since)
	}
	return prefix + bare(e.Cause) + " since " + since
}

// closedBecause is the reason of a session that was not closed by its user.
func closedBecause(err error) string {
	if closed, is := Find[*ClosedError](err); is && closed.Reason != nil {
		return ": " + bare(closed.Reason)
	}
	return ""
}

// Is matches ErrNotConnected where there is no connection.
func (e *HealthError) Is(target error) bool {
	return target == ErrNotConnected && (e.Phase == Reconnecting || e.Phase == Connecting)
}

// Unwrap returns the cause.
func (e *HealthError) Unwrap() error { return e.Cause }

// since is a time as health has it, and at the reverse.
func (c *core) since(at time.Time) int64 { return int64(at.Sub(c.timers.epoch)) + 1 }
func (c *core) at(since int64) time.Time { return c.timers.epoch.Add(time.Duration(since - 1)) }

// isDown says that there is no connection.
func (c *core) isDown(phase Phase, attempt int, cause error) {
	c.health.down.Store(&HealthError{Phase: phase, Since: c.life.downAt, Attempt: attempt, Cause: cause})
}

// isUp says that there is one, behind the restore that makes handles missing.
func (c *core) isUp() {
	if c.life.waiting {
		return
	}
	h := &c.health
	at := c.since(c.life.joinedAt)
	h.joined.Store(at)
	h.pong.Store(at)
	h.down.Store(nil)
}

// isLeft says that the session is being left: drained, closed, or over.
func (c *core) isLeft(phase Phase, cause error) {
	if was := c.health.over.Load(); c.ended || was == nil || was.Phase != Closed && phase == Closed {
		c.health.over.Store(&HealthError{Phase: phase, Since: c.host.now(), Cause: cause})
	}
}

// ponged notes a sign of life that was asked for.
func (s *Session) ponged() { s.core.health.pong.Store(s.core.since(time.Now())) }

// Healthy returns nil while the session is ready: it has a connection that is not held
// back, and all its handles. Otherwise it returns a *HealthError. It waits for nobody.
func (s *Session) Healthy() error {
	c := s.core
	h := &c.health
	for _, e := range []*HealthError{h.over.Load(), h.down.Load()} {
		if e != nil {
			said := *e
			said.Login = e.Phase == Connecting && s.dials.login.Load()
			return &said
		}
	}
	now := time.Now()
	joined := func(since int64, missing int, cause error) error {
		return &HealthError{Phase: Joined, Since: c.at(since), Missing: missing, Cause: cause}
	}
	older := func(since int64, than time.Duration) bool { return c.since(now)-since > int64(than) }
	pong := h.pong.Load()
	k := s.cfg.Keepalive
	silent := k.Interval > 0 && older(pong, k.Interval+k.Timeout)
	if held := h.held.Load(); held != 0 && (silent || older(held, heldAfter-1)) {
		return joined(held, 0, ErrHeldBack)
	}
	if n := h.missing.Load(); n > 0 {
		return joined(h.joined.Load(), int(n), ErrRestoring)
	}
	if silent {
		return joined(pong, 0, ErrPongTimeout)
	}
	return nil
}
