package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The policy's functions are asked once for the loss and once for each failed attempt, with
// what it was at which address; what they say, and the wait that comes of it, is in the states.
func TestAddressesAskThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b", "c")
		var mu sync.Mutex
		var causes []string
		randoms := 0
		policy := wamp.Backoff{Redial: func(cause error) bool {
			mu.Lock()
			defer mu.Unlock()
			causes = append(causes, cause.Error())
			return true
		}, Random: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			randoms++
			return 0.5
		}}
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b c")...), wamp.WithReconnect(policy))...)
		rests()
		states := s.States(t.Context())
		next(t, states, wamp.Joined)
		w.order()
		w.does("a refuses", "b no login", "c no realm")
		var delays []time.Duration
		for range 5 {
			st := next(t, states, wamp.Reconnecting)
			delays = append(delays, st.Delay)
			if st.Attempt != len(delays) {
				t.Errorf("attempt %d: %+v", len(delays), st)
			}
		}
		w.does("a serves", "b serves", "c serves")
		next(t, states, wamp.Joined)
		order, times := w.order()
		if order != "a b c a b" {
			t.Errorf("%s at %v", order, times)
		}
		at := time.Duration(0)
		for i, d := range delays {
			if at += d; i < len(times) && times[i] != at {
				t.Errorf("attempt %d is at %v, and the states say %v", i+1, times[i], delays)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		want := []string{"connection lost", "tcp://a:1: dial: connection refused", "authentication_failed", "no_such_realm", "tcp://a:1: dial: connection refused"}
		if len(causes) != len(want) || randoms != len(want) {
			t.Fatalf("%d questions, %d random numbers: %q", len(causes), randoms, causes)
		}
		for i, c := range causes {
			if !strings.Contains(c, want[i]) {
				t.Errorf("question %d: %s", i+1, c)
			}
		}
	})
}

// Redial may end it in the middle of a round; what it said no to is the reason.
func TestAddressesRedialSaysNo(t *testing.T) {
	for _, initial := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, "a", "b", "c")
			policy := wamp.Backoff{Initial: initial, Redial: func(cause error) bool { return !strings.Contains(cause.Error(), "tcp://b:1") }}
			options := w.options(wamp.WithURLs(false, urlsOf("b c")...), wamp.WithReconnect(policy))
			dead := []string{"a refuses", "b refuses", "c refuses"}
			var err error
			if initial {
				w.does(dead...)
				_, err = wamp.Connect(t.Context(), "tcp://a:1", "realm1", options...)
			} else {
				s := connect(t, "tcp://a:1", options...)
				rests()
				w.order()
				w.does(dead...)
				<-s.Done()
				err = s.Err()
			}
			if order, _ := w.order(); order != "a b" || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "tcp://b:1") {
				t.Errorf("initial %v: %s, %v", initial, order, err)
			}
		})
	}
}

// Close in the middle of a round, while an attempt waits or an address does not answer, is
// the end at once, and nothing is dialled any more.
func TestAddressesAndClose(t *testing.T) {
	for _, pause := range []time.Duration{0, 120 * time.Millisecond, 180 * time.Millisecond, time.Second, 25 * time.Second} {
		for _, b := range []string{refuses, hangs, silent} {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, "a", "b")
				s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...))...)
				rests()
				w.does("a refuses", "b "+b)
				<-time.After(pause)
				began := time.Now()
				if err := s.Close(t.Context()); err != nil || time.Since(began) > time.Second || !errors.Is(s.Err(), wamp.ErrSessionClosed) {
					t.Errorf("%v, b %s: %v, %v after %v", pause, b, err, s.Err(), time.Since(began))
				}
				w.order()
				<-time.After(time.Minute)
				if order, _ := w.order(); order != "" {
					t.Errorf("%v, b %s: %s is dialled behind Close", pause, b, order)
				}
			})
		}
	}
}

// A kill is the end, or with Backoff.Killed a loss like any other, behind which the router
// is asked first that has killed.
func TestAddressesAndAKill(t *testing.T) {
	for _, killed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, "a", "b")
			s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...), wamp.WithReconnect(wamp.Backoff{Killed: killed}))...)
			rests()
			w.order()
			w.places["a"].router.GoodbyeAll(proto.CloseURIKilled)
			<-time.After(time.Second)
			order, _ := w.order()
			if !killed && (order != "" || s.Err() == nil) || killed && (order != "a" || s.Healthy() != nil) {
				t.Errorf("killed %v: %q, %v", killed, order, s.Err())
			}
		})
	}
}

// FailFast holds in the pauses of a round too, and behind a round without an end.
func TestAddressesFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b", "c")
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b c")...), wamp.WithReconnect(wamp.Backoff{FailFast: true}))...)
		rests()
		w.does("a refuses", "b refuses", "c hangs")
		synctest.Wait()
		for range 50 {
			began := time.Now()
			if _, err := s.Call(t.Context(), "com.example.any", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNotConnected) || time.Since(began) > 0 {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
			<-time.After(97 * time.Millisecond)
		}
	})
}

// The options of one session serve for others too: each has a rotation of its own.
func TestAddressesOfSessionsThatShareOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		options := w.options(wamp.WithURLs(false, urlsOf("b")...), wamp.WithPreferred(time.Minute))
		one, other := connect(t, "tcp://a:1", options...), connect(t, "tcp://b:1", options...)
		if one.Details().Router != "tcp://a:1" || other.Details().Router != "tcp://b:1" {
			t.Errorf("%s, %s", one.Details().Router, other.Details().Router)
		}
		rests()
		w.does("a refuses")
		w.at(one, "b")
		if other.Stats().Reconnects != 0 {
			t.Errorf("%+v", other.Stats())
		}
	})
}

// Whoever asks where a session is while it moves is told one of its addresses, and the
// details of a session are those of the router that has let it in.
func TestAddressesAreAskedForMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(true, urlsOf("b")...))...)
		var asking sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for range 3 {
			asking.Go(func() {
				for ctx.Err() == nil {
					for _, at := range []string{s.Stats().Router, s.Details().Router} {
						if at != "tcp://a:1" && at != "tcp://b:1" {
							t.Errorf("it is at %q", at)
						}
					}
					<-time.After(time.Millisecond)
				}
			})
		}
		for i := range 20 {
			dead, alive := []string{"a", "b"}[i%2], []string{"b", "a"}[i%2]
			w.does(alive+" serves", dead+" refuses")
			w.at(s, alive)
			if id := fmt.Sprint(w.places[alive].router.Sessions()); !strings.Contains(id, fmt.Sprint(s.ID())) {
				t.Errorf("session %d is not at %s: %s", s.ID(), alive, id)
			}
		}
		stop()
		asking.Wait()
	})
}
