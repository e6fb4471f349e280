//go:build interop

package interop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// TestKeepalive probes over many intervals: Crossbar hangs up on the PING of a
// RawSocket, so a call is made there, of which any answer counts, that of a
// router which does not allow it too. Session.Ping does the same.
func TestKeepalive(t *testing.T) {
	alive := wamp.WithKeepalive(wamp.Keepalive{Interval: 50 * time.Millisecond, Timeout: prompt})
	for _, kind := range kinds {
		for name, login := range map[string][]wamp.Option{"": nil, ", not allowed": {ticket("tick-limited", "ticket-limited-secret")}} {
			t.Run(kind+name, func(t *testing.T) {
				s := cell{kind, codec.MsgPack}.join(t, append(login, alive)...)
				for range 10 {
					if d, err := s.Ping(limit(t)); err != nil || d <= 0 {
						t.Fatalf("ping: %v, %v", d, err)
					}
				}
				// What a probe has taken is seen in RTT, each one another time.
				seen := map[time.Duration]bool{}
				for end := time.Now().Add(patience); len(seen) < 10; time.Sleep(5 * time.Millisecond) {
					if seen[s.RTT().Last] = true; time.Now().After(end) {
						t.Fatalf("%d probes", len(seen)-1)
					}
				}
				if _, err := s.Ping(limit(t)); err != nil || s.Err() != nil {
					t.Errorf("ping: %v; the session: %v", err, s.Err())
				}
				if left := s.Stats().Tables.Requests; left > 1 { // one probe may be under way
					t.Errorf("%d requests are left", left)
				}
			})
		}
	}
}

// TestRawSocketPing shows why: the PING is sent where Keepalive.RawSocket asks
// for it, and ends the connection.
func TestRawSocketPing(t *testing.T) {
	for _, kind := range []string{"raw", "rawtls", "unix"} {
		for name, how := range map[string]struct {
			interval time.Duration
			ping     bool
		}{"keepalive": {interval: 50 * time.Millisecond}, "Ping": {interval: time.Hour, ping: true}} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				s := cell{kind, codec.MsgPack}.join(t, wamp.WithKeepalive(wamp.Keepalive{Interval: how.interval, Timeout: prompt, RawSocket: true}))
				if how.ping {
					if d, err := s.Ping(limit(t)); err == nil {
						t.Errorf("a pong came after %v: Keepalive.RawSocket is not needed any more", d)
					}
				}
				select {
				case <-s.Done():
				case <-time.After(patience):
					t.Fatal("the session lives: Keepalive.RawSocket is not needed any more")
				}
				var lost *wamp.LinkError
				if !errors.As(s.Err(), &lost) {
					t.Error(s.Err())
				}
			})
		}
	}
}
