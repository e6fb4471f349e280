//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Retained events and event history, which Crossbar keeps in memory. The realm
// has a store; the histories are in its configuration.
const (
	storeRealm   = "realm-store"
	historyTree  = "com.history.tree." // many events
	historyExact = "com.history.exact" // 3 events
)

// joinStore joins the realm with the store. The session leaves at the end.
func joinStore(t *testing.T, c cell, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s := c.joinRealm(t, storeRealm, append(options, wamp.Assume("event_history"))...)
	t.Cleanup(func() { leave(t, s) })
	return s
}

// fresh is a name that no run has used before: what a router keeps outlives
// tests.
func fresh(name string) string { return fmt.Sprintf("%s%d", name, time.Now().UnixNano()) }

func TestRetainedEvents(t *testing.T) {
	s, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
	topic := fresh("com.open.interop.retained.")
	publish(t, s, topic, wamp.Args("first"), wamp.Retain())
	kept := publish(t, s, topic, wamp.Args("second").With("k", 7), wamp.Retain())
	publish(t, s, topic, wamp.Args("not kept"))
	if id, err := meta.Of(s).LookupSubscription(limit(t), topic, wamp.Exact); id == 0 || err != nil { // nobody has it
		t.Errorf("Crossbar makes no subscription to keep an event: %d, %v", id, err)
	}

	// theirs
	p.ask(t, "subscribe", request{"topic": topic, "get_retained": true})
	ev := p.events(t, topic, 1)[0]
	if !ev.Retained || !sameMessage(ev, []any{"second"}, map[string]any{"k": 7}) || ev.Publisher != s.ID() {
		t.Errorf("the peer got %s", show(ev))
	}
	// ours: who did not ask gets the live one only, and so do patterns
	asked, did := subscribe(t, pubsubCell.join(t), topic, wamp.GetRetained()), pubsubCell.join(t)
	silent, prefix := subscribe(t, did, topic), subscribe(t, did, topic[:len(topic)-1], wamp.Match(wamp.Prefix), wamp.GetRetained())
	got := next(t, asked)
	if !got.Retained || got.Topic != topic || got.Publisher().Session != s.ID() {
		t.Errorf("%+v", got)
	}
	if err := samePayload(got.Payload, []any{"second"}, map[string]any{"k": int64(7)}); err != nil {
		t.Error(err)
	}
	if got.Publication == kept || got.Publication == 0 { // Crossbar gives it a new id for each who asks
		t.Errorf("publication %d, it was %d", got.Publication, kept)
	}
	// one more handle of a session that has the topic already
	again := subscribe(t, did, topic, wamp.GetRetained())
	if ev := next(t, again); !ev.Retained || text(t, ev.Payload) != "second" {
		t.Errorf("%+v", ev)
	}
	id := wamp.ID(p.ask(t, "publish", request{"topic": topic, "args": tagAll("third"), "acknowledge": true, "options": map[string]any{"retain": true}}).IDs[0])
	for _, sub := range []*wamp.Subscription{asked, silent, prefix, again} {
		if ev := next(t, sub); ev.Retained || ev.Publication != id || text(t, ev.Payload) != "third" {
			t.Errorf("%s: %+v", sub.Topic(), ev)
		}
	}
	if ev := next(t, subscribe(t, s, topic, wamp.GetRetained())); !ev.Retained || text(t, ev.Payload) != "third" || ev.Publisher().Session != p.id {
		t.Errorf("%+v", ev)
	}
}

// The retained event comes again after a reconnect, since it is asked for again.
func TestRetainedEventAfterReconnect(t *testing.T) {
	g := newGate(t)
	s, other := g.join(t, realm), pubsubCell.join(t)
	topic := fresh("com.interop.retained.")
	sub := subscribe(t, s, topic, wamp.GetRetained())
	publish(t, other, topic, wamp.Args("live"), wamp.Retain())
	if ev := next(t, sub); ev.Retained || text(t, ev.Payload) != "live" {
		t.Errorf("%+v", ev)
	}
	old := s.ID()
	g.cut()
	publish(t, other, topic, wamp.Args("missed"), wamp.Retain())
	g.open()
	rejoined(t, s, old)
	if ev := next(t, sub); !ev.Retained || !ev.AfterGap || text(t, ev.Payload) != "missed" {
		t.Errorf("%+v", ev)
	}
}

