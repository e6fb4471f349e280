package sim_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

func TestPayload(t *testing.T) {
	a := sim.Action{Op: 7, Steps: 3, After: 250, End: sim.EndNever}
	back, run, ok := sim.FromValues(sim.ParseJSON(sim.AppendJSON(nil, sim.Values(a, 9))))
	if !ok || run != 9 || back != a {
		t.Errorf("%v, run %d, %v", back, run, ok)
	}
	for _, bad := range []string{"", "[", "[1,x]", "[1,2,3]", "[1,2,3,4,9]"} {
		if _, _, ok := sim.FromValues(sim.ParseJSON([]byte(bad))); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
