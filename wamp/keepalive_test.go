package wamp_test

import (
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A router that takes a RawSocket PING for an error, as Crossbar does, is asked
// by calls: by the keepalive and by Ping. Who insists on pings pays for them.
func TestKeepaliveWithoutPing(t *testing.T) {
	probed := make(chan struct{}, 64)
	r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type == proto.Call && m.URI == "wamp.session.count" {
			select {
			case probed <- struct{}{}:
			default:
			}
		}
		return wamptest.Pass()
	}))
	url, err := r.ListenRawSocket("tcp", "127.0.0.1:0", wamptest.WithPingHangUp())
	if err != nil {
		t.Fatal(err)
	}
	connect := func(rawSocket bool) *wamp.Session {
		s, err := wamp.Connect(within(t, patience), url, "realm1", wamp.WithKeepalive(wamp.Keepalive{
			Interval: 10 * time.Millisecond, Timeout: patience, RawSocket: rawSocket,
		}))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := connect(false)
	for range 5 {
		select {
		case <-probed:
		case <-s.Done():
			t.Fatal(s.Err())
		}
	}
	for range 3 {
		if _, err := s.Ping(within(t, patience)); err != nil {
			t.Error(err)
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	closeIt(t, s)
	s = connect(true)
	<-s.Done()
	if err := s.Err(); err == nil {
		t.Error("the router did not hang up")
	}
	closeIt(t, s)
}
