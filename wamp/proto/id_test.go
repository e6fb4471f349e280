package proto_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestID(t *testing.T) {
	for id, want := range map[proto.ID]bool{0: false, 1: true, proto.MaxID: true, proto.MaxID + 1: false} {
		if id.Valid() != want {
			t.Errorf("%d: valid is %v", id, !want)
		}
	}
	if proto.ID(1).Next() != 2 || proto.MaxID.Next() != 1 || proto.ID(0).Next() != 1 {
		t.Error("Next is wrong")
	}
}
