//go:build !js

package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// A rotation takes every address once in each round: in their order, or in one that
// is drawn anew.
func TestRotation(t *testing.T) {
	addresses := []string{"ws://h:1/ws?token=secret", "tcp://u:secret@h:2/x", "unix:///run/3", "rss://h:4", "ws+unix:///run/5:/ws"}
	shown := []string{"ws://h:1/ws", "tcp://h:2", "unix:///run/3", "tcps://h:4", "ws+unix:///run/5:/ws"}
	sockets := []string{"tcp h:1", "tcp h:2", "unix /run/3", "tcp h:4", "unix /run/5"}
	refused := errors.New("refused")
	const rounds = 10
	for _, shuffle := range []bool{false, true} {
		var dialled string
		r, err := transport.NewRotation(shuffle, transport.DialOptions{Dial: func(_ context.Context, network, address string) (net.Conn, error) {
			dialled = network + " " + address
			return nil, refused
		}}, addresses...)
		if err != nil || r.Last() != "" {
			t.Fatalf("%v, at %q", err, r.Last())
		}
		addresses := slices.Clone(addresses)
		slices.Reverse(addresses) // which are no business of the rotation's any more
		different := map[string]bool{}
		for range rounds {
			var round []string
			for range shown {
				_, err := r.Dial(bound(t), transport.Protocols())
				i := slices.Index(shown, r.Last())
				if !errors.Is(err, refused) || !strings.HasPrefix(err.Error(), r.Last()+": ") || i < 0 || dialled != sockets[i] {
					t.Fatalf("%q at %q: %v", dialled, r.Last(), err)
				}
				round = append(round, r.Last())
			}
			different[fmt.Sprint(round)] = true
			if !shuffle && !slices.Equal(round, shown) {
				t.Errorf("not in their order: %v", round)
			}
			if slices.Sort(round); len(slices.Compact(round)) != len(shown) {
				t.Errorf("a round takes %v", round)
			}
		}
		// By chance all rounds are the same once in 120 to the ninth.
		if shuffle == (len(different) == 1) {
			t.Errorf("shuffle %v: %v", shuffle, different)
		}
	}
}

func TestRotationRefuses(t *testing.T) {
	for _, addresses := range [][]string{nil, {""}, {"tcp://h:1", "gopher://h"}} {
		if r, err := transport.NewRotation(false, transport.DialOptions{}, addresses...); err == nil || r != nil {
			t.Errorf("%q: %v", addresses, r)
		}
	}
}

// An address that is written in two ways is one, and is not taken for two that fail.
func TestRotationKnowsSpellings(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"ws://router/ws", "WS://Router/ws", true},
		{"ws://router/ws", "ws://router:80/ws", true},
		{"wss://router/ws", "wss://router:443/ws", true},
		{"wss://router", "wss://router:443/", true},
		{"ws://router/ws", "ws://router/ws#there", true},
		{"ws://[::1]/ws", "ws://[::1]:80/ws", true},
		{"rs://Router:1", "tcp://router:1/", true},
		{"ws+unix:///run/s", "ws+unix:///run/s:/", true},
		{"unix:///run/s", "unix:///run/s?x=1", true},

		{"ws://router/ws", "wss://router/ws", false},
		{"ws://router/ws", "ws://router:443/ws", false},
		{"ws://router/ws", "ws://router/WS", false},
		{"ws://router/ws", "ws://router/ws/", false},
		{"ws://router/ws?a=1", "ws://router/ws?a=2", false},
		{"ws://joe:a@router/ws", "ws://joe:b@router/ws", false},
		{"tcp://router:1", "tcps://router:1", false},
		{"unix:///run/s", "unix:///run/S", false},
		{"ws+unix:///run/s", "ws+unix:///run/S", false},
		{"ws+unix:///run/s", "unix:///run/s", false},
	} {
		r, err := transport.NewRotation(false, transport.DialOptions{}, tt.a, tt.b)
		if err != nil || (r.Len() == 1) != tt.same {
			t.Errorf("%s and %s: %v, %v", tt.a, tt.b, r.Len(), err)
		}
	}
}

