package wamp_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
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
