package wamp_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// holdHistory lets the history be asked for one second later.
func holdHistory(x *wamptest.Exchange) wamptest.Action {
	if x.Message.Type == proto.Call && x.Message.URI == "wamp.subscription.get_events" {
		return wamptest.Hold(time.Second)
	}
	return wamptest.Pass()
}

// What comes live while the history is asked for comes before a history that
// begins later.
func TestFromHistoryBehindLive(t *testing.T) {
	for name, tt := range map[string]struct {
		option wamp.SubscribeOption
		want   []int
	}{
		"it begins before":   {wamp.FromHistory(wamp.HistoryQuery{}), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"it begins later":    {wamp.FromHistory(wamp.HistoryQuery{Last: 3}), []int{5, 6, 7, 8, 9}},
		"it begins with one": {wamp.FromHistory(wamp.HistoryQuery{Last: 6}), []int{4, 5, 6, 7, 8, 9}},
		"it has a limit":     {wamp.FromHistory(wamp.HistoryQuery{Limit: 2}), []int{5, 6, 7, 8, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(100), wamptest.WithHook(holdHistory))
				p, s := join(t, r), join(t, r)
				publish(t, p, "com.example.topic", 0, 5)
				go func() {
					<-time.After(time.Second / 2)
					publish(t, p, "com.example.topic", 5, 10)
				}()
				sub := subscribe(t, s, "com.example.topic", tt.option)
				var events []wamp.Event
				for range tt.want {
					events = append(events, <-sub.Events())
				}
				if got := numbers(t, append(events, waiting(sub)...)); !slices.Equal(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
			})
		})
	}
}

// Live events may overflow while the history is asked for.
func TestFromHistoryOverflow(t *testing.T) {
	for _, policy := range []wamp.SubscribeOption{wamp.OverflowDropOldest(), wamp.OverflowDropNewest()} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithHistory(20), wamptest.WithHook(holdHistory))
			p, s := join(t, r), join(t, r)
			go func() {
				<-time.After(time.Second / 2)
				publish(t, p, "com.example.topic", 0, 60)
			}()
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), policy, wamp.Buffer(3, 0))
			var all []wamp.Event
			for evs := waiting(sub); len(evs) > 0; evs = waiting(sub) {
				all = append(all, evs...)
			}
			publish(t, p, "com.example.topic", 60, 61) // there is room again
			all = append(all, <-sub.Events())
			got, n := numbers(t, all), len(all)
			if !slices.IsSorted(got) || len(slices.Compact(got)) != n || got[n-1] != 60 {
				t.Errorf("policy %d: %v", policy, got)
			}
			if n < 21 || sub.Dropped() == 0 { // 20 are in the history, which may be all that were dropped
				t.Errorf("policy %d: %d events, %d dropped", policy, n, sub.Dropped())
			}
		})
	}
}

// The link breaks before the history has answered: what came live on it is behind
// by then, and comes from the history or, where that has a limit, not at all.
func TestFromHistoryAnsweredOnTheNextLink(t *testing.T) {
	for name, tt := range map[string]struct {
		option wamp.SubscribeOption
		want   []int
	}{
		"all":    {wamp.FromHistory(wamp.HistoryQuery{}), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"a last": {wamp.FromHistory(wamp.HistoryQuery{Last: 2}), []int{8, 9, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(100), wamptest.WithHook(holdHistory))
				p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
				go func() {
					<-time.After(time.Second / 2)
					publish(t, p, "com.example.topic", 0, 5)
					synctest.Wait()
					r.Cut(s.ID())
					publish(t, p, "com.example.topic", 5, 10)
				}()
				sub := subscribe(t, s, "com.example.topic", tt.option)
				<-time.After(10 * time.Second)
				publish(t, p, "com.example.topic", 10, 11)
				evs := settled(sub)
				<-time.After(10 * time.Second) // it asks again once that is read
				evs = append(evs, settled(sub)...)
				if got := numbers(t, evs); !slices.Equal(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				for _, ev := range evs {
					if ev.AfterGap {
						t.Errorf("%+v", ev)
					}
				}
			})
		})
	}
}

// FailFast is for what begins without a connection. A stream with history has
// begun before: what it asks waits.
func TestFromHistoryFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		policy := quick()
		policy.FailFast = true
		p, s := join(t, r), join(t, r, wamp.WithReconnect(policy))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		publish(t, p, "com.example.topic", 0, 20) // more than the channel holds
		synctest.Wait()
		r.Cut(s.ID())
		synctest.Wait()
		publish(t, p, "com.example.topic", 20, 25)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 25, 26) // live, behind those that are missing
		synctest.Wait()
		r.RefuseDials(2, nil)
		r.Cut(s.ID())
		synctest.Wait()
		for want := range 26 {
			if ev := <-sub.Events(); number(t, ev.Payload) != want || ev.AfterGap {
				t.Fatalf("event %d: %+v", want, ev)
			}
		}
	})
}
