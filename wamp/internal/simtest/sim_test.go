package simtest_test

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

var (
	simSeed = flag.Uint64("sim.seed", 1, "first seed of the simulation")
	simCuts = flag.Int("sim.cuts", 1000, "link cuts of the simulation")
	simLife = flag.Int("sim.life", 40, "faults in the life of one session; each life has a seed of its own")
	simOut  = flag.String("sim.out", "", "file for the log of the last life; default: a temporary one if it fails")
)

// TestSimulation plays one life after another of whole sessions, in fake time:
// the operations, faults and invariants of package internal/sim, over RawSocket
// on pipes that break at any byte, against the in-process router. The schedule
// of goroutines is not fixed, so a seed does not replay exactly; the log of a
// life that fails is kept, and replays in the step simulation:
//
//	go test ./wamp/internal/simtest -run TestSimulation -sim.seed=7 -sim.cuts=1
//	go test ./wamp/session -run TestSimulation -sim.replay=FILE
func TestSimulation(t *testing.T) {
	usual := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the handlers of the plans panic
	defer slog.SetDefault(usual)
	var sum sim.Counts
	start, seed := time.Now(), *simSeed
	for ; sum.Cuts < *simCuts && !t.Failed(); seed++ {
		plan := sim.Plan(seed, *simLife)
		m := simLive(t, seed, plan)
		if t.Failed() {
			t.Errorf("seed %d, the log is in %s:\n%s", seed, keepLog(t, m.Log()), m.Log())
		} else if back, err := sim.ParseLog(m.Log()); err != nil || !slices.Equal(back, plan) {
			t.Errorf("seed %d: the log is not read back: %v", seed, err)
		} else if *simOut != "" {
			keepLog(t, m.Log())
		}
		sum.Add(m.Counts)
	}
	t.Logf("seeds %d to %d: %+v in %v", *simSeed, seed-1, sum, time.Since(start).Round(time.Millisecond))
}

// keepLog writes a log where it outlives the test.
func keepLog(t *testing.T, log string) string {
	t.Helper()
	name := *simOut
	if name == "" {
		name = filepath.Join(os.TempDir(), "wamp-sim.log")
	}
	if err := os.WriteFile(name, []byte(log), 0o600); err != nil {
		t.Error(err)
	}
	return name
}

// simLive plays one life.
func simLive(t *testing.T, seed uint64, plan []sim.Action) (m *sim.Model) {
	t.Helper()
	defer func() { // a deadlock, or a goroutine that is left, is a panic of the bubble
		if fault := recover(); fault != nil {
			if m != nil {
				t.Logf("seed %d, the log is in %s:\n%s", seed, keepLog(t, m.Log()), m.Log())
			}
			panic(fault)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		var setup sim.Action
		if len(plan) > 0 {
			setup = plan[0]
		}
		w := newSimWorld(t, seed, setup)
		m = w.m
		for _, a := range plan {
			if w.m.Act(a) {
				w.act(a)
			}
			if len(w.m.Faults()) > 0 {
				break
			}
		}
		w.end()
	})
	for _, f := range m.Faults() {
		t.Error(f)
	}
	return m
}
