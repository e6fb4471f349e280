package wamptest

import (
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// dealer holds the calls of a realm that are under way. Actor only.
type dealer struct {
	router *Router
	registry
}

// call is one call under way. It stands in the tables of its caller and its
// callee, and leaves both at the same time: when the caller has its final
// answer, or does not want one any more.
type call struct {
	procedure    string
	caller       *session
	request      proto.ID // the caller's
	callee       *session
	invocation   proto.ID // ours to the callee
	registration proto.ID
	progress     bool // the caller sends more chunks
	results      bool // the caller takes progressive results and the callee sends them

	interrupted bool
	limit       time.Duration // the dealer's own, 0 without
	timer       *time.Timer
	round       int // counts the times the timer was set
}

func newDealer(r *Router) *dealer {
	return &dealer{router: r, registry: registry{byID: map[proto.ID]*registration{}, byPattern: map[pattern]*registration{}}}
}

// call takes a CALL: a new call if it is fresh, or the next chunk of one.
func (d *dealer) call(s *session, m *proto.Message, fresh bool) {
	r := d.router
	if c := s.calls[m.Request]; c != nil {
		d.chunk(c, m)
		return
	}
	if !fresh {
		r.counts.late++ // the call has ended
		return
	}
	if m.Options.Bool("progress") && (!r.cfg.dealerHas(proto.ProgressiveCallInvocations) || !s.has(proto.Caller, proto.ProgressiveCallInvocations)) {
		r.violation(s.link, "CALL: progressive_call_invocations was not announced by both")
		return
	}
	if err := proto.CheckURI(m.URI); err != nil {
		r.fail(s, proto.Call, m.Request, proto.ErrURIInvalidURI, err.Error())
		return
	}
	reg := d.match(m.URI)
	if reg == nil {
		r.fail(s, proto.Call, m.Request, proto.ErrURINoSuchProcedure, "nobody has registered "+m.URI)
		return
	}
	d.invoke(s, m, reg, reg.next(r.rand))
}

// invoke sends the first INVOCATION of a call.
func (d *dealer) invoke(s *session, m *proto.Message, reg *registration, to *callee) {
	r := d.router
	c := &call{procedure: m.URI, caller: s, request: m.Request, callee: to.session, registration: reg.id}
	c.progress = m.Options.Bool("progress")
	if c.progress && !(c.interruptible(d) && c.callee.has(proto.Callee, proto.ProgressiveCallInvocations)) {
		r.fail(s, proto.Call, m.Request, proto.ErrURIFeatureNotSupported, "the callee takes no progressive calls")
		return
	}
	disclose := m.Options.Bool("disclose_me") || to.discloseCaller
	disclose = disclose && r.cfg.dealerHas(proto.CallerIdentification)
	if disclose && r.cfg.noDisclosure {
		r.fail(s, proto.Call, m.Request, proto.ErrURIDiscloseMe, "callers are not disclosed here")
		return
	}
	var details proto.Dict
	if disclose {
		details = disclosure("caller", s)
	}
	if reg.match != proto.Exact {
		details = append(details, proto.Entry{Key: "procedure", Value: m.URI})
	}
	if c.progress {
		details = append(details, proto.Entry{Key: "progress", Value: true})
	}
	c.results = m.Options.Bool("receive_progress") && r.cfg.dealerHas(proto.ProgressiveCallResults) && c.interruptible(d) &&
		c.callee.has(proto.Callee, proto.ProgressiveCallResults)
	if c.results {
		details = append(details, proto.Entry{Key: "receive_progress", Value: true})
	}
	if ms, ok := m.Options.Int("timeout"); ok && ms > 0 && r.cfg.dealerHas(proto.CallTimeout) {
		if to.forwardTimeout && c.callee.has(proto.Callee, proto.CallTimeout) {
			details = append(details, proto.Entry{Key: "timeout", Value: ms})
		} else {
			c.limit = time.Duration(ms) * time.Millisecond
		}
	}
	c.callee.lastInvocation = c.callee.lastInvocation.Next()
	c.invocation = c.callee.lastInvocation
	out := &proto.Message{Type: proto.Invocation, Request: c.invocation, ID: reg.id, Options: details}
	s.calls[c.request], c.callee.invocations[c.invocation] = c, c
	if err := r.send(c.callee.link, out, contentOf(s, m)); err != nil {
		c.callee.lastInvocation-- // it never left
		d.end(c)
		r.fail(s, proto.Call, m.Request, sendURI(err), err.Error())
		return
	}
	d.arm(c)
}

// chunk passes the next chunk of a progressive call on.
func (d *dealer) chunk(c *call, m *proto.Message) {
	r := d.router
	switch {
	case !c.progress:
		r.violation(c.caller.link, "CALL: the request id is that of a call under way, which is not progressive")
		return
	case m.URI != c.procedure:
		r.violation(c.caller.link, "CALL: a chunk names another procedure")
		return
	}
	c.progress = m.Options.Bool("progress")
	details := proto.Dict{{Key: "progress", Value: c.progress}}
	out := &proto.Message{Type: proto.Invocation, Request: c.invocation, ID: c.registration, Options: details}
	if err := r.send(c.callee.link, out, contentOf(c.caller, m)); err != nil {
		d.interrupt(c, "killnowait", sendURI(err))
		d.end(c)
		r.fail(c.caller, proto.Call, c.request, sendURI(err), err.Error())
	}
}

// end takes a call out of the tables.
func (d *dealer) end(c *call) {
	delete(c.caller.calls, c.request)
	delete(c.callee.invocations, c.invocation)
	c.round++
	if c.timer != nil {
		c.timer.Stop()
	}
}

// interruptible reports whether the callee can be interrupted.
func (c *call) interruptible(d *dealer) bool {
	return d.router.cfg.dealerHas(proto.CallCanceling) && c.callee.has(proto.Callee, proto.CallCanceling)
}

// interrupt asks the callee to stop, once.
func (d *dealer) interrupt(c *call, mode, reason string) {
	if c.interrupted || !c.interruptible(d) {
		return
	}
	c.interrupted = true
	options := proto.Dict{{Key: "mode", Value: mode}}
	if reason != "" {
		options = append(options, proto.Entry{Key: "reason", Value: reason})
	}
	_ = d.router.send(c.callee.link, &proto.Message{Type: proto.Interrupt, Request: c.invocation, Options: options}, nil)
}

func (d *dealer) cancel(s *session, m *proto.Message) {
	r := d.router
	if !r.cfg.dealerHas(proto.CallCanceling) {
		r.violation(s.link, "CANCEL: call_canceling was not announced")
		return
	}
	if m.Request > s.lastRequest && !r.cfg.lenientIDs {
		r.violation(s.link, "CANCEL: there never was a call with that id")
		return
	}
	c := s.calls[m.Request]
	if c == nil {
		return // it has just ended
	}
	mode := m.Options.Str("mode")
	if mode == "" {
		mode = "killnowait"
	}
	if !c.interruptible(d) {
		mode = "skip"
	}
	if mode == "kill" {
		d.interrupt(c, mode, proto.ErrURICanceled)
		return // the callee's answer ends it
	}
	if mode == "killnowait" {
		d.interrupt(c, mode, proto.ErrURICanceled)
	}
	d.end(c)
	if mode == "skip" && r.cfg.crossbar {
		return
	}
	r.fail(s, proto.Call, c.request, proto.ErrURICanceled, "the call was cancelled")
}

// arm sets the dealer's timer, which bounds the time to the next result.
func (d *dealer) arm(c *call) {
	if c.limit == 0 {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.round++
	round := c.round
	c.timer = d.router.after(c.limit, func() {
		if round != c.round {
			return
		}
		d.interrupt(c, "killnowait", proto.ErrURITimeout)
		d.end(c)
		d.router.fail(c.caller, proto.Call, c.request, proto.ErrURITimeout, "the call took too long")
	})
}

// answered finds the call that a callee answers. An id that was never used is
// a violation, any other without a call is late.
func (d *dealer) answered(s *session, m *proto.Message) *call {
	c := s.invocations[m.Request]
	switch {
	case c != nil:
	case m.Request == 0 || m.Request > s.lastInvocation:
		d.router.violation(s.link, m.Type.String()+": there never was an invocation with that id")
	default:
		d.router.counts.late++
	}
	return c
}

func (d *dealer) yield(s *session, m *proto.Message) {
	r := d.router
	c := d.answered(s, m)
	if c == nil {
		return
	}
	progress := m.Options.Bool("progress")
	if progress && !c.results {
		r.counts.dropped++ // nobody has asked for it
		return
	}
	if c.interrupted && r.cfg.crossbar {
		if !progress {
			d.end(c)
			r.fail(c.caller, proto.Call, c.request, proto.ErrURICanceled, "the call was cancelled")
		}
		return
	}
	var details proto.Dict
	if progress {
		details = proto.Dict{{Key: "progress", Value: true}}
		d.arm(c)
	} else {
		d.end(c)
	}
	err := r.send(c.caller.link, &proto.Message{Type: proto.Result, Request: c.request, Options: details}, contentOf(s, m))
	if err == nil {
		return
	}
	if progress {
		d.interrupt(c, "killnowait", sendURI(err))
		d.end(c)
	}
	r.fail(c.caller, proto.Call, c.request, sendURI(err), err.Error())
}

// calleeError takes an ERROR, which can only be for an INVOCATION.
func (d *dealer) calleeError(s *session, m *proto.Message) {
	r := d.router
	if m.RequestType != proto.Invocation {
		r.violation(s.link, "ERROR: a client can only answer INVOCATION with it")
		return
	}
	c := d.answered(s, m)
	if c == nil {
		return
	}
	d.end(c)
	out := &proto.Message{Type: proto.Error, RequestType: proto.Call, Request: c.request, URI: m.URI, Options: m.Options}
	payload := contentOf(s, m)
	if c.interrupted && r.cfg.crossbar {
		out.URI, out.Options, payload = proto.ErrURICanceled, nil, nil
	}
	if err := r.send(c.caller.link, out, payload); err != nil {
		r.fail(c.caller, proto.Call, c.request, sendURI(err), err.Error())
	}
}

// leave ends what a session has to do with calls: its own are interrupted, and
// those it was to answer fail.
func (d *dealer) leave(s *session) {
	for _, c := range sorted(s.calls) {
		d.end(c)
		if c.callee != s {
			d.interrupt(c, "killnowait", "")
		}
	}
	for _, c := range sorted(s.invocations) {
		d.end(c)
		d.router.fail(c.caller, proto.Call, c.request, proto.ErrURICanceled, "the callee is gone")
	}
	d.registry.leave(s)
}

// sorted returns the values of a table in the order of their ids, so that what
// the router does is the same in each run.
func sorted[T any](table map[proto.ID]T) []T {
	ids := make([]proto.ID, 0, len(table))
	for id := range table {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = table[id]
	}
	return out
}
