package session

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// This file is the shell around the core: the goroutine that drives it, and its
// links.

// fewWaiters is how many there may be whose answers are awaited without their being
// thought of as many that run together.
const fewWaiters = 4

// manyAtOnce is how many requests are worth a write: who has that many does not wait
// for more, so that both peers have work at the same time.
const manyAtOnce = 128

// run is the actor.
func (s *Session) run() {
	defer close(s.gone)
	for c := s.core; !c.ended; {
		if !s.turn() || c.ended {
			continue
		}
		s.sleep()
		// Who wakes the actor hands it the turn, in front of all who have become
		// runnable with him: they come first, and what they queue leaves in one write.
		if c.requests.Len()+c.invocations.Len() > fewWaiters && s.box.queued() > 0 {
			s.yield(0)
		}
	}
	s.finish(append(s.late, s.later...))
}

// turn does what there is to do, and reports whether that was nothing.
func (s *Session) turn() (idle bool) {
	c := s.core
	s.takeIn()
	s.data, s.ctl = s.box.take(s.data, s.ctl)
	idle = len(s.data.entries)+len(s.ctl)+len(s.later) == 0
	behind := s.behind()
	s.applyControl(behind)
	s.late = c.applyPost(s.data, s.late)
	s.data.empty()
	if !behind {
		if len(c.timers.heap) > 0 && !c.ended {
			c.tick(time.Now())
		}
		c.settle()
	}
	if s.link != nil && !c.ended {
		s.link.flush(c)
		if gated := c.gates > 0; gated != s.link.gated.Load() {
			s.link.gated.Store(gated)
		}
	}
	return idle && s.idle()
}

// behind reports whether there are messages that the core can be given at once. What they
// say counts before what contexts and timers do, and before a GOODBYE.
func (s *Session) behind() bool {
	return s.link != nil && s.pos < len(s.msgs) && !s.core.ended && !s.held()
}

// applyControl applies control operations, or lets them wait where the core is behind,
// but for the writer's that it is idle.
func (s *Session) applyControl(behind bool) {
	c := s.core
	if !behind {
		s.late = c.applyAll(s.later, s.late)
		s.later = s.later[:0]
		s.late = c.applyAll(s.ctl, s.late)
		return
	}
	for i, o := range s.ctl {
		if w, is := o.(*wroteOp); is {
			w.apply(c)
		} else {
			s.later = append(s.later, o)
		}
		s.ctl[i] = nil
	}
}

// applyAll applies operations, and gathers those for which it is too late:
// nothing is applied after the end of the session.
func (c *core) applyAll(ops []op, late []op) []op {
	for i, o := range ops {
		if c.ended {
			late = append(late, o)
		} else {
			o.apply(c)
		}
		ops[i] = nil
	}
	return late
}

// applyPost is applyAll for data operations.
func (c *core) applyPost(data post, late []op) []op {
	at := 0
	for i := range data.entries {
		e := &data.entries[i]
		switch {
		case e.o == nil:
			bytes := data.bytes[at:e.end]
			switch at = e.end; {
			case c.ended:
			case e.inv != nil:
				c.answer(Answer{Inv: e.inv, Progress: e.progress, Message: bytes})
			default:
				c.publishOnce(e.topic, bytes)
			}
		case c.ended:
			late = append(late, e.o)
		default:
			e.o.apply(c)
		}
	}
	return late
}

// held reports whether nothing is taken from the link now: a consumer holds it
// back, or the peer does not read what we have to answer.
func (s *Session) held() bool {
	return s.core.gates > 0 && !s.letting.Load() || s.core.out.Bytes() > s.cfg.Outbound
}

// idle reports whether the link has nothing for the core now.
func (s *Session) idle() bool {
	if s.link == nil || s.pos == len(s.msgs) {
		return true
	}
	return s.held() && !s.link.in.over()
}

// takeIn gives the core what the link has, or much of it, or the end of the link. A link that
// has ended is heard to its end whoever holds it back: its messages are all
// there, and they are no more than the inbox holds.
func (s *Session) takeIn() {
	if s.link == nil {
		return
	}
	held := s.held()
	if held && !s.link.in.over() {
		return
	}
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
		s.yield(s.receive(held))
	}
}

// yield lets those who were waiting for the n messages just delivered queue
// their next operations, which then leave in one write. One turn is not always
// enough: another thread may pick the actor up before they have run. So it
// goes on while the mailbox grows, and no longer.
//
// Where goroutines that never wait have all the threads, a turn can take them a
// long time, and everything that arrives would wait for it: then the actor does
// without for as long, and for up to ten times as long where that happens again and
// again. A turn in which many operations were queued may take the time of each.
func (s *Session) yield(n int) {
	const (
		most  = 16
		quick = 4 * time.Millisecond
		each  = 4 * time.Microsecond
	)
	start := time.Now()
	if start.Before(s.busy) {
		return
	}
	last, queued := -1, 0
	for range most {
		runtime.Gosched()
		queued = s.box.queued()
		if queued >= min(n, manyAtOnce) || queued == last || n < 4 {
			break
		}
		last = queued
	}
	if took := time.Since(start); took > quick+time.Duration(queued)*each {
		s.slow = min(2*s.slow+1, 10)
		s.busy = start.Add(took * time.Duration(1+s.slow))
	} else {
		s.slow = 0
	}
}

