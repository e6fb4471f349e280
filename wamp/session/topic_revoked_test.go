package session

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A revocation that crosses a SUBSCRIBE ends who had the subscription; who waits
// for the answer gets a subscription of its own.
func TestStepRevokedBeforeSubscribed(t *testing.T) {
	r := newRig(t)
	a, b, c := &tape{}, &tape{}, &tape{}
	had := newSub(t.Context(), "com.example", a)
	had.Match = proto.Prefix
	r.do(had)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	asks := patternSub(t, b)
	r.do(asks)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: uint64(55)}}})
	rides := newSub(t.Context(), "com.example", c)
	rides.Match = proto.Prefix
	r.do(rides)
	r.want() // the SUBSCRIBE under way serves it
	var revoked *RevokedError
	if len(a.ends) != 1 || !errors.As(a.ends[0].Err, &revoked) || len(b.ends)+len(c.ends) > 0 {
		t.Fatalf("ends: %v, %v, %v", a.ends, b.ends, c.ends)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 2, ID: 56})
	r.feed(proto.Message{Type: proto.Event, ID: 56})
	if err := errors.Join(<-asks.Ready, <-rides.Ready); err != nil || len(b.log) != 1 || len(c.log) != 1 {
		t.Errorf("ready: %v, events: %v %v", err, b.log, c.log)
	}
	r.want() // and is not undone
}
