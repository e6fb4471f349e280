package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// newWindowRig is a rig that reconnects and has small windows.
func newWindowRig(t *testing.T, handles, publishes int) *rig {
	t.Helper()
	r := newLifeRig(t)
	r.core.handleWindow.limit, r.core.ackWindow.limit = handles, publishes
	return r
}

// A publish whose context has ended keeps its place in the window until the
// router has answered: the answer still takes room there.
func TestStepCancelledPublishKeepsItsPlace(t *testing.T) {
	for _, answer := range []string{"published", "error", "nothing", "lost"} {
		t.Run(answer, func(t *testing.T) {
			r := newWindowRig(t, 1, 1)
			ctx, cancel := context.WithCancel(t.Context())
			first, second := &tape{}, &tape{}
			r.do(&Publish{Ctx: ctx, URI: "a.b", Sink: first, Idempotent: true})
			r.want(proto.Publish)
			cancel()
			r.cancel(ctx)
			if err := first.err(t); !errors.Is(err, context.Canceled) {
				t.Errorf("err %v", err)
			}
			r.do(&Publish{Ctx: t.Context(), URI: "c.d", Sink: second})
			r.want()
			switch answer {
			case "published":
				r.feed(proto.Message{Type: proto.Published, Request: 1, Publication: 5})
			case "error":
				r.feed(proto.Message{Type: proto.Error, RequestType: proto.Publish, Request: 1, URI: proto.ErrURINotAuthorized})
			case "nothing":
				r.pass(10 * time.Second)
			case "lost":
				r.lose()
				r.rejoin(routerRoles())
			}
			m := r.want(proto.Publish)[0]
			if m.URI != "c.d" {
				t.Errorf("sent %+v", m)
			}
			r.feed(proto.Message{Type: proto.Published, Request: m.Request, Publication: 6})
			if err := second.err(t); err != nil || len(first.ends) != 1 {
				t.Errorf("err %v, ends of the first: %v", err, first.ends)
			}
			r.clean()
		})
	}
}

// A SUBSCRIBE that is answered with an id that is being left is repeated when the
// router has answered the UNSUBSCRIBE, or is silent, and not before: the answer
// would be the same again and again.
func TestStepSubscribedToWhatIsLeft(t *testing.T) {
	for _, answer := range []string{"unsubscribed", "nothing", "lost"} {
		t.Run(answer, func(t *testing.T) {
			r := newLifeRig(t)
			ctx, cancel := context.WithCancel(t.Context())
			r.do(newSub(ctx, "com.example", &tape{}))
			r.want(proto.Subscribe)
			r.feed(subscribed(1, 55))
			sub := patternSub(t, &tape{}) // to which the router gives the same id
			r.do(sub)
			cancel()
			r.cancel(ctx)
			r.want(proto.Subscribe, proto.Unsubscribe)
			r.feed(subscribed(2, 55))
			r.want()
			last := proto.ID(4)
			switch answer {
			case "unsubscribed":
				r.feed(proto.Message{Type: proto.Unsubscribed, Request: 3})
			case "nothing":
				r.pass(10 * time.Second)
			case "lost":
				r.lose()
				r.rejoin(routerRoles())
				last = 1
			}
			if m := r.want(proto.Subscribe)[0]; m.Options.Str("match") != "prefix" {
				t.Errorf("sent %+v", m)
			}
			r.feed(subscribed(last, 56))
			if err := <-sub.Ready; err != nil {
				t.Error(err)
			}
			r.want()
		})
	}
}

// So it is with a REGISTER.
func TestStepRegisteredWhatIsLeft(t *testing.T) {
	r := newLifeRig(t)
	first, second := newReg(t.Context(), &callee{}), newReg(t.Context(), &callee{})
	r.do(first)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	second.URI = "com.example.other"
	r.do(second)
	r.do(&leaveOp{h: first, done: make(chan error, 1)})
	r.want(proto.Register, proto.Unregister)
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 66})
	r.want()
	r.feed(proto.Message{Type: proto.Unregistered, Request: 3})
	if m := r.want(proto.Register)[0]; m.URI != second.URI {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Registered, Request: 4, ID: 67})
	if err := <-second.Ready; err != nil {
		t.Error(err)
	}
}