// receive gives messages to the core until they are used up, a gate closes or
// the link is given up. all: whatever the gates say. It returns how many it gave.
//
// It stops where many have been answered: while these queue their next requests, and
// the peer has them, the others are told. See behind.
func (s *Session) receive(all bool) (n int) {
	c := s.core
	awaited := c.requests.Len()
	for s.pos < len(s.msgs) && !c.ended &&
		(all || (c.gates == 0 || s.letting.Load()) && awaited-c.requests.Len() < manyAtOnce) {
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
	if violation, is := Find[*ProtocolError](err); is {
		c.violation(violation.Message, violation.Reason, violation.Err)
		return
	}
	if lost, is := Find[*LinkError](err); is {
		err = lost.Err
	}
	c.linkLost(err)
}

// sleep waits until somebody has something for the actor, or a timer is due.
func (s *Session) sleep() {
	c := s.core
	s.door.asleep.Store(true)
	if !s.box.empty() || !s.idle() || s.link != nil && (s.link.in.over() || !s.held() && !s.link.in.empty()) {
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

// finish is the end of the actor: whoever still waits is refused, late being
// those that were taken already, the last words go out, the link is shut.
func (s *Session) finish(late []op) {
	c := s.core
	closed := &ClosedError{Reason: c.reason}
	st := c.statsNow()
	data, ctl := s.box.close(closed)
	st.Waited = s.box.waited
	if l := s.link; l != nil {
		st.BytesReceived += l.in.bytes()
	}
	s.stats.Store(&st)
	for _, ops := range [][]op{late, ctl, data} {
		for _, o := range ops {
			o.refuse(closed)
		}
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel(closed)
	close(s.done)
	if l := s.link; l != nil {
		orderly := c.finished && !(c.closeNow && l.busy) // that would need waiting
		if orderly && c.out.Len() > 0 {
			l.work <- c.out // the writer has at most one: never blocks
		}
		s.stuck.Store(!l.shut(s.hurry, orderly, s.cfg.CloseTimeout))
	}
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.CloseTimeout)
	defer cancel()
	s.links.wait(nobody, limit.Done())
}

// now, watch, linkUp, linkDown, dial, consult, crowded, mistake and sessionEnded
// make Session the host of its core.

var _ host = (*Session)(nil)

func (s *Session) now() time.Time { return time.Now() }

func (s *Session) watch(g *ctxGroup) {
	g.stop = afterFunc(g.ctx, func() { s.box.control(&ctxDone{g}) })
}

func (s *Session) consult(f func() op, otherwise op) {
	said := make(chan op, 1)
	s.links.start(func() { // ends with the user's code, or a moment behind the session
		select {
		case o := <-said:
			s.box.control(o)
			return
		case <-s.ctx.Done():
		}
		t := time.NewTimer(lingerTime)
		defer t.Stop()
		select {
		case <-said:
		case <-t.C:
		}
	})
	go func() { // ends with the user's code
		o := otherwise
		defer func() { said <- o }() // also behind runtime.Goexit
		o = f()
	}()
}

func (s *Session) crowded() (n int, since time.Time) { return s.box.crowded(), s.box.waitingSince() }

func (s *Session) mistake(what string) {
	s.cfg.log.write(RecordMistake, slog.String("error", what))
}

func (s *Session) sessionEnded() {}

// linkUp puts a fresh link in the place of the one that was lost.
func (s *Session) linkUp(j *joiner) {
	s.details.Store(j.details)
	s.maxSend.Store(int64(j.maxSend))
	l := newLink(s.ctx, j, &s.box, s.cfg.log.fault)
	s.link = l
	l.start()
	if k := s.cfg.Keepalive; k.Interval > 0 {
		l.done.start(func() { l.keep(s, k) }) // ends with the link; s.link is the actor's, and may be gone by then
	}
	s.box.setOnline()
}

// linkDown gives the link up. What it still has to say is sent if last is set;
// it is torn down beside the actor, which goes on.
func (s *Session) linkDown(last bool, cause error) {
	l, c := s.link, s.core
	s.link = nil
	c.stats.BytesReceived += l.in.bytes()
	clear(s.msgs)
	s.msgs, s.pos = s.msgs[:0], 0
	s.box.setOffline(cause)
	s.box.release(l.cost + c.outCost)
	l.cost, c.outCost = 0, 0
	if last && c.out.Len() > 0 {
		l.work <- c.out // the writer has at most one: never blocks
		c.out = new(transport.Batch)
	}
	s.links.start(func() { l.shut(s.hurry, last, s.cfg.CloseTimeout) }) // ends within CloseTimeout
}

// dial makes an attempt to join again, off the actor.
func (s *Session) dial(attempt int) {
	s.links.start(func() { // ends with the attempt, which the end of the session cuts short
		j, err := s.dials.connect(s.ctx, attempt)
		if err != nil {
			s.box.control(&dialFailedOp{err})
			return
		}
		if !s.box.control(&linkUpOp{j}) {
			j.abandon()
		}
	})
}

// linkUpOp is an attempt that succeeded.
type linkUpOp struct{ j *joiner }

func (o *linkUpOp) refuse(error) { o.j.abandon() }

func (o *linkUpOp) apply(c *core) {
	if c.ended || !c.life.waiting {
		o.j.abandon()
		return
	}
	c.linkUp(o.j)
}

// dialFailedOp is an attempt that came to nothing.
type dialFailedOp struct{ err error }

func (o *dialFailedOp) refuse(error)  {}
func (o *dialFailedOp) apply(c *core) { c.dialFailed(o.err) }
