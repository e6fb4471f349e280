package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestStreamBreakCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
		stopped := make(chan error, 1)
		handle(t, callee, "com.example.endless", func(ctx context.Context, inv *wamp.Invocation) error {
			for i := range 3 {
				_ = inv.Progress(wamp.Args(i))
			}
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return ctx.Err()
		})
		next := 0
		for n, err := range wamp.Stream[int](t.Context(), s, "com.example.endless", wamp.Args()) {
			if err != nil || n != next {
				t.Fatalf("%d, want %d: %v", n, next, err)
			}
			if next++; next == 3 {
				break
			}
		}
		if err := <-stopped; !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("callee: %v", err)
		}
		if m := p.one(t, proto.Cancel); m.Options.Str("mode") != "killnowait" {
			t.Errorf("CANCEL %v", m.Options.Map())
		}
		synctest.Wait()
		empty(t, s)
	})
}

func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		stopped := hung(t, callee, "com.example.hang")
		mixed := func(final ...wamp.Payload) wamp.Handler {
			return func(_ context.Context, inv *wamp.Invocation) error {
				_ = inv.Progress(wamp.Args(1))
				_ = inv.Progress(wamp.Args("two"))
				return inv.Return(final...)
			}
		}
		handle(t, callee, "com.example.mixed", mixed())
		handle(t, callee, "com.example.empty", func(_ context.Context, inv *wamp.Invocation) error {
			_ = inv.Progress(wamp.Args(1))
			return inv.Return()
		})
		handle(t, callee, "com.example.fails", func(_ context.Context, inv *wamp.Invocation) error {
			_ = inv.Progress(wamp.Args(1))
			return wamp.ErrInvalidArgument
		})
		collect := func(ctx context.Context, procedure string, payload wamp.Payload, options ...wamp.CallOption) (values []int, err error) {
			for n, e := range wamp.Stream[int](ctx, s, procedure, payload, options...) {
				if err != nil {
					t.Errorf("%s goes on behind %v", procedure, err)
				}
				if err = e; e == nil {
					values = append(values, n)
				}
			}
			return values, err
		}
		if v, err := collect(t.Context(), "com.example.count", wamp.Args(100)); err != nil || len(v) != 101 || v[100] != 100 {
			t.Errorf("count: %v, %v", v, err)
		}
		if v, err := collect(t.Context(), "com.example.empty", wamp.Args()); err != nil || len(v) != 1 {
			t.Errorf("a final result without arguments: %v, %v", v, err)
		}
		if v, err := collect(t.Context(), "com.example.fails", wamp.Args()); !errors.Is(err, wamp.ErrInvalidArgument) || len(v) != 1 {
			t.Errorf("an error: %v, %v", v, err)
		}
		var scan *codec.ScanError
		if v, err := collect(t.Context(), "com.example.mixed", wamp.Args()); !errors.As(err, &scan) || len(v) != 1 {
			t.Errorf("a value that does not fit: %v, %v", v, err)
		}
		if v, err := collect(t.Context(), "com.example.nothing", wamp.Args()); !errors.Is(err, wamp.ErrNoSuchProcedure) || len(v) != 0 {
			t.Errorf("nobody there: %v, %v", v, err)
		}
		if v, err := collect(within(t, time.Second), "com.example.hang", wamp.Args()); !errors.Is(err, context.DeadlineExceeded) || len(v) != 0 {
			t.Errorf("its ctx: %v, %v", v, err)
		}
		if err := <-stopped; !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("callee: %v", err)
		}
		if v, err := collect(t.Context(), "com.example.hang", wamp.Args(), wamp.Timeout(time.Second)); !errors.Is(err, wamp.ErrTimeout) || len(v) != 0 {
			t.Errorf("an option: %v, %v", v, err)
		}
		synctest.Wait()
		empty(t, s)
		alive(t, s)
	})
}

// A value that does not fit is an error, and the loop goes on; who leaves it cancels
// the call.
func TestStreamMismatchIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		stopped := make(chan error, 1)
		handle(t, callee, "com.example.text", func(ctx context.Context, inv *wamp.Invocation) error {
			_ = inv.Progress(wamp.Args("text"))
			_ = inv.Progress(wamp.Args(7))
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return ctx.Err()
		})
		bad := 0
		for n, err := range wamp.Stream[int](t.Context(), s, "com.example.text", wamp.Args()) {
			if err == nil {
				if n != 7 {
					t.Errorf("%d fits", n)
				}
				break
			}
			bad++
		}
		if err := <-stopped; bad != 1 || !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("%d bad ones, callee: %v", bad, err)
		}
	})
}

func TestResultsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, _ := slowRig(t)
		n := 0
		for r, err := range s.Call(t.Context(), "com.example.count", wamp.Args(10), wamp.Progressive()).All() {
			if err != nil || number(t, r.Payload) != n || r.Progress != (n < 10) {
				t.Fatalf("%d: %+v, %v", n, r, err)
			}
			n++
		}
		if n != 11 {
			t.Errorf("%d results", n)
		}
		for r, err := range s.Call(t.Context(), "com.example.nothing", wamp.Args(10)).All() {
			if !errors.Is(err, wamp.ErrNoSuchProcedure) || r.Err != err {
				t.Errorf("%+v, %v", r, err)
			}
		}
		results := s.Call(t.Context(), "com.example.count", wamp.Args(10), wamp.Progressive())
		for range results.All() {
			break // leaves the call to its ctx: it can be read on
		}
		if r, err := results.Final(); err != nil || number(t, r.Payload) != 10 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
