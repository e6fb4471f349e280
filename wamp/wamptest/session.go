package wamptest

import (
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// session is a client's session. Actor only.
type session struct {
	id     proto.ID
	link   *link
	realm  *realm
	roles  proto.Roles
	method string
	grant  Grant
	e2ee   any // the answer to what it offered, see E2EE

	lastRequest    proto.ID // watermark of the client's requests
	lastInvocation proto.ID // of ours to it

	subscriptions map[proto.ID]*subscription
	registrations map[proto.ID]*registration
	calls         map[proto.ID]*call       // it is the caller, by its request
	invocations   map[proto.ID]*invocation // it is the callee, by our request
	testaments    []testament

	unanswered *proto.Message // the request under way whose answer a Fault loses
}

// has reports whether the client announced a feature in a role.
func (s *session) has(role proto.Role, f proto.Feature) bool { return s.roles.Features(role).Has(f) }

// receive takes one message of a client: it is judged, and then goes through
// the hook to whom it is for. Actor only.
func (r *Router) receive(l *link, m *proto.Message) {
	if l.closed {
		return
	}
	r.counts.received[m.Type]++
	fresh, ok := r.judge(l, m)
	if !ok {
		return
	}
	if r.hook == nil {
		r.dispatch(l, m, fresh)
		return
	}
	s, owner := l.session, any(l)
	if s != nil {
		owner = s
	}
	action := r.hook(&Exchange{Session: l.sessionID(), Message: m, Codec: l.codec})
	r.perform(l, owner, m, action, func(l *link, m *proto.Message) {
		if l.session == s && m.Type.Traits().FromClient&l.state != 0 { // it may have been held back, or replaced
			r.dispatch(l, m, fresh)
		}
	})
}

func (l *link) sessionID() proto.ID {
	if l.session == nil {
		return 0
	}
	return l.session.id
}

// judge checks a message by the trait table and the watermark of request ids,
// before the hook: what that drops or holds back has been seen all the same.
// fresh: the request id is a new one, not that of a CALL seen before.
func (r *Router) judge(l *link, m *proto.Message) (fresh, ok bool) {
	if l.state == proto.StateClosing && m.Type != proto.Goodbye && m.Type != proto.Abort {
		return false, false
	}
	if m.Type.Traits().FromClient&l.state == 0 {
		r.violation(l, m.Type.String()+" must not come from a client while the session is "+l.state.String())
		return false, false
	}
	if !r.judgeURI(l, m) {
		return false, false
	}
	switch m.Type {
	case proto.Publish, proto.Subscribe, proto.Unsubscribe, proto.Register, proto.Unregister, proto.Call:
	default:
		return false, true
	}
	s := l.session
	switch {
	case m.Request == s.lastRequest.Next():
	case m.Type == proto.Call && m.Request != 0 && m.Request <= s.lastRequest && s.has(proto.Caller, proto.ProgressiveCallInvocations) &&
		r.cfg.dealerHas(proto.ProgressiveCallInvocations):
		return r.cfg.lenientIDs, true // one more chunk
	case r.cfg.lenientIDs:
		return true, true
	default:
		r.violation(l, fmt.Sprintf("%v: the request id is %d, not the last one plus one, %d (the option wamptest.LenientIDs takes any)",
			m.Type, m.Request, s.lastRequest.Next()))
		return false, false
	}
	s.lastRequest = m.Request
	return true, true
}

// dispatch hands a message to whom it is for. One that was held back for a session that
// WithHalfOpen keeps is done.
func (r *Router) dispatch(l *link, m *proto.Message, fresh bool) {
	if l.closed && !l.lost {
		return
	}
	switch m.Type {
	case proto.Hello:
		r.hello(l, m)
		return
	case proto.Authenticate:
		r.authenticate(l, m)
		return
	case proto.Abort:
		r.leave(l)
		l.finish()
		return
	case proto.Goodbye:
		r.clientGoodbye(l)
		return
	default:
	}
	r.unheeded(m)
	s := l.session
	if op, uris := r.requested(s, m); op != 0 {
		if i := r.meets(s, op, uris...); i != nil {
			r.suffer(s, m, i)
			return
		}
	}
	r.serve(s, m, fresh)
}

// serve does what a client asks for.
func (r *Router) serve(s *session, m *proto.Message, fresh bool) {
	switch m.Type {
	case proto.Publish:
		s.realm.broker.publish(s, m)
	case proto.Subscribe:
		s.realm.broker.subscribe(s, m)
	case proto.Unsubscribe:
		s.realm.broker.unsubscribe(s, m)
	case proto.Register:
		s.realm.dealer.register(s, m)
	case proto.Unregister:
		s.realm.dealer.unregister(s, m)
	case proto.Call:
		s.realm.dealer.call(s, m, fresh)
	case proto.Cancel:
		s.realm.dealer.cancel(s, m)
	case proto.Yield:
		s.realm.dealer.yield(s, m)
	case proto.Error:
		s.realm.dealer.calleeError(s, m)
	default:
		r.violation(s.link, m.Type.String()+" is not for a router")
	}
}

// violation ends a link with ABORT. Crossbar closes it without.
func (r *Router) violation(l *link, message string) {
	if l.closed {
		return
	}
	if r.cfg.crossbar {
		r.shut(l, closeProtocol, "WAMP Protocol Error ("+message+")")
		return
	}
	r.violated(l, message)
	r.abort(l, proto.ErrURIProtocolViolation, message)
}

// abort ends a link with ABORT, which nobody answers.
func (r *Router) abort(l *link, reason, message string) {
	if l.closed {
		return
	}
	details := proto.Dict{{Key: proto.KeyMessage, Value: message}}
	_ = r.send(l, &proto.Message{Type: proto.Abort, URI: reason, Options: details}, nil)
	r.leave(l)
	l.finish()
}

// goodbye ends a session from the router's side.
func (r *Router) goodbye(s *session, reason string) { r.goodbyeWith(s, reason, "") }

// goodbyeWith ends a session with a reason and a message, if that is not empty.
func (r *Router) goodbyeWith(s *session, reason, message string) {
	l := s.link
	m := &proto.Message{Type: proto.Goodbye, URI: reason}
	if message != "" {
		m.Options = proto.Dict{{Key: proto.KeyMessage, Value: message}}
	}
	_ = r.send(l, m, nil)
	r.leave(l)
	l.state = proto.StateClosing
}

// clientGoodbye takes a GOODBYE: the answer to ours, or the client's wish.
func (r *Router) clientGoodbye(l *link) {
	if l.state == proto.StateClosing {
		l.state = proto.StateClosed
		l.finish()
		return
	}
	reason := proto.CloseURIGoodbyeAndOut
	if r.cfg.crossbar {
		reason = proto.CloseURINormal
	}
	if !r.cfg.noGoodbye {
		_ = r.send(l, &proto.Message{Type: proto.Goodbye, URI: reason}, nil)
	}
	r.leave(l) // the connection stays: it may carry another HELLO
	l.state = proto.StateClosed
}

// leave takes the session of a link, if it has one, out of all tables.
func (r *Router) leave(l *link) {
	l.login = nil
	s := l.session
	if s == nil {
		return
	}
	l.session = nil
	l.leaving.stop()
	r.drop(s)
	delete(r.sessions, s.id)
	b := s.realm.broker
	subs := b.leave(s) // first: it gets nothing more
	s.realm.dealer.leave(s)
	for _, sub := range subs {
		b.tellUnsubscribed(s, sub)
	}
	b.testify(s)
	b.tellLeft(s)
}

// send sends m to a client through the hook, with the payload p if it is not
// nil. The error says that this message cannot be sent to this client.
func (r *Router) send(l *link, m *proto.Message, p *content) (err error) {
	if l.closed || l.session != nil && l.session.loses(m) {
		return nil
	}
	if p != nil {
		if m.Args, m.Kwargs, err = p.in(l.codec, &r.cfg.quirks); err != nil {
			return err
		}
	}
	if r.hook == nil {
		return r.deliver(l, m)
	}
	action := r.hook(&Exchange{Session: l.sessionID(), Sent: true, Message: m, Codec: l.codec})
	r.perform(l, l, m, action, func(l *link, m *proto.Message) { err = r.deliver(l, m) })
	return err
}

// deliver queues m, at once or when the delay has passed.
func (r *Router) deliver(l *link, m *proto.Message) error {
	if l.closed {
		return nil
	}
	if r.delay <= 0 && len(l.late) == 0 {
		return l.queue(m)
	}
	now := time.Now()
	due := now.Add(r.delay)
	if n := len(l.late); n > 0 && due.Before(l.late[n-1].due) {
		due = l.late[n-1].due
	}
	l.late = append(l.late, lateMessage{due, clone(m)})
	if len(l.late) == 1 {
		l.lateTimer = r.after(r.delay, l.release)
	}
	return nil
}

// release queues the messages whose delay has passed. Actor only.
func (l *link) release() {
	now := time.Now()
	for len(l.late) > 0 && !l.late[0].due.After(now) {
		_ = l.queue(l.late[0].message)
		l.late[0].message = nil
		l.late = l.late[1:]
	}
	if len(l.late) > 0 {
		l.lateTimer = l.router.after(l.late[0].due.Sub(now), l.release)
	}
	if l.final && len(l.late) == 0 {
		l.final = false
		l.finish()
	}
}

// fail answers a request with ERROR.
func (r *Router) fail(s *session, t proto.MessageType, request proto.ID, uri, message string) {
	m := &proto.Message{Type: proto.Error, RequestType: t, Request: request, URI: uri}
	if message != "" {
		m.Args, m.Kwargs, _ = encode(codec.Args(message), s.link.codec)
	}
	_ = r.send(s.link, m, nil)
}

// sendURI is the error URI for what send has returned.
func sendURI(err error) string {
	if err == errTooBig {
		return proto.ErrURIPayloadSizeExceeded
	}
	return proto.ErrURIInvalidPayload
}

// clone returns a copy of m that shares no memory with a batch.
func clone(m *proto.Message) *proto.Message {
	c := *m
	if m.Args != nil {
		c.Args = append([]byte{}, m.Args...)
	}
	if m.Kwargs != nil {
		c.Kwargs = append([]byte{}, m.Kwargs...)
	}
	return &c
}
