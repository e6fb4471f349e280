package proxytest_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// soakRow is a line of the table.
type soakRow struct {
	at                                 time.Duration
	outcomes                           [soakOutcomes]int64
	events, gaps, dropped, cuts, links int64
	lost, wrong                        int64
	goroutines, files                  int
	heap, inUse                        uint64
}

func (r *soakRow) String() string {
	return fmt.Sprintf("%8s %9d %8d %8d %8d %8d %9d %5d %8d %5d %6d %5d %6d %11d %9d %11d %6d", r.at.Round(100*time.Millisecond),
		r.outcomes[soakOK], r.outcomes[soakUnknown], r.outcomes[soakContext], r.outcomes[soakRefused], r.outcomes[soakSlow],
		r.events, r.gaps, r.dropped, r.cuts, r.links, r.lost, r.wrong, r.goroutines, r.heap>>10, r.inUse>>10, r.files)
}

// measure waits until nothing is under way and takes a line of the table. No
// operation and no fault begins meanwhile.
func (k *soak) measure(t *testing.T) *soakRow {
	t.Helper()
	row := &soakRow{}
	for _, l := range k.lines {
		for _, s := range []*wamp.Session{l.a, l.b} {
			try(t, "call at rest over "+l.kind, func(ctx context.Context) error { return sum(ctx, s, 1, 1) })
		}
		try(t, "invocation at rest over "+l.kind, func(ctx context.Context) error {
			_, err := k.steady.Call(ctx, "com.example.echo."+l.kind, wamp.Args()).Final()
			return err
		})
	}
	try(t, "rest", func(context.Context) error { return k.restless() })
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	row.heap, row.inUse, row.goroutines, row.files = m.HeapAlloc, m.HeapInuse, runtime.NumGoroutine(), descriptors()
	for i := range row.outcomes {
		row.outcomes[i] = k.outcomes[i].Load()
	}
	row.events, row.gaps, row.dropped = k.events.Load(), k.gaps.Load(), k.dropped.Load()
	row.lost, row.wrong = k.lost.Load(), k.wrong.Load()
	for _, l := range k.lines {
		ps := l.proxy.Stats()
		row.cuts, row.links = row.cuts+ps.Cut, row.links+ps.Accepted
	}
	return row
}

// restless says what is still under way.
func (k *soak) restless() error {
	sessions := 1
	all := []*wamp.Session{k.steady}
	for _, l := range k.lines {
		sessions += 2
		all = append(all, l.a, l.b)
		if live := l.proxy.Stats().Live; live != 2 {
			return fmt.Errorf("%d connections over %s", live, l.kind)
		}
	}
	for _, s := range all {
		if tables := s.Stats().Tables; tables.Requests+tables.Invocations+tables.Parked > 0 {
			return fmt.Errorf("tables: %+v", tables)
		}
	}
	if st := k.router.Stats(); st.Sessions != sessions || st.Calls > 0 || st.Callees != 4+len(k.lines) {
		return fmt.Errorf("the router has %d sessions, %d calls, %d callees", st.Sessions, st.Calls, st.Callees)
	}
	return nil
}

// end stops the load and closes the sessions, the last of which must leave
// nothing behind.
func (k *soak) end(t *testing.T) {
	t.Helper()
	k.harmony.Lock()
	k.stop()
	k.mend()
	k.harmony.Unlock()
	k.ended(t, &k.done, "an operation")
	for _, l := range k.lines {
		closeIt(t, l.a)
		closeIt(t, l.b)
	}
	closeIt(t, k.steady)
	k.ended(t, &k.heard, "a subscription")
}

// ended waits for a group, and shows what it is doing if that takes too long.
func (k *soak) ended(t *testing.T, group *sync.WaitGroup, what string) {
	t.Helper()
	over := make(chan struct{})
	go func() { group.Wait(); close(over) }()
	select {
	case <-over:
	case <-within(t, 2*patience).Done():
		stack := make([]byte, 1<<20)
		t.Fatalf("%s does not end\n%s", what, stack[:runtime.Stack(stack, true)])
	}
}

// descriptors counts the open files of the process, where the system says.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
