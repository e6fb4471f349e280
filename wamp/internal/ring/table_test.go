package ring_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/ring"
)

// alike checks a table against the map that it stands for.
func alike(t *testing.T, got *ring.Table[uint64, int], want map[uint64]int) {
	t.Helper()
	if got.Len() != len(want) {
		t.Fatalf("%d values, not %d", got.Len(), len(want))
	}
	if all := maps.Collect(got.All()); !maps.Equal(all, want) {
		t.Fatalf("%v, not %v", all, want)
	}
	if ids := got.IDs(); !slices.Equal(ids, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("the ids %v", ids)
	}
	for id, v := range want {
		if got.Get(id) != v {
			t.Fatalf("%d: %d, not %d", id, got.Get(id), v)
		}
	}
}

// ids are those that a table is asked for: in their sequence, with some that stay for
// long, all of one slot, and any.
var ids = map[string]func(i int, r *rand.Rand) uint64{
	"sequence": func(i int, _ *rand.Rand) uint64 { return uint64(i) },
	"one slot": func(i int, _ *rand.Rand) uint64 { return uint64(i) << 32 },
	"few":      func(_ int, r *rand.Rand) uint64 { return r.Uint64N(40) },
	"any":      func(_ int, r *rand.Rand) uint64 { return r.Uint64() },
}

func TestTableIsAMap(t *testing.T) {
	for name, id := range ids {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var table ring.Table[uint64, int]
			want := map[uint64]int{}
			var known []uint64
			for i := range 3000 {
				k := id(i, r)
				known = append(known, k)
				table.Put(k, i+1)
				want[k] = i + 1
				for range 2 * (i & 1) { // those that are drawn twice are gone already
					k := known[max(0, len(known)-1-r.IntN(200))]
					table.Delete(k)
					delete(want, k)
					if table.Get(k) != 0 {
						t.Fatalf("%d is there", k)
					}
				}
				if i%50 == 0 {
					alike(t, &table, want)
				}
			}
			alike(t, &table, want)
			for _, k := range known {
				table.Delete(k)
			}
			alike(t, &table, map[uint64]int{})
			table.Put(7, 7)
			table.Clear()
			alike(t, &table, map[uint64]int{})
		})
	}
}

// What is in no order of a sequence costs what it costs in a map.
func TestTableOfOneSlotStaysSmall(t *testing.T) {
	var table ring.Table[uint64, int]
	for i := range uint64(100_000) {
		table.Put(i<<32, 1)
	}
	if n := table.Slots(); n > 64 {
		t.Errorf("%d slots", n)
	}
	var dense ring.Table[uint64, int]
	for i := range uint64(100_000) {
		dense.Put(i+1, 1)
	}
	if n := dense.Slots(); n != 1<<17 {
		t.Errorf("%d slots", n)
	}
	for i := range uint64(100_000) {
		dense.Delete(i + 1)
	}
	if n := dense.Slots(); n != 0 {
		t.Errorf("%d slots are left", n)
	}
}

func BenchmarkTable(b *testing.B) {
	var table ring.Table[uint64, int]
	for i := range uint64(b.N) {
		table.Put(i+1, 1)
		table.Delete(i - 255)
	}
}
