package session

import (
	"context"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The operations of one context end in the order in which they were begun.
func TestStepContextEndsOldestFirst(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	for range 5 {
		r.do(newCall(ctx, &tape{}))
	}
	r.sent()
	cancel()
	r.cancel(ctx)
	for i, m := range r.want(proto.Cancel, proto.Cancel, proto.Cancel, proto.Cancel, proto.Cancel) {
		if m.Request != proto.ID(i+1) {
			t.Errorf("CANCEL %d is of request %d", i+1, m.Request)
		}
	}
}

// Contexts without an operation do not stay registered, but for a few.
func TestStepIdleContextsAreLetGo(t *testing.T) {
	r := newRig(t)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		r.do(newCall(ctx, &tape{}))
		r.feed(proto.Message{Type: proto.Result, Request: r.want(proto.Call)[0].Request})
		defer cancel()
	}
	if n := len(r.core.watches.groups); n > idleGroups {
		t.Errorf("%d contexts are watched, and nothing is under way", n)
	}
}
