//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// BenchmarkWays measures calls over the ways through a cluster, in turns, so that their ratios
// mean something on a shared machine: -benchtime sets how long each way is measured in each
// of the rounds. The first way is the direct one, and what the others are told as parts of.
func BenchmarkWays(b *testing.B) {
	type way struct {
		name           string
		callee, caller *wamp.Session
		uri            string
		rates, alone   []float64
	}
	at := func(node string) *wamp.Session { return member(b, []string{clusterURL(b, node, "raw")}) }
	a, far := at("a"), at("b")
	first := at("p")
	same, other := at("p"), at("p")
	if worker(first) == worker(other) {
		same, other = other, same
	}
	if worker(first) != worker(same) || worker(first) == worker(other) {
		b.Fatal("the proxy does not give its workers turns")
	}
	ways := []*way{
		{name: "one node", callee: a, caller: at("a")},
		{name: "over a link", callee: a, caller: far},
		{name: "behind a proxy", callee: first, caller: same},
		{name: "behind a proxy, over a link", callee: first, caller: other},
	}
	for i, w := range ways {
		w.uri = fresh(fmt.Sprintf("com.interop.ways.n%d.", i))
		if _, err := w.callee.Handle(context.Background(), w.uri, echo); err != nil {
			b.Fatal(err)
		}
		known(b, w.caller, w.uri)
	}
	const rounds, callers = 5, 32
	b.ResetTimer()
	for range rounds {
		for _, w := range ways {
			call := func() {
				if got, err := wamp.Call[string](context.Background(), w.caller, w.uri, wamp.Args("x")); err != nil || got != "x" {
					b.Fatal(got, err)
				}
			}
			began := time.Now()
			for range max(b.N/10, 1) {
				call()
			}
			w.alone = append(w.alone, time.Since(began).Seconds()/float64(max(b.N/10, 1)))
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			began = time.Now()
			for range callers {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if got, err := wamp.Call[string](context.Background(), w.caller, w.uri, wamp.Args("x")); err != nil || got != "x" {
							b.Error(got, err)
							return
						}
					}
				})
			}
			all.Wait()
			w.rates = append(w.rates, float64(b.N)/time.Since(began).Seconds())
		}
	}
	b.ReportMetric(0, "ns/op")
	if b.N < 100 {
		return
	}
	median := func(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }
	for _, w := range ways {
		fmt.Printf("%-28s %6.0f calls/s, %.2f of the first; one after the other %.2f ms, %.2f times the first\n", w.name,
			median(w.rates), median(w.rates)/median(ways[0].rates), 1000*median(w.alone), median(w.alone)/median(ways[0].alone))
	}
}

// worker is the process that a session is at.
func worker(s *wamp.Session) string { return fmt.Sprint(s.Details().AuthExtra["x_cb_pid"]) }
