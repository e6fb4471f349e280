package proto_test

import (
	"math"
	"reflect"
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

func TestDict(t *testing.T) {
	d := proto.Dict{{Key: "b", Value: true}, {Key: "s", Value: "x"}, {Key: "i", Value: int64(7)}, {Key: "u", Value: uint64(math.MaxUint64)},
		{Key: "id", Value: proto.ID(9)}, {Key: "n", Value: nil}, {Key: "d", Value: map[string]any{"k": 1}}, {Key: "int", Value: 5}}
	if !d.Bool("b") || d.Bool("s") || d.Bool("none") || d.Str("s") != "x" || d.Str("b") != "" {
		t.Error("Bool or Str is wrong")
	}
	for key, want := range map[string]int64{"i": 7, "id": 9, "int": 5} {
		if n, ok := d.Int(key); !ok || n != want || d.ID(key) != proto.ID(want) {
			t.Errorf("%s: %d, %v, %d", key, n, ok, d.ID(key))
		}
	}
	if _, ok := d.Int("u"); ok || d.ID("u") != 0 || d.ID("s") != 0 {
		t.Error("a number out of range was taken")
	}
	if !d.Has("n") || d.Has("none") || d.Dict("d")["k"] != 1 || d.Dict("s") != nil {
		t.Error("Has or Dict is wrong")
	}
	e := d.With("b", false).With("new", 1)
	if !d.Bool("b") || d.Has("new") || e.Bool("b") || !e.Has("new") || len(e) != len(d)+1 || e[0].Key != "b" {
		t.Errorf("With: %v became %v", d, e)
	}
	if s := (proto.Dict{{Key: "ticket", Value: "secret"}, {Key: "x", Value: 1}}).String(); s != "{ticket x}" {
		t.Errorf("String shows %s", s)
	}
	if m := d.Map(); len(m) != len(d) || m["s"] != "x" {
		t.Errorf("Map: %v", m)
	}
}

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
