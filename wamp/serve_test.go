package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// served registers a procedure that returns what it was asked for.
func served[Req any](t *testing.T, s *wamp.Session) {
	t.Helper()
	v, err := wamp.Serve(t.Context(), s, "com.example.served", func(_ context.Context, req Req) (Req, error) { return req, nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Unregister(context.Background()) })
}

// What a request becomes, and what comes back, in each serializer.
func TestServe(t *testing.T) {
	type serve func(*testing.T, *wamp.Session)
	list := func(v ...any) []any { return v }
	for name, row := range map[string]struct {
		serve serve
		with  wamp.Payload
		want  []any  // the arguments of the result
		err   string // of the request
	}{
		"an argument":              {served[int], wamp.Args(7), list(int64(7)), ""},
		"text":                     {served[string], wamp.Args("x"), list("x"), ""},
		"a struct":                 {served[pair], wamp.Args(pair{1, "x"}), list(map[string]any{"a": int64(1), "b": "x"}), ""},
		"a pointer":                {served[*pair], wamp.Args(pair{1, "x"}), list(map[string]any{"a": int64(1), "b": "x"}), ""},
		"keywords":                 {served[pair], wamp.Kwargs(pair{1, "x"}), list(map[string]any{"a": int64(1), "b": "x"}), ""},
		"keywords, a map":          {served[map[string]int], wamp.Kwargs(d{"a": 1}), list(map[string]any{"a": int64(1)}), ""},
		"nothing for a struct":     {served[pair], wamp.Args(), list(map[string]any{"a": int64(0), "b": ""}), ""},
		"nothing for a pointer":    {served[*pair], wamp.Args(), list(map[string]any{"a": int64(0), "b": ""}), ""},
		"nothing for a map":        {served[map[string]int], wamp.Args(), list(nil), ""},
		"nothing for an int":       {served[int], wamp.Args(), nil, "the request is empty"},
		"nothing":                  {served[struct{}], wamp.Args(), nil, ""},
		"something for nothing":    {served[struct{}], wamp.Args(1), nil, "the procedure takes none"},
		"keywords for nothing":     {served[struct{}], wamp.Kwargs(d{"a": 1}), nil, "the procedure takes none"},
		"whatever":                 {served[wamp.Payload], wamp.Args(1, 2).With("a", 3), list(int64(1), int64(2)), ""},
		"two arguments":            {served[int], wamp.Args(1, 2), nil, "the request has 2 arguments, one is wanted"},
		"both parts":               {served[pair], wamp.Args(pair{}).With("a", 1), nil, "the request has arguments and keyword arguments"},
		"keywords for an int":      {served[int], wamp.Kwargs(d{"a": 1}), nil, "the request has only keyword arguments, which do not fit into int"},
		"another type":             {served[int], wamp.Args("seven"), nil, `args[0]: cannot decode the string "seven" into int`},
		"another type in a struct": {served[pair], wamp.Args(d{"a": "x"}), nil, `args[0].a: cannot decode the string "x" into int`},
		"another keyword":          {served[pair], wamp.Kwargs(d{"b": 7}), nil, "kwargs.b: cannot decode the number 7 into string"},
	} {
		for _, c := range serializers {
			t.Run(name+"/"+c.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
					row.serve(t, s)
					r, err := s.Call(t.Context(), "com.example.served", row.with).Final()
					if row.err != "" {
						if !errors.Is(err, wamp.ErrInvalidArgument) || !strings.Contains(err.Error(), row.err) {
							t.Errorf("%v, want %q", err, row.err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if got, err := r.Args(); err != nil || len(got) != len(row.want) || len(got) > 0 && !reflect.DeepEqual(got, row.want) {
						t.Errorf("%#v, %v, want %#v", got, err, row.want)
					}
				})
			})
		}
	}
}

// Clients in other languages send an empty list and an empty dict where there is nothing.
func TestServeTakesEmptyPartsForNothing(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nothing := wamp.Raw(c, value(c.AppendValue(nil, []any{})), value(c.AppendValue(nil, d{})))
				for name, serve := range map[string]func(*testing.T, *wamp.Session){
					"nothing": served[struct{}], "a struct": served[pair], "a map": served[map[string]int],
				} {
					s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
					serve(t, s)
					if _, err := s.Call(t.Context(), "com.example.served", nothing).Final(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				s := join(t, wamptest.NewRouter(t), wamp.WithSerializers(c))
				served[int](t, s)
				if _, err := s.Call(t.Context(), "com.example.served", nothing).Final(); err == nil || !strings.Contains(err.Error(), "the request is empty") {
					t.Errorf("a number: %v", err)
				}
			})
		})
	}
}

// What a handler returns as an error comes as from Handle, and a panic too; what cannot
// be registered is an error of Serve.
func TestServeErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		ctxs := 0
		if _, err := wamp.Serve(t.Context(), s, "com.example.fails", func(ctx context.Context, how string) (int, error) {
			if ctx.Err() == nil {
				ctxs++
			}
			switch how {
			case "text":
				return 0, wamp.Errorf(wamp.ErrInvalidArgument, "line %d: %w", 3, errors.New("no such colour"))
			case "own":
				return 0, fmt.Errorf("wrapped: %w", wamp.Errorf(wamp.NewError("com.example.error.full", wamp.Args()), "100%%"))
			case "secret":
				return 0, errors.New("swordfish")
			case "kind":
				return 0, wamp.Errorf(errors.New("no kind"), "text")
			}
			panic("swordfish")
		}); err != nil {
			t.Fatal(err)
		}
		for how, want := range map[string]string{
			"text": "wamp.error.invalid_argument: line 3: no such colour", "own": "com.example.error.full: 100%",
			"secret": wamp.ErrRuntimeError.URI(), "kind": "wamp.error.runtime_error: text", "panic": wamp.ErrRuntimeError.URI(),
		} {
			_, err := wamp.Call[int](t.Context(), s, "com.example.fails", wamp.Args(how))
			if err == nil || err.Error() != "wamp: call com.example.fails: "+want {
				t.Errorf("%s: %v", how, err)
			}
		}
		if ctxs != 5 {
			t.Errorf("%d had a context", ctxs)
		}
		nothing := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }
		var op *wamp.OpError
		for name, err := range map[string]error{
			"no handler":  second(wamp.Serve[int, int](t.Context(), s, "com.example.none", nil)),
			"a bad URI":   second(wamp.Serve(t.Context(), s, "com..example", nothing)),
			"there is it": second(wamp.Serve(t.Context(), s, "com.example.fails", nothing)),
		} {
			if !errors.As(err, &op) || op.Op != "register" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func second(_ *wamp.Service, err error) error { return err }
