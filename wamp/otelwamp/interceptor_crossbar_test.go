//go:build interop

package otelwamp_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
)

// crossbar is the address of the router that testdata/interop/rig.sh has started.
func crossbar(t *testing.T, kind string) string {
	t.Helper()
	node := os.Getenv("WAMP_INTEROP")
	if node == "" {
		t.Fatal("WAMP_INTEROP must name the folder of a running router; .ci/interop.sh sets it")
	}
	text, err := os.ReadFile(filepath.Join(node, "rig.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rig struct {
		URLs map[string]string `json:"urls"`
	}
	if err := json.Unmarshal(text, &rig); err != nil || rig.URLs[kind] == "" {
		t.Fatalf("rig.json has no address of %s: %v", kind, err)
	}
	return rig.URLs[kind]
}

// acrossCrossbar runs a test with three sessions, of three serializers, whose trace context
// travels in each of the ways that Crossbar lets through.
func acrossCrossbar(t *testing.T, f func(t *testing.T, ctx context.Context, g *rig, sessions [3]*wamp.Session)) {
	for name, carry := range map[string]otelwamp.Option{"kwarg": otelwamp.InKwargs(""), "option": otelwamp.InOptions(otelwamp.TransactionHash)} {
		for _, kind := range []string{"ws", "raw"} {
			t.Run(name+" over "+kind, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				g := newRig(t)
				var sessions [3]*wamp.Session
				for i := range sessions {
					s, err := wamp.Connect(ctx, crossbar(t, kind), "realm1", wamp.WithSerializers(serializers[i]), g.seen(carry))
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close(ctx)
					sessions[i] = s
				}
				g.settle = func() {
					for _, s := range sessions {
						if err := s.Close(ctx); err != nil { // waits for the handlers
							t.Error(err)
						}
					}
				}
				f(t, ctx, g, sessions)
			})
		}
	}
}

// One trace through Crossbar: a callee that calls another one, which publishes.
func TestOneTraceThroughCrossbar(t *testing.T) {
	acrossCrossbar(t, func(t *testing.T, ctx context.Context, g *rig, s [3]*wamp.Session) {
		caller, front, back := s[0], s[1], s[2]
		handle(t, front, "com.otelwamp.front", func(ctx context.Context, inv *wamp.Invocation) error {
			if kwargs, err := inv.Kwargs(); err != nil || len(kwargs) != 1 || inv.NArgs() != 1 {
				t.Errorf("the handler got %v, %v", kwargs, err)
			}
			n, err := wamp.Call[int](ctx, front, "com.otelwamp.back", wamp.Args(20))
			if err != nil {
				return err
			}
			return inv.Return(wamp.Args(n + 1))
		})
		handle(t, back, "com.otelwamp.back", func(ctx context.Context, inv *wamp.Invocation) error {
			if inv.RawKwargs() != nil {
				t.Errorf("the handler got %q", inv.RawKwargs())
			}
			if _, err := back.Publish(ctx, "com.otelwamp.done", wamp.Args(), wamp.Acknowledge()).Wait(); err != nil {
				t.Error(err)
			}
			return inv.Return(inv.Payload)
		})
		sub := subscribe(t, caller, "com.otelwamp.done")
		root, span := g.traces.Tracer("test").Start(ctx, "root")
		n, err := wamp.Call[int](root, caller, "com.otelwamp.front", wamp.Args(1).With("a", 1))
		span.End()
		if err != nil || n != 21 {
			t.Error(n, err)
		}
		select {
		case ev := <-sub.Events():
			if ev.RawKwargs() != nil {
				t.Errorf("the event has %q", ev.RawKwargs())
			}
		case <-ctx.Done():
			t.Error("there is no event")
		}
		g.wants(`
			internal root
				client com.otelwamp.front Unset ok
					server com.otelwamp.front Unset ok
						client com.otelwamp.back Unset ok
							server com.otelwamp.back Unset ok
								producer publish com.otelwamp.done Unset ok
									consumer receive com.otelwamp.done Unset ok`)
		has(t, g.span(trace.SpanKindClient, "com.otelwamp.front"), "wamp.realm", "realm1", "server.address", "127.0.0.1")
		t.Logf("the trace:\n%s", g.tree())
	})
}

// A stream that the caller leaves, through Crossbar.
func TestCancelledStreamThroughCrossbar(t *testing.T) {
	acrossCrossbar(t, func(t *testing.T, ctx context.Context, g *rig, s [3]*wamp.Session) {
		left := make(chan struct{})
		handle(t, s[1], "com.otelwamp.work", func(ctx context.Context, inv *wamp.Invocation) error {
			defer close(left)
			for n := 1; ; n++ {
				if err := inv.Progress(wamp.Args(n)); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
		root, span := g.traces.Tracer("test").Start(ctx, "root")
		for n, err := range wamp.Stream[int](root, s[0], "com.otelwamp.work", wamp.Args()) {
			if err != nil {
				t.Error(err)
			}
			if n == 3 {
				break
			}
		}
		span.End()
		select {
		case <-left:
		case <-ctx.Done():
			t.Fatal("the callee still works")
		}
		g.wants(`
			internal root
				client com.otelwamp.work Unset canceled
					server com.otelwamp.work Unset canceled`)
	})
}
