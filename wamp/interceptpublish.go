package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
)

// publishSeen is the rest of Publish where the session has interceptors.
func (s *Session) publishSeen(ctx context.Context, topic string, payload Payload, cfg publishConfig) Acks {
	e := s.sees(Op{Kind: OpPublish, URI: topic, Payload: payload, Options: cfg.options})
	handed := false
	defer func() {
		if !handed { // runtime.Goexit in a marshaler
			e.over(errGoexit, onUsers)
		}
	}()
	inner, err := e.begin(ctx, onUsers)
	if err == nil {
		cfg.options = e.Options
		if payload, err = s.frozen(topic, e.Payload); err == nil {
			e.sized(payload.Size())
		}
	}
	if !cfg.ack || err != nil {
		if err == nil {
			err = s.publishOnce(inner, topic, payload, &cfg, nil)
		}
		handed = true
		e.over(opError("publish", topic, err), onUsers)
		if err != nil {
			return failedAcks(topic, err)
		}
		return s.noAcks
	}
	acks := s.publishAcked(inner, topic, payload, &cfg, nil)
	handed = true
	relay := flow.NewRelay[Ack](inner, 1)
	if err := relay.Run(s.eng, func() {
		ack := Ack{Err: opError("publish", topic, errInterceptor)} // where one calls runtime.Goexit
		defer func() { relay.Last(ack) }()
		a := <-acks
		e.acked(a, onFeeder)
		ack = a
	}); err != nil {
		a := <-acks // the session is over: it is there
		e.acked(a, onUsers)
		return flow.Of(a)
	}
	return relay.Ch()
}

// acked tells the outcome of a publish.
func (e *seen) acked(a Ack, at where) {
	defer e.alone()()
	e.Publication = a.ID
	e.end(a.Err, at)
}

// see lets the interceptors see a publish of a stream, and returns what is sent.
func (p *publishStream) see(f *inFlight, payload Payload) (Payload, error) {
	if p.s.interceptors == nil {
		return payload, nil
	}
	f.seen = p.s.sees(Op{Kind: OpPublish, URI: p.topic, Payload: payload, Options: p.acked})
	ctx, err := f.seen.begin(p.ctx, onUsers)
	if err != nil {
		return payload, err
	}
	f.pub.Ctx = ctx //nolint:fatcontext // of this publish
	if payload, err = p.s.frozen(p.topic, f.seen.Payload); err == nil {
		f.seen.sized(payload.Size())
	}
	return payload, err
}

// acked tells the outcome of a publish of a stream.
func (f *inFlight) acked(a Ack) {
	if f.seen != nil {
		f.seen.acked(a, onFeeder)
	}
}

// over tells the outcome of one that was not published.
func (f *inFlight) over(err error, at where) {
	if f.seen != nil {
		f.seen.over(err, at)
	}
}

// abandon tells the outcome of those of whose acknowledgements nobody hears.
func (p *publishStream) abandon(at where) {
	select {
	case f := <-p.flight:
		defer p.abandon(at) // also behind runtime.Goexit
		f.over(opError("publish", p.topic, context.Cause(p.inner)), at)
	default:
	}
}
