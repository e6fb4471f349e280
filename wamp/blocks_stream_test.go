package wamp_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// resultWays are the ways to read the results of a call: so many, or to the end.
var resultWays = map[string]func(ctx context.Context, t *testing.T, s *wamp.Session, n int, took func(int) bool, options ...wamp.CallOption) error{
	"channel": func(ctx context.Context, t *testing.T, s *wamp.Session, n int, took func(int) bool, options ...wamp.CallOption) error {
		for r := range s.Call(ctx, "com.example.part", wamp.Args(n), append(options, wamp.Progressive())...) {
			if r.Err != nil {
				return r.Err
			}
			if !took(number(t, r.Payload)) {
				return nil
			}
		}
		return nil
	},
	"iterator": func(ctx context.Context, t *testing.T, s *wamp.Session, n int, took func(int) bool, options ...wamp.CallOption) error {
		for r, err := range s.Call(ctx, "com.example.part", wamp.Args(n), append(options, wamp.Progressive())...).All() {
			if err != nil {
				return err
			}
			if !took(number(t, r.Payload)) {
				return nil
			}
		}
		return nil
	},
	"Stream": func(ctx context.Context, t *testing.T, s *wamp.Session, n int, took func(int) bool, options ...wamp.CallOption) error {
		for i, err := range wamp.Stream[int](ctx, s, "com.example.part", wamp.Args(n), options...) {
			if err != nil {
				return err
			}
			if !took(i) {
				return nil
			}
		}
		return nil
	},
}

// partly registers a callee that sends the numbers below its argument, and the
// argument as the final result if that is even; else it waits for the end.
func partly(t *testing.T, s *wamp.Session) {
	t.Helper()
	handle(t, s, "com.example.part", func(ctx context.Context, inv *wamp.Invocation) error {
		n := number(t, inv.Payload)
		for i := range n {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
		}
		if n%2 == 0 {
			return inv.Return(wamp.Args(n))
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

func TestResultsByEachWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		n       int // of results; odd: the callee does not end by itself
		options []wamp.CallOption
		at      int // where the consumer stops for a moment
		does    func(t *testing.T, r *wamptest.Router, s *wamp.Session, cancel func())
		least   int // that are read
		most    int
		end     string
	}{
		{"all", 1000, nil, 0, nil, 1001, 1001, "end"},
		{"ctx", 999, nil, 20, func(_ *testing.T, _ *wamptest.Router, _ *wamp.Session, cancel func()) { cancel() }, 21, 21 + inChannel, "canceled"},
		{"ctx behind the end", 1000, nil, 20, func(_ *testing.T, _ *wamptest.Router, _ *wamp.Session, cancel func()) { cancel() }, 21, 22 + inChannel, "end"},
		{"OverflowFail", 1000, []wamp.CallOption{wamp.Buffer(100, 0)}, 0, nil, 100, 101 + inChannel + inHand, "slow"},
		{"OverflowBlock", 10_000, []wamp.CallOption{wamp.Buffer(100, 0), wamp.OverflowBlock()}, 5, nil, 10_001, 10_001, "end"},
		{"the link is lost", 999, nil, 20, func(_ *testing.T, r *wamptest.Router, s *wamp.Session, _ func()) {
			r.Cut(s.ID())
			<-time.After(time.Hour)
		}, 999, 999, "link lost"},
		{"Close", 1000, nil, 20, func(t *testing.T, _ *wamptest.Router, s *wamp.Session, _ func()) {
			if err := s.Close(within(t, time.Minute)); err != nil {
				t.Error(err)
			}
		}, 20 + inChannel, 21 + inChannel, "cut"},
	} {
		for name, way := range resultWays {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, s, peer := slowRig(t)
					partly(t, peer)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					read, last := 0, -1
					err := way(ctx, t, s, c.n, func(i int) bool {
						// A last element may have taken the place of one, and a final result
						// comes behind what was dropped.
						if i != last+1 && (c.does == nil || i != last+2 && i != c.n) {
							t.Errorf("%d behind %d", i, last)
						}
						if i == c.at {
							synctest.Wait()
							if c.does != nil {
								c.does(t, r, s, cancel)
								synctest.Wait()
							}
						}
						read, last = read+1, i
						return true
					}, c.options...)
					end := endOf(err)
					var closed *wamp.ClosedError
					if c.end == "cut" && errors.As(err, &closed) && read+closed.Undelivered == c.n+1 {
						end = "cut"
					}
					if read < c.least || read > c.most || end != c.end {
						t.Errorf("%d were read, the end is %s", read, end)
					}
				})
			})
		}
	}
}

// Whoever leaves the loop of a Stream cancels the call, however that is done.
func TestStreamIsLeft(t *testing.T) {
	for name, leave := range map[string]func(){
		"break":  func() {},
		"panic":  func() { panic("slip") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, peer := slowRig(t)
				stopped := make(chan error, 1)
				handle(t, peer, "com.example.endless", func(ctx context.Context, inv *wamp.Invocation) error {
					for i := range 500 {
						_ = inv.Progress(wamp.Args(i))
					}
					<-ctx.Done()
					stopped <- context.Cause(ctx)
					return ctx.Err()
				})
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }()
					for n, err := range wamp.Stream[int](t.Context(), s, "com.example.endless", wamp.Args()) {
						if err != nil {
							t.Error(err)
						}
						if n == 40 {
							leave()
							break
						}
					}
				})
				wg.Wait()
				if err := <-stopped; !errors.Is(err, wamp.ErrCanceled) {
					t.Errorf("callee: %v", err)
				}
				synctest.Wait()
				empty(t, s)
				alive(t, s)
			})
		})
	}
}

