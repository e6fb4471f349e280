package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// unread is one of each stream with n values that nobody has read.
type unread struct {
	results wamp.Results
	sub     *wamp.Subscription
	reg     *wamp.Registration
}

func leaveUnread(t *testing.T, s, other *wamp.Session, n int) *unread {
	t.Helper()
	u := &unread{sub: subscribe(t, s, "com.example.topic")}
	var err error
	if u.reg, err = s.Register(t.Context(), "com.example.unread"); err != nil {
		t.Fatal(err)
	}
	u.results = s.Call(t.Context(), "com.example.count", wamp.Args(n), wamp.Progressive())
	publish(t, other, "com.example.topic", 0, n)
	for i := range n {
		other.Call(t.Context(), "com.example.unread", wamp.Args(i))
	}
	synctest.Wait()
	return u
}

// rest reads what is left of the subscription and the registration.
func (u *unread) rest(t *testing.T) (events, invocations int) {
	t.Helper()
	for ev := range u.sub.Events() {
		if got := number(t, ev.Payload); got != events {
			t.Fatalf("event %d is %d", events, got)
		}
		events++
	}
	for inv := range u.reg.Invocations() {
		if got := number(t, inv.Payload); got != invocations {
			t.Fatalf("invocation %d is %d", invocations, got)
		}
		if inv.Context().Err() == nil {
			t.Fatalf("invocation %d lives on", invocations)
		}
		invocations++
	}
	return events, invocations
}

// tail counts what is left of a stream that was cut: to make room for the last
// element in a full channel the oldest one may have been taken out.
func tail(t *testing.T, results wamp.Results) (n int, last wamp.Result) {
	t.Helper()
	before := -1
	for r := range results {
		if last = r; !r.Progress {
			continue
		}
		got := number(t, r.Payload)
		if n > 0 && got != before+1 || n == 0 && got > 1 {
			t.Fatalf("%d behind %d", got, before)
		}
		before = got
		n++
	}
	return n, last
}

func TestCloseWaitsForReaders(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		u := leaveUnread(t, s, other, n)
		start := time.Now()
		closed := make(chan error, 1)
		go func() { closed <- s.Close(within(t, 10*time.Second)) }()
		<-time.After(time.Second / 2)
		select {
		case err := <-closed:
			t.Fatalf("Close did not wait: %v", err)
		case <-s.Done():
		}
		if got, last := ascend(t, u.results); got != n || last.Err != nil {
			t.Errorf("%d results, then %v", got, last.Err)
		}
		if events, invocations := u.rest(t); events != n || invocations != n {
			t.Errorf("%d events, %d invocations", events, invocations)
		}
		for what, err := range map[string]error{"subscription": u.sub.Err(), "registration": u.reg.Err(), "session": s.Err()} {
			var e *wamp.ClosedError
			if !errors.As(err, &e) || e.Undelivered != 0 || e.Reason != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := <-closed; err != nil || time.Since(start) != time.Second/2 {
			t.Errorf("Close after %v: %v", time.Since(start), err)
		}
	})
}

func TestCloseCutsUnreadStreams(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		u := leaveUnread(t, s, other, n)
		start := time.Now()
		if err := s.Close(within(t, 5*time.Second)); err != nil || time.Since(start) != time.Second {
			t.Errorf("Close after %v: %v", time.Since(start), err)
		}
		var e *wamp.ClosedError
		got, last := tail(t, u.results)
		var op *wamp.OpError
		if !errors.As(last.Err, &op) || op.URI == "" {
			t.Errorf("%v does not name its procedure", last.Err)
		}
		if !errors.As(last.Err, &e) || e.Undelivered == 0 || got+e.Undelivered != n+1 { // the final result is lost too
			t.Errorf("%d results, then %v", got, last.Err)
		}
		events, invocations := u.rest(t)
		if !errors.As(u.sub.Err(), &e) || e.Undelivered == 0 || events+e.Undelivered != n {
			t.Errorf("%d events, then %v", events, u.sub.Err())
		}
		if !errors.As(u.reg.Err(), &e) || e.Undelivered == 0 || invocations+e.Undelivered != n {
			t.Errorf("%d invocations, then %v", invocations, u.reg.Err())
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

// A router that does not answer GOODBYE changes nothing of what the streams
// say.
func TestCloseCutsUnreadStreamsOfSilentRouter(t *testing.T) {
	const n = 1000
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			r, s, other := slowRig(t)
			u := leaveUnread(t, s, other, n)
			r.Stall(s.ID())
			start := time.Now()
			if err := s.Close(within(t, 2*time.Second)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
				t.Errorf("Close after %v: %v", time.Since(start), err)
			}
			var e *wamp.ClosedError
			events, invocations := u.rest(t)
			if !errors.As(u.sub.Err(), &e) || events+e.Undelivered != n {
				t.Errorf("%d events, then %v", events, u.sub.Err())
			}
			if !errors.As(u.reg.Err(), &e) || invocations+e.Undelivered != n {
				t.Errorf("%d invocations, then %v", invocations, u.reg.Err())
			}
			if got, last := tail(t, u.results); !errors.As(last.Err, &e) || got+e.Undelivered != n+1 {
				t.Errorf("%d results, then %v", got, last.Err)
			}
		})
	}
}

