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

// parts registers a callee that sends payloads as progressive results, and the last of
// them as the final one.
func parts(t *testing.T, s *wamp.Session, all ...wamp.Payload) {
	t.Helper()
	handle(t, s, "com.example.parts", func(_ context.Context, inv *wamp.Invocation) error {
		for _, p := range all[:len(all)-1] {
			if err := inv.Progress(p); err != nil {
				return err
			}
		}
		return inv.Return(all[len(all)-1])
	})
}

// texts are the pairs of a sequence.
func texts[T any](seq iter.Seq2[T, error]) (out []string) {
	for v, err := range seq {
		if err != nil {
			out = append(out, err.Error())
		} else {
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}

// match compares texts by what they begin with.
func match(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d pairs, want %d: %q", len(got), len(want), got)
		return
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) || w == "" && got[i] != "" {
			t.Errorf("%d: %q, want %q", i, got[i], w)
		}
	}
}

const atParts = "wamp: call com.example.parts: "

// A progressive result that does not decode is an error, and those behind it come; a
// final one that is empty is no element.
func TestStreamDecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nothing := wamp.Args()
		odd := []wamp.Payload{wamp.Args(1), wamp.Args("two"), nothing, wamp.Args(3, 4).With("of", 6), wamp.Kwargs(d{"a": 5, "b": "x"}), wamp.Args(6)}
		for _, c := range serializers {
			r := wamptest.NewRouter(t)
			s, callee := join(t, r, wamp.WithSerializers(c)), join(t, r, wamp.WithSerializers(c))
			parts(t, callee, odd...)
			match(t, texts(wamp.Stream[int](t.Context(), s, "com.example.parts", nothing)),
				"1", atParts+"args[0]", atParts+"the result is empty", "3", atParts+"the result has only keyword", "6")
			match(t, texts(wamp.Stream[pair](t.Context(), s, "com.example.parts", nothing)),
				atParts+"args[0]", atParts+"args[0]", atParts+"the result is empty", atParts+"args[0]", "{5 x}", atParts+"args[0]")
			match(t, texts(wamp.Stream[struct{}](t.Context(), s, "com.example.parts", nothing)), "{}", "{}", "{}", "{}", "{}", "{}")
			if n := len(texts(wamp.Stream[wamp.Payload](t.Context(), s, "com.example.parts", nothing))); n != 6 {
				t.Errorf("%d payloads", n)
			}
			var scan *wamp.ScanError
			for _, err := range wamp.Stream[int](t.Context(), s, "com.example.parts", nothing) {
				if err != nil && errors.As(err, &scan) {
					break
				}
			}
			if scan == nil {
				t.Error("no ScanError")
			}
		}
		for name, end := range map[string]func(s *wamp.Session) wamp.Payload{
			"nothing": func(*wamp.Session) wamp.Payload { return wamp.Args() },
			"empty parts": func(s *wamp.Session) wamp.Payload {
				return wamp.Raw(s.Codec(), value(s.Codec().AppendValue(nil, []any{})), value(s.Codec().AppendValue(nil, d{})))
			},
		} {
			_, s, callee := slowRig(t)
			parts(t, callee, wamp.Args(1), end(s))
			for _, n := range []int{
				len(texts(wamp.Stream[int](t.Context(), s, "com.example.parts", wamp.Args()))),
				len(texts(wamp.Stream[struct{}](t.Context(), s, "com.example.parts", wamp.Args()))),
				len(texts(wamp.Stream[wamp.Payload](t.Context(), s, "com.example.parts", wamp.Args()))),
			} {
				if n != 1 {
					t.Errorf("%s at the end: %d elements", name, n)
				}
			}
		}
	})
}

// Progressive results of one type, a final one of another.
func TestOpenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		parts(t, callee, wamp.Args(1), wamp.Args("two"), wamp.Args(3), wamp.Kwargs(pair{4, "x"}))
		open := func(options ...wamp.CallOption) *wamp.ResultStream[int, pair] {
			return wamp.OpenStream[int, pair](t.Context(), s, "com.example.parts", wamp.Args(), options...)
		}
		final := func(st *wamp.ResultStream[int, pair]) {
			t.Helper()
			for range 3 {
				if sum, err := st.Result(); err != nil || sum != (pair{4, "x"}) {
					t.Errorf("%v, %v", sum, err)
				}
			}
		}
		st := open()
		match(t, texts(st.All()), "1", atParts+"args[0]", "3")
		match(t, texts(st.All()), atParts+"the progressive results have been read already")
		final(st)
		st.Close()
		final(st)
		match(t, texts(st.All()), atParts+"the progressive results have been read already")
		st = open() // without All
		final(st)
		match(t, texts(st.All()), atParts+"the progressive results have been read already")

		// A final result that does not decode, or is empty.
		bad := wamp.OpenStream[int, int](t.Context(), s, "com.example.parts", wamp.Args())
		for range 2 {
			if n, err := bad.Result(); n != 0 || err == nil || !strings.HasPrefix(err.Error(), atParts+"the result has only keyword") {
				t.Errorf("%d, %v", n, err)
			}
		}
		for n, want := range []string{"<nil>", "wamp: call com.example.count: the result is empty"} {
			handle(t, callee, fmt.Sprint("com.example.void", n), func(_ context.Context, inv *wamp.Invocation) error { return inv.Return() })
			_, err := wamp.OpenStream[int, struct{}](t.Context(), s, fmt.Sprint("com.example.void", n), wamp.Args()).Result()
			if n == 1 {
				_, err = wamp.OpenStream[int, string](t.Context(), s, fmt.Sprint("com.example.void", n), wamp.Args()).Result()
				want = strings.Replace(want, "count", "void1", 1)
			}
			if fmt.Sprint(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		synctest.Wait()
		empty(t, s)
		alive(t, s)
	})
}

