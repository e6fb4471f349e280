package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A handler sends items of one type and returns another; who did not ask for items gets
// none of them.
func TestServeStream(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, callee := join(t, r, wamp.WithSerializers(c)), join(t, r, wamp.WithSerializers(c))
				if _, err := wamp.ServeStream(t.Context(), callee, "com.example.parts", func(_ context.Context, n int, send func(string) error) (pair, error) {
					for i := range n {
						if err := send(fmt.Sprint(i)); err != nil {
							return pair{}, err
						}
					}
					return pair{n, "done"}, nil
				}); err != nil {
					t.Fatal(err)
				}
				st := wamp.OpenStream[string, pair](t.Context(), s, "com.example.parts", wamp.Args(3))
				match(t, texts(st.All()), "0", "1", "2")
				if sum, err := st.Result(); err != nil || sum != (pair{3, "done"}) {
					t.Errorf("%v, %v", sum, err)
				}
				n := 0
				for range s.Call(t.Context(), "com.example.parts", wamp.Args(3)) {
					n++
				}
				if n != 1 {
					t.Errorf("%d results of a plain call", n)
				}
				if _, err := wamp.Call[pair](t.Context(), s, "com.example.parts", wamp.Args("x")); !errors.Is(err, wamp.ErrInvalidArgument) || !strings.Contains(err.Error(), "args[0]") {
					t.Errorf("a request that does not fit: %v", err)
				}
				// A Payload goes as it is, and struct{} empty.
				if _, err := wamp.ServeStream(t.Context(), callee, "com.example.raw", func(_ context.Context, in wamp.Payload, send func(wamp.Payload) error) (wamp.Payload, error) {
					return in, send(wamp.Args(1, 2).With("a", 3))
				}); err != nil {
					t.Fatal(err)
				}
				if _, err := wamp.ServeStream(t.Context(), callee, "com.example.tick", func(_ context.Context, _ struct{}, send func(struct{}) error) (struct{}, error) {
					return struct{}{}, send(struct{}{})
				}); err != nil {
					t.Fatal(err)
				}
				raw := wamp.OpenStream[wamp.Payload, wamp.Payload](t.Context(), s, "com.example.raw", wamp.Args(7, 8))
				for p, err := range raw.All() {
					if args, _ := p.Args(); err != nil || len(args) != 2 || p.RawKwargs() == nil {
						t.Errorf("%v, %v", args, err)
					}
				}
				if p, err := raw.Result(); err != nil || p.NArgs() != 2 {
					t.Errorf("%v, %v", p, err)
				}
				match(t, texts(wamp.Stream[struct{}](t.Context(), s, "com.example.tick", wamp.Args())), "{}")
			})
		})
	}
}

