package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// handed is a writer whose writes wait until somebody takes them.
type handed chan string

func (h handed) Write(b []byte) (int, error) {
	h <- string(b)
	return len(b), nil
}

// A connection that is lost and back while nobody looks is told of all the same.
func TestStatesOfALossThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(router.Dial), wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		said, over := make(handed), make(chan struct{})
		go func() { // ends with ctx
			defer close(over)
			(&tool{errs: &screen{to: said}}).tellStates(ctx, s)
		}()
		cut := func() {
			router.Cut(s.ID())
			synctest.Wait()
		}
		cut()
		if got := <-said; got != "wamp: connection lost: unexpected EOF; connecting again\n" {
			t.Errorf("%q", got)
		}
		synctest.Wait() // it goes on to the next state, which comes in a second
		time.Sleep(time.Minute)
		cut() // it is still telling of the new connection
		time.Sleep(time.Minute)
		for _, want := range []string{"wamp: connected again after 1s\n", "wamp: connection lost; connecting again\n", "wamp: connected again at once\n"} {
			if got := <-said; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		cancel()
		<-over
		_ = s.Close(t.Context())
	})
}
