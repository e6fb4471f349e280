package flow

import "context"

// Relay is a user's channel whose one sender is a goroutine of its own: it makes
// its values out of something else, such as events or calls. The goroutine ends
// with what it reads from, with ctx, or when a Close is out of time; Close waits
// for it.
type Relay[T any] struct {
	ch    chan T
	ctx   context.Context // of the operation
	hurry <-chan struct{} // closed when Close is out of time; set by Run
}

// NewRelay makes a relay whose channel has room for so many values.
func NewRelay[T any](ctx context.Context, size int) *Relay[T] {
	return &Relay[T]{ch: make(chan T, size), ctx: ctx}
}

// Run starts the goroutine. The channel is closed when f returns. An error means
// that the session is over and f will not run.
func (r *Relay[T]) Run(eng Engine, f func()) error {
	return eng.GoFeeder(func(hurry <-chan struct{}) {
		defer close(r.ch)
		r.hurry = hurry
		f()
	})
}

// RunAgain is Run for a goroutine that may be ended by a user's code: another one goes on
// in its place, until f returns.
func (r *Relay[T]) RunAgain(eng Engine, f func()) error {
	return eng.GoFeeder(func(hurry <-chan struct{}) {
		r.hurry = hurry
		r.again(eng, f)
	})
}

func (r *Relay[T]) again(eng Engine, f func()) {
	returned := false
	defer func() {
		if returned {
			close(r.ch)
		} else {
			eng.Feed(func(<-chan struct{}) { r.again(eng, f) })
		}
	}()
	f()
	returned = true
}

// Ch is the user's channel.
func (r *Relay[T]) Ch() <-chan T { return r.ch }

// Hurry is closed when Close is out of time. It is for what Run has started.
func (r *Relay[T]) Hurry() <-chan struct{} { return r.hurry }

// Send sends a value. It reports false when the consumer is not waited for any
// more.
func (r *Relay[T]) Send(v T) bool {
	if r.ctx.Err() != nil {
		return false
	}
	select { // one for which there is room costs the least to send
	case r.ch <- v:
		return true
	default:
	}
	select {
	case r.ch <- v:
		return true
	case <-r.ctx.Done():
	case <-r.hurry:
	}
	return false
}

// Live reports whether the operation goes on, so that only Close has ended the wait for
// its consumer.
func (r *Relay[T]) Live() bool { return r.ctx.Err() == nil }

// Cut sends the last value where Close is out of time and n values were not
// sent. One more is lost for each that makes room.
func (r *Relay[T]) Cut(n int, last func(n int) T) {
	oust(r.ch, func(out int) (T, bool) { return last(n + out), true })
}

// Last sends the last value. Where the consumer is not waited for any more, it
// takes the place of one that was not read.
func (r *Relay[T]) Last(v T) {
	if !r.Send(v) {
		force(r.ch, v)
	}
}
