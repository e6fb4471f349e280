package wamp

import "context"

// relay is a user's channel whose one sender is a goroutine of its own: it makes
// its values out of something else, such as events or calls. The goroutine ends
// with what it reads from, with ctx, or when a Close is out of time; Close waits
// for it.
type relay[T any] struct {
	ch    chan T
	ctx   context.Context // of the operation
	hurry <-chan struct{} // closed when Close is out of time; set by run
}

func newRelay[T any](ctx context.Context, size int) *relay[T] {
	return &relay[T]{ch: make(chan T, size), ctx: ctx}
}

// run starts the goroutine. The channel is closed when f returns. An error means
// that the session is over and f will not run.
func (r *relay[T]) run(s *Session, f func()) error {
	return s.eng.GoFeeder(func(hurry <-chan struct{}) {
		defer close(r.ch)
		r.hurry = hurry
		f()
	})
}

// send sends a value. It reports false when the consumer is not waited for any
// more.
func (r *relay[T]) send(v T) bool {
	if r.ctx.Err() != nil {
		return false
	}
	select {
	case r.ch <- v:
		return true
	case <-r.ctx.Done():
	case <-r.hurry:
	}
	return false
}

// cut sends the last value where Close is out of time and n values were not
// sent. One more is lost for each that makes room.
func (r *relay[T]) cut(n int, last func(n int) T) {
	for {
		select {
		case r.ch <- last(n):
			return
		default:
		}
		select {
		case <-r.ch: // the only sender makes room
			n++
		default:
		}
	}
}

// last sends the last value. Where the consumer is not waited for any more, it
// takes the place of one that was not read.
func (r *relay[T]) last(v T) {
	if !r.send(v) {
		r.cut(0, func(int) T { return v })
	}
}
