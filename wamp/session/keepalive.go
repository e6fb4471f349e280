package session

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Keepalive says how a peer that is gone without a word is noticed.
type Keepalive struct {
	// Interval is the pause between probes. Zero: none.
	Interval time.Duration
	// Timeout is how long the answer may take. Default: Interval.
	Timeout time.Duration
	// RawSocket: use the PING of RawSocket. Some routers, Crossbar among them,
	// hang up on it; without it a call is made, of which any answer counts.
	RawSocket bool
	// Procedure is what is called where there is no ping. Default
	// wamp.session.count.
	Procedure string
}

// roundTrips are the round-trip times of a session's probes. They are written
// by whoever pings, and read by users.
type roundTrips struct{ last, smooth, least atomic.Int64 }

// add notes a round trip. Smoothed is what TCP does: an eighth of the newest.
func (r *roundTrips) add(d time.Duration) {
	n := max(int64(d), 1)
	r.last.Store(n)
	if s := r.smooth.Load(); s == 0 {
		r.smooth.Store(n)
	} else {
		r.smooth.Store(s + (n-s)/8)
	}
	if least := r.least.Load(); least == 0 || n < least {
		r.least.Store(n)
	}
}

// RTT are round-trip times; zero before the first probe.
type RTT struct{ Last, Smoothed, Min time.Duration }

// RTT returns the round-trip times of the session's pings.
func (s *Session) RTT() RTT {
	return RTT{time.Duration(s.rtt.last.Load()), time.Duration(s.rtt.smooth.Load()), time.Duration(s.rtt.least.Load())}
}

// keep probes the link until it ends. A probe that is not answered in time ends
// it. While a consumer holds the link back (policy Block) so that nothing is read
// from it, a missing answer says nothing; that a probe cannot be written does.
func (l *link) keep(s *Session, k Keepalive) {
	t := time.NewTimer(k.Interval)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		before, held := l.reads.Load(), l.held()
		start := time.Now()
		err := l.probe(s, k)
		switch {
		case err == nil:
			s.rtt.add(time.Since(start))
			s.ponged()
		case l.ctx.Err() != nil:
			return
		case Is(err, context.DeadlineExceeded):
			if held || l.reads.Load() != before || l.held() {
				break // something came, or could not come, if only until a moment ago
			}
			l.lost(ErrPongTimeout)
			return
		case Is(err, ErrSessionClosed):
			return
		case Is(err, transport.ErrNoPing): // nor a dealer: nothing can be asked
			s.ponged()
		default:
			l.lost(err)
			return
		}
		t.Reset(k.Interval)
	}
}

// held reports whether a consumer holds the link back so that nothing is read.
func (l *link) held() bool { return l.gated.Load() && l.in.full() }

// lost gives the link up.
func (l *link) lost(err error) {
	l.in.end(&LinkError{Err: err})
	l.done.start(func() { closeNow(l.conn, l.fault) }) // ends with that
}

// probe asks the peer for a sign of life.
func (l *link) probe(s *Session, k Keepalive) error {
	ctx, cancel := context.WithTimeout(l.ctx, k.Timeout)
	defer cancel()
	return l.ask(ctx, s)
}

// ask asks the peer for a sign of life under ctx: by a ping, or by a call of
// which any answer is one.
func (l *link) ask(ctx context.Context, s *Session) error {
	k := s.cfg.Keepalive
	if !l.risky || k.RawSocket {
		if err := l.ping(ctx); !Is(err, transport.ErrNoPing) {
			return err
		}
	}
	uri := k.Procedure
	if uri == "" {
		uri = proto.MetaSessionCount
	}
	sink := make(probeSink, 1)
	call := &Call{Ctx: ctx, URI: uri, Sink: sink, Mode: proto.Skip, engines: true}
	if err := s.box.force(call, call.size()); err != nil {
		return err
	}
	e := <-sink // it ends with ctx, or the session
	if _, said := Find[*Error](e.Err); said {
		return nil
	}
	if _, no := Find[*FeatureError](e.Err); no {
		return transport.ErrNoPing
	}
	return e.Err
}

// ping sends a ping and waits for the pong. The connection may be a user's, which
// need not look at ctx.
func (l *link) ping(ctx context.Context) error {
	answer := make(chan error, 1)
	l.done.start(func() { // ends with the connection's Ping
		err := errors.New("a connection's Ping panicked")
		defer func() { answer <- err }()
		guard("a connection's Ping", l.fault, func() { err = outside(l.conn.Ping(ctx)) })
	})
	select {
	case err := <-answer:
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probeSink takes the answer to a probe.
type probeSink chan End

func (probeSink) Deliver(*proto.Message) Verdict { return Taken }
func (p probeSink) End(e End)                    { p <- e }
