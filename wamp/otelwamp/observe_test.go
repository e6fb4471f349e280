package otelwamp_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// A session that Connect makes is observed until it is over; what it has counted stays.
func TestSessionMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		r := wamptest.NewRouter(t)
		tag := otelwamp.WithAttributes(attribute.String("app", "test"))
		s := join(t, r, g.seen(tag), wamp.WithReconnect(quick()), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second}))
		other := join(t, r, g.seen(tag))
		handle(t, s, "com.example.echo", echo)
		time.Sleep(time.Minute)
		r.Cut(s.ID())
		time.Sleep(time.Minute)
		if err := final(s.Call(t.Context(), "com.example.echo", wamp.Args())); err != nil {
			t.Fatal(err)
		}
		set := "{app=test wamp.realm=realm1} "
		counters := []string{
			"wamp.session.reconnects" + set + "1", "wamp.session.dropped" + set + "0", "wamp.session.overflowed" + set + "0",
			"wamp.session.refused" + set + "0", "wamp.session.faults" + set + "0",
			// REGISTER twice, CALL, YIELD; REGISTERED twice, INVOCATION, RESULT
			"wamp.session.messages{app=test network.io.direction=transmit wamp.realm=realm1} 4",
			"wamp.session.messages{app=test network.io.direction=receive wamp.realm=realm1} 4",
		}
		g.counts(append(counters, "wamp.session.open"+set+"2", "wamp.session.queue.size"+set+"0", "wamp.session.waiting"+set+"0", "wamp.session.rtt"+set+"1e-09")...)
		closeIt(t, other)
		synctest.Wait()
		g.counts("wamp.session.open" + set + "1")
		closeIt(t, s)
		synctest.Wait()
		for _, m := range g.metrics() {
			if strings.HasPrefix(m, "wamp.session.open") || strings.HasPrefix(m, "wamp.session.queue") {
				t.Errorf("a session that is over has %s", m)
			}
		}
		g.counts(counters[0])
		g.counts("rpc.client.call.duration{app=test rpc.method=com.example.echo rpc.system.name=wamp} 1",
			"rpc.server.call.duration{app=test rpc.method=com.example.echo rpc.system.name=wamp} 1")
	})
}

// Observe is for sessions without the interceptor, and ends when it is told to.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		s := join(t, wamptest.NewRouter(t))
		stop, err := otelwamp.Observe(s, g.options()...)
		if err != nil {
			t.Fatal(err)
		}
		g.counts("wamp.session.open{wamp.realm=realm1} 1")
		s.Publish(t.Context(), "com.example.topic", wamp.Args())
		synctest.Wait()
		for range 2 {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		all := g.metrics()
		if slices.Contains(all, "wamp.session.open{wamp.realm=realm1} 1") || !slices.Contains(all, "wamp.session.messages{network.io.direction=transmit wamp.realm=realm1} 1") {
			t.Errorf("after stop there is %q", all)
		}
		if _, err := otelwamp.Observe(nil, g.options()...); err == nil {
			t.Error("a session that is nil was observed")
		}
		closeIt(t, s)
		stop, err = otelwamp.Observe(s, g.options()...)
		synctest.Wait()
		if err != nil || stop() != nil {
			t.Error("a session that is over:", err)
		}
		if all := g.metrics(); slices.Contains(all, "wamp.session.open{wamp.realm=realm1} 1") {
			t.Errorf("a session that is over has %q", all)
		}
	})
}

// Several readers do not count twice.
func TestReadersDoNotCountTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, second := newRig(t), newRig(t)
		second.reader = sdkmetric.NewManualReader()
		g.reader = sdkmetric.NewManualReader()
		g.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(g.reader), sdkmetric.WithReader(second.reader))
		s := join(t, wamptest.NewRouter(t), g.seen())
		for range 3 {
			s.Publish(t.Context(), "com.example.topic", wamp.Args())
			synctest.Wait()
			g.metrics()
			second.metrics()
		}
		for _, g := range []*rig{g, second} {
			g.counts("wamp.session.messages{network.io.direction=transmit wamp.realm=realm1} 3",
				"messaging.client.sent.messages{messaging.destination.name=com.example.topic messaging.operation.name=publish messaging.operation.type=send messaging.system=wamp} 3")
		}
	})
}

// registrations counts the callbacks that are registered.
type registrations struct {
	metric.MeterProvider
	n *atomic.Int64
}

func (r registrations) Meter(name string, options ...metric.MeterOption) metric.Meter {
	return countedMeter{r.MeterProvider.Meter(name, options...), r.n}
}

type countedMeter struct {
	metric.Meter
	n *atomic.Int64
}

func (m countedMeter) RegisterCallback(f metric.Callback, instruments ...metric.Observable) (metric.Registration, error) {
	reg, err := m.Meter.RegisterCallback(f, instruments...)
	m.n.Add(1)
	return countedRegistration{reg, m.n}, err
}

type countedRegistration struct {
	metric.Registration
	n *atomic.Int64
}

func (r countedRegistration) Unregister() error {
	r.n.Add(-1)
	return r.Registration.Unregister()
}

// Nothing stays registered for a session that is over, however it ended.
func TestCallbacksEndWithTheSession(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, r *wamptest.Router, s *wamp.Session){
		"closed":  func(t *testing.T, _ *wamptest.Router, s *wamp.Session) { closeIt(t, s) },
		"cut":     func(_ *testing.T, r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) },
		"goodbye": func(_ *testing.T, r *wamptest.Router, s *wamp.Session) { r.Kill(s.ID(), "com.example.enough") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				var n atomic.Int64
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithInterceptors(otelwamp.New(otelwamp.WithMeterProvider(registrations{g.meters, &n}))))
				if n.Load() != 1 {
					t.Errorf("%d callbacks at the beginning", n.Load())
				}
				end(t, r, s)
				synctest.Wait()
				if n.Load() != 0 || s.Err() == nil {
					t.Errorf("%d callbacks at the end, %v", n.Load(), s.Err())
				}
				g.counts("wamp.session.reconnects{wamp.realm=realm1} 0")
			})
		})
	}
}