// What was retained for some goes to them. Crossbar stumbles where only one of
// the two lists of sessions was given, and then never answers a SUBSCRIBE that
// asks for what is retained.
func TestRetainedForSome(t *testing.T) {
	s, chosen, other := pubsubCell.join(t), pubsubCell.join(t), pubsubCell.join(t)
	topic := fresh("com.interop.retained.")
	publish(t, s, topic, wamp.Args("for all"), wamp.Retain())
	publish(t, s, topic, wamp.Args("for one"), wamp.Retain(), wamp.Eligible(chosen.ID()), wamp.Exclude(other.ID()))
	for word, who := range map[string]*wamp.Session{"for one": chosen, "for all": other} {
		if ev := next(t, subscribe(t, who, topic, wamp.GetRetained())); !ev.Retained || text(t, ev.Payload) != word {
			t.Errorf("%q: %+v", word, ev)
		}
	}
	hasty := pubsubCell.join(t)
	for name, option := range map[string]wamp.PublishOption{"eligible only": wamp.Eligible(hasty.ID()), "exclude only": wamp.Exclude(other.ID())} {
		stuck := fresh("com.interop.retained.")
		publish(t, s, stuck, wamp.Args("for one"), wamp.Retain(), option)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/4)
		defer cancel()
		if _, err := hasty.Subscribe(ctx, stuck, wamp.GetRetained()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: Crossbar has answered: %v", name, err)
		}
		// events of a subscription that nobody knows of here do no harm
		publish(t, s, stuck, wamp.Args("live"))
	}
	plain := subscribe(t, hasty, topic)
	publish(t, s, topic, wamp.Args("live"))
	if ev := next(t, plain); ev.Retained || text(t, ev.Payload) != "live" {
		t.Errorf("%+v", ev)
	}
}

// Crossbar keeps what others than the publisher have got, tells who published
// whatever was disclosed, and knows a limit only.
func TestEventHistory(t *testing.T) {
	for _, cd := range codecs { // times do not fit into what JSON's readers take for numbers
		t.Run(cd.Name(), func(t *testing.T) {
			s := joinStore(t, cell{"ws", cd})
			p := newPartner(t, peerCell, "", request{"realm": storeRealm})
			sub := subscribe(t, s, historyTree, wamp.Match(wamp.Prefix))
			topic, start := fresh(historyTree), time.Now()
			const n = 12
			var ids []wamp.ID
			for i := range n {
				if i%2 == 0 {
					req := request{"topic": topic, "args": tagAll(i), "kwargs": map[string]tagged{"k": tag("v")}, "acknowledge": true}
					ids = append(ids, wamp.ID(p.ask(t, "publish", req).IDs[0]))
				} else {
					// its own, and told to nobody else
					publish(t, s, topic, wamp.Args("nobody got it"))
					ids = append(ids, publish(t, s, topic, wamp.Args(i).With("k", "v"), wamp.ExcludeMe(false)))
				}
			}
			for _, tt := range []struct {
				options wamp.HistoryQuery
				want    []wamp.ID
			}{
				{wamp.HistoryQuery{Limit: n}, ids},
				{wamp.HistoryQuery{Limit: 3}, ids[n-3:]}, // by the text the oldest ones
				{wamp.HistoryQuery{Last: 3}, ids[n-3:]},  // asked for as a limit there
				{wamp.HistoryQuery{}, ids[n-10:]},
			} {
				events, err := sub.History(limit(t), tt.options)
				if err != nil {
					t.Fatal(err)
				}
				before := start.Add(-time.Second)
				for ev := range events {
					if len(tt.want) == 0 || ev.Publication != tt.want[0] {
						t.Fatalf("%v: publication %d, want %d", tt.options, ev.Publication, tt.want)
					}
					i := slices.Index(ids, ev.Publication)
					tt.want = tt.want[1:]
					if !ev.Historic || ev.Topic != topic || !ev.Time.After(before) || ev.Time.After(time.Now().Add(time.Second)) {
						t.Errorf("%+v", ev)
					}
					before = ev.Time
					if err := samePayload(ev.Payload, []any{int64(i)}, map[string]any{"k": "v"}); err != nil {
						t.Error(err)
					}
					if by := map[bool]wamp.ID{true: p.id, false: s.ID()}[i%2 == 0]; ev.Publisher().Session != by || ev.Publisher().AuthRole != "anonymous" {
						t.Errorf("published by %+v", ev.Publisher())
					}
				}
				if len(tt.want) > 0 {
					t.Errorf("%v: %v are missing", tt.options, tt.want)
				}
			}
			for _, bound := range []wamp.HistoryQuery{{Reverse: true}, {From: start}, {Topic: topic}, {AfterPublication: ids[0]}} {
				if _, err := sub.History(limit(t), bound); !errors.Is(err, wamp.ErrRuntimeError) {
					t.Errorf("%v: %v", bound, err)
				}
			}
		})
	}
}

