package wamp_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Where one of its two subscriptions ends before the other stands, that is the
// reason that is told, not the ctx by which the other one is taken along.
func TestFollowSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first proto.ID
		r := wamptest.NewRouter(t)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case m.Type == proto.Subscribed && first == 0:
				first = m.ID
			case m.Type == proto.Subscribed:
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		s := join(t, r)
		ended := make(chan error, 1)
		go func() {
			_, _, err := s.Meta().FollowSessions(t.Context())
			ended <- err
		}()
		synctest.Wait()
		r.RevokeSubscription(first, "com.example.reason")
		var revoked *wamp.RevokedError
		if err := <-ended; !errors.As(err, &revoked) {
			t.Error(err)
		}
	})
}
