package wamp

import "context"

// PublishStream publishes each value that comes in on the channel, until that is closed,
// and returns the acknowledgements in the same order. It is the typed form of
// [Session.PublishStream]: a value becomes the one argument of its event, a [Payload] is
// published as it is, and struct{} as an empty event. [Events] and [On] take such events.
//
// The values are read from the channel itself, by the goroutine that publishes them:
// when the stream takes no more, for the reasons given there, the producer must not
// block. A value that cannot be encoded is an [EncodeError] in its [Ack]. ctx, options
// and errors are those of Session.PublishStream, which closes the channel that is
// returned.
//
// See the WAMP specification, "Publishing and Events".
func PublishStream[T any](ctx context.Context, s *Session, topic string, values <-chan T, options ...PublishStreamOption) Acks {
	if values == nil {
		return s.publishAll(ctx, topic, options, nil)
	}
	return s.publishAll(ctx, topic, options, func(p *publishStream) error { return takeFrom(p, values, event[T]) })
}

// PublishFunc publishes what a function produces: each send is one event of one value,
// as in [PublishStream]. It is the typed form of [Session.PublishFunc]: the goroutine,
// the context and the errors of produce are those that are given there.
//
// See the WAMP specification, "Publishing and Events".
func PublishFunc[T any](ctx context.Context, s *Session, topic string, produce func(ctx context.Context, send func(T) error) error, options ...PublishStreamOption) Acks {
	if produce == nil {
		return s.publishAll(ctx, topic, options, nil)
	}
	return s.publishAll(ctx, topic, options, func(p *publishStream) error {
		return produce(p.inner, func(v T) error { return opError("publish", topic, p.send(response(v))) })
	})
}

// event is the payload of a value.
func event[T any](v T) Payload { return response(v) }
