package wamp_test

import (
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// patience is how long anything may take that has to happen, on real sockets or
// a machine under load.
const patience = 30 * time.Second

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
