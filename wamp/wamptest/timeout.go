package wamptest

import (
	"math"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// limit is the time that a caller gives its call (CALL.Options.timeout): to the
// first result, and from there to the next one. Chunks of the caller do not set
// it again, nor does another callee that gets the call.
//
// A callee that announced call_timeout and asked for it with forward_timeout
// keeps the time by itself. The dealer then does not, as the WAMP specification says, so that
// only one clock ends the call. Of a scatter-gather call the dealer keeps it.
type limit struct {
	span  time.Duration // 0: there is none
	due   time.Time
	timer timer
	round int // counts the times the timer was set or stopped
}

func (l *limit) stop() {
	l.round++
	l.timer.stop()
}

// begin reads the limit of a call. Crossbar takes it for seconds.
func (d *dealer) begin(c *call) {
	n, _ := c.options.Int(proto.KeyTimeout)
	unit := time.Millisecond
	if d.router.cfg.crossbar {
		unit = time.Second
	} else if !d.has(proto.CallTimeout) {
		return
	}
	if n > 0 {
		c.limit.span = time.Duration(min(n, math.MaxInt64/int64(unit))) * unit
		c.limit.due = time.Now().Add(c.limit.span)
	}
}

// forward returns INVOCATION.Details.timeout, 0 for none, and notes who keeps
// the time.
func (d *dealer) forward(inv *invocation) int64 {
	c, to := inv.call, inv.to
	if c.limit.span == 0 {
		return 0
	}
	if d.router.cfg.crossbar { // as it came, and keeps the time all the same
		n, _ := c.options.Int(proto.KeyTimeout)
		return n
	}
	if to.forwardTimeout {
		d.router.unannounced("a timeout is not forwarded, the dealer keeps it", proto.CallTimeout, to.session, proto.Callee)
	}
	inv.keepsTime = !c.gather && to.forwardTimeout && to.session.has(proto.Callee, proto.CallTimeout)
	if !inv.keepsTime {
		return 0
	}
	left := time.Until(c.limit.due) + time.Millisecond - 1
	return max(left.Milliseconds(), 1)
}

// progressed begins the time to the next result.
func (d *dealer) progressed(c *call) {
	if d.router.cfg.noRearm {
		return
	}
	c.limit.due = time.Now().Add(c.limit.span)
	d.arm(c)
}

// arm sets the dealer's timer, unless the callee keeps the time.
func (d *dealer) arm(c *call) {
	l := &c.limit
	if l.span == 0 {
		return
	}
	l.stop()
	if !c.hung && !slices.ContainsFunc(c.running, func(inv *invocation) bool { return !inv.keepsTime }) {
		return
	}
	round := l.round
	l.timer = d.router.after(time.Until(l.due), func() {
		if round == l.round {
			d.timedOut(c)
		}
	})
}

func (d *dealer) timedOut(c *call) {
	crossbar := d.router.cfg.crossbar
	c.lose = 0
	for _, inv := range c.running {
		d.interrupt(inv, proto.KillNoWait, proto.ErrURITimeout)
	}
	switch {
	case !crossbar:
		d.fail(c, proto.ErrURITimeout, "the call took too long")
	case c.caller.has(proto.Caller, proto.CallCanceling):
		d.fail(c, proto.ErrURICanceled, "timeout reached")
	default:
		d.end(c) // and nothing is said
	}
}
