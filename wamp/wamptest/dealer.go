package wamptest

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// dealer holds the calls of a realm that are under way. Actor only.
type dealer struct {
	router *Router
	registry
}

// call is one call under way. It stands in the table of its caller, and its
// invocations in those of their callees, until the caller has its final answer
// or does not want one any more; then all leave at the same time.
type call struct {
	caller    *session
	request   proto.ID // the caller's
	procedure string
	options   proto.Dict // of the first CALL, which hold for all of it
	reg       *registration
	running   []*invocation // one; of a scatter-gather call, one for each callee that has not answered

	more     bool // the caller sends more chunks
	canceled bool // with mode kill: what the callee answers ends it

	key    string // the routing key, "" without one
	gather bool   // it goes to every callee

	tried   []*callee      // those that did not take it
	settled bool           // it is too late for another callee
	first   *proto.Message // the CALL, as long as another callee may get it

	hung bool             // nobody works on it: a Fault has lost it or holds it back
	held []*proto.Message // the chunks that a Fault holds back, the CALL first
	lose Loss             // what becomes of its answer

	limit limit
}

// invocation is one INVOCATION under way.
type invocation struct {
	call        *call
	to          *callee
	id          proto.ID // ours to the callee
	results     bool     // the caller takes progressive results and the callee sends them
	keepsTime   bool     // the callee does, not the dealer
	interrupted bool
}

func newDealer(r *Router) *dealer {
	return &dealer{router: r, registry: registry{byID: map[proto.ID]*registration{}, byPattern: map[pattern]*registration{}}}
}

// has reports whether the router has a feature.
func (d *dealer) has(f proto.Feature) bool { return d.router.cfg.dealerHas(f) }

// call takes a CALL: a new call if it is fresh, or the next chunk of one.
func (d *dealer) call(s *session, m *proto.Message, fresh bool) {
	r := d.router
	if c := s.calls[m.Request]; c != nil {
		d.chunk(c, m)
		return
	}
	if !fresh && !r.cfg.lateChunks {
		r.counts.late++ // the call has ended
		return
	}
	if m.Options.Bool(proto.KeyProgress) && (!d.has(proto.ProgressiveCallInvocations) || !s.has(proto.Caller, proto.ProgressiveCallInvocations)) {
		r.violation(s.link, "CALL: progressive_call_invocations was not announced by both")
		return
	}
	c := &call{caller: s, request: m.Request, procedure: m.URI, options: m.Options, more: m.Options.Bool(proto.KeyProgress)}
	s.calls[c.request] = c
	if i := r.meets(s, Calls, m.URI); i != nil {
		d.suffer(c, m, i)
		return
	}
	d.start(c, m)
}

// start takes a call to who is to answer it.
func (d *dealer) start(c *call, m *proto.Message) {
	r, s := d.router, c.caller
	if err := proto.CheckURI(m.URI); err != nil {
		d.fail(c, proto.ErrURIInvalidURI, err.Error())
		return
	}
	if !r.passes(s, m, proto.Caller, proto.Dealer) {
		return
	}
	if d.meta(c, m) {
		return
	}
	if c.reg = d.match(m.URI); c.reg == nil {
		d.fail(c, proto.ErrURINoSuchProcedure, "nobody has registered "+m.URI)
		return
	}
	if d.discloses(c) && r.cfg.noDisclosure {
		d.fail(c, proto.ErrURIDiscloseMe, "callers are not disclosed here")
		return
	}
	if uri, message := d.sharding(c); uri != "" {
		d.fail(c, uri, message)
		return
	}
	if c.limit.span == 0 {
		d.begin(c)
	}
	if c.gather {
		d.scatter(c, m)
		return
	}
	to := d.route(c)
	if to == nil {
		d.fail(c, proto.ErrURIMaxConcurrencyReached, "every callee is as busy as it may be")
		return
	}
	d.keep(c, to, m)
	if uri, message := d.invoke(c, to, m); uri != "" {
		d.fail(c, uri, message)
	}
}

