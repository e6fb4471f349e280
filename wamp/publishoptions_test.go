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

// Every filter alone and with every other, against what the text says.
func TestWhoGetsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p := join(t, r)
		var receivers []*wamp.Session
		var subs []*wamp.Subscription
		for range 4 {
			s := join(t, r)
			receivers, subs = append(receivers, s), append(subs, subscribe(t, s, "com.example.topic"))
		}
		id := func(i int) wamp.ID { return receivers[i].ID() }
		authid := func(i int) string { return receivers[i].Details().AuthID }
		type filter struct {
			name   string
			option wamp.PublishOption
			has    func(i int) bool
		}
		filters := []filter{
			{"nobody named", wamp.Eligible(), func(int) bool { return false }},
			{"two sessions", wamp.Eligible(id(0), id(1)), func(i int) bool { return i < 2 }},
			{"no session", wamp.Exclude(), func(int) bool { return true }},
			{"not two sessions", wamp.Exclude(id(1), id(2)), func(i int) bool { return i != 1 && i != 2 }},
			{"authids", wamp.EligibleAuthID(authid(1), authid(3)), func(i int) bool { return i%2 == 1 }},
			{"not authids", wamp.ExcludeAuthID(authid(3)), func(i int) bool { return i != 3 }},
			{"the role", wamp.EligibleAuthRole("anonymous"), func(int) bool { return true }},
			{"another role", wamp.EligibleAuthRole("admin"), func(int) bool { return false }},
			{"not the role", wamp.ExcludeAuthRole("anonymous"), func(int) bool { return false }},
			{"not another role", wamp.ExcludeAuthRole("admin"), func(int) bool { return true }},
		}
		for _, one := range filters {
			for _, two := range filters {
				if _, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(1), one.option, two.option, wamp.Acknowledge()).Wait(); err != nil {
					t.Fatal(err)
				}
				same := filterKey(one.name) == filterKey(two.name) // the later one holds then
				for i, sub := range subs {
					want := two.has(i) && (same || one.has(i))
					if got := len(waiting(sub)) == 1; got != want {
						t.Errorf("%s and %s: receiver %d has it: %v", one.name, two.name, i, got)
					}
				}
			}
		}
	})
}

// filterKey is the option that a filter of TestWhoGetsAnEvent sets.
func filterKey(name string) string {
	for k, names := range map[string][]string{
		"eligible": {"nobody named", "two sessions"}, "exclude": {"no session", "not two sessions"},
		"eligible_authrole": {"the role", "another role"}, "exclude_authrole": {"not the role", "not another role"},
	} {
		if slices.Contains(names, name) {
			return k
		}
	}
	return name
}
