package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestOpenStreamReadLate has many results that are read late, of calls of each kind.
func TestOpenStreamReadLate(t *testing.T) {
	never := wamp.Resume(func(wamp.Delivered) (wamp.Payload, bool) { return wamp.Payload{}, false })
	for name, options := range map[string][]wamp.CallOption{"plain": nil, "retry": {wamp.Retry(wamp.RetryPolicy{})}, "resume": {never}} {
		for _, with := range []bool{false, true} {
			t.Run(fmt.Sprint(name, with), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := join(t, wamptest.NewRouter(t), idle(with)...)
					handle(t, s, "com.example.count", countTo)
					for _, n := range []int{1, 10, 100, 1000} {
						check := func(st *wamp.ResultStream[int, int]) {
							t.Helper()
							synctest.Wait()
							<-time.After(time.Minute)
							got := texts(st.All())
							if v, err := st.Result(); len(got) != n || v != n || err != nil {
								t.Errorf("%d of %d, %v %v", len(got), n, v, err)
							}
						}
						check(wamp.OpenStream[int, int](t.Context(), s, "com.example.count", wamp.Args(n), options...))
						if name == "plain" { // the others are not for progressive calls
							check(wamp.OpenCall[int, int, int](t.Context(), s, "com.example.count", func(_ context.Context, send func(int) error) error { return send(n) }))
						}
					}
				})
			})
		}
	}
}

// TestOpenStreamCloseMoments closes a stream at each moment, twice at once: All and Result
// say the same.
func TestOpenStreamCloseMoments(t *testing.T) {
	for _, with := range []bool{false, true} {
		for at := range 40 {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, callee := join(t, r, idle(with)...), join(t, r)
				handle(t, callee, "com.example.count", func(ctx context.Context, inv *wamp.Invocation) error {
					for i := range 10 {
						<-time.After(2 * time.Millisecond)
						if err := inv.Progress(wamp.Args(i)); err != nil {
							return err
						}
					}
					return inv.Return(wamp.Args(10))
				})
				st := wamp.OpenStream[int, int](t.Context(), s, "com.example.count", wamp.Args(1))
				go func() {
					<-time.After(time.Duration(at) * time.Millisecond)
					for range 2 {
						go st.Close()
					}
				}()
				last := error(nil)
				for _, err := range st.All() {
					if err != nil {
						last = err
					}
				}
				_, err := st.Result()
				<-time.After(time.Second)
				if fmt.Sprint(err) != fmt.Sprint(last) {
					t.Errorf("%d: All says %v, Result %v", at, last, err)
				}
				if err != nil && !errors.Is(err, context.Canceled) || err != nil && strings.Count(err.Error(), "wamp: ") != 1 {
					t.Error(err)
				}
			})
		}
	}
}

// TestStreamNullEnd ends a stream with a null, as some languages send it where a function
// returns nothing.
func TestStreamNullEnd(t *testing.T) {
	for _, c := range serializers {
		synctest.Test(t, func(t *testing.T) {
			s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
			parts(t, s, wamp.Args(1), wamp.Args(2), wamp.Args(nil))
			got := texts(wamp.Stream[int](t.Context(), s, "com.example.parts", wamp.Args()))
			if len(got) != 2 {
				t.Errorf("%s: %q, want 1 and 2", c.Name(), got)
			}
			if _, err := wamp.OpenStream[int, struct{}](t.Context(), s, "com.example.parts", wamp.Args()).Result(); err != nil {
				t.Errorf("%s: %v", c.Name(), err)
			}
		})
	}
}
