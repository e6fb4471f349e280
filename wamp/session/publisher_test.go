package session

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A publish that has its answer before it was written, by a router that has guessed
// its id, is not looked at again: its struct may be used for the next one.
func TestStepAckTooSoon(t *testing.T) {
	r := newRig(t)
	ack := &tape{}
	r.do(&Publish{Ctx: t.Context(), URI: "a.b", Sink: ack})
	r.feed(proto.Message{Type: proto.Published, Request: 1, Publication: 5})
	if len(ack.ends) != 1 {
		t.Fatalf("it has ended %d times", len(ack.ends))
	}
	if n := len(r.core.onWritten); n != 0 {
		t.Errorf("%d timers are to be started", n)
	}
}