// Which address is next, by what has become of the others. A step is an address that
// must be taken, and what becomes of it: it fails (-), works and is lost soon (+), works
// and holds, so that its loss begins a round (=), or holds and vanishes (?). A number is a
// pause in seconds.
func TestRotationOrder(t *testing.T) {
	for _, tt := range []struct {
		name      string
		addresses string
		preferred int // seconds; -1: none
		steps     string
	}{
		{"one address", "a", -1, "a- a- 60 a= a= a? a+ a-"},
		{"the next one, where one fails", "a b c", -1, "a- b- c- a- b= b="},
		{"the one that worked last", "a b c", -1, "a- b= b= 3600 b= b- a- c="},
		{"the one that failed is last", "a b c", -1, "a- b= b- c= c- a- b-"},
		{"until its cool-down is over", "a b c", -1, "a- b= 10 b- a="},
		{"which doubles", "a b c", -1, "a- b- c- a- b= 15 b- c="},
		{"up to five minutes", "a b c", -1, "a- b- c- a- b- c- a- b- c- a- b- c- a- b- c- a- b- c- a- b- c= 299 c- a-"},
		{"those that failed, the longest ago first", "a b c", -1, "a- b= 60 b- 1 a- 1 c= 1 c- 1 b- 1 a-"},
		{"one that does not hold has failed", "a b", -1, "a+ b+ a+ b= b- a="},
		{"one that works has not", "a b c", -1, "a- b- c- a= a= a- b-"},
		{"one that vanished is last", "a b c", -1, "a? b= b? c= c? a- b-"},
		{"the preferred one, in a while", "a b c", 60, "a- b= b= 59 b= 1 a= a="},
		{"which fails again", "a b c", 60, "a- b= 60 a- b= b= 59 b= 1 a="},
		{"after nothing", "a b c", 0, "a- b= a- b= a="},
		{"the preferred one that vanished", "a b", 60, "a? b= b= 60 a="},
		{"one that is preferred and alone", "a", 60, "a- a- a= a? a-"},
		{"the same address twice", "a b a a b", -1, "a- b- a- b= b- a-"},
		{"aliases of the same", "tcp://h:1 rs://h:1 rs://u:p@h:1 b", -1, "tcp://h:1- b- tcp://h:1-"},
		{"another query is another address", "ws://h/x?t=1 ws://h/x?t=2", -1, "ws://h/x- ws://h/x- ws://h/x-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := transport.NewRotation(false, transport.DialOptions{}, urls(tt.addresses)...)
				if err != nil {
					t.Fatal(err)
				}
				if tt.preferred >= 0 {
					r.Prefer(time.Duration(tt.preferred) * time.Second)
				}
				for i, step := range strings.Fields(tt.steps) {
					var pause int
					if _, err := fmt.Sscanf(step, "%d", &pause); err == nil {
						<-time.After(time.Duration(pause) * time.Second)
						continue
					}
					what := step[len(step)-1]
					r.Turn()
					if r.Last() != urls(step[:len(step)-1])[0] {
						t.Fatalf("step %d, %s: %s", i, step, r.Last())
					}
					if what != '-' {
						r.Worked()
					}
					if what == '=' || what == '?' {
						r.Begin()
					}
					if what != '=' {
						r.Failed(errors.New("so"))
					}
				}
			})
		})
	}
}

// urls are the addresses of names.
func urls(names string) (all []string) {
	for _, name := range strings.Fields(names) {
		if !strings.Contains(name, "://") {
			name = "tcp://" + name + ":1"
		}
		all = append(all, name)
	}
	return all
}

// A round that is shuffled begins with the address that worked last, or with the
// preferred one.
func TestRotationShufflesTheOthers(t *testing.T) {
	const n = 100
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("tcp://h:%d", i+1))
	}
	for _, preferred := range []bool{false, true} {
		r, err := transport.NewRotation(true, transport.DialOptions{}, all...)
		if err != nil {
			t.Fatal(err)
		}
		if preferred {
			r.Prefer(time.Hour)
		}
		r.Turn()
		if preferred && r.Last() != all[0] {
			t.Errorf("it begins at %s", r.Last())
		}
		r.Worked()
		worked := r.Last()
		orders := map[string]bool{}
		for range 5 {
			r.Begin()
			var round []string
			for range n {
				r.Turn()
				round = append(round, r.Last())
			}
			if round[0] != worked {
				t.Errorf("preferred %v: a round begins with %s, and %s has worked", preferred, round[0], worked)
			}
			orders[fmt.Sprint(round)] = true
			if len(slices.Compact(slices.Sorted(slices.Values(round)))) != n {
				t.Error("an address came twice in a round")
			}
		}
		if len(orders) != 5 {
			t.Errorf("%d orders of 5", len(orders))
		}
	}
}

// Whether there is another address to try in the round, and how those have failed that
// were tried.
func TestRotationTellsOfTheRound(t *testing.T) {
	r, err := transport.NewRotation(false, transport.DialOptions{}, urls("a b c")...)
	if err != nil {
		t.Fatal(err)
	}
	r.Worked()
	r.Failed(nil)
	if r.Fresh() || r.Len() != 3 || r.Failures() != nil {
		t.Error("before the first turn", r.Fresh(), r.Len(), r.Failures())
	}
	var why []error
	for i := range 4 { // a, b, c, a
		r.Turn()
		why = append(why, fmt.Errorf("attempt %d", i))
		r.Failed(why[i])
		if r.Fresh() != (i != 2) {
			t.Errorf("after attempt %d: fresh %v", i, r.Fresh())
		}
	}
	var told []string
	for _, f := range r.Failures() {
		told = append(told, f.Address+" "+f.Err.Error())
	}
	if want := []string{"tcp://a:1 attempt 3", "tcp://c:1 attempt 2", "tcp://b:1 attempt 1"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
	r.Begin()
	if r.Fresh() || r.Failures() != nil {
		t.Error("a new round", r.Fresh(), r.Failures())
	}
}

// As a dialer alone it knows which sockets were opened. One that ends late says nothing
// about those that came after it.
func TestRotationAsDialer(t *testing.T) {
	refused := errors.New("refused")
	hang, hung := make(chan struct{}), make(chan struct{}, 1)
	r, err := transport.NewRotation(false, transport.DialOptions{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		if address == "b:1" {
			hung <- struct{}{}
			<-hang
		}
		return nil, refused
	}}, urls("a b c")...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Dial(bound(t), transport.Protocols()); !errors.Is(err, refused) {
		t.Error(err)
	}
	late := make(chan error, 1)
	go func() {
		_, err := r.Dial(bound(t), transport.Protocols())
		late <- err
	}()
	<-hung
	r.Turn() // c
	r.Worked()
	close(hang)
	if err := <-late; !errors.Is(err, refused) {
		t.Error(err)
	}
	if f := r.Failures(); len(f) != 1 || f[0].Address != "tcp://a:1" || r.Last() != "tcp://c:1" {
		t.Errorf("%v, at %s", f, r.Last())
	}
}
