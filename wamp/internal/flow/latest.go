package flow

// Latest is a channel of the present value: one that was not read when the next
// one comes is folded into it. One goroutine at a time puts values in and closes it.
type Latest[T any] struct {
	ch   chan T // capacity 1
	over bool
}

// NewLatest returns a channel without a value.
func NewLatest[T any]() *Latest[T] { return &Latest[T]{ch: make(chan T, 1)} }

// Ch is the user's channel.
func (l *Latest[T]) Ch() <-chan T { return l.ch }

// Put makes v the present value.
func (l *Latest[T]) Put(v T) { force(l.ch, v) }

// Close closes the channel. Only the first time counts.
func (l *Latest[T]) Close() {
	if !l.over {
		l.over = true
		close(l.ch)
	}
}

// Over reports whether it was closed.
func (l *Latest[T]) Over() bool { return l.over }

// offer sends without waiting.
func offer[T any](ch chan T, v T) bool {
	select {
	case ch <- v:
		return true
	default:
		return false
	}
}

// force sends a value even if the channel is full: it takes out what is in the
// way. The caller is the only sender, so it ends after a try or two.
func force[T any](ch chan T, v T) {
	oust(ch, func(int) (T, bool) { return v, true })
}

// oust is force of a value that depends on how many were taken out for it. It
// gives up where there is none.
func oust[T any](ch chan T, value func(out int) (T, bool)) {
	for out := 0; ; {
		v, has := value(out)
		if !has || offer(ch, v) {
			return
		}
		select {
		case <-ch:
			out++
		default:
		}
	}
}
