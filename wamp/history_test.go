package wamp_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// numbers are the first arguments of events.
func numbers(t *testing.T, events []wamp.Event) []int {
	t.Helper()
	out := []int{}
	for _, ev := range events {
		out = append(out, number(t, ev.Payload))
	}
	return out
}

// drained reads a channel that is closed.
func drained(events <-chan wamp.Event) (all []wamp.Event) {
	for ev := range events {
		all = append(all, ev)
	}
	return all
}

func TestHistory(t *testing.T) {
	for _, cd := range serializers {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithHistory(100))
			p, s := join(t, r), join(t, r, wamp.WithSerializers(cd))
			start := time.Now()
			var pubs []wamp.ID
			for i := range 10 {
				topic := "com.example.even"
				if i%2 == 1 {
					topic = "com.example.odd"
				}
				pubs = append(pubs, value(p.Publish(t.Context(), topic, wamp.Args(i).With("k", "v"), wamp.Acknowledge(), wamp.DiscloseMe()).Wait()))
				<-time.After(time.Second)
			}
			p.Publish(t.Context(), "com.example.even", wamp.Args(99), wamp.Eligible(s.ID()))
			p.Publish(t.Context(), "com.example.even", wamp.Args(98), wamp.Exclude(7))
			p.Publish(t.Context(), "com.example.even", wamp.Args(97), wamp.EligibleAuthRole("admin"))
			p.Publish(t.Context(), "com.other", wamp.Args(96))
			all := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix))
			even := subscribe(t, s, "com.example.even")
			at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
			for name, tt := range map[string]struct {
				options wamp.HistoryQuery
				want    []int
			}{
				"all":               {wamp.HistoryQuery{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
				"limit":             {wamp.HistoryQuery{Limit: 3}, []int{0, 1, 2}},
				"reverse":           {wamp.HistoryQuery{Reverse: true, Limit: 3}, []int{9, 8, 7}},
				"last":              {wamp.HistoryQuery{Last: 3}, []int{7, 8, 9}},
				"from, until":       {wamp.HistoryQuery{From: at(2), Until: at(4)}, []int{2, 3, 4}},
				"after, before":     {wamp.HistoryQuery{After: at(2), Before: at(4)}, []int{3}},
				"between":           {wamp.HistoryQuery{After: at(2).Add(1), Before: at(4).Add(1)}, []int{3, 4}},
				"from publication":  {wamp.HistoryQuery{FromPublication: pubs[8]}, []int{8, 9}},
				"after publication": {wamp.HistoryQuery{AfterPublication: pubs[8]}, []int{9}},
				"publications":      {wamp.HistoryQuery{AfterPublication: pubs[2], BeforePublication: pubs[5]}, []int{3, 4}},
				"until publication": {wamp.HistoryQuery{UntilPublication: pubs[1]}, []int{0, 1}},
				"topic":             {wamp.HistoryQuery{Topic: "com.example.odd", Limit: 2}, []int{1, 3}},
				"none":              {wamp.HistoryQuery{From: at(60)}, []int{}},
			} {
				events, err := all.History(t.Context(), tt.options)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := numbers(t, drained(events)); !slices.Equal(got, tt.want) {
					t.Errorf("%s: %v, want %v", name, got, tt.want)
				}
			}
			events := drained(value(even.History(t.Context(), wamp.HistoryQuery{})))
			if got := numbers(t, events); !slices.Equal(got, []int{0, 2, 4, 6, 8}) {
				t.Errorf("%v", got)
			}
			ev := events[1]
			if kw, _ := ev.Kwargs(); ev.Publication != pubs[2] || !ev.Historic || !ev.Time.Equal(at(2)) || ev.Topic != "com.example.even" ||
				ev.Publisher().Session != p.ID() || kw["k"] != "v" {
				t.Errorf("%+v", ev)
			}
			for _, bad := range []wamp.HistoryQuery{{Limit: -1}, {Last: -1}, {Limit: 1, Last: 1}, {Last: 1, Reverse: true}, {Topic: "a b"}, {FromPublication: 1<<53 + 1}} {
				if _, err := even.History(t.Context(), bad); err == nil {
					t.Error("a bound that is none")
				}
			}
			if err := even.Unsubscribe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := even.History(t.Context(), wamp.HistoryQuery{}); !errors.Is(err, wamp.ErrNoSuchSubscription) {
				t.Error(err)
			}
		})
	}
}

func TestHistoryNeedsFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		var missing *wamp.FeatureError
		if _, err := subscribe(t, s, "com.example.topic").History(t.Context(), wamp.HistoryQuery{}); !errors.As(err, &missing) {
			t.Error(err)
		}
		if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); !errors.As(err, &missing) {
			t.Error(err)
		}
		if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Before: time.Now()})); err == nil {
			t.Error("a history that ends before now")
		}
		crossbar := join(t, wamptest.NewRouter(t, wamptest.CrossbarQuirks()), wamp.Assume("event_history"))
		if _, err := crossbar.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); wamp.ErrorURI(err) != proto.ErrURIHistoryUnavailable {
			t.Error(err)
		}
		synctest.Wait()
		if n := crossbar.Stats().Tables.Handles + s.Stats().Tables.Handles; n > 1 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

