package wamp_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

var chanceSeeds = flag.Int("chance.seeds", 6, "seeds that TestCallsByChance plays; tests of single calls play more, in proportion")

// TestCallsByChance mixes calls of every kind with cancels, timeouts, declines
// and the deaths of callees. Each call ends exactly once, with an outcome that
// is legal for it and, if it is a result, its own; and no table of a client or
// of the dealer keeps an entry.
func TestCallsByChance(t *testing.T) {
	for seed := range uint64(*chanceSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chance(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// work is what a callee of the chance test is told to do.
type work struct {
	Tag      int           `json:"tag"`
	What     string        `json:"what"`
	After    time.Duration `json:"after"`
	Progress int           `json:"progress"`
}

func chance(t *testing.T, rnd *rand.Rand) {
	const calls, callees = 300, 4
	r := wamptest.NewRouter(t, wamptest.WithSeed(rnd.Uint64()))
	begin := func() *wamp.Session {
		s := join(t, r)
		handle(t, s, "com.example.chance", doWork, wamp.Invoke(wamp.RoundRobin), wamp.Concurrency(1000))
		return s
	}
	var workers []*wamp.Session
	for range callees {
		workers = append(workers, begin())
	}
	callers := []*wamp.Session{join(t, r), join(t, r)}
	var running sync.WaitGroup
	ends := map[string]int{}
	var mu sync.Mutex
	for tag := range calls {
		w := work{Tag: tag, After: time.Duration(rnd.IntN(3000)) * time.Millisecond,
			What: []string{"return", "return", "progress", "fail", "decline", "deaf", "chunks", "panic"}[rnd.IntN(8)], Progress: rnd.IntN(5)}
		options := []wamp.CallOption{wamp.CancelMode(wamp.Mode(rnd.IntN(3)))}
		if rnd.IntN(2) == 0 {
			options = append(options, wamp.Progressive())
		}
		if rnd.IntN(4) == 0 {
			options = append(options, wamp.Timeout(time.Duration(1+rnd.IntN(3000))*time.Millisecond))
		}
		ctx, cancel := context.WithCancel(t.Context())
		if rnd.IntN(4) == 0 {
			ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rnd.IntN(3000))*time.Millisecond)
		}
		if rnd.IntN(4) == 0 {
			stop := time.AfterFunc(time.Duration(rnd.IntN(3000))*time.Millisecond, cancel)
			defer stop.Stop()
		}
		s := callers[rnd.IntN(len(callers))]
		chunks, kind := rnd.IntN(4), rnd.IntN(6)
		running.Go(func() {
			defer cancel()
			var results wamp.Results
			all := false
			switch kind {
			case 0:
				results = s.CallFunc(ctx, "com.example.chance", func(ctx context.Context, send func(wamp.Payload) error) error {
					for range chunks {
						if err := send(wamp.Args(w)); err != nil {
							return err
						}
						select {
						case <-time.After(w.After):
						case <-ctx.Done():
							return context.Cause(ctx)
						}
					}
					return send(wamp.Args(w).Last())
				}, options...)
			case 1:
				all = true
				results = s.Call(ctx, "com.example.chance", wamp.Args(w), append(options, wamp.RunMode(wamp.All))...)
			case 2:
				results = s.Call(ctx, "com.example.chance", wamp.Args(w), append(options, wamp.RoutingKey(fmt.Sprint(w.Tag)))...)
			default:
				results = s.Call(ctx, "com.example.chance", wamp.Args(w), options...)
			}
			outcome := judge(t, ctx, w, results, all)
			mu.Lock()
			ends[outcome]++
			mu.Unlock()
		})
		if rnd.IntN(3) == 0 {
			<-time.After(time.Duration(rnd.IntN(200)) * time.Millisecond)
		}
		if rnd.IntN(25) == 0 { // a callee dies, another one comes
			i := rnd.IntN(len(workers))
			r.Cut(workers[i].ID())
			workers[i] = begin()
		}
	}
	running.Wait()
	<-time.After(time.Minute) // what is late comes now
	synctest.Wait()
	for _, s := range append(callers, workers...) {
		empty(t, s)
	}
	st := r.Stats()
	if len(st.Violations) > 0 || st.Calls != 0 {
		t.Errorf("the dealer: %d calls are left, violations %q", st.Calls, st.Violations)
	}
	for _, want := range []string{"result", "cancelled", "timeout", "the callee's error", "no callee"} {
		if ends[want] == 0 {
			t.Errorf("no call has ended with %s: %v", want, ends)
		}
	}
}

// doWork does what the first chunk says.
func doWork(ctx context.Context, inv *wamp.Invocation) error {
	var w work
	if err := inv.Scan(&w); err != nil {
		return wamp.ErrInvalidArgument
	}
	wait := func() error {
		select {
		case <-time.After(w.After):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	switch w.What {
	case "decline":
		return inv.Decline()
	case "fail":
		return wamp.NewError("com.example.error.tag", wamp.Args(w.Tag))
	case "panic":
		panic("by chance")
	case "deaf":
		<-time.After(w.After)
		return inv.Return(wamp.Args(w.Tag))
	case "chunks":
		for range inv.Chunks() {
			_ = inv.Progress(wamp.Args(w.Tag))
		}
		return inv.Return(wamp.Args(w.Tag))
	case "progress":
		for range w.Progress {
			if err := errors.Join(inv.Progress(wamp.Args(w.Tag)), wait()); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args(w.Tag))
	default:
		if err := wait(); err != nil {
			return err
		}
		return inv.Return(wamp.Args(w.Tag))
	}
}

// judge reads a call's stream to its end and says how it ended.
func judge(t *testing.T, ctx context.Context, w work, results wamp.Results, all bool) string {
	ended := 0
	var last wamp.Result
	for r := range results {
		last = r
		if !r.Progress {
			ended++
			continue
		}
		var tag int
		if r.CalleeErr() == nil {
			if err := r.Scan(&tag); err != nil || tag != w.Tag {
				t.Errorf("call %d has a result of call %d: %v", w.Tag, tag, err)
			}
		}
	}
	if ended != 1 {
		t.Errorf("call %d has ended %d times", w.Tag, ended)
	}
	var peer *wamp.Error
	switch err := last.Err; {
	case err == nil:
		var tag int
		if err := last.Scan(&tag); !all && (err != nil || tag != w.Tag) {
			t.Errorf("call %d has the result of call %d: %v", w.Tag, tag, err)
		}
		if !all && (w.What == "decline" || w.What == "fail" || w.What == "panic") {
			t.Errorf("call %d, %s, has a result", w.Tag, w.What)
		}
		return "result"
	case errors.Is(err, wamp.ErrTimeout):
		return "timeout"
	case errors.Is(err, wamp.ErrCanceled):
		return "cancelled" // by its ctx, or its callee has died
	case errors.Is(err, wamp.ErrNoAvailableCallee), errors.Is(err, wamp.ErrUnavailable), errors.Is(err, wamp.ErrNoSuchProcedure):
		return "no callee"
	case errors.As(err, &peer) && peer.URI == "com.example.error.tag":
		var tag int
		if err := peer.Payload.Scan(&tag); err != nil || tag != w.Tag {
			t.Errorf("call %d has the error of call %d: %v", w.Tag, tag, err)
		}
		return "the callee's error"
	case errors.Is(err, wamp.ErrRuntimeError) && w.What == "panic":
		return "a panic"
	default:
		t.Errorf("call %d, %+v, ctx %v: %v", w.Tag, w, ctx.Err(), err)
		return "?"
	}
}
