//go:build interop

package interop_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

// TestTypedForms has the typed forms on one side and autobahn-python on the other, in each
// serializer.
func TestTypedForms(t *testing.T) {
	type pair struct {
		A int    `json:"a"`
		B string `json:"b"`
	}
	for _, cd := range codecs {
		t.Run(cd.Name(), func(t *testing.T) {
			c := cell{"ws", cd}
			s := c.join(t)
			py := joinPartner(t, c)
			ctx := limit(t)

			if n, err := wamp.Call[int](ctx, s, py.prefix+"sum", wamp.Args(2, 3)); n != 5 || err != nil {
				t.Errorf("Call: %d, %v", n, err)
			}
			if v, err := wamp.Call[pair](ctx, s, py.prefix+"echo", wamp.Kwargs(pair{7, "x"})); v != (pair{7, "x"}) || err != nil {
				t.Errorf("Call of keyword arguments: %+v, %v", v, err)
			}
			if _, err := wamp.Call[struct{}](ctx, s, py.prefix+"same", wamp.Args(nil)); err != nil {
				t.Errorf("Call of None: %v", err)
			}
			for n, err := range wamp.Stream[int](ctx, s, py.prefix+"same", wamp.Args(nil)) {
				t.Errorf("Stream of None has %d, %v", n, err)
			}
			st := wamp.OpenStream[int, int](ctx, s, py.prefix+"flood", wamp.Args(5))
			var all []int
			for n, err := range st.All() {
				if err != nil {
					t.Error(err)
				}
				all = append(all, n)
			}
			if n, err := st.Result(); n != 5 || err != nil || !slices.Equal(all, []int{0, 1, 2, 3, 4}) {
				t.Errorf("OpenStream: %v, %d, %v", all, n, err)
			}

			uri := c.uri("go", "typed")
			if _, err := wamp.Serve(ctx, s, uri, func(_ context.Context, in pair) (pair, error) {
				if in.B == "" {
					return in, wamp.Errorf(wamp.ErrInvalidArgument, "b is empty")
				}
				return pair{in.A + 1, in.B}, nil
			}); err != nil {
				t.Fatal(err)
			}
			r := py.ask(t, "call", request{"uri": uri, "args": tagAll(map[string]any{"a": 1, "b": "x"})})
			if r.Result == nil || !sameMessage(*r.Result, []any{map[string]any{"a": int64(2), "b": "x"}}, nil) {
				t.Errorf("Serve: %+v", r)
			}
			r = py.ask(t, "call", request{"uri": uri, "args": tagAll(1)})
			if r.Failed == nil || r.Failed.URI != "wamp.error.invalid_argument" {
				t.Errorf("Serve took a number: %+v", r)
			}

			topic := c.uri("go", "typed.topic")
			came := make(chan pair, 1)
			if _, err := wamp.On(ctx, s, topic, func(_ context.Context, ev wamp.EventOf[pair]) error {
				came <- ev.Value
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			py.ask(t, "publish", request{"topic": topic, "args": tagAll(map[string]any{"a": 3, "b": "y"}), "acknowledge": true})
			select {
			case v := <-came:
				if v != (pair{3, "y"}) {
					t.Errorf("On: %+v", v)
				}
			case <-ctx.Done():
				t.Error(errors.New("no event came"))
			}
		})
	}
}
