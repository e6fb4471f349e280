package wamp_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A link that is lost as soon as it is up, before its keeper has begun. Without
// the race detector this shows only now and then.
func TestKeepaliveOfLinkLostAtOnce(t *testing.T) {
	r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Welcome {
			m := *x.Message
			return wamptest.Replace(&m, &proto.Message{Type: proto.Goodbye, URI: proto.CloseURISystemShutdown})
		}
		return wamptest.Pass()
	}))
	s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: 1, Max: 1}), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Minute}))
	if err := r.WaitFor(within(t, patience), func(st wamptest.Stats) bool { return st.Accepted > 50 }); err != nil {
		t.Error(err)
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

// Handle and Close at the same time: nothing that Handle starts outlives
// Close, and neither waits for the other.
func TestHandleWhileClosing(t *testing.T) {
	r := wamptest.NewRouter(t)
	for range 200 {
		s := join(t, r)
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				if _, err := s.Handle(t.Context(), "com.example.echo", echo); err != nil && !errors.Is(err, wamp.ErrSessionClosed) &&
					!errors.Is(err, wamp.ErrProcedureAlreadyExists) {
					t.Error(err)
				}
			})
		}
		closeIt(t, s)
		both.Wait()
	}
}

// Handlers that do not listen to their contexts do not keep Close beyond its
// own, also when more invocations wait for their turn.
func TestCloseWithDeafHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		wake := make(chan struct{})
		ran := 0
		handle(t, s, "com.example.deaf", func(context.Context, *wamp.Invocation) error {
			ran++
			<-wake
			return nil
		}, wamp.Concurrency(1))
		for range 40 {
			c.Call(t.Context(), "com.example.deaf", wamp.Args())
		}
		synctest.Wait()
		start := time.Now()
		if err := s.Close(t.Context()); err == nil || time.Since(start) != time.Second ||
			!strings.Contains(err.Error(), "1 invocation of com.example.deaf still runs") {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second/2 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		close(wake)
		closeIt(t, s)
		if ran != 1 {
			t.Errorf("%d handlers ran, although the session was over", ran)
		}
	})
}