// The consumer that slips: it reads in two ways, twice at once, nothing, or what is
// over.
func TestReadersThatSlip(t *testing.T) {
	one := func(t *testing.T, what string, errs []error) {
		t.Helper()
		if len(errs) != 1 || errs[0] == nil {
			t.Errorf("%s: the pairs have the errors %v", what, errs)
		}
	}
	events := func(sub *wamp.Subscription) (errs []error) {
		for _, err := range sub.All() {
			errs = append(errs, err)
		}
		return errs
	}
	invocations := func(reg *wamp.Registration) (errs []error) {
		for _, err := range reg.All() {
			errs = append(errs, err)
		}
		return errs
	}
	one(t, "nil subscription", events(nil))
	one(t, "nil registration", invocations(nil))
	synctest.Test(t, func(t *testing.T) {
		_, s, peer := slowRig(t)
		register := func(uri string) *wamp.Registration { return value(s.Register(t.Context(), uri)) }

		// The channel, and then a loop.
		sub, reg := subscribe(t, s, "com.example.topic"), register("com.example.a")
		ch, invs := sub.Events(), reg.Invocations()
		one(t, "All behind Events", events(sub))
		one(t, "All behind Invocations", invocations(reg))
		publish(t, peer, "com.example.topic", 0, 1)
		if ev := <-ch; number(t, ev.Payload) != 0 || sub.Events() != ch || reg.Invocations() != invs {
			t.Error("the channel is another one")
		}

		// A loop, and then the channel; and a loop in a loop.
		sub, reg = subscribe(t, s, "com.example.topic"), register("com.example.b")
		publish(t, peer, "com.example.topic", 1, 3)
		call := peer.Call(t.Context(), "com.example.b", wamp.Args(1))
		for ev, err := range sub.All() {
			if err != nil || number(t, ev.Payload) != 1 {
				t.Error(err)
			}
			one(t, "All in All", events(sub))
			break
		}
		for inv, err := range reg.All() {
			if err != nil {
				t.Fatal(err)
			}
			one(t, "All in All", invocations(reg))
			_ = inv.Return()
			break
		}
		if _, err := call.Final(); err != nil {
			t.Error(err)
		}
		if _, open := <-sub.Events(); open {
			t.Error("Events behind All is open")
		}
		if _, open := <-reg.Invocations(); open {
			t.Error("Invocations behind All is open")
		}

		// It goes on all the same, and what is over says so each time.
		for ev, err := range sub.All() {
			if err != nil || number(t, ev.Payload) != 2 {
				t.Error(err)
			}
			break
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			one(t, "All of a closed session", events(sub))
			one(t, "All of a closed session", invocations(reg))
		}

		// One iterator, used again.
		sub = subscribe(t, peer, "com.example.topic")
		publish(t, peer, "com.example.other", 0, 1)
		all := sub.All()
		if err := sub.Unsubscribe(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			for ev, err := range all {
				t.Errorf("%v, %v", ev, err)
			}
		}
	})
}

// Two goroutines that read one handle: one does, the other learns that it does not.
func TestTwoLoopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, peer := slowRig(t)
		for _, options := range [][]wamp.SubscribeOption{nil, {wamp.OverflowBlock()}} {
			sub := subscribe(t, s, "com.example.topic", options...)
			var wg sync.WaitGroup
			var mu sync.Mutex
			read, refused := 0, 0
			for range 4 {
				wg.Go(func() {
					for _, err := range sub.All() {
						mu.Lock()
						if err != nil {
							refused++
						} else {
							read++
						}
						mu.Unlock()
					}
				})
			}
			synctest.Wait()
			publish(t, peer, "com.example.topic", 0, 100)
			synctest.Wait()
			if err := sub.Unsubscribe(t.Context()); err != nil {
				t.Error(err)
			}
			wg.Wait()
			if read != 100 || refused != 3 {
				t.Errorf("%d events, %d loops were refused", read, refused)
			}
		}
	})
}

// The handler of a registration reads by the block too: what waits for a place when
// the registration ends is refused, wherever it waits.
func TestHandleRefusesWhatWaits(t *testing.T) {
	const n = 300
	synctest.Test(t, func(t *testing.T) {
		_, s, peer := slowRig(t)
		release := make(chan struct{})
		v := handle(t, s, "com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
			<-release
			return inv.Return(inv.Payload)
		}, wamp.Concurrency(5))
		calls := make([]wamp.Results, n)
		for i := range calls {
			calls[i] = peer.Call(t.Context(), "com.example.slow", wamp.Args(i))
		}
		synctest.Wait()
		if err := v.Unregister(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for i, c := range calls {
			if len(c) == 0 && i >= 5 {
				t.Fatalf("call %d still waits", i)
			}
		}
		close(release)
		for i, c := range calls {
			if _, err := c.Final(); (err == nil) != (i < 5) {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	})
}
