package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// panicsAsJSON, secretAsJSON and exitsAsJSON do what a decoder should not.
type (
	panicsAsJSON struct{ A int }
	secretAsJSON struct{ A int }
	exitsAsJSON  struct{ A int }
)

func (*panicsAsJSON) UnmarshalJSON([]byte) error { panic("swordfish in a decoder") }
func (*secretAsJSON) UnmarshalJSON([]byte) error { return errors.New("it is 7") }
func (*exitsAsJSON) UnmarshalJSON([]byte) error  { runtime.Goexit(); return nil }

// request is a procedure of a type of request, and chunks one of its input.
func request[Req any](context.Context, Req) (int, error) { return 1, nil }

func chunks[In any](_ context.Context, in iter.Seq2[In, error], _ func(int) error) (int, error) {
	for _, err := range in {
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// TestServeDecoderSlips has decoders of requests, chunks and events that slip. That is
// logged and counted as in a handler, and the caller is not told.
func TestServeDecoderSlips(t *testing.T) {
	for name, row := range map[string]struct {
		serve func(ctx context.Context, s *wamp.Session) error
		err   error
		log   string // "": the caller is told
	}{
		"panic": {func(ctx context.Context, s *wamp.Session) error {
			return second(wamp.Serve(ctx, s, "com.example.x", request[panicsAsJSON]))
		}, wamp.ErrRuntimeError, "swordfish"},
		"Goexit": {func(ctx context.Context, s *wamp.Session) error {
			return second(wamp.Serve(ctx, s, "com.example.x", request[exitsAsJSON]))
		}, wamp.ErrRuntimeError, "runtime.Goexit"},
		"error": {func(ctx context.Context, s *wamp.Session) error {
			return second(wamp.Serve(ctx, s, "com.example.x", request[secretAsJSON]))
		}, wamp.ErrInvalidArgument, ""},
		"chunks, panic": {func(ctx context.Context, s *wamp.Session) error {
			return second(wamp.ServeChunks(ctx, s, "com.example.x", chunks[panicsAsJSON]))
		}, wamp.ErrRuntimeError, "swordfish"},
		"chunks, Goexit": {func(ctx context.Context, s *wamp.Session) error {
			return second(wamp.ServeChunks(ctx, s, "com.example.x", chunks[exitsAsJSON]))
		}, wamp.ErrRuntimeError, "runtime.Goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				s := join(t, wamptest.NewRouter(t), log.Option())
				if err := row.serve(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				_, err := wamp.Call[int](t.Context(), s, "com.example.x", wamp.Args(1))
				if !errors.Is(err, row.err) || strings.Contains(err.Error(), "swordfish") {
					t.Error(err)
				}
				synctest.Wait()
				if n := s.Stats().Faults; n != 0 != (row.log != "") {
					t.Errorf("%d faults", n)
				}
				log.Has(t, row.log)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var log logged
		s := join(t, wamptest.NewRouter(t), log.Option())
		if _, err := wamp.On(t.Context(), s, "com.example.t", func(context.Context, wamp.EventOf[panicsAsJSON]) error { return nil }); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Publish(t.Context(), "com.example.t", wamp.Args(1), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait()
		synctest.Wait()
		log.Has(t, "swordfish")
		log.Has(t, "topic=com.example.t")
		if n := s.Stats().Faults; n != 1 {
			t.Errorf("%d faults", n)
		}
	})
}

// These are errors as no one should write them.
type asError struct{ e *wamp.Error }

func (e asError) Error() string { return "as" }
func (e asError) As(t any) bool {
	if p, ok := t.(**wamp.Error); ok {
		*p = e.e
		return true
	}
	return false
}

type isError struct{}

func (isError) Error() string   { return "is" }
func (isError) Is(t error) bool { return t == wamp.ErrInvalidArgument }

type panicError struct{}

func (*panicError) Error() string { panic("boom") }

type goexitError struct{}

func (goexitError) Error() string { runtime.Goexit(); return "" }

type selfError struct{}

func (e *selfError) Error() string { return "self" }
func (e *selfError) Unwrap() error { return e }

type mapError map[string]int

func (mapError) Error() string { return "uncomparable" }

// TestServeOddErrors returns errors that are made to confuse whoever looks at them.
func TestServeOddErrors(t *testing.T) {
	const masked, ours = "wamp.error.runtime_error", "com.example.error.own: text"
	made := wamp.NewError("com.example.error.own", wamp.Args("text").With("k", 1))
	var nilErr *wamp.Error
	var nilPanic *panicError
	deep := error(made)
	for range 150 {
		deep = fmt.Errorf("x: %w", deep)
	}
	for name, row := range map[string]struct {
		fail func(ctx context.Context, s *wamp.Session) error
		want string
	}{
		"as": {func(context.Context, *wamp.Session) error { return asError{made} }, ours},
		"as wrapped": {func(context.Context, *wamp.Session) error {
			return errors.Join(errors.New("a"), fmt.Errorf("%w", asError{made}))
		}, ours},
		"is":            {func(context.Context, *wamp.Session) error { return isError{} }, masked},
		"nil typed":     {func(context.Context, *wamp.Session) error { return nilErr }, masked},
		"nil panic":     {func(context.Context, *wamp.Session) error { return nilPanic }, masked},
		"nil wrapped":   {func(context.Context, *wamp.Session) error { return fmt.Errorf("x: %w", nilErr) }, masked},
		"nil joined":    {func(context.Context, *wamp.Session) error { return errors.Join(nilErr, made) }, ours},
		"panics":        {func(context.Context, *wamp.Session) error { return &panicError{} }, masked},
		"panics joined": {func(context.Context, *wamp.Session) error { return errors.Join(&panicError{}, made) }, ours},
		"goexit":        {func(context.Context, *wamp.Session) error { return goexitError{} }, masked},
		"self":          {func(context.Context, *wamp.Session) error { return &selfError{} }, masked},
		"uncomp":        {func(context.Context, *wamp.Session) error { return mapError{} }, masked},
		"deep":          {func(context.Context, *wamp.Session) error { return deep }, masked},
		"empty uri":     {func(context.Context, *wamp.Session) error { return wamp.NewError("", wamp.Args()) }, masked},
		"zero":          {func(context.Context, *wamp.Session) error { return &wamp.Error{} }, masked},
		"bad payload": {func(context.Context, *wamp.Session) error {
			return wamp.NewError("com.example.x", wamp.Args(make(chan int)))
		}, "wamp.error.invalid_payload"},
		"other ctx": {func(ctx context.Context, s *wamp.Session) error {
			inner, cancel := context.WithCancel(ctx)
			cancel()
			_, err := wamp.Call[int](inner, s, "com.example.none", wamp.Args())
			return err
		}, masked},
		"plain canceled": {func(context.Context, *wamp.Session) error { return context.Canceled }, "wamp.error.canceled"},
		"retried": {func(ctx context.Context, s *wamp.Session) error {
			_, err := wamp.Call[int](ctx, s, "com.example.none", wamp.Args(), wamp.Retry(wamp.RetryPolicy{Attempts: 3}))
			return err
		}, masked},
		"copy of received": {func(ctx context.Context, s *wamp.Session) error {
			_, err := wamp.Call[int](ctx, s, "com.example.none", wamp.Args())
			var e *wamp.Error
			errors.As(err, &e)
			c := *e
			c.Payload = wamp.Args("mine")
			return &c
		}, masked},
		"bad result": {func(ctx context.Context, s *wamp.Session) error {
			_, err := wamp.Call[int](ctx, s, "com.example.text", wamp.Args())
			return err
		}, masked},
		"acked publish": {func(ctx context.Context, s *wamp.Session) error {
			_, err := s.Publish(ctx, "com..x", wamp.Args(), wamp.Acknowledge()).Wait()
			return err
		}, masked},
		"cause": {func(ctx context.Context, s *wamp.Session) error {
			inner, cancel := context.WithCancelCause(ctx)
			cancel(made)
			_, err := wamp.Call[int](inner, s, "com.example.none", wamp.Args())
			return err
		}, ours},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, callee := join(t, r), join(t, r)
				handle(t, s, "com.example.text", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args("x")) })
				if _, err := wamp.Serve(t.Context(), callee, "com.example.serve", func(ctx context.Context, _ struct{}) (int, error) {
					return 0, row.fail(ctx, callee)
				}); err != nil {
					t.Fatal(err)
				}
				_, err := wamp.Call[int](t.Context(), s, "com.example.serve", wamp.Args())
				var e *wamp.Error
				if !errors.As(err, &e) || err.Error() != "wamp: call com.example.serve: "+row.want {
					t.Fatalf("%v, want %s", err, row.want)
				}
				if kw, _ := e.Kwargs(); (row.want == ours) != (fmt.Sprint(kw) == "map[k:1]") {
					t.Errorf("keyword arguments %v", kw)
				}
			})
		})
	}
}