// How the call fails is the last pair of All, and what Result says.
func TestOpenStreamErrors(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx       context.Context
		procedure string
		options   []wamp.CallOption
		want      error
		text      string
		least     int // elements before it
	}{
		"nobody":         {t.Context(), "com.example.nobody", nil, wamp.ErrNoSuchProcedure, "", 0},
		"the callee's":   {t.Context(), "com.example.fails", nil, wamp.ErrInvalidArgument, "", 1},
		"no context":     {nil, "com.example.fails", nil, nil, "the context is nil", 0},
		"one that ended": {over, "com.example.fails", nil, context.Canceled, "", 0},
		"a bad URI":      {t.Context(), "not a URI", nil, nil, "URI", 0},
		"a nil option":   {t.Context(), "com.example.fails", []wamp.CallOption{nil}, nil, "an option is nil", 0},
		"a limit":        {t.Context(), "com.example.hang", []wamp.CallOption{wamp.Timeout(time.Second)}, wamp.ErrTimeout, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if row.ctx != nil && row.ctx.Err() == nil {
					row.ctx = t.Context()
				}
				_, s, callee := slowRig(t)
				hung(t, callee, "com.example.hang")
				handle(t, callee, "com.example.fails", func(_ context.Context, inv *wamp.Invocation) error {
					_ = inv.Progress(wamp.Args(1))
					return wamp.ErrInvalidArgument
				})
				check := func(what string, err error) {
					t.Helper()
					var op *wamp.OpError
					if !errors.As(err, &op) || op.Op != "call" || op.URI != row.procedure || row.want != nil && !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
						t.Errorf("%s: %v", what, err)
					}
				}
				st := wamp.OpenStream[int, int](row.ctx, s, row.procedure, wamp.Args(), row.options...)
				n := 0
				var last error
				for _, err := range st.All() {
					if last = err; err == nil {
						n++
					}
				}
				check("All", last)
				_, err := st.Result()
				check("Result behind All", err)
				if err != last || n != row.least {
					t.Errorf("%v is not %v, %d elements", err, last, n)
				}
				st = wamp.OpenStream[int, int](row.ctx, s, row.procedure, wamp.Args(), row.options...)
				_, err = st.Result()
				check("Result", err)
				for _, err := range wamp.Stream[int](row.ctx, s, row.procedure, wamp.Args(), row.options...) {
					last = err
				}
				check("Stream", last)
				synctest.Wait()
				empty(t, s)
			})
		})
	}
}

// Whoever leaves the loop ends the call, however that is done, and Result tells how.
func TestOpenStreamIsLeft(t *testing.T) {
	for name, leave := range map[string]func(st *wamp.ResultStream[int, int]){
		"break":  func(*wamp.ResultStream[int, int]) {},
		"panic":  func(*wamp.ResultStream[int, int]) { panic("slip") },
		"Goexit": func(*wamp.ResultStream[int, int]) { runtime.Goexit() },
		"Close":  func(st *wamp.ResultStream[int, int]) { st.Close(); st.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, callee := slowRig(t)
				partly(t, callee)
				st := wamp.OpenStream[int, int](t.Context(), s, "com.example.part", wamp.Args(99))
				done := make(chan int)
				go func() {
					n := 0
					defer func() { _ = recover(); done <- n }()
					for range st.All() {
						n++
						if leave(st); name == "break" {
							break
						}
					}
				}()
				if n := <-done; n != 1 && name != "Close" || n != 2 && name == "Close" {
					t.Errorf("%d were read", n)
				}
				for range 2 {
					if n, err := st.Result(); n != 0 || !errors.Is(err, context.Canceled) {
						t.Errorf("%d, %v", n, err)
					}
				}
				synctest.Wait()
				empty(t, s)
				empty(t, callee)
			})
		})
	}
}

