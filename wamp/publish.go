package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Ack is the broker's answer to an acknowledged publish, or why there is none.
type Ack struct {
	// ID is the publication.
	ID ID
	// Err is why the event was not published, as far as is known.
	Err error
}

// Acks is the channel of a publish. With Acknowledge it has exactly one
// element; without, it is closed at once, and has an element only when the
// publish failed on this side. It is closed by the session.
type Acks <-chan Ack

// Wait waits for the acknowledgement and returns it; without Acknowledge it
// returns at once.
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

func (c *publishConfig) set(key string, value any) { c.options = c.options.With(key, value) }

// need makes the publish depend on a feature of the broker.
func (c *publishConfig) need(feature proto.Feature, option string) {
	c.needs = append(c.needs, session.Need{Role: proto.Broker, Feature: feature, Option: option})
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

// Publish publishes an event. Without Acknowledge it returns when the event is
// on its way and the channel is closed at once; with it, the channel has the
// publication's id, or the error. ctx bounds the wait for outbound room, and
// owns the wait for the acknowledgement: when it ends before that, the channel
// ends with its error, and whether the event was published is not known. So it
// does with an *OutcomeUnknown when the broker has not acknowledged it within
// AckTimeout. No more than a window of acknowledged publishes is under way at
// once (WithWindow); what is beyond waits in its order.
//
// See WAMP, "Publishing".
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
	keys, feature, err := s.seal(&p.Body, About{Kind: PublishPayload, URI: p.URI}, payload)
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
