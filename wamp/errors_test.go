package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The errors of operations say which, and of what.
func TestErrorsNameTheirOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: time.Hour, Max: time.Hour}))
		_, missing := s.Call(t.Context(), "com.example.none", wamp.Args()).Final()
		_, handle := s.Handle(t.Context(), "bad name", echo)
		_, limited := s.Call(within(t, time.Second), "com.example.none", wamp.Args(make(chan int))).Final()
		r.RefuseDials(1000, errors.New("dial tcp: connection refused"))
		r.Cut(s.ID())
		synctest.Wait()
		_, offline := s.Call(within(t, time.Second), "com.example.none", wamp.Args()).Final()
		_, timeout := s.Call(t.Context(), "com.example.none", wamp.Args(), wamp.Timeout(time.Second)).Final()
		_, sub := s.Subscribe(within(t, time.Second), "com.example.topic")
		for want, err := range map[string]error{
			"wamp: call com.example.none: wamp.error.no_such_procedure":                                     missing,
			"wamp: register bad name: invalid URI":                                                          handle,
			"wamp: call com.example.none: cbor: ":                                                           limited,
			"wamp: call com.example.none: context deadline exceeded while not connected: connection lost: ": offline,
			"wamp: call com.example.none: no result within 1s while not connected: ":                        timeout,
			"wamp: subscribe com.example.topic: context deadline exceeded while not connected: ":            sub,
		} {
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "wamp: ") != 1 {
				t.Errorf("want %q, got %v", want, err)
			}
			var op *wamp.OpError
			if !errors.As(err, &op) || op.Op == "" || op.URI == "" {
				t.Errorf("%v is no OpError", err)
			}
		}
		if !errors.Is(timeout, wamp.ErrTimeout) || !errors.Is(timeout, context.DeadlineExceeded) {
			t.Error(timeout)
		}
		_ = fmt.Sprint(missing)
	})
}
