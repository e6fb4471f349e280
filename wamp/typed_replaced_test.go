package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestReplacedPayloadDecodes puts payloads in the place of those that come: they are decoded
// like others, and what a handler cannot have is refused.
func TestReplacedPayloadDecodes(t *testing.T) {
	for name, p := range map[string]wamp.Payload{"kwargs": wamp.Kwargs(pair{1, "x"}), "map": wamp.Kwargs(d{"a": 1, "b": "x"}), "args": wamp.Args(pair{1, "x"}), "both": wamp.Args(pair{1, "x"}).With("a", 1), "empty kwargs": wamp.Kwargs(d{})} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				replace := wamp.InterceptorFuncs{
					BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
						if op.Kind == wamp.OpInvocation || op.Kind == wamp.OpEvent {
							op.Payload = p
						}
						return ctx, nil
					},
					ProgressFunc: func(_ context.Context, op *wamp.Op, part *wamp.Part) error {
						if op.Kind == wamp.OpCall && !part.Sent {
							part.Payload = p
						}
						return nil
					},
				}
				s, callee, plain := join(t, r, wamp.WithInterceptors(replace)), join(t, r, wamp.WithInterceptors(replace)), join(t, r)
				var mu sync.Mutex
				var got []string
				note := func(v ...any) { mu.Lock(); defer mu.Unlock(); got = append(got, fmt.Sprint(v...)) }
				_, _ = wamp.Serve(t.Context(), callee, "com.example.serve", func(_ context.Context, in pair) (int, error) { note("serve ", in); return 1, nil })
				_, _ = wamp.On(t.Context(), callee, "com.example.t", func(_ context.Context, ev wamp.EventOf[pair]) error { note("on ", ev.Value); return nil })
				_, _ = wamp.ServeChunks(t.Context(), callee, "com.example.up", func(_ context.Context, in iter.Seq2[pair, error], _ func(int) error) (int, error) {
					for v, err := range in {
						note("chunk ", v, " ", err)
						if err != nil {
							return 0, err
						}
					}
					return 1, nil
				})
				_, serve := wamp.Call[int](t.Context(), plain, "com.example.serve", wamp.Args(1))
				_, up := wamp.Call[int](t.Context(), plain, "com.example.up", wamp.Args(1))
				_, _ = plain.Publish(t.Context(), "com.example.t", wamp.Args(1), wamp.Acknowledge()).Wait()
				v, call := wamp.Call[pair](t.Context(), s, "com.example.serve", wamp.Args(1))
				synctest.Wait()
				slices.Sort(got)
				switch name {
				case "both":
					for _, err := range []error{serve, up, call} {
						if !errors.Is(err, wamp.ErrInvalidArgument) || !strings.Contains(err.Error(), "arguments and keyword arguments") {
							t.Errorf("both parts: %v", err)
						}
					}
					if len(got) != 1 || !strings.HasPrefix(got[0], "chunk {0 } wamp: chunk com.example.up: wamp.error.invalid_argument: chunk 1: ") {
						t.Errorf("the handlers got %q", got)
					}
				case "empty kwargs": // is nothing, as which a struct is empty
					if serve != nil || up != nil || call == nil || !slices.Equal(got, []string{"chunk {0 } <nil>", "serve {0 }", "serve {0 }"}) {
						t.Errorf("%v, %v, %v; the handlers got %q", serve, up, call, got)
					}
				default:
					if want := []string{"chunk {1 x} <nil>", "on {1 x}", "serve {1 x}", "serve {1 x}"}; !slices.Equal(got, want) || serve != nil || up != nil || call != nil || v != (pair{1, "x"}) {
						t.Errorf("%v, %v, %v; %v; the handlers got %q", serve, up, call, v, got)
					}
				}
			})
		})
	}
}

// TestOnHistoryOfKwargs has events of the history, with keyword arguments.
func TestOnHistoryOfKwargs(t *testing.T) {
	for _, c := range serializers {
		synctest.Test(t, func(t *testing.T) {
			var log logged
			r := wamptest.NewRouter(t, wamptest.WithHistory(100))
			s, other := join(t, r, wamp.WithSerializers(c), log.Option()), join(t, r)
			subscribe(t, s, "com.example.t") // so that it is stored
			for _, p := range []wamp.Payload{wamp.Kwargs(pair{1, "k"}), wamp.Args(pair{2, "a"})} {
				_, _ = other.Publish(t.Context(), "com.example.t", p, wamp.Acknowledge()).Wait()
			}
			var got []string
			_, err := wamp.On(t.Context(), s, "com.example.t", func(_ context.Context, ev wamp.EventOf[pair]) error {
				got = append(got, fmt.Sprint(ev.Value, ev.Historic))
				return nil
			}, wamp.FromHistory(wamp.HistoryQuery{Last: 10}))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = other.Publish(t.Context(), "com.example.t", wamp.Kwargs(pair{3, "k"}), wamp.Acknowledge()).Wait()
			synctest.Wait()
			if fmt.Sprint(got) != "[{1 k} true {2 a} true {3 k} false]" {
				t.Errorf("%s: %q, %s", c.Name(), got, log.String())
			}
		})
	}
}
