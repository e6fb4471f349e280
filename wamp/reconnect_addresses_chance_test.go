package wamp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// TestAddressesByChance has sessions live through places that die, come back and misbehave in
// any order. One place at least always works for all of them, though not always the same. No session ends; each
// is connected soon after things have calmed down, at a place that works; none dials in a
// loop; and while nothing happens nobody moves.
func TestAddressesByChance(t *testing.T) {
	for seed := range uint64(*chanceSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { addressesByChance(t, rand.New(rand.NewPCG(seed, 16))) })
		})
	}
}

func addressesByChance(t *testing.T, rnd *rand.Rand) {
	names := []string{"a", "b", "c", "d"}[:2+rnd.IntN(3)]
	w := newTown(t, names...)
	var all []*wamp.Session
	for range 4 {
		order := slices.Clone(names)
		rnd.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		options := w.options(wamp.WithURLs(rnd.IntN(2) == 0, urlsOf(strings.Join(order[1:], " "))...), wamp.DialTimeout(2*time.Second), wamp.LoginTimeout(2*time.Second),
			wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second, Timeout: time.Second, RawSocket: true}),
			wamp.WithReconnect(wamp.Backoff{Max: 2 * time.Second}))
		if rnd.IntN(2) == 0 {
			options = append(options, wamp.WithPreferred(time.Duration(rnd.IntN(60))*time.Second))
		}
		all = append(all, connect(t, urlsOf(order[0])[0], options...))
	}
	does := map[string]string{}
	for range 40 {
		w.order()
		began := time.Now()
		for range 1 + rnd.IntN(2*len(names)) {
			name := names[rnd.IntN(len(names))]
			what := []string{serves, serves, refuses, hangs, silent, mute, drops, noRealm, noLogin, vanishes}[rnd.IntN(10)]
			does[name] = what
			w.does(name + " " + what)
			switch rnd.IntN(4) {
			case 0:
				w.places[name].router.CutAll()
			case 1:
				w.places[name].router.GoodbyeAll([]string{proto.CloseURISystemShutdown, proto.CloseURINormal}[rnd.IntN(2)])
			}
			<-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		}
		good := names[rnd.IntN(len(names))]
		does[good] = serves
		w.does(good + " " + serves)
		// Every other place may take an attempt's whole time, in each of the rounds before this one's end too.
		<-time.After(time.Duration(len(names)) * 5 * time.Second)
		for i, s := range all {
			if err := s.Healthy(); err != nil {
				t.Fatalf("session %d, with %s: %v", i, does, err)
			}
			if at := strings.TrimSuffix(strings.TrimPrefix(s.Details().Router, "tcp://"), ":1"); does[at] == refuses || does[at] == vanishes {
				t.Errorf("session %d is at %s, which %s", i, at, does[at])
			}
		}
		// A first attempt behind a loss waits 100 ms at least, one at another address 50 ms on the average.
		order, _ := w.order()
		if n := len(strings.Fields(order)); float64(n) > float64(len(all))*time.Since(began).Seconds()*15 {
			t.Errorf("%d attempts in %v", n, time.Since(began))
		}
		<-time.After(time.Minute)
		if order, _ := w.order(); order != "" {
			t.Errorf("while nothing happens: %s", order)
		}
	}
}
