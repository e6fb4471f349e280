package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

func TestShellConnectSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newWires()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := Connect(ctx, Config{Realm: "realm1", Auth: noAuth{},
			Dial: func(context.Context, []transport.Protocol) (transport.Conn, error) { return client, nil }})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}
