//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// TestManyHandlesComeBack registers and subscribes hundreds at once, over
// RawSocket: all are back, on the streams that they had, after the connection was
// cut, and after the router was killed and started again.
func TestManyHandlesComeBack(t *testing.T) {
	const n = 250
	g := newGate(t)
	s, other := g.join(t, realm), cell{"ws", codecs[1]}.join(t, wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}))
	prefix := fresh("com.interop.many.")
	regs, subs := make([]*wamp.Service, n), make([]*wamp.Subscription, n)
	topic := func(i int) string { return fmt.Sprintf("%s.topic%d", prefix, i) }
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if regs[i], err = s.Handle(s.Context(), fmt.Sprintf("%s.proc%d", prefix, i), func(_ context.Context, inv *wamp.Invocation) error {
				return inv.Return(wamp.Args(i))
			}); err != nil {
				t.Errorf("procedure %d: %v", i, err)
			}
		})
		all.Go(func() {
			var err error
			if subs[i], err = s.Subscribe(s.Context(), topic(i)); err != nil {
				t.Errorf("topic %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	check := func(when string, gap bool) {
		t.Helper()
		end := time.Now().Add(patience)
		for i := range n {
			for {
				r, err := other.Call(limit(t), regs[i].Procedure(), wamp.Args()).Final()
				got := -1
				if err == nil {
					err = r.Scan(&got)
				}
				if err == nil && got == i {
					break
				}
				if !errors.Is(err, wamp.ErrNoSuchProcedure) || time.Now().After(end) { // calls do not wait for what comes back
					t.Fatalf("%s: procedure %d gives %d, %v; the handle: %v", when, i, got, err, regs[i].Err())
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		for i := range n {
			for {
				id, err := meta.Of(other).LookupSubscription(limit(t), topic(i), wamp.Exact)
				if err == nil && id != 0 {
					break
				}
				if err != nil || time.Now().After(end) {
					t.Fatalf("%s: topic %d has no subscriber, %v; the handle: %v", when, i, err, subs[i].Err())
				}
				time.Sleep(5 * time.Millisecond)
			}
			publish(t, other, topic(i), wamp.Args(when))
		}
		for i := range n {
			if ev := next(t, subs[i]); ev.AfterGap != gap || text(t, ev.Payload) != when {
				t.Errorf("%s: topic %d: %+v", when, i, ev)
			}
			if regs[i].Err() != nil || subs[i].Err() != nil {
				t.Errorf("%s: %v, %v", when, regs[i].Err(), subs[i].Err())
			}
		}
		if tables := s.Stats().Tables; tables.Registrations != n || tables.Subscriptions != n {
			t.Errorf("%s: %+v", when, tables)
		}
	}
	check("at first", false)
	for i := range 3 {
		old := s.ID()
		g.cut()
		g.open()
		rejoined(t, s, old)
		check(fmt.Sprint("after cut ", i+1), true)
	}
	started := true
	t.Cleanup(func() {
		if !started { // other tests need the router
			rigScript(t, "start")
		}
	})
	old, oldOther := s.ID(), other.ID()
	rigScript(t, "kill")
	started = false
	rigScript(t, "start")
	started = true
	rejoined(t, s, old)
	rejoined(t, other, oldOther)
	check("after the restart", true)
	idle(t, s)
}
