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
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.OverflowBlock(), wamp.Buffer(4, 0))
			for i := range n {
				publish(t, p, "com.example.topic", i, i+1)
				synctest.Wait()
			}
			r.Cut(s.ID())
			<-time.After(10 * time.Second)
			var got []int
			for range 20 { // the loss is noticed when the link is read again
				got = append(got, numbers(t, settled(sub))...)
				<-time.After(time.Second)
			}
			publish(t, p, "com.example.topic", n, n+1)
			got = append(got, numbers(t, settled(sub))...)
			if !slices.Equal(got, counted(0, n+1)) {
				t.Errorf("after %d events: %v", n, got)
			}
		})
	}
}

// counted are the numbers from begin up to end.
func counted(begin, end int) []int {
	out := []int{}
	for i := begin; i < end; i++ {
		out = append(out, i)
	}
	return out
}

// settled reads until nothing more comes.
func settled(sub *wamp.Subscription) (all []wamp.Event) {
	for evs := waiting(sub); len(evs) > 0; evs = waiting(sub) {
		all = append(all, evs...)
	}
	return all
}

// The link breaks while the history is being asked for: the subscription has
// another id on the next one.
func TestHistoryAcrossReconnect(t *testing.T) {
	for _, what := range []string{"History", "FromHistory"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := true
				r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if !x.Sent && x.Message.URI == "wamp.subscription.get_events" && cut {
						cut = false
						return wamptest.CutLink()
					}
					return wamptest.Pass()
				}))
				p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
				publish(t, p, "com.example.topic", 0, 10)
				if what == "History" {
					events, err := subscribe(t, s, "com.example.topic").History(t.Context(), wamp.HistoryQuery{})
					if err != nil {
						t.Fatal(err)
					}
					if got := numbers(t, drained(events)); !slices.Equal(got, counted(0, 10)) {
						t.Errorf("%v", got)
					}
					return
				}
				sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
				if got := numbers(t, settled(sub)); !slices.Equal(got, counted(0, 10)) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// The link breaks again while the stream asks what it has missed: it asks for
// all of that once more, whatever bounds it began with.
func TestFromHistoryBreaksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
				if asked++; asked == 2 {
					return wamptest.CutLink()
				}
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", 0, 5)
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{3, 4}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 5, 10)
		<-time.After(10 * time.Second)
		evs := settled(sub)
		if got := numbers(t, evs); !slices.Equal(got, counted(5, 10)) {
			t.Errorf("%v", got)
		}
		for _, ev := range evs {
			if ev.AfterGap {
				t.Errorf("%+v", ev)
			}
		}
	})
}

// The bounds that a stream begins with hold where nothing had come before its
// link broke, but for the limit.
func TestFromHistoryBoundsAfterReconnect(t *testing.T) {
	for name, tt := range map[string]struct {
		option func() wamp.HistoryQuery
		old    int // published before the subscription
	}{
		"after":                 {func() wamp.HistoryQuery { return wamp.HistoryQuery{After: time.Now()} }, 5},
		"last of an empty one":  {func() wamp.HistoryQuery { return wamp.HistoryQuery{Last: 2} }, 0},
		"limit of an empty one": {func() wamp.HistoryQuery { return wamp.HistoryQuery{Limit: 2} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
				p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
				for i := range tt.old {
					publish(t, p, "com.example.topic", i, i+1)
				}
				sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(tt.option()))
				<-time.After(time.Second)
				r.Cut(s.ID())
				publish(t, p, "com.example.topic", 100, 105)
				<-time.After(10 * time.Second)
				if got := numbers(t, settled(sub)); !slices.Equal(got, counted(100, 105)) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// A limit is about the newest events: those between it and now must not be
// left out.
func TestFromHistoryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 10)
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Limit: 3}))
		publish(t, p, "com.example.topic", 10, 12)
		if got := numbers(t, settled(sub)); !slices.Equal(got, counted(7, 12)) {
			t.Errorf("%v", got)
		}
	})
}

// The topic that the history is asked for says where the stream begins; after a
// reconnect the other topics of the pattern are not forgotten.
func TestFromHistoryTopicAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.a", 0, 1)
		publish(t, p, "com.example.b", 1, 2)
		sub := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryQuery{Topic: "com.example.a"}))
		publish(t, p, "com.example.b", 2, 3)
		publish(t, p, "com.example.a", 3, 4)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{0, 2, 3}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.b", 4, 5)
		publish(t, p, "com.example.a", 5, 6)
		publish(t, p, "com.example.b", 6, 7)
		<-time.After(10 * time.Second)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{4, 5, 6}) {
			t.Errorf("%v", got)
		}
	})
}

// After a reconnect the retained event is not told again, however long ago it
// was.
func TestFromHistoryRetainedLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(100))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.GetRetained())
		p.Publish(t.Context(), "com.example.topic", wamp.Args(-1), wamp.Retain())
		for i := range 2000 {
			publish(t, p, "com.example.topic", i, i+1)
			waiting(sub)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 2000, 2001)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 2001, 2002)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{2000, 2001}) {
			t.Errorf("%v", got)
		}
	})
}

// The sign of a reconnect is lost with what a slow consumer has lost: the
// history is asked all the same.
func TestFromHistorySlowAcrossReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := wamptest.NewRouter(t, wamptest.WithHistory(10000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
				if asked++; asked == 2 {
					return wamptest.Hold(time.Second)
				}
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.Buffer(4, 0))
		n := 0
		more := func(k int) {
			for range k { // one by one, so that nothing but the backlog varies
				publish(t, p, "com.example.topic", n, n+1)
				n++
				synctest.Wait()
			}
		}
		more(1)
		r.Cut(s.ID())
		more(1)
		<-time.After(500 * time.Millisecond) // the history is being asked for
		more(1)                              // it comes both ways
		<-time.After(10 * time.Second)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{0, 1, 2}) {
			t.Fatalf("%v", got)
		}
		more(100) // nobody reads
		r.Cut(s.ID())
		begin := n
		more(30)
		end := n
		<-time.After(10 * time.Second)
		more(100)
		got := settled(sub)
		for k := begin; k < end; k++ { // what was published while there was no link
			if !slices.ContainsFunc(got, func(ev wamp.Event) bool { return number(t, ev.Payload) == k }) {
				t.Fatalf("%d is missing", k)
			}
		}
		if all := numbers(t, got); !slices.IsSorted(all) || len(slices.Compact(all)) != len(got) {
			t.Errorf("%v", all)
		}
	})
}
