package wamp_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestServeChunksPolicies has a handler that is late for its chunks: none is lost without an
// error.
func TestServeChunksPolicies(t *testing.T) {
	for name, o := range map[string]wamp.RegisterOption{"fail": nil, "block": wamp.OverflowBlock()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, callee := join(t, r), join(t, r)
				options := []wamp.RegisterOption{wamp.Buffer(0, 1000)}
				if o != nil {
					options = append(options, o)
				}
				saw := make(chan string, 1)
				_, err := wamp.ServeChunks(t.Context(), callee, "com.example.up", func(ctx context.Context, in iter.Seq2[string, error], _ func(int) error) (int, error) {
					<-time.After(time.Second)
					n := 0
					for _, err := range in {
						if err != nil {
							saw <- fmt.Sprint(n, err)
							return 0, err
						}
						n++
					}
					saw <- fmt.Sprint(n)
					return n, nil
				}, options...)
				if err != nil {
					t.Fatal(err)
				}
				n, err := wamp.OpenCall[string, int, int](t.Context(), s, "com.example.up", func(_ context.Context, send func(string) error) error {
					for range 200 {
						if err := send(strings.Repeat("x", 100)); err != nil {
							return err
						}
					}
					return nil
				}).Result()
				if seen := <-saw; err == nil && (n != 200 || seen != "200") || (err == nil) != (name == "block") {
					t.Errorf("%d of 200, %v; the handler has seen %s", n, err, seen)
				}
			})
		})
	}
}

// TestServeChunksOddly reads its input in loops that are left, that run at once, and behind
// the end.
func TestServeChunksOddly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		var kept iter.Seq2[int, error]
		var keptSend func(int) error
		_, err := wamp.ServeChunks(t.Context(), s, "com.example.up", func(ctx context.Context, in iter.Seq2[int, error], send func(int) error) (int, error) {
			kept, keptSend = in, send
			n := 0
			for _, err := range in {
				if err != nil {
					return 0, err
				}
				n++
				break
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 2 {
				wg.Go(func() {
					for _, err := range in {
						if err == nil {
							mu.Lock()
							n++
							mu.Unlock()
						}
						_ = send(1)
					}
				})
			}
			wg.Wait()
			if again := texts(in); len(again) > 0 {
				t.Errorf("read twice: %q", again)
			}
			return n, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		st := wamp.OpenCall[int, int, int](t.Context(), s, "com.example.up", func(ctx context.Context, send func(int) error) error {
			for i := range 200 {
				if err := send(i); err != nil {
					return err
				}
			}
			return nil
		})
		v, err := st.Result()
		if err != nil || v != 200 {
			t.Errorf("%d chunks, %v", v, err)
		}
		if late := texts(kept); len(late) != 1 || !strings.HasPrefix(late[0], "wamp: chunk com.example.up: ") {
			t.Errorf("behind the end: %q", late)
		}
		if err := keptSend(1); err == nil {
			t.Error("no error of a send behind the end")
		}
	})
}
