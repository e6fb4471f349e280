package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/codec"
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
		return 0, opError("publish", "", errNoStream)
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

// acked are the options of a publish that is acknowledged and has no others.
var acked = Dict{{Key: proto.KeyAcknowledge, Value: true}}

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
	h, bad := headOf(s.eng.Codec(), topic, len(options))
	if err == nil {
		err = bad
	}
	cfg := &plainPublish
	if len(options) > 0 {
		if cfg, bad = configure(s, options, PublishOption.applyPublish); err == nil {
			err = bad
		}
	}
	if s.interceptors != nil && err == nil {
		return s.publishSeen(ctx, topic, payload, *cfg)
	}
	if !cfg.ack {
		return s.publish(ctx, topic, payload, cfg, h, err)
	}
	return s.publishAcked(ctx, topic, payload, cfg, err)
}

// publishAcked publishes with an acknowledgement.
func (s *Session) publishAcked(ctx context.Context, topic string, payload Payload, cfg *publishConfig, err error) Acks {
	a := &ackStream{}
	a.Open(ctx, s.eng, 1)
	p := &a.pub
	p.Ctx, p.URI, p.Sink, p.Idempotent = ctx, topic, a, cfg.idempotent
	if err == nil {
		p.Rest, p.Roomy, p.Needs, err = s.restOf(p.Scratch[:0], nil, topic, cfg.acknowledged(), cfg.needs, payload)
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

// acknowledged are the options with the one that asks for an acknowledgement.
func (c *publishConfig) acknowledged() Dict {
	if len(c.options) == 0 {
		return acked
	}
	return c.options.With(proto.KeyAcknowledge, true)
}

// restOf appends all of a publish but its id, or makes a buffer for it if it is large,
// with room in front. h is its head, if that is known. more is needs with what the
// payload needs.
func (s *Session) restOf(dst []byte, h *head, topic string, options Dict, needs []session.Need, payload Payload) (rest []byte, roomy bool, more []session.Need, err error) {
	if rest, done, err := s.appendPlain(dst, h, &payload); done {
		return rest, false, needs, err
	}
	o, keys, feature, err := s.opaque(s.sealer(), seal.About{Kind: seal.KindPublish, URI: topic}, payload)
	if err != nil {
		return dst, false, needs, err
	}
	options, needs = with(options, needs, proto.Broker, keys, feature)
	m := proto.Message{Type: proto.Publish, Options: options, URI: topic}
	if m.Args, payload, err = s.form(payload, o); err != nil {
		return dst, false, needs, err
	}
	if n := codec.Bulk(s.eng.Codec(), &payload); n > session.MostCopied {
		dst, roomy = session.Roomy(session.RestRoom, n), true
	}
	rest, err = codec.AppendRest(s.eng.Codec(), dst, &m, payload)
	return rest, roomy, needs, s.noted(err)
}

// publish publishes without an acknowledgement. h is the head of a publish without
// options, or nil.
func (s *Session) publish(ctx context.Context, topic string, payload Payload, cfg *publishConfig, h *head, err error) Acks {
	if err == nil {
		err = s.publishOnce(ctx, topic, payload, cfg, h)
	}
	if err != nil {
		return failedAcks(topic, err)
	}
	return s.noAcks
}

func (s *Session) publishOnce(ctx context.Context, topic string, payload Payload, cfg *publishConfig, h *head) error {
	buf := buffers.Get().(*buffer)
	defer buf.free()
	var needs []session.Need
	var err error
	buf.data, buf.roomy, needs, err = s.restOf(buf.data, h, topic, cfg.options, cfg.needs, payload)
	if err != nil {
		return err
	}
	return s.eng.PublishOnce(ctx, topic, buf.data, buf.roomy, needs)
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
