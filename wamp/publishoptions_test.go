package wamp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Every combination of the six lists, of exclude_me, and of whom they name,
// against a rule that is written down once.
func TestEveryFilterCombination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, named())
		names := []string{"user1", "user1", "user2", "admin1", "admin2"}
		var sessions []*wamp.Session
		var subs []*wamp.Subscription
		for _, name := range names {
			s := joinAs(t, r, name)
			sessions, subs = append(sessions, s), append(subs, subscribe(t, s, "com.example.topic"))
		}
		p := sessions[0] // it is subscribed too
		role := func(i int) string { return strings.TrimRight(names[i], "12") }
		// Each list is absent, empty, or names somebody.
		lists := []struct {
			option func(full bool) wamp.PublishOption
			passes func(full bool, i int) bool
		}{
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.Exclude(sessions[1].ID(), sessions[3].ID())
				}
				return wamp.Exclude()
			}, func(full bool, i int) bool { return !full || i != 1 && i != 3 }},
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.ExcludeAuthID("user2", "nobody")
				}
				return wamp.ExcludeAuthID()
			}, func(full bool, i int) bool { return !full || names[i] != "user2" }},
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.ExcludeAuthRole("admin")
				}
				return wamp.ExcludeAuthRole()
			}, func(full bool, i int) bool { return !full || role(i) != "admin" }},
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.Eligible(sessions[0].ID(), sessions[2].ID(), sessions[4].ID())
				}
				return wamp.Eligible()
			}, func(full bool, i int) bool { return full && i%2 == 0 }},
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.EligibleAuthID("user1", "admin1", "admin2")
				}
				return wamp.EligibleAuthID()
			}, func(full bool, i int) bool { return full && names[i] != "user2" }},
			{func(full bool) wamp.PublishOption {
				if full {
					return wamp.EligibleAuthRole("user")
				}
				return wamp.EligibleAuthRole()
			}, func(full bool, i int) bool { return full && role(i) == "user" }},
		}
		combinations := 2
		for range lists {
			combinations *= 3
		}
		for c := range combinations {
			excludeMe := c%2 == 0
			options := []wamp.PublishOption{wamp.ExcludeMe(excludeMe)}
			want := []bool{!excludeMe, true, true, true, true}
			states := ""
			for k, n := 0, c/2; k < len(lists); k, n = k+1, n/3 {
				states += fmt.Sprint(n % 3)
				if n%3 == 0 {
					continue
				}
				options = append(options, lists[k].option(n%3 == 2))
				for i := range want {
					want[i] = want[i] && lists[k].passes(n%3 == 2, i)
				}
			}
			p.Publish(t.Context(), "com.example.topic", wamp.Args(c), options...)
			synctest.Wait()
			got := make([]bool, len(subs))
			for i, sub := range subs {
				got[i] = len(sub.Events()) > 0
				waiting(sub)
			}
			if !slices.Equal(got, want) {
				t.Errorf("lists %s, exclude me %v: %v, want %v", states, excludeMe, got, want)
			}
		}
	})
}

// What an event says of where it came from.
func TestEventSaysWhoAndWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, named())
		p, s := joinAs(t, r, "user1"), joinAs(t, r, "admin1")
		exact, prefix := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example", wamp.Match(wamp.Prefix))
		for _, disclose := range []bool{false, true} {
			options := []wamp.PublishOption{wamp.Acknowledge()}
			want := wamp.Peer{}
			if disclose {
				options = append(options, wamp.DiscloseMe())
				want = wamp.Peer{Session: p.ID(), AuthID: "user1", AuthRole: "user"}
			}
			id, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(1), options...).Wait()
			if err != nil {
				t.Fatal(err)
			}
			for _, sub := range []*wamp.Subscription{exact, prefix} {
				evs := waiting(sub)
				if len(evs) != 1 || evs[0].Publisher() != want || evs[0].Publication != id || evs[0].Topic != "com.example.topic" {
					t.Errorf("%+v, want publication %d by %+v", evs, id, want)
				}
			}
		}
	})
}

// An empty eligible list is none at Crossbar.
func TestCrossbarEmptyEligible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.CrossbarQuirks())
		p, s := join(t, r), join(t, r)
		sub := subscribe(t, s, "com.example.topic")
		p.Publish(t.Context(), "com.example.topic", wamp.Args(1), wamp.Eligible())
		if len(waiting(sub)) != 1 {
			t.Error("nobody has it")
		}
	})
}

// What a broker keeps stays as it was, however much comes after it.
func TestRetainedEventStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p := join(t, r)
		p.Publish(t.Context(), "com.example.state", wamp.Args("the one that stays"), wamp.Retain())
		for i := range 20 {
			publish(t, p, "com.example.other", i, i+1)
		}
		evs := waiting(subscribe(t, join(t, r), "com.example.state", wamp.GetRetained()))
		var text string
		if len(evs) != 1 || evs[0].Scan(&text) != nil || text != "the one that stays" {
			t.Errorf("%q, %+v", text, evs)
		}
	})
}
