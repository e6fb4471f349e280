//go:build interop

package interop_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

var restarts = flag.Int("restarts", 20, "how often TestRouterRestarts kills the router")

// TestRouterRestarts kills the router with SIGKILL and starts it again, over and
// over, under load: a caller, a callee and a subscriber of ours on different
// transports, and autobahn-python. Each time everybody is back, with the
// handles that there were, and no operation is left without a true end. What
// the process holds is the same after the fifth time and after the last.
func TestRouterRestarts(t *testing.T) {
	started := true
	t.Cleanup(func() {
		if !started { // other tests need the router
			rigScript(t, "start")
		}
	})
	reconnect := wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 300 * time.Millisecond})
	caller := cell{"ws", codec.CBOR}.join(t, reconnect)
	callee := cell{"raw", codec.MsgPack}.join(t, reconnect)
	listener := cell{"unix", codec.JSON}.join(t, reconnect)
	const echoURI, countURI, topic = "com.interop.restart.echo", "com.interop.restart.count", "com.interop.restart.topic"
	echo, err := callee.Handle(context.Background(), echoURI, func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(inv.Payload)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := callee.Handle(context.Background(), countURI, func(_ context.Context, inv *wamp.Invocation) error {
		for i := range 20 {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args(20))
	}); err != nil {
		t.Fatal(err)
	}
	sub, err := listener.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var events, gaps atomic.Int64
	read := make(chan struct{})
	go func() {
		defer close(read)
		for ev := range sub.Events() {
			events.Add(1)
			if ev.AfterGap {
				gaps.Add(1)
			}
		}
	}()

	l := &restartLoad{caller: caller}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() { l.run(ctx, i, echoURI, countURI, topic) })
	}
	var baseline, last held
	fmt.Printf("\n| restart | back after | calls | unknown | events | gaps | goroutines | descriptors | heap |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i := 1; i <= *restarts; i++ {
		rigScript(t, "kill")
		started = false
		rigScript(t, "start")
		started = true
		up := time.Now()
		for _, s := range []*wamp.Session{caller, callee, listener} {
			joinedAgain(t, s)
		}
		took := time.Since(up)
		// autobahn-python does not come back by itself.
		p := &partner{name: fmt.Sprint(t.Name(), i), prefix: fmt.Sprintf("com.interop.restart.py%d.", i)}
		python.ask(t, "join", p.name, request{"kind": "ws", "codec": "msgpack", "offer": p.prefix})
		l.python.Store(&p.prefix)
		if r, err := caller.Call(limit(t), p.prefix+"sum", wamp.Args(i, 1)).Final(); err != nil {
			t.Fatalf("restart %d: a call to autobahn-python: %v", i, err)
		} else if n := 0; r.Scan(&n) != nil || n != i+1 {
			t.Errorf("restart %d: autobahn-python's sum is %d", i, n)
		}
		if r := p.ask(t, "call", request{"uri": echoURI, "args": tagAll(i)}); r.Result == nil || !sameMessage(*r.Result, []any{int64(i)}, nil) {
			t.Errorf("restart %d: a call by autobahn-python: %+v", i, r)
		}
		came := events.Load()
		if _, err := caller.Publish(limit(t), topic, wamp.Args("after"), wamp.Acknowledge()).Wait(); err != nil {
			t.Errorf("restart %d: publish: %v", i, err)
		}
		for end := time.Now().Add(patience); events.Load() == came; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("restart %d: no event comes", i)
			}
		}
		last = l.holds()
		if i == 5 || i == 1 && *restarts < 5 {
			baseline = last
		}
		fmt.Printf("| %d | %v | %d | %d | %d | %d | %d | %d | %.1f MiB |\n", i, took.Round(time.Millisecond), l.ok.Load(), l.unknown.Load(),
			events.Load(), gaps.Load(), last.goroutines, last.files, float64(last.heap)/(1<<20))
	}
	stop()
	running.Wait()
	if l.wrong.Load() > 0 || l.bad.Load() != nil {
		t.Errorf("%d answers were wrong; %v", l.wrong.Load(), l.bad.Load())
	}
	if echo.Err() != nil || sub.Err() != nil || gaps.Load() == 0 || l.unknown.Load() == 0 {
		t.Errorf("the registration: %v, the subscription: %v, %d gaps, %d unknown outcomes", echo.Err(), sub.Err(), gaps.Load(), l.unknown.Load())
	}
	if last.goroutines > baseline.goroutines+2 || last.files > baseline.files+2 || last.heap > baseline.heap+baseline.heap/4+4<<20 {
		t.Errorf("it grows: %+v after the last, %+v after the fifth", last, baseline)
	}
	leave(t, listener)
	<-read
}

// joinedAgain waits until a session has a link.
func joinedAgain(t *testing.T, s *wamp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for st := range s.States(ctx) {
		switch st.Phase {
		case wamp.Joined:
			if _, err := s.Call(ctx, "wamp.session.count", wamp.Args()).Final(); err == nil {
				return
			}
		case wamp.Closed:
			t.Fatalf("the session is over: %v", st.Cause)
		}
	}
	t.Fatal("the session is not back")
}

// held is what the process holds.
type held struct {
	goroutines, files int
	heap              uint64
}

// restartLoad is the load of TestRouterRestarts and what became of it.
type restartLoad struct {
	caller             *wamp.Session
	python             atomic.Pointer[string] // prefix of autobahn-python's procedures
	ok, unknown, wrong atomic.Int64
	bad                atomic.Value
	pause              sync.RWMutex // held while it is measured
}

// holds measures at rest.
func (l *restartLoad) holds() held {
	l.pause.Lock()
	defer l.pause.Unlock()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return held{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

func (l *restartLoad) run(ctx context.Context, n int, echoURI, countURI, topic string) {
	for i := 0; ctx.Err() == nil; i++ {
		l.pause.RLock()
		l.once(ctx, n*1_000_000+i, (n+i)%4, echoURI, countURI, topic)
		l.pause.RUnlock()
	}
}

func (l *restartLoad) once(ctx context.Context, tag, what int, echoURI, countURI, topic string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	var err error
	switch what {
	case 0:
		var r wamp.Result
		if r, err = l.caller.Call(ctx, echoURI, wamp.Args(tag)).Final(); err == nil {
			var got int
			if r.Scan(&got) != nil || got != tag {
				l.wrong.Add(1)
			}
		}
	case 1:
		next := 0
		for r := range l.caller.Call(ctx, countURI, wamp.Args(), wamp.Progressive()) {
			var got int
			if err = r.Err; err == nil && (r.Scan(&got) != nil || got != next) {
				l.wrong.Add(1)
			}
			next++
		}
	case 2:
		_, err = l.caller.Publish(ctx, topic, wamp.Args(tag), wamp.Acknowledge()).Wait()
	case 3:
		prefix := l.python.Load()
		if prefix == nil {
			return
		}
		_, err = l.caller.Call(ctx, *prefix+"sum", wamp.Args(tag, 1), wamp.Idempotent()).Final()
	}
	var unknown *wamp.OutcomeUnknown
	switch {
	case err == nil:
		l.ok.Add(1)
	case errors.As(err, &unknown):
		l.unknown.Add(1)
	case errors.Is(err, wamp.ErrNoSuchProcedure), errors.Is(err, wamp.ErrCanceled): // its callee is not back yet, or was lost
		<-time.After(5 * time.Millisecond)
	default:
		l.bad.Store(fmt.Sprintf("operation %d ended with %v", what, err))
	}
}
