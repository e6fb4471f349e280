package wamp_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A text that names what it is.
func text(n, size int) string {
	mark := strconv.Itoa(n) + ","
	return strings.Repeat(mark, size/len(mark)+1)[:size]
}

// Who keeps payloads finds them as they came while others come, small and large, over
// all transports and with all serializers.
func TestLargePayloadsStay(t *testing.T) {
	sizes := []int{100, 64<<10 - 40, 64 << 10, 64<<10 + 40, 3, 1 << 20, 20_000}
	r := wamptest.NewRouter(t)
	check := func(t *testing.T, address string, options ...wamp.Option) {
		for _, c := range serializers {
			s := connect(t, address, append([]wamp.Option{wamp.WithSerializers(c)}, options...)...)
			reg := handle(t, s, "com.example.echo", echo)
			ctx := within(t, patience)
			both := wamp.Args(text(0, 80_000), 7).With("text", text(1, 90_000))
			var calls []wamp.Results
			for i, size := range sizes {
				calls = append(calls, s.Call(ctx, "com.example.echo", wamp.Args(text(i, size))), s.Call(ctx, "com.example.echo", both))
			}
			var kept []wamp.Result
			for _, call := range calls {
				res, err := call.Final()
				if err != nil {
					t.Fatal(err)
				}
				kept = append(kept, res)
			}
			for i, size := range sizes {
				var got, first, second string
				var n int
				if err := kept[2*i].Scan(&got); err != nil || got != text(i, size) {
					t.Errorf("%s: %d bytes have changed: %v", c.Name(), size, err)
				}
				kw, err := kept[2*i+1].Kwargs()
				second, _ = kw["text"].(string)
				if err != nil || kept[2*i+1].Scan(&first, &n) != nil || n != 7 || first != text(0, 80_000) || second != text(1, 90_000) {
					t.Errorf("%s: what has both parts has changed: %v", c.Name(), err)
				}
			}
			if err := reg.Unregister(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	overSockets(t, r, func(t *testing.T, s scheme, address string, options []wamp.Option) {
		if s.name != "rs" && s.name != "rss" && s.name != "ws+unix" { // they are as others
			check(t, address, options...)
		}
	})
	t.Run("batched", func(t *testing.T) {
		address, err := r.ListenWebSocket("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		check(t, address, wamp.WithBatching(0x1e))
	})
	t.Run("memory", func(t *testing.T) { check(t, "", wamp.WithTransport(r.Dial)) })
}

// A large idempotent call goes out again over the next link, and a large publish that
// was made in between waits for it, each as it was.
func TestLargePayloadsAgain(t *testing.T) {
	const size = 600_000
	const away = 50 * time.Millisecond // so that its state is seen, and the publishes are made in between
	r := wamptest.NewRouter(t)
	overSockets(t, r, func(t *testing.T, sc scheme, address string, options []wamp.Option) {
		if sc.name != "ws" && sc.name != "tcp" && sc.name != "wss" {
			return
		}
		for _, c := range serializers {
			other := connect(t, address, options...)
			s := connect(t, address, append([]wamp.Option{wamp.WithSerializers(c), wamp.WithReconnect(wamp.Backoff{Min: away, Max: away})}, options...)...)
			came, seen := make(chan string, 9), sync.OnceFunc(func() { r.Cut(s.ID()) })
			handle(t, other, "com.example.work", func(_ context.Context, inv *wamp.Invocation) error {
				var got string
				err := inv.Scan(&got)
				came <- got
				seen() // the first time nobody is there for the answer
				return errors.Join(err, inv.Return(wamp.Args(got)))
			})
			sub := subscribe(t, other, "com.example.topic")
			var acks []wamp.Acks
			ctx := within(t, patience)
			states := s.States(ctx)
			call := s.Call(ctx, "com.example.work", wamp.Args(text(1, size)), wamp.Idempotent())
			first := <-came
			for st := range states {
				if st.Phase != wamp.Joined {
					break
				}
			}
			for i := range 3 {
				acks = append(acks, s.Publish(ctx, "com.example.topic", wamp.Args(text(10+i, size)), wamp.Acknowledge(), wamp.Idempotent()))
			}
			res, err := call.Final()
			var got string
			if err != nil || res.Scan(&got) != nil || got != text(1, size) || first != got || <-came != got {
				t.Errorf("%s: the call ended with %v and %d bytes", c.Name(), err, len(got))
			}
			for i := range 3 {
				if _, err := acks[i].Wait(); err != nil {
					t.Error(err)
				}
				if ev := <-sub.Events(); ev.Scan(&got) != nil || got != text(10+i, size) {
					t.Errorf("%s: event %d is another one", c.Name(), i)
				}
			}
			closeIt(t, other)
		}
	})
}

// A message may be as large as the peer takes, and not a byte larger.
func TestLargePayloadsAtTheLimit(t *testing.T) {
	const most = 1<<24 - 1
	r := wamptest.NewRouter(t)
	address, err := r.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range serializers {
		s := connect(t, address, wamp.WithSerializers(c))
		args := value(c.AppendList(nil, []any{text(0, 1<<24-200)}))
		head := value(c.AppendMessage(nil, &proto.Message{Type: proto.Call, Request: 1, URI: "com.example.nobody", Args: args}))
		fits := 1<<24 - 200 + most - len(head)
		ctx := t.Context() // without a deadline, which would travel
		if _, err := s.Call(ctx, "com.example.nobody", wamp.Args(text(0, fits+1))).Final(); !errors.Is(err, wamp.ErrPayloadTooBig) {
			t.Errorf("%s: one byte too many: %v", c.Name(), err)
		}
		if _, err := s.Call(ctx, "com.example.nobody", wamp.Args(text(0, fits))).Final(); wamp.ErrorURI(err) != proto.ErrURINoSuchProcedure {
			t.Errorf("%s: %v", c.Name(), err)
		}
		if ack := <-s.Publish(ctx, "com.example.topic", wamp.Args(text(0, most))); !errors.Is(ack.Err, wamp.ErrPayloadTooBig) {
			t.Errorf("%s: a publish: %v", c.Name(), ack.Err)
		}
		if _, err := s.Publish(ctx, "com.example.topic", wamp.Args(1), wamp.Acknowledge()).Wait(); err != nil {
			t.Errorf("%s: afterwards: %v", c.Name(), err)
		}
	}
}
