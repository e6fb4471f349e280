// Package flow is the only place that sends to and closes the channels of users.
//
// A [Stream] carries what the actor of a session gives it, keeps what its consumer
// has not read up to a bound, and applies a policy there. It is read by a channel, or
// by the block without one. A [Relay] has a goroutine
// of its own that makes its values out of something else. A [Latest] tells the
// present value only. [Of] is a channel of what is known already.
//
// Package wamp imports it, and package session for the verdicts of streams and for
// the channel of its states. It knows neither messages nor sessions, but an
// [Engine].
package flow

// Engine is what a stream or channel needs of the session that it belongs to.
type Engine interface {
	// Hold counts bytes of backlogs, negative ones when they are gone.
	Hold(bytes int)
	// Ungate ends a Gate. It may be called from any goroutine.
	Ungate()
	// Letting reports whether a Close does not wait for consumers any more.
	Letting() bool
	// Feed runs a feeder in a goroutine that Close waits for. hurry is closed when
	// it is waited for no more.
	Feed(feeder func(hurry <-chan struct{}))
	// GoFeeder is Feed that fails once the session is over.
	GoFeeder(f func(hurry <-chan struct{})) error
}

// Policy is what happens when the bound of a stream is reached because its
// consumer is slow.
type Policy uint8

// The overflow policies.
const (
	// Fail ends the stream behind what it holds.
	Fail Policy = iota + 1
	// DropOldest drops the oldest undelivered values and counts them.
	DropOldest
	// DropNewest drops the value that found no room and counts it.
	DropNewest
	// Block holds the connection back until the backlog is below half its bound.
	Block
)

// Verdict is what a stream says of a value that it was given.
type Verdict uint8

// The verdicts.
const (
	// Taken: go on.
	Taken Verdict = iota
	// Overflow: the bound is reached and the policy is to fail. The value was not
	// taken; the operation ends with ErrSlowConsumer.
	Overflow
	// Gate: the value was taken, and the policy is to hold the link back until
	// Engine.Ungate is called, once for each Gate.
	Gate
	// Dropped: the bound is reached, and the policy has dropped values: this one,
	// or older ones.
	Dropped
)

// Of returns a closed channel that has values.
func Of[T any](values ...T) <-chan T {
	ch := make(chan T, len(values))
	for _, v := range values {
		ch <- v
	}
	close(ch)
	return ch
}