// Crossbar keeps an event once for each session that got it.
func TestEventHistoryOfSeveral(t *testing.T) {
	s, other := joinStore(t, pubsubCell), joinStore(t, pubsubCell)
	sub := subscribe(t, s, historyTree, wamp.Match(wamp.Prefix))
	subscribe(t, other, historyTree, wamp.Match(wamp.Prefix))
	one := publish(t, joinStore(t, pubsubCell), historyTree+"several", wamp.Args(1))
	two := publish(t, other, historyTree+"several", wamp.Args(2), wamp.ExcludeMe(false))
	raw, err := s.Call(limit(t), "wamp.subscription.get_events", wamp.Args(sub.ID()).With("limit", 4)).Final()
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID wamp.ID `json:"publication"`
	}
	if err := raw.Scan(&list); err != nil || len(list) != 4 || list[0].ID != two || list[1].ID != two || list[2].ID != one || list[3].ID != one {
		t.Errorf("Crossbar has %v, %v; want %d and %d twice", list, err, two, one)
	}
	events, err := sub.History(limit(t), wamp.HistoryQuery{Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	var got []wamp.ID
	for ev := range events {
		got = append(got, ev.Publication)
	}
	if !slices.Equal(got, []wamp.ID{one, two}) {
		t.Errorf("%v, want %v", got, []wamp.ID{one, two})
	}
	for name, sub := range map[string]*wamp.Subscription{
		"a topic without": subscribe(t, s, "com.interop.no.history"),
		"a realm without": subscribe(t, pubsubCell.join(t, wamp.Assume("event_history")), "com.interop.no.history"),
	} {
		if _, err := sub.History(limit(t), wamp.HistoryQuery{}); wamp.ErrorURI(err) != proto.ErrURIHistoryUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Subscribe(limit(t), "com.interop.no.history", wamp.FromHistory(wamp.HistoryQuery{})); wamp.ErrorURI(err) != proto.ErrURIHistoryUnavailable {
		t.Error(err)
	}
}

// A history has as many events as its configuration says, three.
func TestEventHistoryIsBounded(t *testing.T) {
	s, p := joinStore(t, pubsubCell), newPartner(t, peerCell, "", request{"realm": storeRealm})
	sub := subscribe(t, s, historyExact)
	ids := p.ask(t, "publish", request{"topic": historyExact, "count": 5, "acknowledge": true}).IDs
	events, err := sub.History(limit(t), wamp.HistoryQuery{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for ev := range events {
		got = append(got, uint64(ev.Publication))
	}
	if !slices.Equal(got, ids[2:]) {
		t.Errorf("%v, want the last three of %v", got, ids)
	}
}

// While the peer publishes, a subscription begins with what is kept: from its
// first event on nothing is missing, nothing comes twice, all in order.
func TestFromHistory(t *testing.T) {
	keeper := joinStore(t, pubsubCell)
	subscribe(t, keeper, historyTree, wamp.Match(wamp.Prefix)) // somebody must get events, or they are not kept
	p := newPartner(t, peerCell, "", request{"realm": storeRealm})
	for round := range 5 {
		topic := fresh(historyTree)
		const n = 400
		p.ask(t, "publish", request{"topic": topic, "count": 20, "acknowledge": true})
		publishing := p.begin(t, "publish", request{"topic": topic, "count": n, "acknowledge": true})
		sub := subscribe(t, joinStore(t, cell{kinds[round], codecs[round%3]}), historyTree, wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryQuery{Limit: 30}))
		ids := publishing().IDs
		first, at, historic := -1, 0, 0
		for at < n {
			ev := next(t, sub)
			if ev.Topic != topic || !slices.Contains(ids, uint64(ev.Publication)) {
				continue // of another round, or of the 20
			}
			var kw struct {
				I int `json:"i"`
			}
			if err := ev.ScanKw(&kw); err != nil {
				t.Fatal(err)
			}
			if first < 0 {
				first, at = kw.I, kw.I
			}
			if kw.I != at || ev.Publication != wamp.ID(ids[at]) {
				t.Fatalf("round %d: event %d, want %d", round, kw.I, at)
			}
			if ev.Historic {
				historic++
			}
			at++
		}
		t.Logf("from %d, %d of the history", first, historic)
	}
}

// What was published while there was no connection comes from the history, if
// somebody else got it.
func TestFromHistoryAfterReconnect(t *testing.T) {
	keeper := joinStore(t, pubsubCell)
	keeps := subscribe(t, keeper, historyTree, wamp.Match(wamp.Prefix))
	p := newPartner(t, peerCell, "", request{"realm": storeRealm})
	g := newGate(t)
	s := g.join(t, storeRealm, wamp.Assume("event_history"))
	topic := fresh(historyTree)
	p.ask(t, "publish", request{"topic": topic, "args": tagAll("0"), "acknowledge": true})
	sub := subscribe(t, s, historyTree, wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryQuery{Limit: 10}))
	expect := func(want int, historic, gap bool) {
		t.Helper()
		ev := next(t, sub)
		for ev.Topic != topic { // of other tests
			ev = next(t, sub)
		}
		if got := text(t, ev.Payload); got != fmt.Sprint(want) || ev.Historic != historic || ev.AfterGap != gap {
			t.Fatalf("%q, historic %v, after a gap %v; want %d, %v, %v", got, ev.Historic, ev.AfterGap, want, historic, gap)
		}
	}
	expect(0, true, false)
	published := 1
	more := func() {
		p.ask(t, "publish", request{"topic": topic, "args": tagAll(fmt.Sprint(published)), "acknowledge": true})
		published++
	}
	for _, missed := range []int{1, 4, 9, 10, 15} {
		old := s.ID()
		first := published
		g.cut()
		for range missed {
			more()
		}
		g.open()
		rejoined(t, s, old)
		for i := range missed { // there may be a gap in any case, since Crossbar does not keep what nobody gets
			expect(first+i, true, i == 0)
		}
		more()
		expect(published-1, false, false)
	} // nobody else does
	if err := keeps.Unsubscribe(limit(t)); err != nil {
		t.Fatal(err)
	}
	old := s.ID()
	g.cut()
	for n := 0; n != 1; { // the history itself is a subscriber
		var err error
		if n, err = meta.Of(keeper).CountSubscribers(limit(t), sub.ID()); err != nil {
			t.Fatal(err)
		}
	}
	more()
	g.open()
	rejoined(t, s, old)
	more()
	ev := next(t, sub)
	if got := text(t, ev.Payload); got != fmt.Sprint(published-1) || !ev.AfterGap {
		t.Errorf("%q, after a gap %v", got, ev.AfterGap)
	}
}
