package wamp_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

type pair struct {
	A int    `json:"a"`
	B string `json:"b"`
}

// asked calls a procedure that answers with a payload.
func asked[T any](t *testing.T, s *wamp.Session, p wamp.Payload) (any, error) {
	t.Helper()
	v, err := wamp.Call[T](t.Context(), s, "com.example.echo", p)
	return v, err
}

// What a result becomes, in each serializer.
func TestCallOfType(t *testing.T) {
	type ask func(*testing.T, *wamp.Session, wamp.Payload) (any, error)
	both := wamp.Args(1).With("a", 2)
	for name, row := range map[string]struct {
		call ask
		with wamp.Payload
		want any
		err  string
	}{
		"an argument":             {asked[int], wamp.Args(7), 7, ""},
		"a struct as argument":    {asked[pair], wamp.Args(pair{1, "x"}), pair{1, "x"}, ""},
		"a pointer":               {asked[*pair], wamp.Args(pair{1, "x"}), &pair{1, "x"}, ""},
		"a list":                  {asked[[]int], wamp.Args([]int{1, 2}), []int{1, 2}, ""},
		"keywords":                {asked[pair], wamp.Args().With("a", 1).With("b", "x"), pair{1, "x"}, ""},
		"keywords, a pointer":     {asked[*pair], wamp.Kwargs(pair{1, "x"}), &pair{1, "x"}, ""},
		"keywords, a map":         {asked[map[string]int], wamp.Args().With("a", 1), map[string]int{"a": 1}, ""},
		"keywords, anything":      {asked[any], wamp.Args().With("b", "x"), map[string]any{"b": "x"}, ""},
		"keywords of an int":      {asked[int], wamp.Args().With("a", 1), 0, "the result has only keyword arguments, which do not fit into int"},
		"an empty keyword list":   {asked[int], wamp.Args(7).WithKwargs(map[string]any{}), 7, ""},
		"arguments and keywords":  {asked[int], both, 0, "the result has arguments and keyword arguments"},
		"two arguments":           {asked[int], wamp.Args(1, 2), 0, "the result has 2 arguments, one is wanted"},
		"nothing":                 {asked[int], wamp.Args(), 0, "the result is empty"},
		"nothing for a struct":    {asked[pair], wamp.Args(), pair{}, "the result is empty"},
		"nothing wanted":          {asked[struct{}], wamp.Args(), struct{}{}, ""},
		"anything for nothing":    {asked[struct{}], both, struct{}{}, ""},
		"null":                    {asked[*pair], wamp.Args(nil), (*pair)(nil), ""},
		"another type":            {asked[int], wamp.Args("seven"), 0, "args[0]"},
		"half of a struct":        {asked[pair], wamp.Args(map[string]any{"a": 1, "b": 2}), pair{}, "args[0].b"},
		"a channel as the target": {asked[chan int], wamp.Args(1), (chan int)(nil), "args[0]"},
	} {
		for _, c := range []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR} {
			t.Run(name+"/"+c.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
					handle(t, s, "com.example.echo", func(_ context.Context, inv *wamp.Invocation) error {
						return inv.Return(inv.Payload)
					})
					for range 3 { // its struct is used again
						got, err := row.call(t, s, row.with)
						if !reflect.DeepEqual(got, row.want) {
							t.Errorf("%#v, want %#v", got, row.want)
						}
						if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
							t.Errorf("%v, want %q", err, row.err)
						}
						var op *wamp.OpError
						if err != nil && (!errors.As(err, &op) || op.Op != "call" || op.URI != "com.example.echo") {
							t.Errorf("%v does not name the call", err)
						}
					}
				})
			})
		}
	}
}

// A result that does not fit names its call, in Stream too.
func TestStreamNamesItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		handle(t, s, "com.example.echo", echo)
		for _, err := range wamp.Stream[int](t.Context(), s, "com.example.echo", wamp.Args("seven")) {
			var op *wamp.OpError
			if !errors.As(err, &op) || op.Op != "call" || op.URI != "com.example.echo" || !errors.As(err, new(*wamp.ScanError)) {
				t.Errorf("%v", err)
			}
		}
	})
}

