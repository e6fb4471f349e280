package wamp_test

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What the tests of other packages do too.
var (
	join      = sessiontest.Join
	joinAs    = sessiontest.JoinAs
	named     = sessiontest.Named
	closeIt   = sessiontest.Close
	handle    = sessiontest.Handle
	subscribe = sessiontest.Subscribe
	echo      = sessiontest.Echo
	quick     = sessiontest.Quick

	serializers = sessiontest.Serializers
)

// countTo streams the numbers below its argument.
func countTo(_ context.Context, inv *wamp.Invocation) error {
	var n int
	if err := inv.Scan(&n); err != nil {
		return wamp.ErrInvalidArgument
	}
	for i := range n {
		if err := inv.Progress(wamp.Args(i)); err != nil {
			return err
		}
	}
	return inv.Return(wamp.Args(n))
}

// behind makes the router send what more makes right behind its messages of
// type t, in the same write.
func behind(t proto.MessageType, more func(x *wamptest.Exchange) *proto.Message) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if !x.Sent || x.Message.Type != t {
			return wamptest.Pass()
		}
		m := *x.Message
		return wamptest.Replace(&m, more(x))
	}
}

// value is a value that came without an error.
func value[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