// discloses reports whether the caller asks to be disclosed.
func (d *dealer) discloses(c *call) bool {
	return c.options.Bool(proto.KeyDiscloseMe) && d.has(proto.CallerIdentification) && !d.router.cfg.crossbar
}

// invoke sends the first INVOCATION of a call to a callee. If it cannot, the
// error URI and a message say why.
func (d *dealer) invoke(c *call, to *callee, m *proto.Message) (uri, message string) {
	s := to.session
	if c.more && !(d.interruptible(s) && s.has(proto.Callee, proto.ProgressiveCallInvocations)) {
		return proto.ErrURIFeatureNotSupported, "the callee takes no progressive calls"
	}
	if m.Options.Str(proto.KeyPPTScheme) != "" && d.has(proto.PayloadPassthruMode) && !s.has(proto.Callee, proto.PayloadPassthruMode) {
		return proto.ErrURIFeatureNotSupported, "the callee takes no payload passthru"
	}
	before := s.lastInvocation
	inv := &invocation{call: c, to: to, id: before.Next()}
	out := &proto.Message{Type: proto.Invocation, Request: inv.id, ID: to.id, Options: d.details(inv)}
	s.lastInvocation = inv.id // before it is sent: a hook may end the goroutine
	s.invocations[inv.id] = inv
	c.running = append(c.running, inv)
	to.running++
	d.arm(c)
	if err := d.router.send(s.link, out, contentOf(c.caller, m)); err != nil {
		s.lastInvocation = before
		inv.end()
		return sendURI(err), err.Error()
	}
	return "", ""
}

// details returns INVOCATION.Details, and notes in the invocation what it was
// told there.
func (d *dealer) details(inv *invocation) (details proto.Dict) {
	c, to := inv.call, inv.to
	add := func(key string, value any) { details = append(details, proto.Entry{Key: key, Value: value}) }
	if d.discloses(c) || to.discloseCaller {
		if to.session.has(proto.Callee, proto.CallerIdentification) {
			details = disclosure(proto.KeyCaller, c.caller)
		}
		d.router.unannounced("a callee is not told who the caller is", proto.CallerIdentification, to.session, proto.Callee)
	}
	if level, ok := d.trust(c, to.session); ok {
		add(proto.KeyTrustLevel, level)
	}
	if d.router.namesURI(c.reg.match, isShared(d.router.cfg.sharing, to.session, c.reg, to.session.registrations)) {
		add(proto.KeyProcedure, c.procedure)
	}
	if c.more {
		add(proto.KeyProgress, true)
	}
	inv.results = c.options.Bool(proto.KeyReceiveProgress) && !c.gather && d.has(proto.ProgressiveCallResults) &&
		(d.router.cfg.crossbar || d.interruptible(to.session) && to.session.has(proto.Callee, proto.ProgressiveCallResults))
	if inv.results {
		add(proto.KeyReceiveProgress, true)
	} else if c.options.Bool(proto.KeyReceiveProgress) && !c.gather && d.has(proto.ProgressiveCallResults) {
		const what = "a callee is not asked for progressive results"
		d.router.unannounced(what, proto.ProgressiveCallResults, to.session, proto.Callee)
		d.router.lacking(what, proto.CallCanceling, proto.Dealer, to.session, proto.Callee)
	}
	if ms := d.forward(inv); ms > 0 {
		add(proto.KeyTimeout, ms)
	}
	details = append(details, d.router.handedOn(c.options)...)
	return append(details, d.router.passthru(proto.Dealer, c.options)...)
}