// The payload as it came can be passed on.
func TestCallOfPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		handle(t, s, "com.example.echo", echo)
		p, err := wamp.Call[wamp.Payload](t.Context(), s, "com.example.echo", wamp.Args(1, 2).With("a", 3))
		if args, _ := p.Args(); err != nil || len(args) != 2 {
			t.Fatalf("%v, %v", args, err)
		}
		if _, err := wamp.Call[wamp.Payload](t.Context(), s, "com.example.echo", p); err != nil {
			t.Error(err)
		}
	})
}

// A call of one result ends as a stream does, whatever ends it, and what is left of it
// disturbs no other call.
func TestCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		handle(t, callee, "com.example.wait", func(ctx context.Context, inv *wamp.Invocation) error {
			_ = inv.Progress(wamp.Args("on the way"))
			<-ctx.Done()
			return wamp.NewError("com.example.error.stopped", wamp.Args())
		})
		handle(t, callee, "com.example.echo", echo)
		call := func(ctx context.Context, procedure string, options ...wamp.CallOption) error {
			_, err := wamp.Call[int](ctx, s, procedure, wamp.Args(1), options...)
			return err
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		for name, row := range map[string]struct {
			err  error
			want error
		}{
			"a nil context":   {call(nil, "com.example.echo"), nil},
			"an ended one":    {call(over, "com.example.echo"), context.Canceled},
			"a deadline":      {call(short, "com.example.wait"), context.DeadlineExceeded},
			"a limit":         {call(t.Context(), "com.example.wait", wamp.Timeout(time.Second)), wamp.ErrTimeout},
			"mode kill":       {call(within(t, time.Second), "com.example.wait", wamp.CancelMode(wamp.Kill)), context.DeadlineExceeded},
			"a bad URI":       {call(t.Context(), "not a URI"), nil},
			"a nil option":    {call(t.Context(), "com.example.echo", nil), nil},
			"nobody":          {call(t.Context(), "com.example.nobody"), wamp.ErrNoSuchProcedure},
			"results on top":  {call(t.Context(), "com.example.echo", wamp.Progressive(), wamp.Buffer(1, 1)), nil},
			"a handler fails": {call(t.Context(), "com.example.fails"), wamp.ErrNoSuchProcedure},
		} {
			if row.err == nil && name != "results on top" || row.want != nil && !errors.Is(row.err, row.want) {
				t.Errorf("%s: %v", name, row.err)
			}
		}
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := call(t.Context(), "com.example.wait"); !errors.As(err, new(*wamp.OutcomeUnknown)) {
					t.Errorf("a lost link: %v", err)
				}
			})
		}
		synctest.Wait()
		r.Cut(s.ID())
		group.Wait()
		for i := range 100 { // structs are used again behind all of that
			if n, err := wamp.Call[int](t.Context(), s, "com.example.echo", wamp.Args(i)); n != i || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		for range 20 {
			group.Go(func() {
				if err := call(t.Context(), "com.example.wait"); !errors.Is(err, wamp.ErrSessionClosed) {
					t.Errorf("a Close: %v", err)
				}
			})
		}
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		group.Wait()
		if err := call(t.Context(), "com.example.echo"); !errors.Is(err, wamp.ErrSessionClosed) {
			t.Errorf("behind it: %v", err)
		}
	})
}

// The struct of a stream that is over is used again, but never while anybody has it:
// not a reader who comes late, nor one who has not read.
func TestFinishedCallsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		handle(t, s, "com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
			var n int
			if err := inv.Scan(&n); err != nil {
				return err
			}
			for i := range n {
				_ = inv.Progress(wamp.Args(i))
			}
			return inv.Return(wamp.Args(n))
		})
		var unread []wamp.Results
		for i := range 300 {
			n := []int{0, 3, 500}[i%3] // without a feeder, with room for all, with one
			unread = append(unread, s.Call(t.Context(), "com.example.count", wamp.Args(n), wamp.Progressive()))
			synctest.Wait()
			if got, err := wamp.Call[int](t.Context(), s, "com.example.count", wamp.Args(i)); got != i || err != nil {
				t.Fatalf("%d, %v", got, err)
			}
		}
		for i, results := range unread {
			n, seen := []int{0, 3, 500}[i%3], 0
			for r := range results {
				var v int
				if err := errors.Join(r.Err, r.Scan(&v)); err != nil || v != seen && r.Progress || v != n && !r.Progress {
					t.Fatalf("call %d, result %d: %d, %v", i, seen, v, err)
				}
				seen++
			}
			if seen != n+1 {
				t.Errorf("call %d: %d results, want %d", i, seen, n+1)
			}
		}
	})
}
