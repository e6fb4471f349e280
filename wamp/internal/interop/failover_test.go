//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// ledger has what was done and what was told: of each call its outcome, and how often it was
// carried out.
type ledger struct {
	mu    sync.Mutex
	calls map[string]*entry
}

type entry struct {
	outcome string
	ran     int
}

func (l *ledger) of(id string) *entry {
	e := l.calls[id]
	if e == nil {
		e = new(entry)
		l.calls[id] = e
	}
	return e
}

func (l *ledger) ran(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(id).ran++
}

func (l *ledger) ended(id, outcome string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(id).outcome = outcome
}

// The outcomes of a call. A null in the place of the result is what Crossbar makes of an error
// that crosses a link: nothing is known then, and it is not done.
var outcomes = []string{"done", "unknown", "canceled", "null", "nobody", "other"}

// judge holds the outcomes against the executions, and returns how many calls had each.
func (l *ledger) judge(t *testing.T) map[string]int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := map[string]int{}
	for id, e := range l.calls {
		n[e.outcome]++
		if e.ran > 0 {
			n[e.outcome+" ran"]++
		}
		switch {
		case e.ran > 1, e.outcome == "done" && e.ran != 1, e.outcome == "nobody" && e.ran != 0, e.outcome == "" || strings.HasPrefix(e.outcome, "other"):
			t.Errorf("call %s: %q, and was carried out %d times", id, e.outcome, e.ran)
		}
	}
	clear(l.calls)
	return n
}

// outcomeOf says how a call has ended.
func outcomeOf(id string, r wamp.Result, err error) string {
	var unknown *wamp.OutcomeUnknown
	switch {
	case errors.As(err, &unknown):
		return "unknown"
	case errors.Is(err, wamp.ErrCanceled) && !errors.Is(err, context.Canceled):
		return "canceled" // by nobody here: the link has broken under it
	case errors.Is(err, wamp.ErrNoSuchProcedure), errors.Is(err, wamp.ErrNoAvailableCallee):
		return "nobody"
	case err != nil:
		return "other: " + err.Error()
	}
	var said *string
	switch err := r.Scan(&said); {
	case err != nil:
		return "other: " + err.Error()
	case said == nil:
		return "null"
	case *said != id:
		return "other: " + *said
	}
	return "done"
}

// live is a session under load.
type live struct {
	name   string
	s      *wamp.Session
	caller bool

	mu   sync.Mutex
	done time.Time // when the first call that began after the kill was
}

// failover is a load on a cluster in which something is killed.
type failover struct {
	t       *testing.T
	uri     string
	ledger  ledger
	all     []*live
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
	killed  atomic.Pointer[time.Time]
	streams atomic.Int64 // numbers that have come
	resumed atomic.Int64
}

func newFailover(t *testing.T, uri string) *failover {
	f := &failover{t: t, uri: uri, ledger: ledger{calls: map[string]*entry{}}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	t.Cleanup(func() { f.stop(); f.running.Wait() })
	return f
}

func (f *failover) member(name string, caller bool, urls ...string) *live {
	m := &live{name: name, s: member(f.t, urls), caller: caller}
	f.all = append(f.all, m)
	return m
}

// callee adds a callee of the procedure that they all share.
func (f *failover) callee(name string, urls ...string) *live {
	f.t.Helper()
	m := f.member(name, false, urls...)
	if _, err := m.s.Handle(context.Background(), f.uri, func(_ context.Context, inv *wamp.Invocation) error {
		var id string
		if err := inv.Scan(&id); err != nil {
			return err
		}
		f.ledger.ran(id)
		time.Sleep(3 * time.Millisecond) // some are always under way
		return inv.Return(wamp.Args(id))
	}, wamp.Invoke(wamp.RoundRobin)); err != nil {
		f.t.Fatal(err)
	}
	return m
}

// caller adds a caller.
func (f *failover) caller(name string, urls ...string) *live {
	f.t.Helper()
	m := f.member(name, true, urls...)
	known(f.t, m.s, f.uri)
	return m
}

// load has all callers call until stop.
func (f *failover) load() {
	for _, m := range f.all {
		if !m.caller {
			continue
		}
		for g := range 4 {
			f.running.Go(func() {
				for i := 0; f.ctx.Err() == nil; i++ {
					id := fmt.Sprintf("%s.%d.%d", m.name, g, i)
					begun := time.Now()
					r, err := m.s.Call(context.Background(), f.uri, wamp.Args(id), wamp.Timeout(patience)).Final()
					what := outcomeOf(id, r, err)
					f.ledger.ended(id, what)
					if at := f.killed.Load(); what == "done" && at != nil && begun.After(*at) {
						m.first()
					}
					time.Sleep(10 * time.Millisecond) // a router that can do no more has no time for logins
				}
			})
		}
	}
}

func (m *live) first() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done.IsZero() {
		m.done = time.Now()
	}
}

