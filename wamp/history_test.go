package wamp_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
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

// Publishers publish before, during and after the subscription, and its link
// breaks: every event comes once, in its order.
func TestFromHistory(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed))
			r := wamptest.NewRouter(t, wamptest.WithHistory(10000), wamptest.WithSeed(seed))
			if seed%2 == 1 {
				r.Delay(time.Duration(1+random.IntN(20)) * time.Millisecond)
			}
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
			const count = 400
			done := make(chan struct{})
			go func() {
				defer close(done)
				random := rand.New(rand.NewPCG(seed, 1))
				for i := range count {
					options := []wamp.PublishOption{wamp.Acknowledge()}
					if i%7 == 3 {
						options = append(options, wamp.Retain())
					}
					if _, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(i), options...).Wait(); err != nil {
						t.Error(err)
					}
					if random.IntN(4) == 0 {
						<-time.After(time.Duration(random.IntN(40)) * time.Millisecond)
					}
				}
			}()
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
			options := []wamp.SubscribeOption{wamp.FromHistory(wamp.HistoryQuery{})}
			if seed%3 == 0 {
				options = append(options, wamp.GetRetained())
			}
			sub := subscribe(t, s, "com.example.topic", options...)
			if seed >= 4 {
				go func() {
					random := rand.New(rand.NewPCG(seed, 2))
					for range 5 {
						<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
						r.Cut(s.ID())
					}
				}()
			}
			historic := 0
			for i := range count {
				ev := <-sub.Events()
				if n := number(t, ev.Payload); n != i || ev.AfterGap {
					t.Fatalf("seed %d: event %d where %d was due (after a gap: %v)", seed, n, i, ev.AfterGap)
				}
				if ev.Historic {
					historic++
				}
			}
			<-done
			<-time.After(time.Minute)
			if evs := waiting(sub); len(evs) != 0 {
				t.Errorf("seed %d: %d events too many", seed, len(evs))
			}
			if historic == 0 && seed >= 4 {
				t.Errorf("seed %d: nothing came from the history", seed)
			}
		})
	}
}

// Where the history does not reach back, the next event says so.
func TestFromHistoryTooShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(5))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
		publish(t, p, "com.example.topic", 0, 3)
		if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		synctest.Wait()
		publish(t, p, "com.example.topic", 3, 20)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 20, 21)
		evs := waiting(sub)
		if got := numbers(t, evs); !slices.Equal(got, []int{15, 16, 17, 18, 19, 20}) {
			t.Fatalf("%v", got)
		}
		for i, ev := range evs {
			if ev.AfterGap != (i == 0) || ev.Historic != (i < 5) {
				t.Errorf("%+v", ev)
			}
		}
	})
}

// A broker that does not announce its history may not have kept all of it, so a
// history without a hole proves nothing.
func TestFromHistoryOfWhoPromisesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		router []wamptest.Option
		gap    bool
	}{
		"announced": {[]wamptest.Option{wamptest.WithHistory(10)}, false},
		"Crossbar":  {[]wamptest.Option{wamptest.WithHistory(10), wamptest.CrossbarQuirks()}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, tt.router...)
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()), wamp.Assume("event_history"))
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
			publish(t, p, "com.example.topic", 0, 1)
			synctest.Wait()
			r.Cut(s.ID())
			for i := 1; i < 3; i++ { // each at a moment of its own, as Crossbar keeps them
				<-time.After(time.Microsecond)
				publish(t, p, "com.example.topic", i, i+1)
			}
			<-time.After(10 * time.Second)
			publish(t, p, "com.example.topic", 3, 4)
			evs := waiting(sub)
			if got := numbers(t, evs); !slices.Equal(got, []int{0, 1, 2, 3}) {
				t.Fatalf("%s: %v", name, got)
			}
			for i, ev := range evs {
				if ev.AfterGap != (tt.gap && i == 1) {
					t.Errorf("%s: event %d: after a gap %v", name, i, ev.AfterGap)
				}
			}
		})
	}
}

// A subscription that begins with history ends like any other.
func TestFromHistoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 100)
		ctx, cancel := context.WithCancel(t.Context())
		canceled := value(s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})))
		left := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		revoked := subscribe(t, s, "com.example", wamp.FromHistory(wamp.HistoryQuery{}), wamp.Match(wamp.Prefix))
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n := len(drained(canceled.Events())); n > 8 || !errors.Is(canceled.Err(), context.Canceled) {
			t.Errorf("%d events, %v", n, canceled.Err())
		}
		if err := left.Unsubscribe(t.Context()); err != nil || left.Err() != wamp.ErrUnsubscribed {
			t.Error(err, left.Err())
		}
		synctest.Wait()
		if n := len(drained(left.Events())); n > 8 {
			t.Errorf("%d events", n)
		}
		r.RevokeSubscription(revoked.ID(), "com.example.reason")
		var why *wamp.RevokedError
		if n := len(drained(revoked.Events())); n != 100 || !errors.As(revoked.Err(), &why) {
			t.Errorf("%d events, %v", n, revoked.Err())
		}
		unread := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(drained(unread.Events())); n != 8 || !errors.Is(unread.Err(), wamp.ErrSessionClosed) {
			t.Errorf("%d events, %v", n, unread.Err())
		}
	})
}

