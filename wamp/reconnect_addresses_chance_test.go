package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// TestAddressesByChance has sessions live through places that die, come back and misbehave in
// any order. One place at least always works for all of them, though not always the same. No session ends; each
// is connected soon after things have calmed down, at a place that works, with what it had;
// none dials in a loop, or an address twice before all others of the round; and while nothing
// happens nobody moves.
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
	var all []*wanderer
	for i := range 4 {
		order := slices.Clone(names)
		rnd.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		one := &wanderer{t: t, i: i, n: len(names), tried: map[string]bool{}}
		options := w.options(wamp.DialBy(one.dialer(w)), wamp.WithURLs(rnd.IntN(2) == 0, urlsOf(strings.Join(order[1:], " "))...), wamp.DialTimeout(2*time.Second), wamp.LoginTimeout(2*time.Second),
			wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second, Timeout: time.Second, RawSocket: true}),
			wamp.WithReconnect(wamp.Backoff{Max: 2 * time.Second}))
		if rnd.IntN(2) == 0 {
			options = append(options, wamp.WithPreferred(time.Duration(rnd.IntN(60))*time.Second))
		}
		one.Session = connect(t, urlsOf(order[0])[0], options...)
		one.settle()
		all = append(all, one)
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
			s.has()
		}
		// A first attempt behind a loss waits 100 ms at least, one at another address 50 ms on the average.
		order, _ := w.order()
		if n := len(strings.Fields(order)); float64(n) > float64(len(all))*time.Since(began).Seconds()*15 {
			t.Errorf("%d attempts in %v", n, time.Since(began))
		}
		for _, s := range all {
			s.judge()
		}
		<-time.After(time.Minute)
		if order, _ := w.order(); order != "" {
			t.Errorf("while nothing happens: %s", order)
		}
	}
}

// wanderer is a session that goes from place to place, with a procedure, a topic, and the
// account of where it has been.
type wanderer struct {
	*wamp.Session
	t    *testing.T
	i, n int
	sub  *wamp.Subscription
	echo *wamp.Service

	mu     sync.Mutex
	tried  map[string]bool // in this round
	losses int
	joined time.Time
	faults []string
}

// dialer is the town's, and notes the order.
func (o *wanderer) dialer(w *town) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		o.mu.Lock()
		if len(o.tried) == o.n {
			clear(o.tried)
		}
		if o.tried[address] {
			o.faults = append(o.faults, fmt.Sprintf("%s is dialled twice in a round of which %d of %d were tried", address, len(o.tried), o.n))
		}
		o.tried[address] = true
		o.mu.Unlock()
		return w.dial(ctx, network, address)
	}
}

// settle gives it something to have, and follows what becomes of it: a loss begins a round
// where the connection has held, and where it is the first.
func (o *wanderer) settle() {
	o.ask()
	states := o.States(o.t.Context())
	next(o.t, states, wamp.Joined)
	o.joined = time.Now()
	go func() { // ends with the session
		for st := range states {
			o.mu.Lock()
			switch {
			case st.Phase == wamp.Joined:
				o.joined = time.Now()
			case st.Phase == wamp.Reconnecting && !o.joined.IsZero():
				if o.losses++; o.losses == 1 || time.Since(o.joined) >= 10*time.Second {
					clear(o.tried)
				}
				o.joined = time.Time{}
			}
			o.mu.Unlock()
		}
	}()
}

// ask asks for what it is to have, where it does not: three places in a row that hang up behind
// WELCOME are the end of a handle that was asked for there.
func (o *wanderer) ask() {
	o.t.Helper()
	blamed := func(err error) bool {
		var unknown *wamp.OutcomeUnknown
		return errors.As(err, &unknown) && unknown.Links == 3
	}
	if o.sub == nil || blamed(o.sub.Err()) {
		o.sub = subscribe(o.t, o.Session, fmt.Sprint("com.example.topic", o.i))
	}
	if o.echo == nil || blamed(o.echo.Err()) {
		o.echo = handle(o.t, o.Session, fmt.Sprint("com.example.echo", o.i), func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) })
	}
}

// has checks that it has what it had, where it is.
func (o *wanderer) has() {
	o.t.Helper()
	o.ask()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Second)
	defer cancel()
	r, err := o.Call(ctx, fmt.Sprint("com.example.echo", o.i), wamp.Args(o.i)).Final()
	var n int
	if err != nil || r.Scan(&n) != nil || n != o.i {
		o.t.Errorf("session %d: %d, %v; %v", o.i, n, err, o.echo.Err())
	}
	for len(o.sub.Events()) > 0 {
		<-o.sub.Events()
	}
	if _, err := o.Publish(ctx, fmt.Sprint("com.example.topic", o.i), wamp.Args(), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait(); err != nil {
		o.t.Errorf("session %d: %v", o.i, err)
	}
	select {
	case <-o.sub.Events():
	case <-ctx.Done():
		o.t.Errorf("session %d has no event: %v", o.i, o.sub.Err())
	}
	if at, told := o.Stats().Router, o.Details().Router; at != told {
		o.t.Errorf("session %d is at %s, and was let in by %s", o.i, at, told)
	}
}

// judge tells what was wrong with the order.
func (o *wanderer) judge() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.faults {
		o.t.Errorf("session %d: %s", o.i, f)
	}
	o.faults = nil
}
