package sim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

func TestPlanIsReadBack(t *testing.T) {
	for seed := range uint64(50) {
		plan := sim.Plan(seed, 20)
		if !slices.Equal(plan, sim.Plan(seed, 20)) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		var log strings.Builder
		for _, a := range plan {
			log.WriteString("+ " + a.String() + "\n    1.000 what came of it\n")
		}
		back, err := sim.ParseLog(log.String())
		if err != nil || !slices.Equal(plan, back) {
			t.Fatalf("seed %d is not read back: %v", seed, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{"+ dance", "+ call op=x", "+ call tempo=5", "+"} {
		if plan, err := sim.ParseLog(line + "\n"); err == nil && len(plan) > 0 {
			t.Errorf("%q gives %v", line, plan)
		}
	}
}
