package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The channel of a publish: closed at once, or after exactly one element.
func TestPublishChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse, hang := false, false
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			switch {
			case x.Sent && x.Message.Type == proto.Published && hang:
				return wamptest.Drop()
			case x.Sent && x.Message.Type == proto.Published && refuse:
				return wamptest.Replace(&proto.Message{Type: proto.Error, RequestType: proto.Publish, Request: x.Message.Request, URI: proto.ErrURINotAuthorized})
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		elements := func(acks wamp.Acks) (out []wamp.Ack) {
			for ack := range acks {
				out = append(out, ack)
			}
			return out
		}
		if got := elements(s.Publish(t.Context(), "com.example.topic", wamp.Args())); len(got) != 0 {
			t.Errorf("unacknowledged: %v", got)
		}
		if id, err := s.Publish(t.Context(), "com.example.topic", wamp.Args()).Wait(); id != 0 || err != nil {
			t.Errorf("unacknowledged: %d, %v", id, err)
		}
		if got := elements(s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge())); len(got) != 1 || !got[0].ID.Valid() || got[0].Err != nil {
			t.Errorf("acknowledged: %v", got)
		}
		refuse = true
		if got := elements(s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge())); len(got) != 1 || !errors.Is(got[0].Err, wamp.ErrNotAuthorized) {
			t.Errorf("refused: %v", got)
		}
		hang = true
		start := time.Now()
		got := elements(s.Publish(within(t, 2*time.Second), "com.example.topic", wamp.Args(), wamp.Acknowledge()))
		if len(got) != 1 || !errors.Is(got[0].Err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("never acknowledged: after %v, %v", time.Since(start), got)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if got := elements(s.Publish(gone, "com.example.topic", wamp.Args(), wamp.Acknowledge())); len(got) != 1 || !errors.Is(got[0].Err, context.Canceled) {
			t.Errorf("with a context that is over: %v", got)
		}
		<-time.After(10 * time.Second) // it keeps its place in the window while the router may answer
		empty(t, s)
		closeIt(t, s)
		for _, options := range [][]wamp.PublishOption{nil, {wamp.Acknowledge()}} {
			if got := elements(s.Publish(t.Context(), "com.example.topic", wamp.Args(), options...)); len(got) != 1 || !errors.Is(got[0].Err, wamp.ErrSessionClosed) {
				t.Errorf("after Close: %v", got)
			}
		}
	})
}

// Who does not wait for an acknowledgement may let the context end at once.
func TestPublishOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, join(t, r), "com.example.topic")
		publish := func(i int) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for ack := range s.Publish(ctx, "com.example.topic", wamp.Args(i)) {
				t.Error(ack.Err)
			}
		}
		for i := range 100 {
			publish(i)
		}
		for i := range 100 {
			if n := number(t, (<-sub.Events()).Payload); n != i {
				t.Fatalf("event %d, want %d", n, i)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if ack := <-s.Publish(ended, "com.example.topic", wamp.Args(1)); !errors.Is(ack.Err, context.Canceled) {
			t.Errorf("a context that has ended before: %v", ack.Err)
		}
	})
}
