package wamp_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// sending is a channel of values, which is closed behind them.
func sending[T any](values ...T) <-chan T {
	ch := make(chan T, len(values))
	for _, v := range values {
		ch <- v
	}
	close(ch)
	return ch
}

// Values become the events that the untyped forms publish, by channel and by function.
func TestPublishTyped(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r, wamp.WithSerializers(c)), join(t, r, wamp.WithSerializers(c))
				sub := subscribe(t, other, "com.example.topic")
				publish := func(acks wamp.Acks, n int) {
					t.Helper()
					all := allAcks(acks)
					for _, ack := range all {
						if ack.Err != nil || ack.ID == 0 {
							t.Errorf("%+v", ack)
						}
					}
					if len(all) != n {
						t.Errorf("%d acknowledgements", len(all))
					}
				}
				publish(wamp.PublishStream(t.Context(), s, "com.example.topic", sending(pair{1, "x"}, pair{2, "y"})), 2)
				publish(wamp.PublishFunc(t.Context(), s, "com.example.topic", func(_ context.Context, send func(*pair) error) error {
					return errors.Join(send(&pair{3, "z"}), send(&pair{4, "w"}))
				}, wamp.Window(1)), 2)
				match(t, taken[pair](sub, 4), "{1 x}", "{2 y}", "{3 z}", "{4 w}")
				publish(wamp.PublishStream(t.Context(), s, "com.example.topic", sending(struct{}{})), 1)
				publish(wamp.PublishStream(t.Context(), s, "com.example.topic", sending(wamp.Args(1, 2).With("a", 3))), 1)
				for ev, err := range sub.All() {
					if err != nil {
						t.Fatal(err)
					}
					if n := ev.NArgs(); n == 2 && ev.RawKwargs() != nil {
						break
					} else if n != 0 {
						t.Errorf("%d arguments", n)
					}
				}
			})
		})
	}
}

// What fails is an error of its event, or of the stream, with the topic.
func TestPublishTypedErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		why := errors.New("the source is gone")
		for name, acks := range map[string]wamp.Acks{
			"no channel":  wamp.PublishStream[int](t.Context(), s, "com.example.topic", nil),
			"no function": wamp.PublishFunc[int](t.Context(), s, "com.example.topic", nil),
			"no context":  wamp.PublishStream(nil, s, "com.example.topic", sending(1)), //nolint:staticcheck // that is what it is about
			"a bad value": wamp.PublishStream(t.Context(), s, "com.example.topic", sending(make(chan int))),
			"a bad value of a function": wamp.PublishFunc(t.Context(), s, "com.example.topic", func(_ context.Context, send func(chan int) error) error {
				return send(make(chan int))
			}),
			"the function's": wamp.PublishFunc(t.Context(), s, "com.example.topic", func(context.Context, func(int) error) error { return why }),
			"a panic":        wamp.PublishFunc(t.Context(), s, "com.example.topic", func(context.Context, func(int) error) error { panic("slip") }),
		} {
			all := allAcks(acks)
			if len(all) != 1 || all[0].Err == nil || !strings.HasPrefix(all[0].Err.Error(), "wamp: publish com.example.topic: ") {
				t.Errorf("%s: %+v", name, all)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan error, 1)
		acks := wamp.PublishFunc(ctx, s, "com.example.topic", func(ctx context.Context, send func(int) error) error {
			<-ctx.Done()
			err := send(1)
			sent <- err
			return err
		})
		synctest.Wait()
		cancel()
		if all := allAcks(acks); len(all) != 1 || !errors.Is(all[0].Err, context.Canceled) {
			t.Errorf("%+v", all)
		}
		if err := <-sent; !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "wamp: publish com.example.topic: ") {
			t.Error(err)
		}
	})
}

// A channel of values needs no goroutine more than one of payloads.
func TestPublishTypedGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		ctx, cancel := context.WithCancel(t.Context())
		goroutines := func(open func()) int {
			synctest.Wait()
			before := runtime.NumGoroutine()
			open()
			synctest.Wait()
			return runtime.NumGoroutine() - before
		}
		untyped := goroutines(func() { s.PublishStream(ctx, "com.example.topic", make(chan wamp.Payload)) })
		typed := goroutines(func() { wamp.PublishStream(ctx, s, "com.example.topic", make(chan int)) })
		if typed != untyped || typed == 0 {
			t.Errorf("%d goroutines, %d without a type", typed, untyped)
		}
		cancel()
	})
}