// chunk passes the next chunk of a progressive call on.
func (d *dealer) chunk(c *call, m *proto.Message) {
	r := d.router
	switch {
	case !c.more:
		r.violation(c.caller.link, "CALL: the request id is that of a call under way, which is not progressive")
		return
	case m.URI != c.procedure:
		r.violation(c.caller.link, "CALL: a chunk names another procedure")
		return
	}
	c.more = m.Options.Bool(proto.KeyProgress)
	switch {
	case len(c.held) > 0:
		c.held = append(c.held, clone(m))
	case c.canceled || c.hung:
		r.counts.late++ // the callee has been told to stop, or there is none
	default:
		d.passChunk(c, m)
	}
}

// passChunk sends the callee a further chunk.
func (d *dealer) passChunk(c *call, m *proto.Message) {
	r := d.router
	c.settle()
	inv := c.running[0] // the one that has the first chunk
	out := &proto.Message{Type: proto.Invocation, Request: inv.id, ID: inv.to.id, Options: proto.Dict{{Key: proto.KeyProgress, Value: c.more}}}
	out.Options = append(out.Options, r.passthru(proto.Dealer, c.options)...)
	if err := r.send(inv.to.session.link, out, contentOf(c.caller, m)); err != nil {
		d.interrupt(inv, proto.KillNoWait, sendURI(err))
		d.fail(c, sendURI(err), err.Error())
	}
}

// end takes a call out of the tables.
func (d *dealer) end(c *call) {
	delete(c.caller.calls, c.request)
	if len(c.held) > 0 {
		d.router.drop(c)
	}
	for len(c.running) > 0 {
		c.running[0].end()
	}
	c.limit.stop()
}

// fail ends a call with an ERROR of ours.
func (d *dealer) fail(c *call, uri, message string) {
	if d.loses(c) {
		return
	}
	d.end(c)
	d.router.fail(c.caller, proto.Call, c.request, uri, message)
}

// end takes an invocation out of the tables. The call goes on.
func (inv *invocation) end() {
	delete(inv.to.session.invocations, inv.id)
	inv.to.running--
	inv.call.running = without(inv.call.running, inv)
}

// interruptible reports whether a callee can be interrupted.
func (d *dealer) interruptible(s *session) bool {
	return d.has(proto.CallCanceling) && s.has(proto.Callee, proto.CallCanceling)
}

// interrupt asks a callee to stop, once. It reports whether the callee can.
func (d *dealer) interrupt(inv *invocation, mode proto.CancelMode, reason string) bool {
	s := inv.to.session
	if !d.interruptible(s) {
		d.router.lacking("a callee is not interrupted", proto.CallCanceling, proto.Dealer, s, proto.Callee)
		return false
	}
	if inv.interrupted {
		return true
	}
	inv.interrupted = true
	options := proto.Dict{{Key: proto.KeyMode, Value: mode.String()}}
	if reason != "" {
		options = append(options, proto.Entry{Key: proto.KeyReason, Value: reason})
	}
	_ = d.router.send(s.link, &proto.Message{Type: proto.Interrupt, Request: inv.id, Options: options}, nil)
	return true
}

