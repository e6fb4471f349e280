package session

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// This file is the shell around the core: the goroutine that drives it, and its
// links.

// run is the actor.
func (s *Session) run() {
	defer close(s.gone)
	c := s.core
	var data, ctl []op
	for !c.ended {
		if c.gates == 0 && s.link != nil {
			s.takeIn()
		}
		data, ctl = s.box.take(data, ctl)
		for i, o := range ctl {
			o.apply(c)
			ctl[i] = nil
		}
		for i, o := range data {
			o.apply(c)
			data[i] = nil
		}
		if c.closing {
			c.goodbyeNow()
		}
		if len(c.timers.heap) > 0 {
			c.tick(time.Now())
		}
		if len(c.drains) > 0 && !s.box.crowded() {
			c.drained()
		}
		if s.link != nil {
			s.link.flush(c)
			if gated := c.gates > 0; gated != s.link.gated.Load() {
				s.link.gated.Store(gated)
			}
		}
		if !c.ended && len(data)+len(ctl) == 0 && (c.gates > 0 || s.pos == len(s.msgs)) {
			s.sleep()
		}
	}
	s.finish()
}

// takeIn gives the core what the link has, or the end of the link.
func (s *Session) takeIn() {
	if s.pos == len(s.msgs) {
		var lost bool
		var err error
		s.msgs, lost, err = s.link.in.take(s.msgs)
		if s.pos = 0; lost {
			s.linkEnded(err)
			return
		}
	}
	if s.pos < len(s.msgs) {
		s.yield(s.receive())
	}
}

// yield lets those who were waiting for the n messages just delivered queue
// their next operations, which then leave in one write. One turn is not always
// enough: another thread may pick the actor up before they have run. So it
// goes on while the mailbox grows, and no longer.
//
// Where goroutines that never wait have all the threads, a turn can take them a
// long time, and everything that arrives would wait for it: then the actor does
// without for ten times as long.
func (s *Session) yield(n int) {
	const (
		most  = 16
		quick = 4 * time.Millisecond
	)
	start := time.Now()
	if start.Before(s.busy) {
		return
	}
	last := -1
	for range most {
		runtime.Gosched()
		queued := s.box.queued()
		if queued >= n || queued == last || n < 4 {
			break
		}
		last = queued
	}
	if took := time.Since(start); took > quick {
		s.busy = start.Add(11 * took)
	}
}

// receive gives messages to the core until they are used up, a gate closes or
// the link is given up. It returns how many it gave.
func (s *Session) receive() (n int) {
	c := s.core
	for s.pos < len(s.msgs) && c.gates == 0 && !c.ended {
		m := &s.msgs[s.pos]
		s.pos++
		n++
		c.receive(m)
		*m = proto.Message{}
	}
	return n
}

// linkEnded tells the core how the link ended.
func (s *Session) linkEnded(err error) {
	c := s.core
	var violation *ProtocolError
	if errors.As(err, &violation) {
		c.violation(violation.Message, violation.Reason, violation.Err)
		return
	}
	var lost *LinkError
	if errors.As(err, &lost) {
		err = lost.Err
	}
	c.linkLost(err)
}

// sleep waits until somebody has something for the actor, or a timer is due.
func (s *Session) sleep() {
	c := s.core
	s.door.asleep.Store(true)
	if !s.box.empty() || c.gates == 0 && s.link != nil && !s.link.in.empty() {
		s.door.asleep.Store(false)
		return
	}
	var due <-chan time.Time
	if next := c.timers.next(); !next.IsZero() {
		s.arm(next)
		due = s.timer.C
	}
	select {
	case <-s.door.bell:
	case <-due:
		s.armed = time.Time{}
	}
	s.door.asleep.Store(false)
}

func (s *Session) arm(at time.Time) {
	if s.armed.Equal(at) {
		return
	}
	s.armed = at
	if d := time.Until(at); s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
}

// finish is the end of the actor: whoever still waits is refused, the last
// words go out, the link is shut.
func (s *Session) finish() {
	c := s.core
	closed := &ClosedError{Reason: c.reason}
	st := c.stats
	st.Tables = c.tables()
	data, ctl := s.box.close(closed)
	for _, o := range append(ctl, data...) {
		o.refuse(closed)
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	st.QueuedOctets, st.Waited = 0, s.box.waited
	s.stats.Store(&st)
	s.cancel(closed)
	close(s.done)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.CloseTimeout)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with finish
		select {
		case <-s.hurry:
			cancel()
		case <-stop:
		}
	}()
	if s.link != nil {
		if c.finished && c.out.Len() > 0 {
			s.link.work <- c.out // the writer has at most one: never blocks
		}
		s.link.shut(ctx, c.finished)
	}
	s.links.Wait()
}

// now, watch and sessionEnded make Session the host of its core.

func (s *Session) now() time.Time { return time.Now() }

func (s *Session) watch(g *ctxGroup) {
	g.stop = context.AfterFunc(g.ctx, func() { s.box.control(&ctxDone{g}) })
}

func (s *Session) sessionEnded() {}

// linkUp puts a fresh link in the place of the one that was lost.
func (s *Session) linkUp(j *joiner, d *Details) {
	s.details.Store(d)
	s.maxSend.Store(int64(j.conn.MaxSend()))
	l := newLink(s.ctx, j, &s.box)
	s.link = l
	l.start()
	if k := s.cfg.Keepalive; k.Interval > 0 {
		l.done.Go(func() { l.keep(s, k) }) // s.link is the actor's, and may be gone by then
	}
	s.core.joined(d, j.codec, j.conn.MaxSend())
	s.box.setOffline(false)
}

// linkDown gives the link up. What it still has to say is sent if last is set;
// it is torn down beside the actor, which goes on.
func (s *Session) linkDown(last bool) {
	l, c := s.link, s.core
	s.link = nil
	clear(s.msgs)
	s.msgs, s.pos = s.msgs[:0], 0
	s.box.setOffline(true)
	s.box.release(l.cost + c.outCost)
	l.cost, c.outCost = 0, 0
	if last && c.out.Len() > 0 {
		l.work <- c.out // the writer has at most one: never blocks
		c.out = new(transport.Batch)
	}
	s.links.Go(func() { // ends within CloseTimeout
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.CloseTimeout)
		defer cancel()
		l.shut(ctx, last)
	})
}

// dial makes an attempt to join again, off the actor.
func (s *Session) dial(attempt int) {
	s.links.Go(func() { // ends with the attempt, which the end of the session cuts short
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Reconnect.Join)
		defer cancel()
		j, d, err := connect(ctx, &s.cfg, attempt)
		if err != nil {
			s.box.control(&dialFailedOp{err})
			return
		}
		if !s.box.control(&linkUpOp{j, d}) {
			_ = j.conn.CloseNow()
		}
	})
}

// linkUpOp is an attempt that succeeded.
type linkUpOp struct {
	j *joiner
	d *Details
}

func (o *linkUpOp) refuse(error) { _ = o.j.conn.CloseNow() }

func (o *linkUpOp) apply(c *core) {
	if c.ended || !c.life.waiting {
		_ = o.j.conn.CloseNow()
		return
	}
	c.host.(*Session).linkUp(o.j, o.d)
}

// dialFailedOp is an attempt that came to nothing.
type dialFailedOp struct{ err error }

func (o *dialFailedOp) refuse(error)  {}
func (o *dialFailedOp) apply(c *core) { c.dialFailed(o.err) }