// The shapes that other routers give events.
func TestHistoryShapes(t *testing.T) {
	event := func(n int) map[string]any {
		return map[string]any{"timestamp": 1700000000.5 + float64(n), "publication": 100 + n, "arguments": []any{n}, "topic": "com.example.other"}
	}
	for name, answer := range map[string]wamp.Payload{
		"one list":      wamp.Args([]any{event(0), event(1)}),
		"a list each":   wamp.Args(event(0), event(1)),
		"newest first":  wamp.Args([]any{event(1), event(0)}),
		"with rubbish":  wamp.Args(event(0), "no event", event(1)),
		"without an id": wamp.Args(event(0), map[string]any{"publication": "no id"}, event(1)),
		"upper case": wamp.Args(map[string]any{"Timestamp": 1700000000.5, "Publication": 100, "ArgumentsKw": nil, "Arguments": []any{0},
			"Details": map[string]any{"Topic": "com.example.other"}}, event(1)),
		"nothing":       wamp.Args(nil),
		"nothing, list": wamp.Args([]any{}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(1), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if x.Sent && x.Message.Type == proto.Result {
						if err := x.SetPayload(answer); err != nil {
							panic(err)
						}
					}
					return wamptest.Pass()
				}))
				s := join(t, r)
				if name == "with rubbish" || name == "without an id" { // silence would be a lie
					if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); err == nil || !strings.Contains(err.Error(), "entry 1") {
						t.Error(err)
					}
					return
				}
				sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
				evs := waiting(sub)
				want := []int{0, 1}
				if name == "nothing" || name == "nothing, list" {
					want = []int{}
				}
				if got := numbers(t, evs); !slices.Equal(got, want) {
					t.Fatalf("%v, want %v", got, want)
				}
				if len(evs) > 0 && (evs[0].Topic != "com.example.other" || !evs[0].Time.Equal(time.UnixMilli(1700000000500))) {
					t.Errorf("%+v", evs[0])
				}
			})
		})
	}
}

// Crossbar gives the newest events first, knows the limit only, and has names of
// its own for what an event is made of.
func TestHistoryOfCrossbar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(100), wamptest.CrossbarQuirks())
		p, s := join(t, r), join(t, r, wamp.Assume("event_history"), wamp.WithReconnect(quick()))
		for i := range 20 {
			publish(t, p, "com.example.topic", i, i+1)
			<-time.After(time.Millisecond)
		}
		sub := subscribe(t, s, "com.example.topic")
		for name, tt := range map[string]struct {
			options wamp.HistoryQuery
			want    []int
		}{
			"ten by default": {wamp.HistoryQuery{}, counted(10, 20)},
			"limit":          {wamp.HistoryQuery{Limit: 5}, counted(15, 20)},
			"last":           {wamp.HistoryQuery{Last: 15}, counted(5, 20)},
		} {
			events, err := sub.History(t.Context(), tt.options)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := numbers(t, drained(events)); !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v", name, got)
			}
		}
		ev := <-value(sub.History(t.Context(), wamp.HistoryQuery{}))
		if ev.Topic != "com.example.topic" || ev.Publisher().Session != p.ID() || ev.Publisher().AuthRole != "anonymous" || ev.Time.IsZero() {
			t.Errorf("%+v", ev)
		}
		if _, err := sub.History(t.Context(), wamp.HistoryQuery{After: time.Now()}); wamp.ErrorURI(err) != proto.ErrURIRuntimeError {
			t.Error(err)
		}
		stream := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 12}))
		publish(t, p, "com.example.topic", 20, 22)
		got := settled(stream)
		<-time.After(time.Second)
		r.Cut(s.ID())
		for i := 22; i < 52; i++ {
			publish(t, p, "com.example.topic", i, i+1)
		}
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 52, 53)
		got = append(got, settled(stream)...)
		if got := numbers(t, got); !slices.Equal(got, counted(8, 53)) {
			t.Errorf("%v", got)
		}
		for i, ev := range got {
			if ev.AfterGap != (i == 14) { // it does not promise to have all
				t.Errorf("%d: %+v", i, ev)
			}
		}
	})
}

// Crossbar has the newest event first, once for each session that got it, and
// names its parts otherwise.
func TestHistoryPartsOfCrossbar(t *testing.T) {
	event := func(n int64) map[string]any {
		return map[string]any{"args": []any{n}, "kwargs": nil, "authid": "joe", "authrole": "user", "publication": 4372913189791009 - n,
			"realm": "realm1", "session_id": int64(6889601538754724), "time_ns": 1795441336227313435 + n, "topic": "com.example.topic.x"}
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Result {
				if err := x.SetPayload(wamp.Args([]any{event(2), event(2), event(1), event(0), event(0)})); err != nil {
					panic(err)
				}
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		sub := subscribe(t, s, "com.example.topic", wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryQuery{}))
		for way, events := range map[string][]wamp.Event{"History": drained(value(sub.History(t.Context(), wamp.HistoryQuery{}))), "FromHistory": waiting(sub)} {
			if got := numbers(t, events); !slices.Equal(got, []int{0, 1, 2}) {
				t.Fatalf("%s: %v", way, got)
			}
			if ev := events[1]; ev.Topic != "com.example.topic.x" || !ev.Time.Equal(time.Unix(0, 1795441336227313436)) ||
				ev.Publisher() != (wamp.Peer{Session: 6889601538754724, AuthID: "joe", AuthRole: "user"}) {
				t.Errorf("%s: %+v", way, ev)
			}
		}
		reversed := drained(value(sub.History(t.Context(), wamp.HistoryQuery{Reverse: true})))
		if got := numbers(t, reversed); !slices.Equal(got, []int{2, 1, 0}) {
			t.Errorf("reversed: %v", got)
		}
	})
}

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
