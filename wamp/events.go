package wamp

import "iter"

// EventOf is an event whose value has been decoded.
type EventOf[T any] struct {
	Event
	// Value is what the event says.
	Value T
}

// Events returns an iterator over the events of a subscription, each decoded into a T:
// its one argument, or its keyword arguments where there are no arguments and T is a
// struct or a map. T may be [Payload], which takes whatever comes, and struct{}, for
// which it does not matter what comes.
//
// An event that does not decode, or is empty, is yielded with an error, a [ScanError] in
// an [OpError], and the loop goes on; its Event field is set. Otherwise it is like
// [Subscription.All]: the last pair may be the error that ended the subscription, and has
// no event.
func Events[T any](sub *Subscription) iter.Seq2[EventOf[T], error] {
	return func(yield func(EventOf[T], error) bool) {
		for ev, err := range sub.All() {
			e := EventOf[T]{Event: ev}
			if err == nil {
				e, err = eventOf[T](ev)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// eventOf decodes an event. Where that fails, its Event is there.
func eventOf[T any](ev Event) (EventOf[T], error) {
	v := new(T)
	if err := into(v, ev.Payload, "event"); err != nil {
		return EventOf[T]{Event: ev}, opError("event", ev.Topic, err)
	}
	return EventOf[T]{ev, *v}, nil
}