func (d *dealer) cancel(s *session, m *proto.Message) {
	r := d.router
	if !d.has(proto.CallCanceling) {
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
	mode, _ := proto.ParseCancelMode(m.Options.Str(proto.KeyMode))
	told := c.hung && mode != proto.Skip // by us, who answer for the callee
	c.lose = 0
	if mode != proto.Skip {
		for _, inv := range slices.Clone(c.running) {
			if d.interrupt(inv, mode, proto.ErrURICanceled) {
				told = true
			} else {
				inv.end() // as with skip: its answer is not awaited
			}
		}
	}
	if mode == proto.Kill && told && !c.hung {
		c.canceled = true
		return // what the callees answer ends it
	}
	if r.cfg.crossbar && !told {
		r.note("skip", "a CANCEL is not answered, as at Crossbar: mode skip, or a callee that cannot be interrupted")
		d.end(c) // and nothing is said
		return
	}
	d.fail(c, proto.ErrURICanceled, "the call was cancelled")
}

// answered finds the invocation that a callee answers. An id that was never
// used is a violation, any other without an invocation is late.
func (d *dealer) answered(s *session, m *proto.Message) *invocation {
	inv := s.invocations[m.Request]
	switch {
	case inv != nil:
	case m.Request == 0 || m.Request > s.lastInvocation:
		d.router.violation(s.link, m.Type.String()+": there never was an invocation with that id")
	default:
		d.router.counts.late++
	}
	return inv
}

func (d *dealer) yield(s *session, m *proto.Message) {
	r := d.router
	inv := d.answered(s, m)
	if inv == nil {
		return
	}
	c := inv.call
	progress := m.Options.Bool(proto.KeyProgress)
	if !r.passes(s, m, proto.Callee, proto.Dealer) {
		return
	}
	if m.Options.Str(proto.KeyPPTScheme) != "" && d.has(proto.PayloadPassthruMode) && !c.caller.has(proto.Caller, proto.PayloadPassthruMode) {
		if progress {
			d.interrupt(inv, proto.KillNoWait, proto.ErrURIFeatureNotSupported)
		}
		d.fail(c, proto.ErrURIFeatureNotSupported, "the caller takes no payload passthru")
		return
	}
	switch {
	case progress && !inv.results && !r.cfg.crossbar:
		r.counts.dropped++ // nobody has asked for it
		r.note(proto.KeyProgress, "progressive results are dropped: the callee, session %d, was not asked for them", s.id)
		return
	case c.canceled && r.cfg.crossbar:
		if !progress {
			d.fail(c, proto.ErrURICanceled, "the call was cancelled")
		}
		return
	case c.gather:
		d.answer(inv, "", contentOf(s, m))
		return
	}
	var details proto.Dict
	if progress {
		details = proto.Dict{{Key: proto.KeyProgress, Value: true}}
		c.settle()
		d.progressed(c)
	} else {
		if d.loses(c) {
			return
		}
		d.end(c)
	}
	details = append(details, r.passthru(proto.Dealer, m.Options)...)
	if r.cfg.crossbar {
		details = append(details, disclosure(proto.KeyCallee, s)...)
	}
	err := r.send(c.caller.link, &proto.Message{Type: proto.Result, Request: c.request, Options: details}, contentOf(s, m))
	if err == nil {
		return
	}
	if progress {
		d.interrupt(inv, proto.KillNoWait, sendURI(err))
	}
	d.fail(c, sendURI(err), err.Error())
}

// calleeError takes an ERROR, which can only be for an INVOCATION.
func (d *dealer) calleeError(s *session, m *proto.Message) {
	r := d.router
	if m.RequestType != proto.Invocation {
		r.violation(s.link, "ERROR: a client can only answer INVOCATION with it")
		return
	}
	inv := d.answered(s, m)
	if inv == nil {
		return
	}
	c := inv.call
	switch {
	case c.gather:
		d.answer(inv, m.URI, contentOf(s, m))
		return
	case d.declined(inv, m):
		d.reroute(inv)
		return
	case d.loses(c):
		return
	}
	d.end(c)
	out := &proto.Message{Type: proto.Error, RequestType: proto.Call, Request: c.request, URI: m.URI, Options: m.Options}
	payload := contentOf(s, m)
	if c.canceled && r.cfg.crossbar {
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
		for _, inv := range c.running {
			if inv.to.session != s && !d.router.cfg.noInterrupt {
				d.interrupt(inv, proto.KillNoWait, "")
			}
		}
		d.end(c)
	}
	for _, inv := range sorted(s.invocations) {
		if inv.call.gather {
			d.answer(inv, proto.ErrURICanceled, nil)
			continue
		}
		d.fail(inv.call, proto.ErrURICanceled, "the callee is gone")
	}
	for _, reg := range d.registry.leave(s) {
		d.tellUnregistered(s, reg)
	}
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
