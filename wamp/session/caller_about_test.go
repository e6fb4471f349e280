package session

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A call that names a subscription by its id waits, on a new link, until the
// router has acknowledged that, however many others come back before it. It ends
// by its context and with the session, and goes on when the subscription ends.
func TestStepCallAboutASubscription(t *testing.T) {
	for _, what := range []string{"acknowledged", "refused", "lost", "canceled", "closed"} {
		t.Run(what, func(t *testing.T) {
			r := newWindowRig(t, 1, 1)
			r.do(newSub(t.Context(), "com.example.first", &tape{}))
			sub := newSub(t.Context(), "com.example.second", &tape{})
			r.do(sub)
			r.want(proto.Subscribe)
			r.feed(subscribed(1, 55))
			r.want(proto.Subscribe)
			r.feed(subscribed(2, 56))
			r.lose()
			s := &tape{}
			ctx, cancel := context.WithCancel(t.Context())
			call := newCall(ctx, s)
			call.About = sub
			r.do(call)
			r.rejoin(routerRoles())
			r.want(proto.Subscribe)
			r.feed(subscribed(1, 57))
			r.want(proto.Subscribe)
			switch what {
			case "acknowledged":
				r.feed(subscribed(2, 58))
				r.want(proto.Call)
				r.feed(proto.Message{Type: proto.Result, Request: 3})
				if err := s.err(t); err != nil {
					t.Error(err)
				}
			case "refused":
				r.feed(proto.Message{Type: proto.Error, RequestType: proto.Subscribe, Request: 2, URI: proto.ErrURINotAuthorized})
				r.want(proto.Call)
			case "lost":
				r.lose()
				r.rejoin(routerRoles())
				r.want(proto.Subscribe)
				r.feed(subscribed(1, 59))
				r.want(proto.Subscribe)
				r.feed(subscribed(2, 60))
				r.want(proto.Call)
			case "canceled":
				cancel()
				r.cancel(ctx)
				if err := s.err(t); !errors.Is(err, context.Canceled) {
					t.Errorf("err %v", err)
				}
				r.feed(subscribed(2, 58))
				r.want()
			case "closed":
				r.do(&closeOp{now: true})
				if err := s.err(t); !errors.Is(err, ErrSessionClosed) {
					t.Errorf("err %v", err)
				}
				r.clean()
			}
			cancel()
		})
	}
}
