package wamp_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A stream with history under policy Block whose backlog is just full when its
// link breaks: the session takes from the new link again once it has been read.
func TestFromHistoryBlocksOnce(t *testing.T) {
	for n := range 64 {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(), wamp.Overflow(wamp.Block), wamp.Buffer(4, 0))
			for i := range n {
				publish(t, p, "com.example.topic", i, i+1)
				synctest.Wait()
			}
			r.Cut(s.ID())
			<-time.After(10 * time.Second)
			var got []int
			for range 20 { // it may be held back again while it is read
				got = append(got, numbers(t, waiting(sub))...)
				<-time.After(10 * time.Second)
			}
			publish(t, p, "com.example.topic", n, n+1)
			got = append(got, numbers(t, waiting(sub))...)
			want := make([]int, n+1)
			for i := range want {
				want[i] = i
			}
			if !slices.Equal(got, want) {
				t.Errorf("after %d events: %v", n, got)
			}
		})
	}
}
