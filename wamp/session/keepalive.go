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
	// RawSocket: use the PING of RawSocket. Some routers hang up on it;
	// without it a call is made, of which any answer counts.
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
// it. While a consumer holds the link back (policy Block) nothing is judged:
// the answer could not be read.
func (l *link) keep(s *Session, k Keepalive) {
	t := time.NewTimer(k.Interval)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		if !l.gated.Load() {
			start := time.Now()
			err := l.probe(s, k)
			switch {
			case err == nil:
				s.rtt.add(time.Since(start))
			case errors.Is(err, context.DeadlineExceeded) && !l.gated.Load():
				l.in.end(&LinkError{Err: ErrPongTimeout})
				_ = l.conn.CloseNow()
				return
			}
		}
		t.Reset(k.Interval)
	}
}

// probe asks the peer for a sign of life.
func (l *link) probe(s *Session, k Keepalive) error {
	ctx, cancel := context.WithTimeout(l.ctx, k.Timeout)
	defer cancel()
	if _, raw := l.conn.(interface{ RawSocket() }); !raw || k.RawSocket {
		err := l.conn.Ping(ctx)
		if !errors.Is(err, transport.ErrNoPing) {
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
	}
	uri := k.Procedure
	if uri == "" {
		uri = "wamp.session.count"
	}
	sink := make(probeSink, 1)
	call := &Call{Ctx: ctx, URI: uri, Sink: sink, Mode: Skip}
	if s.box.force(call, call.size()) != nil {
		return nil // the session is over
	}
	select {
	case e := <-sink:
		var said *Error
		if e.Err == nil || errors.As(e.Err, &said) {
			return nil // any answer is one
		}
		return e.Err
	case <-s.done:
		return nil
	}
}

// probeSink takes the answer to a probe.
type probeSink chan End

func (probeSink) Deliver(*proto.Message) Verdict { return Taken }
func (p probeSink) End(e End)                    { p <- e }
