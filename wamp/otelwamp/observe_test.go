package otelwamp_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
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
