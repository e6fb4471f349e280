package sessiontest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
)

// Number is the first argument of a payload.
func Number(t *testing.T, p wamp.Payload) int {
	t.Helper()
	var n int
	if err := p.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Publish publishes the numbers from begin up to end, and waits until the
// broker has them.
func Publish(t *testing.T, s *wamp.Session, topic string, begin, end int, rest ...any) {
	t.Helper()
	for i := begin; i < end-1; i++ {
		s.Publish(t.Context(), topic, wamp.Args(append([]any{i}, rest...)...))
	}
	if _, err := s.Publish(t.Context(), topic, wamp.Args(append([]any{end - 1}, rest...)...), wamp.Acknowledge()).Wait(); err != nil {
		t.Fatal(err)
	}
}

// Waiting reads the events that are there.
func Waiting(sub *wamp.Subscription) (all []wamp.Event) {
	synctest.Wait()
	for {
		select {
		case ev, open := <-sub.Events():
			if !open {
				return all
			}
			all = append(all, ev)
		default:
			return all
		}
	}
}

// Feeding sends numbers until its ctx ends.
func Feeding(ctx context.Context, n int) <-chan wamp.Payload {
	ch := make(chan wamp.Payload)
	go func() {
		defer close(ch)
		for i := range n {
			select {
			case ch <- wamp.Args(i):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

// AllAcks reads a stream to its end.
func AllAcks(acks wamp.Acks) (all []wamp.Ack) {
	for a := range acks {
		all = append(all, a)
	}
	return all
}

// LastErr is how a call has ended.
func LastErr(r wamp.Results) error { _, err := r.Final(); return err }

// LastAck is how a publish or a stream of them has ended.
func LastAck(acks wamp.Acks) (err error) {
	for a := range acks {
		err = errors.Join(err, a.Err)
	}
	return err
}
