package wamp_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

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
