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

// The context of a stream ends at any moment: while it is being subscribed to,
// while history or a snapshot is asked for, while events come, while the link is
// down, and while it asks again. It ends with that context's error, and neither
// here nor at the router anything is left of it.
func TestStreamsCanceledAtAnyMoment(t *testing.T) {
	// Each begins a stream, reads it to its end and returns why it ended.
	//nolint:revive // t comes first in a test
	streams := map[string]func(t *testing.T, ctx context.Context, s *wamp.Session) error{
		"FromHistory": func(_ *testing.T, ctx context.Context, s *wamp.Session) error {
			sub, err := s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(), wamp.GetRetained(), wamp.Buffer(4, 0), wamp.Overflow(wamp.Block))
			if err != nil {
				return err
			}
			for range sub.Events() {
				<-time.After(time.Millisecond)
			}
			return sub.Err()
		},
		"FromHistory, unread": func(t *testing.T, ctx context.Context, s *wamp.Session) error {
			sub, err := s.Subscribe(ctx, "com.example.topic", wamp.FromHistory())
			if err != nil {
				return err
			}
			<-ctx.Done()
			synctest.Wait()
			if n := len(drained(sub.Events())); n > 8 {
				t.Errorf("%d events after the end", n)
			}
			return sub.Err()
		},
		"FollowSessions": func(_ *testing.T, ctx context.Context, s *wamp.Session) error {
			_, changes, err := s.Meta().FollowSessions(ctx)
			if err != nil {
				return err
			}
			for c := range changes {
				err = c.Err
			}
			return err
		},
		"FollowSubscriptions, unread": func(_ *testing.T, ctx context.Context, s *wamp.Session) error {
			_, changes, err := s.Meta().FollowSubscriptions(ctx)
			if err != nil {
				return err
			}
			<-ctx.Done()
			synctest.Wait()
			for c := range changes {
				err = c.Err
			}
			return err
		},
		"OnJoin": func(_ *testing.T, ctx context.Context, s *wamp.Session) error {
			joins, err := s.Meta().OnJoin(ctx)
			if err != nil {
				return err
			}
			for range joins {
			}
			return ctx.Err()
		},
	}
	for name, stream := range streams {
		t.Run(name, func(t *testing.T) {
			for moment := time.Duration(0); moment < 300*time.Millisecond; moment += 7 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t, wamptest.WithHistory(100))
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
					ctx, cancel := context.WithTimeout(t.Context(), moment)
					defer cancel()
					if err := stream(t, ctx, s); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("after %v: %v", moment, err)
					}
					<-time.After(time.Second)
					close(stop)
					<-time.After(time.Second)
					if tables := s.Stats().Tables; tables.Handles+tables.Subscriptions+tables.Requests+tables.Watches+tables.Timers+tables.Parked != 0 {
						t.Errorf("after %v: %+v", moment, tables)
					}
					if st := r.Stats(); st.Subscriptions != 0 || len(st.Violations) > 0 {
						t.Errorf("after %v: the router has %d subscriptions, violations %q", moment, st.Subscriptions, st.Violations)
					}
					r.Delay(0)
				})
			}
		})
	}
}
