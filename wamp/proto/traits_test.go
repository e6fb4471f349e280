package proto_test

import (
	"math"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The table must agree with itself: who reads it relies on this.
func TestTraits(t *testing.T) {
	last := proto.MessageType(0)
	for _, tr := range proto.AllTraits() {
		if tr.Type <= last {
			t.Errorf("%v is out of order", tr.Type)
		}
		last = tr.Type
		if got := tr.Type.Traits(); got == nil || got.Type != tr.Type || tr.Type.String() != tr.Name {
			t.Errorf("%v: %+v", tr.Type, got)
		}
		if tr.FromRouter == 0 && tr.FromClient == 0 {
			t.Errorf("%v is sent by nobody", tr.Type)
		}
		if tr.Optional > 0 && (tr.Optional != 1 || tr.Payload || tr.Fields[len(tr.Fields)-1] != proto.FieldOptions) {
			t.Errorf("%v: what is optional is not just Options at the end", tr.Type)
		}
		if tr.Reply != 0 && (tr.Reply.Traits() == nil || !tr.ErrorTo) {
			t.Errorf("%v: reply %v", tr.Type, tr.Reply)
		}
	}
	for _, code := range []proto.MessageType{0, 7, 71, 337, math.MaxUint16} {
		if code.Traits() != nil {
			t.Errorf("%d is known", code)
		}
	}
	if s := proto.MessageType(7).String(); s != "message type 7" {
		t.Error(s)
	}
}
