package session

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

var (
	simSeed   = flag.Uint64("sim.seed", 1, "first seed of the simulation")
	simCuts   = flag.Int("sim.cuts", 2000, "link cuts of the simulation")
	simReplay = flag.String("sim.replay", "", "a log to replay")
)

// cutsALife is how often the link of one session breaks; each life has a seed
// of its own.
const cutsALife = 50

// TestSimulation drives the step function through one life after another:
// random operations against random faults, in one goroutine, with a clock of
// its own. A seed replays exactly. docs/mutations.md lists for each rule of the
// engine which invariant fails when it is broken.
//
//	go test ./wamp/session -run TestSimulation -sim.seed=7 -sim.cuts=1
//	go test ./wamp/session -run TestSimulation -sim.replay=FILE
func TestSimulation(t *testing.T) {
	if *simReplay != "" {
		log, err := os.ReadFile(*simReplay)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := sim.ParseLog(string(log))
		if err != nil {
			t.Fatal(err)
		}
		m := live(t, plan)
		t.Logf("%d actions, %+v\n%s", len(plan), m.Counts, m.Log())
		return
	}
	var sum sim.Counts
	start, seed := time.Now(), *simSeed
	for ; sum.Cuts < *simCuts && !t.Failed(); seed++ {
		m := live(t, sim.Plan(seed, cutsALife))
		if t.Failed() {
			t.Errorf("seed %d, the log:\n%s", seed, m.Log())
		}
		sum.Add(m.Counts)
	}
	t.Logf("seeds %d to %d: %+v in %v", *simSeed, seed-1, sum, time.Since(start).Round(time.Millisecond))
}

// TestSimulationReplays: the same seed gives the same log, to the last byte,
// and so do the actions of that log.
func TestSimulationReplays(t *testing.T) {
	for seed := range uint64(20) {
		first := live(t, sim.Plan(seed, cutsALife)).Log()
		plan, err := sim.ParseLog(first)
		if err != nil {
			t.Fatal(err)
		}
		if second := live(t, plan).Log(); first != second {
			a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
			for i := range a {
				if i >= len(b) || a[i] != b[i] {
					t.Fatalf("seed %d differs at line %d:\n%s\n%s", seed, i, a[i], strings.Join(b[i:min(i+1, len(b))], ""))
				}
			}
		}
	}
}

// TestSimulationReplaysTheOther: what the simulation in fake time has logged
// replays here. The log was written by it:
//
//	go test ./wamp -run TestSimulation -sim.seed=23 -sim.cuts=1 -sim.life=8 -sim.out=session/testdata/sim.log
func TestSimulationReplaysTheOther(t *testing.T) {
	log, err := os.ReadFile("testdata/sim.log")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := sim.ParseLog(string(log))
	if err != nil || len(plan) < 50 {
		t.Fatalf("%d actions, %v", len(plan), err)
	}
	if m := live(t, plan); m.Counts.Cuts < 5 || m.Counts.Operations < 30 {
		t.Errorf("%+v", m.Counts)
	}
}

// live plays one life.
func live(t *testing.T, plan []sim.Action) *sim.Model {
	t.Helper()
	var setup sim.Action
	if len(plan) > 0 {
		setup = plan[0]
	}
	w := newWorld(setup)
	for _, a := range plan {
		if w.m.Act(a) {
			w.act(a)
		}
		if w.gathers(a) {
			continue
		}
		w.turn()
		if len(w.m.Faults()) > 0 {
			break
		}
	}
	for _, f := range w.m.Faults() {
		t.Error(f)
	}
	return w.m
}
