package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What was made here reaches the caller; what another operation's peer has said does
// so only where it cannot be taken for something that is said of this call.
func TestHandlerErrors(t *testing.T) {
	made := wamp.NewError("com.example.error.own", wamp.Args("text"))
	const masked, ours = "wamp.error.runtime_error", "com.example.error.own: text"
	nested := func(ctx context.Context, s *wamp.Session, procedure string, options ...wamp.CallOption) error {
		_, err := wamp.Call[int](ctx, s, procedure, wamp.Args(), options...)
		return err
	}
	for name, row := range map[string]struct {
		fail func(ctx context.Context, s, other *wamp.Session) error
		want string
		logs bool
	}{
		"made":          {func(context.Context, *wamp.Session, *wamp.Session) error { return made }, ours, false},
		"made, wrapped": {func(context.Context, *wamp.Session, *wamp.Session) error { return fmt.Errorf("so: %w", made) }, ours, false},
		"Errorf": {func(context.Context, *wamp.Session, *wamp.Session) error {
			return wamp.Errorf(wamp.ErrNotAuthorized, "no")
		}, "wamp.error.not_authorized: no", false},
		"a constant": {func(context.Context, *wamp.Session, *wamp.Session) error {
			return fmt.Errorf("so: %w", wamp.ErrNoSuchProcedure)
		}, "wamp.error.no_such_procedure", false},
		"the application's": {func(ctx context.Context, s, _ *wamp.Session) error { return nested(ctx, s, "com.example.fails") }, "com.example.error.inner: inner", false},
		"it, of another session": {func(ctx context.Context, _, other *wamp.Session) error {
			return nested(ctx, other, "com.example.fails")
		}, "com.example.error.inner: inner", false},
		"nobody": {func(ctx context.Context, s, _ *wamp.Session) error { return nested(ctx, s, "com.example.nobody") }, masked, true},
		"nobody, of another session": {func(ctx context.Context, _, other *wamp.Session) error {
			return fmt.Errorf("so: %w", nested(ctx, other, "com.example.nobody"))
		}, masked, true},
		"a callee's timeout":  {func(ctx context.Context, s, _ *wamp.Session) error { return nested(ctx, s, "com.example.late") }, "wamp.error.timeout", false},
		"a callee's canceled": {func(ctx context.Context, s, _ *wamp.Session) error { return nested(ctx, s, "com.example.gone") }, masked, true},
		"refused by the router": {func(ctx context.Context, s, _ *wamp.Session) error {
			_, err := s.Register(ctx, "com.example.fails")
			return err
		}, masked, true},
		"of one callee of all": {func(ctx context.Context, s, _ *wamp.Session) error {
			for r := range s.Call(ctx, "com.example.shared", wamp.Args(), wamp.RunMode(wamp.All)) {
				if err := r.CalleeErr(); err != nil {
					return err
				}
			}
			return errors.New("none")
		}, masked, true},
		"Errorf of a received one": {func(ctx context.Context, s, _ *wamp.Session) error {
			return wamp.Errorf(nested(ctx, s, "com.example.nobody"), "passed on")
		}, "wamp.error.no_such_procedure: passed on", false},
		"both, joined": {func(ctx context.Context, s, _ *wamp.Session) error {
			return errors.Join(nested(ctx, s, "com.example.nobody"), made)
		}, ours, false},
		"both, the application's first": {func(ctx context.Context, s, _ *wamp.Session) error {
			return fmt.Errorf("%w and %w", nested(ctx, s, "com.example.fails"), made)
		}, ours, false},
		"a constant behind a received one": {func(ctx context.Context, s, _ *wamp.Session) error {
			return fmt.Errorf("%w: %w", nested(ctx, s, "com.example.nobody"), wamp.ErrInvalidArgument)
		}, "wamp.error.invalid_argument", false},
		"two received": {func(ctx context.Context, s, _ *wamp.Session) error {
			return errors.Join(nested(ctx, s, "com.example.nobody"), nested(ctx, s, "com.example.fails"))
		}, "com.example.error.inner: inner", false},
		"its own deadline": {func(ctx context.Context, s, _ *wamp.Session) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return nested(ctx, s, "com.example.hang")
		}, "wamp.error.timeout", false},
		"a limit": {func(ctx context.Context, s, _ *wamp.Session) error {
			return nested(ctx, s, "com.example.hang", wamp.Timeout(time.Second))
		}, "wamp.error.timeout", false},
		"something else": {func(context.Context, *wamp.Session, *wamp.Session) error { return errors.New("swordfish") }, masked, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, callee, other := join(t, r), join(t, r, log.Option()), join(t, r)
				hung(t, other, "com.example.hang")
				for procedure, err := range map[string]error{
					"com.example.fails": wamp.NewError("com.example.error.inner", wamp.Args("inner")),
					"com.example.late":  wamp.ErrTimeout, "com.example.gone": wamp.ErrCanceled,
				} {
					handle(t, other, procedure, func(context.Context, *wamp.Invocation) error { return err })
				}
				handle(t, other, "com.example.shared", func(context.Context, *wamp.Invocation) error { return wamp.ErrNotAuthorized }, wamp.Invoke(wamp.RoundRobin))
				handle(t, callee, "com.example.handle", func(ctx context.Context, _ *wamp.Invocation) error { return row.fail(ctx, callee, other) })
				if _, err := wamp.Serve(t.Context(), callee, "com.example.serve", func(ctx context.Context, _ struct{}) (int, error) {
					return 0, row.fail(ctx, callee, other)
				}); err != nil {
					t.Fatal(err)
				}
				if _, err := wamp.ServeStream(t.Context(), callee, "com.example.stream", func(ctx context.Context, _ struct{}, _ func(int) error) (int, error) {
					return 0, row.fail(ctx, callee, other)
				}); err != nil {
					t.Fatal(err)
				}
				for _, procedure := range []string{"com.example.handle", "com.example.serve", "com.example.stream"} {
					err := nested(t.Context(), s, procedure)
					if want := "wamp: call " + procedure + ": " + row.want; err == nil || err.Error() != want {
						t.Errorf("%v, want %s", err, want)
					}
					if row.logs {
						log.Has(t, "level=WARN", "error masked for the caller", "procedure="+procedure, "caller=", "error=")
						if because := "it was received"; name != "something else" {
							log.Has(t, because)
						}
					} else if strings.Contains(log.String(), "masked") {
						t.Error(log.String())
					}
				}
			})
		})
	}
}

