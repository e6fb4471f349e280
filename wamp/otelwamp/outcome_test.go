package otelwamp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What each error means; what sessions make of each is in interceptor_outcomes_test.go.
func TestJudge(t *testing.T) {
	op := func(err error) error { return &wamp.OpError{Op: "call", URI: "com.example.other", Err: err} }
	lost := &wamp.OutcomeUnknown{Reason: &wamp.ClosedError{}}
	canceled := &wamp.CanceledError{Err: context.Canceled, Cause: errors.New("enough"), Peer: wamp.NewError("com.example.half", wamp.Args())}
	late := &wamp.CanceledError{Err: context.DeadlineExceeded}
	const call, inv, event = wamp.OpCall, wamp.OpInvocation, wamp.OpEvent
	for i, tt := range []struct {
		kind wamp.OpKind
		err  error
		want [4]string
	}{
		{call, nil, [4]string{"ok"}},
		{call, op(lost), [4]string{"unknown", "outcome_unknown"}},
		{call, op(&wamp.RetryError{Attempts: 2, Err: lost}), [4]string{"unknown", "outcome_unknown"}},
		{call, op(canceled), [4]string{"canceled", "", proto.ErrURICanceled, "caller"}},
		{call, op(late), [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{call, op(&wamp.TimeoutError{}), [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{call, op(wamp.NewError(proto.ErrURITimeout, wamp.Args())), [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{call, op(wamp.NewError(proto.ErrURICancelled, wamp.Args())), [4]string{"canceled", proto.ErrURICanceled, proto.ErrURICancelled, "peer"}},
		{call, op(wamp.NewError("com.example.no", wamp.Args())), [4]string{"error", "com.example.no", "com.example.no"}},
		{call, op(wamp.NewError(proto.ErrURINoSuchProcedure, wamp.Args())), [4]string{"refused", proto.ErrURINoSuchProcedure, proto.ErrURINoSuchProcedure}},
		{call, op(&wamp.ClosedError{}), [4]string{"closed", "session_closed"}},
		{call, op(wamp.ErrSlowConsumer), [4]string{"slow_consumer", "slow_consumer"}},
		{call, op(&wamp.PanicError{Value: wamp.ErrNotAuthorized}), [4]string{"panic", "panic"}},
		{call, op(&wamp.FeatureError{}), [4]string{"refused", "not_sent"}},
		{call, op(&wamp.EncodeError{}), [4]string{"refused", "not_sent"}},
		{call, op(wamp.ErrPayloadTooBig), [4]string{"refused", "not_sent"}},
		{call, op(fmt.Errorf("other: %w", errors.New("x"))), [4]string{"error", "*errors.errorString"}},
		{wamp.OpSubscribe, op(wamp.ErrAckTimeout), [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{wamp.OpConnect, op(&wamp.AbortError{Reason: proto.ErrURINoSuchRealm}), [4]string{"refused", proto.ErrURINoSuchRealm}},
		{event, wamp.ErrEventDropped, [4]string{"dropped"}},
		{event, errors.New("the handler's"), [4]string{"error", "*errors.errorString"}},
		{inv, nil, [4]string{"ok"}},
		{inv, &wamp.Interrupt{Mode: "kill"}, [4]string{"canceled", "", proto.ErrURICanceled, "peer"}},
		{inv, &wamp.Interrupt{Reason: proto.ErrURITimeout}, [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{inv, lost, [4]string{"unknown", "outcome_unknown"}},
		{inv, &wamp.ClosedError{}, [4]string{"closed", "session_closed"}},
		{inv, &wamp.ChunkTimeoutError{}, [4]string{"timeout", proto.ErrURITimeout, proto.ErrURITimeout}},
		{inv, &wamp.PanicError{}, [4]string{"panic", "panic"}},
		{inv, wamp.ErrInvalidArgument, [4]string{"refused", "", proto.ErrURIInvalidArgument}},
		{inv, wamp.NewError("com.example.no", wamp.Args()), [4]string{"error", "", "com.example.no"}},
		{inv, errors.New("secret"), [4]string{"error", "*errors.errorString", proto.ErrURIRuntimeError}},
		// of what the handler has called itself
		{inv, op(wamp.NewError("com.example.no", wamp.Args())), [4]string{"error", "", "com.example.no"}},
		{inv, op(wamp.NewError(proto.ErrURINoSuchProcedure, wamp.Args())), [4]string{"error", proto.ErrURINoSuchProcedure, proto.ErrURIRuntimeError}},
		{inv, fmt.Errorf("nested: %w", op(lost)), [4]string{"error", "*session.OutcomeUnknown", proto.ErrURIRuntimeError}},
	} {
		if got := otelwamp.Judge(tt.kind, tt.err); got != tt.want {
			t.Errorf("%d, %s of %v: %q, not %q", i, tt.kind, tt.err, got, tt.want)
		}
	}
}

func TestServerOf(t *testing.T) {
	for router, want := range map[string]string{
		"": "[]", "ws://example.com:8080/ws": "[{server.address example.com} {server.port 8080}]", "wss://[::1]/ws": "[{server.address ::1}]",
		"rs+unix:///run/router.sock": "[{server.address /run/router.sock}]", "%zz": "[]",
	} {
		var list []string
		for _, a := range otelwamp.ServerOf(router) {
			list = append(list, fmt.Sprintf("{%s %s}", a.Key, a.Value.String()))
		}
		if got := fmt.Sprint(list); got != want {
			t.Errorf("%q: %s", router, got)
		}
	}
}
