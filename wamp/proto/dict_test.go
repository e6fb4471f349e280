package proto_test

import (
	"math"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

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