// stream has one session read numbers of another one's, which is at the same router before
// and behind the kill: progressive results do not cross a link.
func (f *failover) stream(caller, callee *live, last int) {
	f.t.Helper()
	uri := f.uri + ".count." + caller.name
	if _, err := callee.s.Handle(context.Background(), uri, countOn); err != nil {
		f.t.Fatal(err)
	}
	known(f.t, caller.s, uri)
	f.running.Go(func() {
		want := 1
		for r := range caller.s.Call(context.Background(), uri, wamp.Args(0, last), wamp.Retry(wamp.RetryPolicy{Min: 20 * time.Millisecond, Max: time.Second}),
			wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) { return wamp.Args(d.Count, last), true })) {
			var n int
			if r.Err != nil || r.Scan(&n) != nil || n != want {
				f.t.Errorf("%s: %d came in the place of %d: %v", caller.name, n, want, r.Err)
				return
			}
			want++
			f.streams.Add(1)
			if r.Resumed {
				f.resumed.Add(1)
			}
		}
		if want != last+1 {
			f.t.Errorf("%s: the stream has ended before %d", caller.name, want)
		}
	})
}

// kill has something killed under load, and tells what came of it.
func (f *failover) kill(what string, gone func(m *live) bool, kill func() time.Time) {
	f.t.Helper()
	f.load()
	time.Sleep(time.Second)
	type seen struct {
		*live
		lost bool
		was  wamp.ID
		back time.Duration
	}
	var all []*seen
	for _, m := range f.all {
		all = append(all, &seen{live: m, lost: gone(m), was: m.s.ID()})
	}
	began := time.Now()
	for range 3 {
		leave(f.t, newMember(f.t, []string{all[0].s.Details().Router}))
	}
	login := time.Since(began) / 3 // and a Close
	at := kill()
	f.killed.Store(&at)
	var waiting sync.WaitGroup
	for _, m := range all {
		if m.lost {
			waiting.Go(func() {
				for time.Since(at) < patience && (m.s.ID() == m.was || m.s.Healthy() != nil) {
					time.Sleep(time.Millisecond)
				}
				m.back = time.Since(at)
			})
		}
	}
	waiting.Wait()
	time.Sleep(2 * time.Second)
	f.stop()
	f.running.Wait()
	n := f.ledger.judge(f.t)
	var back, firsts []time.Duration
	for _, m := range all {
		switch {
		case m.lost:
			back = append(back, m.back)
		case m.s.ID() != m.was:
			f.t.Errorf("%s has lost its connection too", m.name)
		}
		if m.caller {
			m.mu.Lock()
			if m.done.IsZero() {
				f.t.Errorf("%s: no call after the kill is done", m.name)
			}
			firsts = append(firsts, m.done.Sub(at))
			m.mu.Unlock()
		}
	}
	if len(back) == 0 {
		f.t.Fatal("nobody was there")
	}
	failovers.note(what, back, firsts, login, n, f)
	// On a machine that is busy with other things logins take their time, several of them behind a proxy.
	if most := time.Second + 10*login; slices.Max(back) > most || slices.Max(firsts) > most {
		f.t.Errorf("%s: sessions are back after %v, callers have a result after %v; a login takes %v", what, back, firsts, login)
	}
	if n["done"] < 100 {
		f.t.Errorf("%s: %v", what, n)
	}
}

