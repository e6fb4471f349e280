package flow

import (
	"math"
	"testing"
)

// BenchmarkStream hands values from an actor to a consumer, on two goroutines.
func BenchmarkStream(b *testing.B) {
	type value [24]uintptr // about an event
	for _, way := range []string{"channel", "iterator"} {
		b.Run(way, func(b *testing.B) {
			var st Stream[value]
			h := &house{hurry: make(chan struct{})}
			if way == "channel" {
				st.Open(b.Context(), h, 8)
			} else {
				st.OpenBlocks(b.Context(), h, 8)
			}
			st.Bytes, st.Policy, st.Pool = math.MaxInt/2, Fail, new(Pool[value])
			b.ReportAllocs()
			b.ResetTimer()
			go func() { // the actor; ends with its values
				for range b.N {
					st.Put(value{}, 256)
				}
				st.Finish(value{}, false, false)
			}()
			n := 0
			if way == "channel" {
				for range st.Ch() {
					n++
				}
			} else {
				for range st.Each {
					n++
				}
			}
			if n != b.N {
				b.Fatal(n)
			}
		})
	}
}