// A nested call that was cancelled because this one was is canceled, whatever its
// callee has said meanwhile.
func TestNestedCallIsCanceled(t *testing.T) {
	for _, mode := range []wamp.Mode{wamp.KillNoWait, wamp.Kill, wamp.Skip} {
		for name, last := range map[string]error{"canceled": wamp.ErrCanceled, "timeout": wamp.ErrTimeout, "no_such_procedure": wamp.ErrNoSuchProcedure} {
			t.Run(mode.String()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var p tap
					_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
					handle(t, callee, "com.example.inner", func(ctx context.Context, _ *wamp.Invocation) error {
						<-ctx.Done()
						return last
					})
					handle(t, callee, "com.example.outer", func(ctx context.Context, _ *wamp.Invocation) error {
						_, err := wamp.Call[int](ctx, callee, "com.example.inner", wamp.Args(), wamp.CancelMode(mode))
						return err
					})
					ctx, cancel := context.WithCancel(t.Context())
					results := s.Call(ctx, "com.example.outer", wamp.Args(), wamp.CancelMode(wamp.Kill))
					synctest.Wait()
					cancel()
					_, err := results.Final()
					var canceled *wamp.CanceledError
					if !errors.As(err, &canceled) || canceled.Peer == nil || canceled.Peer.URI != proto.ErrURICanceled {
						t.Errorf("%v", err)
					}
				})
			})
		}
	}
}

// So is what a callee has said of another call when this one was over, though that did
// not end by it.
func TestCallBehindInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.gone", func(context.Context, *wamp.Invocation) error { return wamp.ErrCanceled })
		test := t.Context()
		handle(t, callee, "com.example.outer", func(ctx context.Context, _ *wamp.Invocation) error {
			<-ctx.Done()
			_, err := wamp.Call[int](test, callee, "com.example.gone", wamp.Args())
			return err
		})
		ctx, cancel := context.WithCancel(t.Context())
		results := s.Call(ctx, "com.example.outer", wamp.Args(), wamp.CancelMode(wamp.Kill))
		synctest.Wait()
		cancel()
		var canceled *wamp.CanceledError
		if err := lastErr(results); !errors.As(err, &canceled) || canceled.Peer == nil || canceled.Peer.URI != proto.ErrURICanceled {
			t.Errorf("%v", err)
		}
	})
}
