package proto_test

import (
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestRoles(t *testing.T) {
	own := proto.ClientRoles()
	again := proto.ParseRoles(proto.Dict{{Key: "roles", Value: own.Dict()}})
	if !reflect.DeepEqual(own, again) {
		t.Errorf("\n got %+v\nwant %+v", again, own)
	}
	odd := proto.ParseRoles(proto.Dict{{Key: "roles", Value: map[string]any{
		"dealer": map[string]any{"features": map[string]any{"call_cancelling": true, "call_timeout": false, "unknown": true, "call_reroute": int64(1)}},
		"broker": "odd", "judge": map[string]any{},
	}}})
	if f := odd.Features(proto.Dealer); !f.Has(proto.CallCanceling) || f.Has(proto.CallTimeout) || f.Has(proto.CallReroute) || len(f.Names()) != 1 {
		t.Errorf("features of the dealer: %v", f.Names())
	}
	if !odd.Has(proto.Broker) || odd.Has(proto.Caller) {
		t.Errorf("roles: %v", odd.Dict())
	}
	for f := range proto.PayloadPassthruMode + 1 {
		if got, ok := proto.ParseFeature(f.String()); !ok || got != f {
			t.Errorf("feature %v", f)
		}
	}
	if _, ok := proto.ParseFeature("unknown"); ok {
		t.Error("unknown is known")
	}
}
