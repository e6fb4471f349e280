package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Ack is the outcome of a publish: the broker's acknowledgement or an error.
type Ack struct {
	// ID is the id of the publication, 0 if Err is set.
	ID ID
	// Err is why the event was not published, or why that is not known.
	Err error
}

// Acks is the channel of a publish's outcome. The session closes it.
//
// With [Acknowledge] it has exactly one element. Without, it is closed when
// [Session.Publish] returns, and has an element only if the event could not be
// sent. The Acks of [Session.PublishStream] has one element for each event.
type Acks <-chan Ack

// Wait waits for the acknowledgement and returns the id of the publication or
// the error. Without [Acknowledge] it returns at once.
func (a Acks) Wait() (ID, error) {
	if a == nil {
		return 0, errNoStream
	}
	ack := <-a
	return ack.ID, ack.Err
}

// publishConfig is what the options of a publish make.
type publishConfig struct {
	s          *Session
	options    Dict
	needs      []session.Need
	ack        bool
	idempotent bool
	window     int // of a publish stream, 0: the default
	goOn       bool
}

// configure applies all options and returns the first error.
func configure[O any](s *Session, options []O, apply func(O, *publishConfig) error) (c *publishConfig, err error) {
	c = &publishConfig{s: s}
	for _, o := range options {
		e := errNilOption
		if any(o) != nil {
			e = apply(o, c)
		}
		if e != nil && err == nil {
			err = s.noted(e)
		}
	}
	return c, err
}

// plainPublish is a publish without options. It is never changed.
var plainPublish publishConfig

// publishes are reused: an unacknowledged publish has no owner after it has
// been appended to the outbound batch.
var publishes = session.NewPool[session.Publish]()

// Publish publishes an event. Without [Acknowledge] it returns when the event
// is on its way, and the channel is closed; with it, the channel receives the
// outcome. The publisher does not get the event itself, see [ExcludeMe].
//
// ctx governs the wait for outbound room ([WithOutbound]), in which Publish
// blocks, and the wait for the acknowledgement. When ctx ends before the
// acknowledgement, the channel receives a [CanceledError], and whether the
// event was published is not known. The same is true of the [OutcomeUnknown]
// that the channel receives when the connection is lost, or when the broker has
// not acknowledged the event within [AckTimeout]. At most a window of
// acknowledged publishes is in progress at once ([WithWindow]); others wait in
// their order.
//
// The error is an [OpError]. It wraps an [Error] if the broker refused, a
// [FeatureError], [EncodeError] or [URIError] if nothing was sent, or a
// [ClosedError].
//
// See the WAMP specification, "Publishing and Events".
func (s *Session) Publish(ctx context.Context, topic string, payload Payload, options ...PublishOption) Acks {
	ctx, _, err := session.OwnCall(ctx)
	if err == nil {
		err = proto.CheckURI(topic)
	}
	cfg := &plainPublish
	if len(options) > 0 {
		var bad error
		if cfg, bad = configure(s, options, PublishOption.applyPublish); err == nil {
			err = bad
		}
	}
	if !cfg.ack {
		return s.publish(ctx, topic, payload, cfg, err)
	}
	return s.publishAcked(ctx, topic, payload, cfg, err)
}

// publishAcked publishes with an acknowledgement.
func (s *Session) publishAcked(ctx context.Context, topic string, payload Payload, cfg *publishConfig, err error) Acks {
	a := &ackStream{}
	a.Open(ctx, s.eng, 1)
	p := &a.pub
	p.Ctx, p.URI, p.Options, p.Needs, p.Sink = ctx, topic, cfg.options, cfg.needs, a
	p.Idempotent = cfg.idempotent
	if err == nil {
		err = s.sealPublish(p, payload)
	}
	if err == nil {
		err = s.eng.Publish(p)
	}
	if err != nil {
		if ctx == nil {
			a.Bind(s.eng.Context()) // nothing waits under it
		}
		a.Finish(Ack{Err: opError("publish", topic, err)}, true, true)
	}
	return Acks(a.Ch())
}

// sealPublish encodes the payload of a publish.
func (s *Session) sealPublish(p *session.Publish, payload Payload) error {
	keys, feature, err := s.seal(&p.Body, seal.About{Kind: seal.KindPublish, URI: p.URI}, payload)
	p.Options, p.Needs = with(p.Options, p.Needs, proto.Broker, keys, feature)
	return err
}

func (s *Session) publish(ctx context.Context, topic string, payload Payload, cfg *publishConfig, err error) Acks {
	if err == nil {
		p := publishes.Get()
		p.Ctx, p.URI, p.Options, p.Needs, p.Done = ctx, topic, cfg.options, cfg.needs, publishes.Put
		err = s.sealPublish(p, payload)
		if err == nil {
			err = s.eng.Check(p) // later there is nobody to be told
		}
		if err == nil {
			err = s.eng.Publish(p)
		}
		if err == nil {
			return s.noAcks
		}
	}
	return failedAcks(topic, err)
}

// failedAcks are those of a publish that was not handed over.
func failedAcks(topic string, err error) Acks {
	return flow.Of(Ack{Err: opError("publish", topic, err)})
}

// ackStream is an acknowledged publish with its channel.
type ackStream struct {
	flow.Stream[Ack]
	pub session.Publish
}

// Deliver is never called: a publish has one answer.
func (a *ackStream) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End takes the answer. It runs on the actor.
func (a *ackStream) End(e session.End) {
	a.Finish(ackOf(a.pub.URI, e), true, e.Now)
}

// ackOf is the answer to a publish.
func ackOf(topic string, e session.End) Ack {
	ack := Ack{Err: opError("publish", topic, e.Err)}
	if e.Message != nil {
		ack.ID = e.Message.Publication
	}
	return ack
}
