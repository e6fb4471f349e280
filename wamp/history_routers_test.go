package wamp_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Histories with other keys, and routers that do not know a bound.
func TestHistoryOfOtherRouters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, options := range [][]wamptest.Option{
			{wamptest.WithUpperCaseHistory()},
			{wamptest.WithHistoryIgnoring("limit", "reverse", "topic", "from_time", "after_time", "before_time", "until_time",
				"from_publication", "after_publication", "before_publication", "until_publication")},
			{wamptest.WithUpperCaseHistory(), wamptest.WithHistoryIgnoring("limit", "reverse")},
			{wamptest.WithInclusiveHistory()},
		} {
			r := wamptest.NewRouter(t, append(options, wamptest.WithHistory(1000))...)
			s, p := join(t, r), join(t, r)
			sub := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix))
			begin := time.Now()
			for i := range 20 {
				publish(t, p, []string{"com.example.a", "com.example.b"}[i%2], i, i+1)
				<-time.After(time.Second)
			}
			events := value(sub.History(t.Context(), wamp.HistoryQuery{}))
			var ids []wamp.ID
			for ev := range events {
				ids = append(ids, ev.Publication)
			}
			if len(ids) != 20 {
				t.Fatalf("%d events", len(ids))
			}
			at := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second) }
			for i, tt := range []struct {
				bounds wamp.HistoryQuery
				want   []int
			}{
				{wamp.HistoryQuery{Limit: 3}, []int{0, 1, 2}},
				{wamp.HistoryQuery{Last: 3}, []int{17, 18, 19}},
				{wamp.HistoryQuery{Limit: 3, Reverse: true}, []int{19, 18, 17}},
				{wamp.HistoryQuery{From: at(17)}, []int{17, 18, 19}},
				{wamp.HistoryQuery{After: at(17)}, []int{18, 19}},
				{wamp.HistoryQuery{Before: at(2)}, []int{0, 1}},
				{wamp.HistoryQuery{Until: at(2)}, []int{0, 1, 2}},
				{wamp.HistoryQuery{FromPublication: ids[18]}, []int{18, 19}},
				{wamp.HistoryQuery{AfterPublication: ids[18]}, []int{19}},
				{wamp.HistoryQuery{BeforePublication: ids[1]}, []int{0}},
				{wamp.HistoryQuery{UntilPublication: ids[1]}, []int{0, 1}},
				{wamp.HistoryQuery{Topic: "com.example.b", Last: 2}, []int{17, 19}},
			} {
				if got := numbers(t, drained(value(sub.History(t.Context(), tt.bounds)))); !slices.Equal(got, tt.want) {
					t.Errorf("%d options, query %d: %v, want %v", len(options), i, got, tt.want)
				}
			}
		}
	})
}