// failovers is the table at the end.
var failovers kills

type kills []string

func (k *kills) note(what string, back, firsts []time.Duration, login time.Duration, n map[string]int, f *failover) {
	spread := func(all []time.Duration) string {
		all = slices.Sorted(slices.Values(all))
		return fmt.Sprintf("%4d %4d", all[len(all)/2].Milliseconds(), all[len(all)-1].Milliseconds())
	}
	row := fmt.Sprintf("| %-28s | %2d of %2d | %5d | %-9s | %-10s |", what, len(back), len(f.all), login.Milliseconds(), spread(back), spread(firsts))
	for _, o := range outcomes[:5] {
		cell := fmt.Sprint(n[o])
		if o != "done" && n[o] > 0 {
			cell += fmt.Sprintf(" (%d ran)", n[o+" ran"])
		}
		row += fmt.Sprintf(" %12s |", cell)
	}
	*k = append(*k, row+fmt.Sprintf(" %5d, %d |", f.streams.Load(), f.resumed.Load()))
}

func (k *kills) print() {
	if len(*k) == 0 {
		return
	}
	fmt.Printf("\n| killed by SIGKILL            | sessions | login | back, ms  | result, ms |")
	for _, o := range outcomes[:5] {
		fmt.Printf(" %12s |", o)
	}
	fmt.Printf(" numbers, resumed |\n%s\n", strings.Join(*k, "\n"))
	fmt.Print("login: how long one takes, under the load. back, result: median and most, since the kill; of the sessions that were\n" +
		"there, and the first result of each caller.\n" +
		"done: the result came, and the call had run once. Of the others: how many had run, never more than once.\n\n")
}

// TestFailover kills nodes and workers under load: of the calls that are told to be done each
// was carried out once, and no other more often; callers and callees are back within a second;
// streams that are resumed have all numbers.
func TestFailover(t *testing.T) {
	const last = 2000
	for _, kind := range []string{"raw", "ws"} { // which is a, and then b
		name, other := "a", "b"
		if kind == "ws" {
			name, other = "b", "a"
		}
		here, there := clusterURL(t, name, kind), clusterURL(t, other, kind)
		t.Run("node "+name, func(t *testing.T) {
			f := newFailover(t, "com.interop.failover."+name)
			f.callee("callee1", here, there)
			f.callee("callee2", there, here)
			f.callee("callee3", here, there)
			f.callee("callee4", there, here)
			one := f.caller("caller1", here, there)
			f.caller("caller2", there, here)
			f.caller("caller3", here, there)
			f.caller("caller4", there, here)
			f.stream(one, f.member("counter", false, here, there), last)
			f.kill("node "+name+" of two", func(m *live) bool { return m.s.Details().Router == here }, func() time.Time {
				breakNode(name)
				return killNode(t, name)
			})
		})
	}
	t.Run("worker", func(t *testing.T) {
		f := newFailover(t, "com.interop.failover.p")
		urls := func(i int) string { return clusterURL(t, "p", []string{"raw", "ws"}[i%2]) }
		for i := range 4 {
			f.callee(fmt.Sprint("callee", i), urls(i))
		}
		for i := range 4 {
			f.caller(fmt.Sprint("caller", i), urls(i))
		}
		one := f.all[len(f.all)-1]
		dead := workerOf(t, one.s.Details())
		for i := 0; ; i++ { // one that is at the same worker
			c := f.member(fmt.Sprint("counter", i), false, urls(i))
			if workerOf(t, c.s.Details()) == dead {
				f.stream(one, c, last)
				break
			}
			if i == 10 {
				t.Fatal("all are at the other worker")
			}
		}
		f.kill("worker behind a proxy", func(m *live) bool { return workerOf(t, m.s.Details()) == dead }, func() time.Time {
			breakNode("p")
			at := time.Now()
			if !slices.Contains(processes(t, "p"), dead) {
				t.Fatalf("process %d is none of the node's", dead)
			}
			if err := syscall.Kill(dead, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return at
		})
	})
}
