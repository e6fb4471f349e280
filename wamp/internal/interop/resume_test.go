//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// countOn sends the numbers behind the first that it is given up to the second.
func countOn(ctx context.Context, inv *wamp.Invocation) error {
	var behind, last int
	if err := inv.Scan(&behind, &last); err != nil {
		return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
	}
	for n := behind + 1; n < last; n++ {
		if err := inv.Progress(wamp.Args(n)); err != nil {
			return err
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return inv.Return(wamp.Args(last))
}

// TestResumeOverRestarts kills the router with SIGKILL and starts it again under streams
// that are resumed, over each transport: the numbers that come are 1, 2, 3, ...
func TestResumeOverRestarts(t *testing.T) {
	const kills, last, uri = 3, 3000, "com.interop.resume.count"
	started := true
	t.Cleanup(func() {
		if !started { // other tests need the router
			rigScript(t, "start")
		}
	})
	reconnect := wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 300 * time.Millisecond})
	callee := cell{"raw", codec.CBOR}.join(t, reconnect)
	var running sync.WaitGroup
	var resumed, came atomic.Int64
	for _, c := range []cell{{"ws", codec.CBOR}, {"raw", codec.MsgPack}, {"unix", codec.JSON}} {
		caller := c.join(t, reconnect)
		running.Go(func() {
			want := 1
			// The call is made before there is a callee.
			for r := range caller.Call(context.Background(), uri, wamp.Args(0, last), wamp.Retry(wamp.RetryPolicy{Max: time.Second}),
				wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) { return wamp.Args(d.Count, last), true })) {
				var n int
				if r.Err != nil || r.Scan(&n) != nil || n != want {
					t.Errorf("%v: %d came in the place of %d: %v", c, n, want, r.Err)
					return
				}
				want++
				came.Add(1)
				if r.Resumed {
					resumed.Add(1)
				}
			}
			if want != last+1 {
				t.Errorf("%v: the stream has ended before %d", c, want)
			}
		})
	}
	<-time.After(300 * time.Millisecond)
	if _, err := callee.Handle(context.Background(), uri, countOn); err != nil {
		t.Fatal(err)
	}
	for range kills {
		at := came.Load()
		for end := time.Now().Add(2 * patience); came.Load() < at+300; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no numbers come")
			}
		}
		rigScript(t, "kill")
		started = false
		rigScript(t, "start")
		started = true
	}
	running.Wait()
	if resumed.Load() < kills { // a kill may come before the first result behind another
		t.Errorf("resumed %d times", resumed.Load())
	}
	fmt.Printf("\n3 streams of %d numbers, the router killed %d times: resumed %d times, none wrong\n", last, kills, resumed.Load())
}

// TestRetryGivesUp calls a procedure that nobody registers.
func TestRetryGivesUp(t *testing.T) {
	s := cell{"ws", codec.CBOR}.join(t)
	_, err := wamp.Call[int](limit(t), s, "com.interop.retry.nobody", wamp.Args(), wamp.Retry(wamp.RetryPolicy{Min: time.Millisecond, Max: time.Millisecond, Attempts: 5}))
	var e *wamp.RetryError
	if !errors.As(err, &e) || e.Attempts != 5 || !errors.Is(err, wamp.ErrNoSuchProcedure) {
		t.Error(err)
	}
}
