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
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// callForms are the ways to make a call, each of which says what came and how it ended.
var callForms = map[string]func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error){
	"Session.Call": func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) (all []int, err error) {
		for r := range s.Call(ctx, "com.x", wamp.Args(7), options...) {
			if err = r.Err; err == nil {
				var n int
				err = r.Scan(&n)
				all = append(all, n)
			}
		}
		return all, err
	},
	"Call": func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error) {
		n, err := wamp.Call[int](ctx, s, "com.x", wamp.Args(7), options...)
		if err != nil {
			return nil, err
		}
		return []int{n}, nil
	},
	"OpenStream": func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) (all []int, err error) {
		st := wamp.OpenStream[int, int](ctx, s, "com.x", wamp.Args(7), options...)
		for n, err := range st.All() {
			if err != nil {
				_, same := st.Result()
				if same == nil || same.Error() != err.Error() {
					return nil, fmt.Errorf("Result says %w", same)
				}
				return all, err
			}
			all = append(all, n)
		}
		n, err := st.Result()
		if err != nil {
			return all, err
		}
		return append(all, n), nil
	},
	"Stream": func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) (all []int, err error) {
		for n, err := range wamp.Stream[int](ctx, s, "com.x", wamp.Args(7), options...) {
			if err != nil {
				return all, err
			}
			all = append(all, n)
		}
		return all, nil
	},
}

func forEachCallForm(t *testing.T, f func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error))) {
	for name, call := range callForms {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, call) }) })
	}
}

// TestRetryStartsBeforeItsCallee has a program that calls a procedure which is registered
// later, goes away, and comes back, with its router too.
func TestRetryStartsBeforeItsCallee(t *testing.T) {
	forEachCallForm(t, func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error)) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		retry := wamp.Retry(wamp.RetryPolicy{})
		check := func(within time.Duration) {
			t.Helper()
			began := time.Now()
			got, err := call(t.Context(), s, retry)
			if err != nil || len(got) != 1 || got[0] != 7 || time.Since(began) > within {
				t.Fatalf("%v, %v after %v", got, err, time.Since(began))
			}
		}
		go func() {
			<-time.After(20 * time.Second)
			callee := join(t, r, wamp.WithReconnect(quick()))
			handle(t, callee, "com.x", echo)
			<-time.After(20 * time.Second)
			closeIt(t, callee)
			<-time.After(20 * time.Second)
			callee = join(t, r, wamp.WithReconnect(quick()))
			handle(t, callee, "com.x", echo)
		}()
		check(31 * time.Second) // there, no more than Max later
		check(0)
		<-time.After(25 * time.Second)
		check(31 * time.Second)
		r.Restart()
		synctest.Wait()
		check(15 * time.Second)
	})
}

// TestRetryIsBounded has calls of a procedure that is never registered.
func TestRetryIsBounded(t *testing.T) {
	forEachCallForm(t, func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error)) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		for name, c := range map[string]struct {
			ctx      context.Context
			policy   wamp.RetryPolicy
			options  []wamp.CallOption
			attempts int // 0: several
			is       error
			least    time.Duration
			most     time.Duration
		}{
			"attempts": {policy: wamp.RetryPolicy{Attempts: 4}, attempts: 4, least: 300 * time.Millisecond, most: 4 * time.Second},
			"time":     {policy: wamp.RetryPolicy{Time: 5 * time.Second}, least: time.Second, most: 5 * time.Second},
			"even":     {policy: wamp.RetryPolicy{Min: time.Second, Max: time.Second, Attempts: 3}, attempts: 3, least: 2 * time.Second, most: 2 * time.Second},
			"ctx":      {ctx: context.Background(), is: context.DeadlineExceeded, least: 3 * time.Second, most: 3 * time.Second},
			"Timeout":  {options: []wamp.CallOption{wamp.Timeout(2 * time.Second)}, is: wamp.ErrTimeout, least: 2 * time.Second, most: 2 * time.Second},
		} {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.ctx != nil {
				ctx, cancel = context.WithTimeout(c.ctx, 3*time.Second)
			}
			defer cancel()
			began := time.Now()
			got, err := call(ctx, s, append(c.options, wamp.Retry(c.policy))...)
			took := time.Since(began)
			var e *wamp.RetryError
			var op *wamp.OpError
			var peer *wamp.Error
			if !errors.As(err, &e) || !errors.As(err, &op) || op.URI != "com.x" || !errors.Is(err, wamp.ErrNoSuchProcedure) || !errors.As(err, &peer) || len(got) > 0 {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			if c.attempts > 0 && e.Attempts != c.attempts || e.Attempts < 2 || took < c.least || took > c.most {
				t.Errorf("%s: %d attempts in %v", name, e.Attempts, took)
			}
			if (e.Ended != nil) != (c.is != nil) || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), "attempts") || strings.Count(err.Error(), "wamp: ") != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestRetryOnlyWhereNothingWasDelivered has calls that are made once.
