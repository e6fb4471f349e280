package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// endingStream begins a stream, reads it to its end and returns why it ended.
type endingStream func(ctx context.Context, s *wamp.Session, over <-chan struct{}) error

// errNoReason is of streams that do not say why they ended.
var errNoReason = errors.New("no reason")

// The streams of TestStreamsEndAtAnyMoment. The unread ones are read when they
// are over.
var endingStreams = map[string]endingStream{
	"FromHistory": func(ctx context.Context, s *wamp.Session, _ <-chan struct{}) error {
		sub, err := s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.GetRetained(), wamp.Buffer(4, 0), wamp.OverflowBlock())
		if err != nil {
			return err
		}
		for range sub.Events() {
			<-time.After(time.Millisecond)
		}
		return sub.Err()
	},
	"FromHistory, unread": func(ctx context.Context, s *wamp.Session, over <-chan struct{}) error {
		sub, err := s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		if err != nil {
			return err
		}
		<-over
		synctest.Wait()
		drained(sub.Events())
		return sub.Err()
	},
	"FollowSessions": func(ctx context.Context, s *wamp.Session, _ <-chan struct{}) error {
		_, changes, err := meta.Of(s).FollowSessions(ctx)
		if err != nil {
			return err
		}
		for c := range changes {
			err = c.Err
		}
		return err
	},
	"FollowSubscriptions, unread": func(ctx context.Context, s *wamp.Session, over <-chan struct{}) error {
		_, changes, err := meta.Of(s).FollowSubscriptions(ctx)
		if err != nil {
			return err
		}
		<-over
		synctest.Wait()
		for c := range changes {
			err = c.Err
		}
		return err
	},
	"OnJoin": func(ctx context.Context, s *wamp.Session, _ <-chan struct{}) error {
		joins, err := meta.Of(s).OnJoin(ctx)
		if err != nil {
			return err
		}
		for range joins {
		}
		return errNoReason
	},
}

// A stream ends at any moment: while it is being subscribed to, while history or
// a snapshot is asked for, while events come, while the link is down, and while
// it asks again; by its context, because the router revokes its subscriptions,
// or because the session is closed. It says why, and neither here nor at the
// router anything is left of it.
func TestStreamsEndAtAnyMoment(t *testing.T) {
	for _, how := range []string{"context", "revoked", "closed"} {
		for name, stream := range endingStreams {
			if how == "closed" && strings.HasSuffix(name, "unread") {
				continue // Close waits for the reader
			}
			t.Run(how+"/"+name, func(t *testing.T) {
				for moment := time.Duration(0); moment < 300*time.Millisecond; moment += 11 * time.Millisecond {
					synctest.Test(t, func(t *testing.T) {
						endAt(t, how, moment, stream)
					})
				}
			})
		}
	}
}

// endAt begins a stream, which ends at that moment.
func endAt(t *testing.T, how string, moment time.Duration, stream endingStream) {
	t.Helper()
	begun := make(chan wamp.ID, 1000)
	r := wamptest.NewRouter(t, wamptest.WithHistory(100), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Subscribed {
			begun <- x.Message.ID
		}
		return wamptest.Pass()
	}))
	p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
	publish(t, p, "com.example.topic", 0, 20)
	r.Delay(5 * time.Millisecond)
	stop := make(chan struct{})
	go func() { // something happens all the time
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			p.Publish(t.Context(), "com.example.topic", wamp.Args(i), wamp.Retain())
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, _ = p.Subscribe(ctx, "com.example.other")
			cancel()
		}
	}()
	go func() {
		<-time.After(60 * time.Millisecond)
		r.Cut(s.ID())
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	go func() {
		<-time.After(moment)
		defer close(over)
		switch how {
		case "context":
			cancel()
		case "revoked":
			go func() {
				for {
					select {
					case id := <-begun:
						r.RevokeSubscription(id, "com.example.reason", s.ID())
					case <-stop:
						return
					}
				}
			}()
		case "closed":
			closeIt(t, s)
		}
	}()
	err := stream(ctx, s, over)
	<-time.After(time.Second)
	close(stop)
	<-time.After(time.Second)
	var revoked *wamp.RevokedError
	if !map[string]bool{
		"context": errors.Is(err, context.Canceled),
		"revoked": errors.As(err, &revoked) || errors.Is(err, wamp.ErrNoSuchSubscription),
		"closed":  errors.Is(err, wamp.ErrSessionClosed),
	}[how] && err != errNoReason {
		t.Errorf("after %v: %v", moment, err)
	}
	if tables := s.Stats().Tables; tables.Handles+tables.Subscriptions+tables.Requests+tables.Watches+tables.Timers+tables.Parked != 0 {
		t.Errorf("after %v: %+v", moment, tables)
	}
	if st := r.Stats(); st.Subscriptions != 0 || len(st.Violations) > 0 {
		t.Errorf("after %v: the router has %d subscriptions, violations %q", moment, st.Subscriptions, st.Violations)
	}
	r.Delay(0)
}