// One reads at a time: any other way is an error at once.
func TestOpenStreamOneReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		partly(t, callee)
		st := wamp.OpenStream[int, int](t.Context(), s, "com.example.part", wamp.Args(10))
		n := 0
		for v, err := range st.All() {
			if v != n || err != nil {
				t.Fatalf("%d, %v", v, err)
			}
			n++
			match(t, texts(st.All()), "wamp: call com.example.part: another loop reads the stream")
			if _, err := st.Result(); err == nil || err.Error() != "wamp: call com.example.part: another loop reads the stream" {
				t.Errorf("Result inside of the loop: %v", err)
			}
		}
		if v, err := st.Result(); v != 10 || n != 10 || err != nil {
			t.Errorf("%d, %d, %v", n, v, err)
		}
		waits := wamp.OpenStream[int, int](t.Context(), s, "com.example.part", wamp.Args(9))
		got := make(chan error, 1)
		go func() { _, err := waits.Result(); got <- err }()
		synctest.Wait()
		if _, err := waits.Result(); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("beside another: %v", err)
		}
		waits.Close()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		var none *wamp.ResultStream[int, int]
		none.Close()
		for _, st := range []*wamp.ResultStream[int, int]{none, {}} {
			st.Close()
			match(t, texts(st.All()), "wamp: call: the stream is nil")
			if _, err := st.Result(); err == nil {
				t.Error("a result of nothing")
			}
		}
	})
}

// A stream that nobody reads or closes keeps nothing of its context's parent once its
// call is over, and is held to its bound.
func TestOpenStreamUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		partly(t, callee)
		parent := endlessStream{t.Context(), make(chan struct{})} // a goroutine waits for it, for each that derives from it
		for _, n := range []int{0, 10} {
			wamp.OpenStream[int, int](parent, s, "com.example.part", wamp.Args(n))
		}
		wamp.OpenStream[int, int](parent, s, "com.example.part", wamp.Args(), nil)
		wamp.OpenCall[int, int, int](parent, s, "com.example.part", nil)
		slow := wamp.OpenStream[int, int](parent, s, "com.example.part", wamp.Args(1000), wamp.Buffer(100, 0))
		synctest.Wait()
		if _, err := slow.Result(); !errors.Is(err, wamp.ErrSlowConsumer) {
			t.Error(err)
		}
		synctest.Wait()
		empty(t, s)
	})
}

// A typed call that is a stream both ways.
func TestOpenCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.sum", func(ctx context.Context, inv *wamp.Invocation) error {
			sum := 0
			for p := range inv.Chunks() {
				sum += number(t, p)
				_ = inv.Progress(wamp.Args(fmt.Sprint(sum)))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return inv.Return(wamp.Args(sum))
		})
		upTo := func(n int) func(context.Context, func(int) error) error {
			return func(_ context.Context, send func(int) error) error {
				for i := range n {
					if err := send(i); err != nil {
						return err
					}
				}
				return nil
			}
		}
		st := wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", upTo(5))
		match(t, texts(st.All()), "0", "1", "3", "6", "10")
		if n, err := st.Result(); n != 10 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		last := wamp.OpenCall[wamp.Payload, string, int](t.Context(), s, "com.example.sum", func(_ context.Context, send func(wamp.Payload) error) error {
			err := errors.Join(send(wamp.Args(1)), send(wamp.Args(2).Last()))
			if again := send(wamp.Args(3)); !errors.Is(again, wamp.ErrCallEnded) || !strings.HasPrefix(again.Error(), "wamp: call com.example.sum: ") {
				t.Errorf("behind the last one: %v", again)
			}
			return err
		})
		if n, err := last.Result(); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		why := errors.New("the source is gone")
		for name, st := range map[string]*wamp.ResultStream[string, int]{
			"an error": wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", func(_ context.Context, send func(int) error) error {
				return errors.Join(send(1), why)
			}),
			"at once": wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", func(context.Context, func(int) error) error { return why }),
		} {
			if _, err := st.Result(); !errors.Is(err, why) || !strings.HasPrefix(err.Error(), "wamp: call com.example.sum: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, st := range map[string]*wamp.ResultStream[string, int]{
			"no producer": wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", nil),
			"no context":  wamp.OpenCall[int, string, int](nil, s, "com.example.sum", upTo(1)), //nolint:staticcheck // that is what it is about
			"a chunk that cannot be sent": wamp.OpenCall[chan int, string, int](t.Context(), s, "com.example.sum", func(_ context.Context, send func(chan int) error) error {
				return send(make(chan int))
			}),
			"a panic": wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", func(context.Context, func(int) error) error { panic("slip") }),
		} {
			if _, err := st.Result(); err == nil || !strings.HasPrefix(err.Error(), "wamp: call com.example.sum: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Close ends the producer too.
		stopped := make(chan error, 1)
		long := wamp.OpenCall[int, string, int](t.Context(), s, "com.example.sum", func(ctx context.Context, send func(int) error) error {
			_ = send(1)
			<-ctx.Done()
			stopped <- send(2)
			return ctx.Err()
		})
		for range long.All() {
			break
		}
		if err := <-stopped; err == nil {
			t.Error("a chunk behind the end")
		}
		if _, err := long.Result(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		empty(t, s)
		empty(t, callee)
	})
}

// endlessStream is a context of a user's own type, which does not end.
type endlessStream struct {
	context.Context
	done chan struct{}
}

func (c endlessStream) Done() <-chan struct{} { return c.done }
func (c endlessStream) Err() error            { return nil }
func (c endlessStream) Value(any) any         { return nil }