func TestRetryOnlyWhereNothingWasDelivered(t *testing.T) {
	forEachCallForm(t, func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error)) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		ran, answer := 0, error(nil)
		handle(t, join(t, r), "com.x", func(_ context.Context, inv *wamp.Invocation) error {
			ran++
			if answer == nil {
				_ = inv.Progress(wamp.Args(1))
				return wamp.ErrUnavailable
			}
			return answer
		})
		policy := wamp.RetryPolicy{Attempts: 3}
		for _, c := range []struct {
			name    string
			answer  error
			option  wamp.CallOption
			ran     int
			progres bool
		}{
			{"another error", wamp.ErrInvalidArgument, wamp.Retry(policy), 1, false},
			{"not authorized", wamp.ErrNotAuthorized, wamp.Retry(policy), 1, false},
			{"unavailable", wamp.ErrUnavailable, wamp.Retry(policy), 3, false},
			{"its own error", wamp.NewError("com.x.busy", wamp.Payload{}), wamp.Retry(policy, wamp.NewError("com.x.busy", wamp.Payload{})), 3, false},
			{"only its own error", wamp.ErrUnavailable, wamp.Retry(policy, wamp.ErrInvalidArgument), 1, false},
			{"a progressive result", nil, wamp.Retry(policy), 1, true},
		} {
			ran, answer = 0, c.answer
			options := []wamp.CallOption{c.option}
			if c.progres {
				options = append(options, wamp.Progressive())
			}
			got, err := call(t.Context(), s, options...)
			want := c.ran
			if ran != want || err == nil {
				t.Errorf("%s: ran %d times, want %d: %v, %v", c.name, ran, want, got, err)
			}
			var e *wamp.RetryError
			if errors.As(err, &e) != (want > 1) || want > 1 && e.Attempts != want {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}

// TestRetrySendsWhatItWasGiven changes the values of a payload after Call has returned.
func TestRetrySendsWhatItWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		list := []int{1, 2, 3}
		results := s.Call(t.Context(), "com.x", wamp.Args(list), wamp.Retry(wamp.RetryPolicy{}))
		list[0] = 100
		<-time.After(time.Second)
		handle(t, join(t, r), "com.x", echo)
		var got []int
		if res, err := results.Final(); err != nil || res.Scan(&got) != nil || got[0] != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestRetryRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		for name, o := range map[string]wamp.CallOption{
			"negative": wamp.Retry(wamp.RetryPolicy{Min: -1}), "attempts": wamp.Retry(wamp.RetryPolicy{Attempts: -1}),
			"nil": wamp.Retry(wamp.RetryPolicy{}, nil), "no function": wamp.Resume(nil),
		} {
			if _, err := s.Call(t.Context(), "com.x", wamp.Payload{}, o).Final(); err == nil || errors.Is(err, wamp.ErrNoSuchProcedure) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, o := range map[string]wamp.CallOption{"Retry": wamp.Retry(wamp.RetryPolicy{}), "Resume": wamp.Resume(func(wamp.Delivered) (wamp.Payload, bool) { return wamp.Payload{}, true })} {
			if _, err := s.CallStream(t.Context(), "com.x", upTo(3), o).Final(); err == nil || errors.Is(err, wamp.ErrNoSuchProcedure) {
				t.Errorf("%s: %v", name, err)
			}
		}
		both := []wamp.CallOption{wamp.Resume(func(wamp.Delivered) (wamp.Payload, bool) { return wamp.Payload{}, true }), wamp.Idempotent()}
		if _, err := s.Call(t.Context(), "com.x", wamp.Payload{}, both...).Final(); err == nil || errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Error(err)
		}
		//nolint:staticcheck // a nil context is what is tried
		if _, err := wamp.Call[int](nil, s, "com.x", wamp.Payload{}, wamp.Retry(wamp.RetryPolicy{})); err == nil {
			t.Error("no error for a nil context")
		}
	})
}

// TestRetryEndsWithItsSession closes the session while a call waits for its next attempt.
func TestRetryEndsWithItsSession(t *testing.T) {
	forEachCallForm(t, func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error)) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		done := make(chan error, 1)
		go func() {
			_, err := call(t.Context(), s, wamp.Retry(wamp.RetryPolicy{Min: time.Hour, Max: time.Hour}))
			done <- err
		}()
		synctest.Wait()
		began := time.Now()
		closeIt(t, s)
		if err := <-done; !errors.Is(err, wamp.ErrSessionClosed) || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestRetryOptionIsShared has one option for calls at once: go test -race.
func TestRetryOptionIsShared(t *testing.T) {
	r := wamptest.NewRouter(t)
	s := join(t, r)
	handle(t, join(t, r), "com.x", echo)
	retry := wamp.Retry(wamp.RetryPolicy{Attempts: 3})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := s.Call(t.Context(), "com.x", wamp.Args(1), retry).Final(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
