package wamptest

import (
	"math/rand/v2"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A callee declines a call with ERROR wamp.error.unavailable. If it announced
// call_reroute, the call goes to the next one by the rule of the policy, and
// when there is none the caller gets wamp.error.no_available_callee. A callee
// that did not announce it has said what is for the caller.
//
// It is too late for another callee when a progressive result has come back,
// when a further chunk of a progressive call has been passed on, which the next
// one would not have, and when the call has been cancelled: then the ERROR goes
// to the caller as it is.

// reroutes reports whether what a callee declines goes to another one.
func (d *dealer) reroutes(to *callee) bool {
	return d.has(proto.CallReroute) && to.session.has(proto.Callee, proto.CallReroute)
}

// keep keeps the CALL that goes to a callee while another one may get it.
func (d *dealer) keep(c *call, to *callee, m *proto.Message) {
	if c.reg.invoke != proto.Single && c.key == "" && d.reroutes(to) {
		c.first = clone(m)
	}
}

// settle says that it is too late for another callee.
func (c *call) settle() { c.settled, c.first = true, nil }

// declined reports whether an ERROR is for the dealer, not for the caller.
func (d *dealer) declined(inv *invocation, m *proto.Message) bool {
	c := inv.call
	return m.URI == proto.ErrURIUnavailable && d.reroutes(inv.to) && !c.settled && !c.canceled
}

// reroute hands a call on that its callee has declined.
func (d *dealer) reroute(inv *invocation) {
	c := inv.call
	inv.end()
	c.tried = append(c.tried, inv.to)
	to := d.route(c)
	if to == nil {
		d.fail(c, proto.ErrURINoAvailableCallee, "no callee takes the call")
		return
	}
	if uri, message := d.invoke(c, to, c.first); uri != "" {
		d.fail(c, uri, message)
	}
}

// route returns the callee that a call goes to next, nil if none is left. One
// that is as busy as it may be is passed over like one that has declined.
func (d *dealer) route(c *call) *callee {
	for {
		to := c.reg.next(c, d.router.rand)
		if to == nil || to.limit == 0 || to.running < to.limit {
			return to
		}
		c.tried = append(c.tried, to)
	}
}

// next returns whose turn it is by the policy, among those that the call has
// not tried.
func (reg *registration) next(c *call, rand *rand.Rand) *callee {
	var last *callee // that was tried
	if n := len(c.tried); n > 0 {
		last = c.tried[n-1]
	}
	switch {
	case c.key != "" || reg.invoke == proto.Single:
		if last != nil || len(reg.callees) == 0 {
			return nil // a key has one callee, and so has a single registration
		}
		return reg.shard(c.key)
	case reg.invoke == proto.RoundRobin:
		start := reg.turn
		if last != nil {
			start = slices.IndexFunc(reg.callees, func(to *callee) bool { return to.number > last.number })
		}
		for i := range reg.callees {
			at := (max(start, 0) + i) % len(reg.callees)
			if to := reg.callees[at]; !slices.Contains(c.tried, to) {
				reg.turn = at + 1
				return to
			}
		}
	case reg.invoke == proto.Random:
		left := slices.DeleteFunc(slices.Clone(reg.callees), func(to *callee) bool { return slices.Contains(c.tried, to) })
		if len(left) > 0 {
			return left[rand.IntN(len(left))]
		}
	case reg.invoke == proto.First: // then the one registered after it
		for _, to := range reg.callees {
			if last == nil || to.number > last.number {
				return to
			}
		}
	case reg.invoke == proto.Last: // then the one registered before it
		for _, to := range slices.Backward(reg.callees) {
			if last == nil || to.number < last.number {
				return to
			}
		}
	}
	return nil
}