// TestServeEmptyRequestForScalar has types that are no record: an empty request is not one
// of them.
func TestServeEmptyRequestForScalar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		ran := false
		_, _ = wamp.Serve(t.Context(), s, "com.example.at", func(_ context.Context, at time.Time) (string, error) { ran = true; return at.String(), nil })
		v, err := wamp.Call[string](t.Context(), s, "com.example.at", wamp.Args())
		if !errors.Is(err, wamp.ErrInvalidArgument) || ran {
			t.Errorf("the handler has run with %q, %v", v, err)
		}
		if _, err = wamp.Call[string](t.Context(), s, "com.example.at", wamp.Kwargs(d{"a": 1})); !errors.Is(err, wamp.ErrInvalidArgument) || ran {
			t.Errorf("the handler has run with keyword arguments, %v", err)
		}
	})
}

// TestServeCannotEncode has results and items that cannot be encoded: that is
// invalid_payload to the caller.
func TestServeCannotEncode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		_, _ = wamp.ServeStream(t.Context(), s, "com.example.down", func(_ context.Context, _ int, send func(chan int) error) (int, error) { return 1, send(make(chan int)) })
		_, _ = wamp.Serve(t.Context(), s, "com.example.res", func(_ context.Context, _ int) (chan int, error) { return make(chan int), nil })
		_, err := wamp.Call[int](t.Context(), s, "com.example.res", wamp.Args(1))
		if !errors.Is(err, wamp.ErrInvalidPayload) {
			t.Errorf("Res: %v", err)
		}
		_, err = wamp.OpenStream[int, int](t.Context(), s, "com.example.down", wamp.Args(1)).Result()
		if !errors.Is(err, wamp.ErrInvalidPayload) {
			t.Errorf("Item: %v", err)
		}
	})
}