// send fails when its call is over, with the operation and why.
func TestServeStreamSendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		ended := make(chan error, 2)
		var late func(int) error
		if _, err := wamp.ServeStream(t.Context(), callee, "com.example.ticks", func(ctx context.Context, _ struct{}, send func(int) error) (int, error) {
			late = send
			for i := 0; ; i++ {
				if err := send(i); err != nil {
					ended <- err
					return 0, err
				}
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		for n := range wamp.Stream[int](t.Context(), s, "com.example.ticks", wamp.Args()) {
			if n == 3 {
				break
			}
		}
		if err := <-ended; !errors.Is(err, wamp.ErrCanceled) || !strings.HasPrefix(err.Error(), "wamp: progress com.example.ticks: ") {
			t.Error(err)
		}
		synctest.Wait()
		if err := late(4); !errors.Is(err, wamp.ErrAnswered) {
			t.Errorf("behind the end: %v", err)
		}
		for name, err := range map[string]error{
			"no handler": second(wamp.ServeStream[int, int, int](t.Context(), s, "com.example.none", nil)),
			"no chunks":  second(wamp.ServeChunks[int, int, int](t.Context(), s, "com.example.none", nil)),
			"a bad URI": second(wamp.ServeChunks(t.Context(), s, "com..example", func(context.Context, iter.Seq2[int, error], func(int) error) (int, error) {
				return 0, nil
			})),
		} {
			var op *wamp.OpError
			if !errors.As(err, &op) || op.Op != "register" || op.URI == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// sums serves com.example.sum: the sum of what comes, or the first error.
func sums(t *testing.T, s *wamp.Session, saw chan<- string, options ...wamp.RegisterOption) {
	t.Helper()
	_, err := wamp.ServeChunks(t.Context(), s, "com.example.sum", func(_ context.Context, in iter.Seq2[int, error], send func(int) error) (sum int, failed error) {
		defer func() {
			if saw != nil {
				saw <- fmt.Sprint(sum, " ", failed)
			}
		}()
		for n, err := range in {
			if err != nil {
				if failed == nil {
					failed = err
				}
				continue
			}
			sum += n
			if err := send(sum); err != nil {
				return sum, err
			}
		}
		return sum, failed
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
}

// The chunks of a call, decoded; one that does not decode is an error with its number,
// and those behind it come.
func TestServeChunks(t *testing.T) {
	for name, row := range map[string]struct {
		chunks []wamp.Payload
		want   string
		err    string
	}{
		"some":             {[]wamp.Payload{wamp.Args(1), wamp.Args(2), wamp.Args(3)}, "6", ""},
		"one, marked":      {[]wamp.Payload{wamp.Args(5).Last()}, "5", ""},
		"a marked last":    {[]wamp.Payload{wamp.Args(1), wamp.Args(5).Last()}, "6", ""},
		"none":             {nil, "0", ""},
		"another type":     {[]wamp.Payload{wamp.Args(1), wamp.Args("two"), wamp.Args(3)}, "4", `chunk 2: args[0]: cannot decode the string "two" into int`},
		"two arguments":    {[]wamp.Payload{wamp.Args(1, 2), wamp.Args(3)}, "3", "chunk 1: the request has 2 arguments"},
		"an empty chunk":   {[]wamp.Payload{wamp.Args(1), {}, wamp.Args(3)}, "4", "chunk 2: the request is empty"},
		"two bad ones":     {[]wamp.Payload{wamp.Args(1), {}, wamp.Args("x")}, "1", "chunk 2: the request is empty"},
		"keywords of none": {[]wamp.Payload{wamp.Kwargs(d{"a": 1})}, "0", "chunk 1: the request has only keyword"},
	} {
		for _, c := range serializers {
			t.Run(name+"/"+c.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, callee := join(t, r, wamp.WithSerializers(c)), join(t, r, wamp.WithSerializers(c))
					saw := make(chan string, 1)
					sums(t, callee, saw)
					n, err := wamp.OpenCall[wamp.Payload, int, int](t.Context(), s, "com.example.sum", func(_ context.Context, send func(wamp.Payload) error) error {
						for _, p := range row.chunks {
							if err := send(p); err != nil {
								return err
							}
						}
						return nil
					}).Result()
					if got := <-saw; !strings.HasPrefix(got, row.want+" ") {
						t.Errorf("the handler has seen %s", got)
					}
					switch {
					case row.err == "" && (err != nil || fmt.Sprint(n) != row.want):
						t.Errorf("%d, %v", n, err)
					case row.err != "" && (!errors.Is(err, wamp.ErrInvalidArgument) || !strings.Contains(err.Error(), row.err)):
						t.Errorf("%v, want %s", err, row.err)
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		sums(t, callee, nil)
		if n, err := wamp.Call[int](t.Context(), s, "com.example.sum", wamp.Args(7)); n != 7 || err != nil {
			t.Errorf("a plain call: %d, %v", n, err)
		}
		if n, err := wamp.Call[int](t.Context(), s, "com.example.sum", wamp.Args()); n != 0 || err != nil {
			t.Errorf("a plain call of nothing: %d, %v", n, err)
		}
		// A loop that was left is gone on with, and numbers go on too.
		if _, err := wamp.ServeChunks(t.Context(), callee, "com.example.halves", func(_ context.Context, in iter.Seq2[int, error], _ func(int) error) (string, error) {
			first := 0
			for first = range in {
				break
			}
			rest := texts(in)
			return fmt.Sprint(first, rest, len(texts(in))), nil
		}); err != nil {
			t.Fatal(err)
		}
		got, err := wamp.OpenCall[any, int, string](t.Context(), s, "com.example.halves", func(_ context.Context, send func(any) error) error {
			return errors.Join(send(1), send(2), send("x"))
		}).Result()
		if err != nil || !strings.HasPrefix(got, "1 [2 wamp: chunk com.example.halves: wamp.error.invalid_argument: chunk 3: args[0]") || !strings.HasSuffix(got, "] 0") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A handler never takes a cut input for a complete one.
func TestServeChunksCut(t *testing.T) {
	for name, row := range map[string]struct {
		cut     func(t *testing.T, r *wamptest.Router, callee *wamp.Session, cancel func())
		options []wamp.RegisterOption
		want    error
	}{
		"the caller's ctx": {func(_ *testing.T, _ *wamptest.Router, _ *wamp.Session, cancel func()) { cancel() }, nil, wamp.ErrCanceled},
		"the link":         {func(_ *testing.T, r *wamptest.Router, callee *wamp.Session, _ func()) { r.Cut(callee.ID()) }, nil, nil},
		"Close": {func(t *testing.T, _ *wamptest.Router, callee *wamp.Session, _ func()) {
			closeIt(t, callee)
		}, nil, wamp.ErrSessionClosed},
		"no chunk comes": {func(*testing.T, *wamptest.Router, *wamp.Session, func()) { time.Sleep(time.Minute) }, []wamp.RegisterOption{wamp.ChunkIdle(time.Second)}, wamp.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, callee := slowRig(t)
				saw := make(chan error, 1)
				if _, err := wamp.ServeChunks(t.Context(), callee, "com.example.up", func(_ context.Context, in iter.Seq2[int, error], _ func(int) error) (int, error) {
					for _, err := range in {
						if err != nil {
							saw <- err
							return 0, err
						}
					}
					saw <- nil
					return 0, nil
				}, row.options...); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				st := wamp.OpenCall[int, int, int](ctx, s, "com.example.up", func(ctx context.Context, send func(int) error) error {
					err := send(1)
					<-ctx.Done()
					return err
				})
				synctest.Wait()
				row.cut(t, r, callee, cancel)
				if err := <-saw; err == nil || row.want != nil && !errors.Is(err, row.want) || !strings.HasPrefix(err.Error(), "wamp: chunk com.example.up: ") {
					t.Errorf("the handler has seen %v", err)
				}
				st.Close()
				if _, err := st.Result(); err == nil {
					t.Error("a result")
				}
			})
		})
	}
	// Chunks that find no room end the invocation: the context first, then the channel.
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		for i := range 200 {
			procedure := fmt.Sprint("com.example.up", i)
			saw := make(chan error, 1)
			if _, err := wamp.ServeChunks(t.Context(), callee, procedure, func(_ context.Context, in iter.Seq2[string, error], _ func(int) error) (int, error) {
				for _, err := range in {
					if err != nil {
						saw <- err
						return 0, err
					}
				}
				saw <- nil
				return 0, nil
			}, wamp.Buffer(0, 300)); err != nil {
				t.Fatal(err)
			}
			_, err := wamp.OpenCall[string, int, int](t.Context(), s, procedure, func(_ context.Context, send func(string) error) error {
				for range 100 {
					if err := send(strings.Repeat("x", 400)); err != nil {
						return err
					}
				}
				return nil
			}).Result()
			if got := <-saw; got == nil && err != nil || got != nil && !errors.Is(got, wamp.ErrSlowConsumer) {
				t.Fatalf("the handler has seen %v, the caller %v", got, err)
			}
		}
	})
}