func TestTestaments(t *testing.T) {
	for name, option := range map[string]wamptest.Option{"by the text": wamptest.WithSeed(1), "Crossbar": wamptest.CrossbarQuirks()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, option)
				s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
				sub := subscribe(t, other, "com.example.gone")
				add := func(scope wamp.Scope, n int, options ...wamp.TestamentOption) {
					t.Helper()
					if err := s.AddTestament(t.Context(), scope, "com.example.gone", wamp.Args(n).With("last", "words"), options...); err != nil {
						t.Fatal(err)
					}
				}
				add(wamp.Destroyed, 1)
				add(wamp.Destroyed, 2)
				add(wamp.Detached, 3)
				add(wamp.Detached, 4, wamp.Eligible(4711))
				for range 3 { // it is set again on each connection
					if evs := waiting(sub); len(evs) != 0 {
						t.Errorf("%+v", evs)
					}
					r.Cut(s.ID())
					evs := waiting(sub)
					if got := numbers(t, evs); !slices.Equal(got, []int{3, 1, 2}) {
						t.Errorf("%v", got)
					}
					if kw, _ := evs[0].Kwargs(); kw["last"] != "words" {
						t.Errorf("%v", kw)
					}
					<-time.After(15 * time.Second)
				}
				if err := s.FlushTestaments(t.Context(), wamp.Destroyed); err != nil {
					t.Fatal(err)
				}
				add(wamp.Destroyed, 5)
				r.Cut(s.ID())
				if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{3, 5}) {
					t.Errorf("%v", got)
				}
				<-time.After(15 * time.Second)
				if err := s.FlushTestaments(t.Context(), wamp.Detached); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{5}) {
					t.Errorf("%v", got)
				}
				if st := r.Stats(); len(st.Violations) > 0 {
					t.Error(st.Violations)
				}
			})
		})
	}
}

func TestTestamentErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		ctx := t.Context()
		for _, err := range []error{
			s.AddTestament(ctx, "tomorrow", "com.example.gone", wamp.Args()),
			s.AddTestament(ctx, wamp.Destroyed, "a b", wamp.Args()),
			s.AddTestament(ctx, wamp.Destroyed, "com.example.gone", wamp.Args(make(chan int))),
			s.FlushTestaments(ctx, "tomorrow"),
		} {
			if err == nil {
				t.Error("taken")
			}
		}
		if err := s.AddTestament(ctx, wamp.Destroyed, "wamp.topic", wamp.Args()); !errors.Is(err, wamp.ErrInvalidURI) {
			t.Error(err)
		}
		r.Cut(s.ID()) // a testament that waits for a connection is set once
		synctest.Wait()
		if err := s.AddTestament(ctx, wamp.Destroyed, "com.example.gone", wamp.Args(1)); err != nil {
			t.Error(err)
		}
		if n := r.Stats().Received[proto.Call]; n != 2 {
			t.Errorf("%d calls", n)
		}
		without := join(t, wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.TestamentMetaAPI))))
		var missing *wamp.FeatureError
		if err := without.AddTestament(ctx, wamp.Destroyed, "com.example.gone", wamp.Args()); !errors.As(err, &missing) {
			t.Error(err)
		}
	})
}

// The question for the history that is sent again on a new connection names the
// subscription by the id that it has there.
func TestFromHistoryAsksAgainByNewID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", 0, 3)
		cut := false
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if m := x.Message; !cut && !x.Sent && m.Type == proto.Call && m.URI == "wamp.subscription.get_events" {
				cut = true
				return wamptest.CutLink()
			}
			return wamptest.Pass()
		})
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		if got := numbers(t, waiting(sub)); !cut || !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("cut: %v, %v", cut, got)
		}
	})
}

// What is published between SUBSCRIBED and the history's answer comes in its
// place, also where the history leaves it out because of a limit.
func TestFromHistoryLastInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 3)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if m := x.Message; !x.Sent && m.Type == proto.Call && m.URI == "wamp.subscription.get_events" {
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		go func() {
			<-time.After(time.Second / 2)
			publish(t, p, "com.example.topic", 3, 6)
		}()
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
		publish(t, p, "com.example.topic", 6, 8)
		if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{3, 4, 5, 6, 7}) {
			t.Error(got)
		}
	})
}

// A subscription that is taken away before the history has answered says so.
func TestFromHistoryRevokedAmid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id atomic.Uint64
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case m.Type == proto.Subscribed:
				id.Store(uint64(m.ID))
			case !x.Sent && m.Type == proto.Call:
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		s := join(t, r)
		time.AfterFunc(time.Second/2, func() { r.RevokeSubscription(proto.ID(id.Load()), "com.example.reason") })
		var revoked *wamp.RevokedError
		if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); !errors.As(err, &revoked) {
			t.Error(err)
		}
	})
}