func TestLossComesAfterTheBacklog(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		r, s, other := slowRig(t)
		running := hung(t, other, "com.example.hang")
		handle(t, other, "com.example.endless", func(ctx context.Context, inv *wamp.Invocation) error {
			for i := range n {
				if err := inv.Progress(wamp.Args(i)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return ctx.Err()
		})
		hanging := s.Call(t.Context(), "com.example.hang", wamp.Args())
		endless := s.Call(t.Context(), "com.example.endless", wamp.Args(), wamp.Progressive())
		u := leaveUnread(t, s, other, n)
		r.Cut(s.ID())
		<-s.Done()
		<-running
		<-time.After(time.Hour) // nobody hurries
		var lost *wamp.LinkError
		if got, last := ascend(t, endless); got != n || !errors.As(last.Err, &lost) || !errors.Is(last.Err, wamp.ErrSessionClosed) {
			t.Errorf("the running call: %d results, then %v", got, last.Err)
		}
		if got, last := ascend(t, u.results); got != n || last.Err != nil {
			t.Errorf("the finished call: %d results, then %v", got, last.Err)
		}
		if events, invocations := u.rest(t); events != n || invocations != n {
			t.Errorf("%d events, %d invocations", events, invocations)
		}
		if !errors.As(u.sub.Err(), &lost) || !errors.As(u.reg.Err(), &lost) {
			t.Errorf("subscription: %v, registration: %v", u.sub.Err(), u.reg.Err())
		}
		if _, err := hanging.Final(); !errors.As(err, &lost) {
			t.Errorf("the hanging call: %v", err)
		}
	})
}

// What was lost behind a loss still names the loss.
func TestCloseCutsAfterLoss(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		r, s, other := slowRig(t)
		u := leaveUnread(t, s, other, n)
		r.Cut(s.ID())
		<-s.Done()
		if err := s.Close(within(t, 5*time.Second)); err != nil {
			t.Errorf("Close: %v", err)
		}
		events, _ := u.rest(t)
		var e *wamp.ClosedError
		var lost *wamp.LinkError
		if !errors.As(u.sub.Err(), &e) || events+e.Undelivered != n || !errors.As(u.sub.Err(), &lost) {
			t.Errorf("%d events, then %v", events, u.sub.Err())
		}
	})
}

// The end of a stream by its own ctx does not wait for a consumer.
func TestOwnContextEndsFullStream(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		for _, values := range []int{inChannel - 1, inChannel, inChannel + 1, n} { // room, full, a backlog of one, a long one
			ctx, cancel := context.WithCancelCause(t.Context())
			part := handle(t, other, "com.example.part", func(ctx context.Context, inv *wamp.Invocation) error {
				for i := range number(t, inv.Payload) {
					if err := inv.Progress(wamp.Args(i)); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			})
			results := s.Call(ctx, "com.example.part", wamp.Args(values), wamp.Progressive())
			synctest.Wait()
			why := errors.New("enough")
			cancel(why)
			synctest.Wait()
			if got := len(results); got != min(values+1, inChannel) {
				t.Errorf("of %d: %d in the channel", values, got)
			}
			var last wamp.Result
			for r := range results {
				last = r
			}
			if !errors.Is(last.Err, context.Canceled) || !errors.Is(last.Err, why) {
				t.Errorf("of %d: the last element is %+v", values, last)
			}
			if err := part.Unregister(t.Context()); err != nil {
				t.Error(err)
			}
		}
		subCtx, cancel := context.WithCancel(t.Context())
		sub, err := s.Subscribe(subCtx, "com.example.topic")
		if err != nil {
			t.Fatal(err)
		}
		publish(t, other, "com.example.topic", 0, n)
		synctest.Wait()
		cancel()
		synctest.Wait()
		got := 0
		for range sub.Events() {
			got++
		}
		if !errors.Is(sub.Err(), context.Canceled) || got >= n {
			t.Errorf("%d events, then %v", got, sub.Err())
		}
		empty(t, s)
	})
}

// A final outcome that has reached the stream wins over the end of its ctx.
func TestFinalOutcomeWinsOverContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		handle(t, other, "com.example.fails", func(_ context.Context, inv *wamp.Invocation) error {
			for i := range number(t, inv.Payload) {
				_ = inv.Progress(wamp.Args(i))
			}
			return wamp.NewError("com.example.error.own", wamp.Args("text"))
		})
		for _, values := range []int{0, 1, inChannel, inChannel + 1, 1000} {
			ctx, cancel := context.WithCancel(t.Context())
			good := s.Call(ctx, "com.example.count", wamp.Args(values), wamp.Progressive())
			bad := s.Call(ctx, "com.example.fails", wamp.Args(values), wamp.Progressive())
			synctest.Wait()
			cancel()
			synctest.Wait()
			var last wamp.Result
			for r := range good {
				last = r
			}
			if last.Err != nil || last.Progress || number(t, last.Payload) != values {
				t.Errorf("of %d: %+v", values, last)
			}
			if _, err := bad.Final(); wamp.ErrorURI(err) != "com.example.error.own" {
				t.Errorf("of %d: %v", values, err)
			}
			empty(t, s)
		}
	})
}
