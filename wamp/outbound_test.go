package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What waits to be written is bounded: when the router does not read, operations
// wait under their contexts and none leaves anything behind. What ends something
// is never held back: a call can be cancelled, and Close ends.
func TestOutboundIsBounded(t *testing.T) {
	const bound = 10_000
	stuck := func(t *testing.T) (*wamptest.Router, *wamp.Session, wamp.Results, context.CancelFunc) {
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, wamp.WithOutbound(bound)), join(t, r)
		hung(t, callee, "com.example.hang")
		handle(t, callee, "com.example.echo", echo)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := s.Call(ctx, "com.example.hang", wamp.Args())
		synctest.Wait()
		r.Stall(s.ID())
		for { // until there is no room
			if _, err := s.Publish(within(t, time.Second), "com.example.topic", wamp.Args(make([]byte, 1000))).Wait(); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
		}
		return r, s, waiting, cancel
	}
	t.Run("and goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, s, waiting, cancel := stuck(t)
			if st := s.Stats(); st.QueuedBytes > bound || st.Waited == 0 {
				t.Errorf("%d bytes are queued, %d operations waited", st.QueuedBytes, st.Waited)
			}
			big := wamp.Args(make([]byte, 1000))
			start := time.Now()
			_, callErr := s.Call(within(t, time.Second), "com.example.echo", big).Final()
			_, subErr := s.Subscribe(within(t, time.Second), "com.example.topic")
			_, ackErr := s.Publish(within(t, time.Second), "com.example.topic", big, wamp.Acknowledge()).Wait()
			for what, err := range map[string]error{"call": callErr, "subscribe": subErr, "publish": ackErr} {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if d := time.Since(start); d != 3*time.Second {
				t.Errorf("after %v", d)
			}
			cancel()
			if _, err := waiting.Final(); !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			later := make(chan error, 1)
			go func() {
				_, err := s.Call(t.Context(), "com.example.echo", big).Final()
				later <- err
			}()
			synctest.Wait()
			r.Unstall(s.ID())
			if err := <-later; err != nil {
				t.Errorf("the call that waited for room: %v", err)
			}
			alive(t, s)
			synctest.Wait()
			if st := s.Stats(); st.QueuedBytes != 0 {
				t.Errorf("%d bytes are queued", st.QueuedBytes)
			}
			empty(t, s)
		})
	})
	t.Run("and is closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, s, waiting, cancel := stuck(t)
			defer cancel()
			start := time.Now()
			if err := s.Close(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close: %v", err)
			}
			if d := time.Since(start); d != time.Second && d != 2*time.Second { // with the time that a link has to close
				t.Errorf("after %v", d)
			}
			if _, err := waiting.Final(); !errors.Is(err, wamp.ErrSessionClosed) {
				t.Errorf("the call: %v", err)
			}
			if _, err := s.Call(t.Context(), "com.example.echo", wamp.Args()).Final(); !errors.Is(err, wamp.ErrSessionClosed) {
				t.Errorf("a call after it: %v", err)
			}
		})
	})
}
