package otelwamp

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/connectanum/connectanum-go/wamp"
)

// Observe makes metrics of what the session says of itself: Session.Stats and Session.RTT
// are read whenever metrics are collected, and by nobody else. It ends with the session,
// or by stop, which may be called more than once; what was counted up to then is not lost.
// There is no goroutine behind it.
//
// A session that Connect makes with an interceptor of [New] is observed already. Several
// sessions with the same realm and attributes (see [WithAttributes]) are counted together.
func Observe(session *wamp.Session, options ...Option) (stop func() error, err error) {
	if session == nil {
		return nil, errors.New("otelwamp: Observe: the session is nil")
	}
	c := newConfig(options)
	return observe(session, c.meter(), c.attributes)
}

// observe is for a session that Connect has made.
func (i *interceptor) observe(session *wamp.Session) {
	if _, err := observe(session, i.meter(), i.attributes); err != nil {
		otel.Handle(err)
	}
}

// observed is a session whose metrics are collected. Counters of several sessions add up,
// and do not go back when one of them ends: so each collection adds what is new.
type observed struct {
	session *wamp.Session

	reconnects, messages, dropped, overflowed, refused, faults metric.Int64Counter

	open, queue, waiting metric.Int64ObservableUpDownCounter
	rtt                  metric.Float64ObservableGauge

	set, sent, received metric.MeasurementOption

	mu   sync.Mutex // of those who collect
	last wamp.Stats
}

func observe(session *wamp.Session, m metric.Meter, attributes []attribute.KeyValue) (stop func() error, err error) {
	o := &observed{session: session}
	list := append([]attribute.KeyValue{keyRealm.String(session.Details().Realm)}, attributes...)
	o.set = metric.WithAttributeSet(attribute.NewSet(list...))
	with := func(more attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(list[:len(list):len(list)], more)...))
	}
	o.sent, o.received = with(semconv.NetworkIODirectionTransmit), with(semconv.NetworkIODirectionReceive)
	if err := o.make(m); err != nil {
		return nil, err
	}
	reg, err := m.RegisterCallback(o.collect, o.open, o.queue, o.waiting, o.rtt)
	if err != nil {
		return nil, err
	}
	end := sync.OnceValue(func() error {
		err := reg.Unregister()
		o.count(context.WithoutCancel(session.Context()))
		return err
	})
	over := context.AfterFunc(session.Context(), func() { _ = end() })
	return func() error { over(); return end() }, nil
}

// make makes the instruments.
func (o *observed) make(m metric.Meter) error {
	var errs []error
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, unit, what string) metric.Int64ObservableUpDownCounter {
		c, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	o.reconnects = counter(metricReconnects, "{reconnect}", "Connections after the first.")
	o.messages = counter(metricMessages, "{message}", "Messages sent and received.")
	o.dropped = counter(metricDropped, "{message}", "Messages that reached nobody, most because a consumer was slow.")
	o.overflowed = counter(metricOverflowed, "{stream}", "Streams that ended because their consumer was slow.")
	o.refused = counter(metricRefused, "{invocation}", "Invocations that found no room, or nobody to take them.")
	o.faults = counter(metricFaults, "{fault}", "Panics of the program's code, and handlers that did not end.")
	o.open = gauge(metricOpen, "{session}", "Sessions that are not over.")
	o.queue = gauge(metricQueue, "By", "Bytes that wait to be written.")
	o.waiting = gauge(metricWaiting, "{operation}", "Operations that wait for a connection, or for their turn.")
	rtt, err := m.Float64ObservableGauge(metricRTT, metric.WithUnit("s"), metric.WithDescription("Round-trip time of pings, smoothed."))
	o.rtt = rtt
	return errors.Join(append(errs, err)...)
}

// collect is called by whoever collects metrics.
func (o *observed) collect(ctx context.Context, to metric.Observer) error {
	st := o.count(ctx)
	select {
	case <-o.session.Done():
		return nil
	default:
	}
	to.ObserveInt64(o.open, 1, o.set)
	to.ObserveInt64(o.queue, int64(st.QueuedBytes), o.set)
	to.ObserveInt64(o.waiting, int64(st.Tables.Parked+st.Tables.Queued), o.set)
	if rtt := o.session.RTT().Smoothed; rtt > 0 { // there has been a ping
		to.ObserveFloat64(o.rtt, rtt.Seconds(), o.set)
	}
	return nil
}

// count adds what is new to the counters.
func (o *observed) count(ctx context.Context) wamp.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	st, last := o.session.Stats(), o.last
	o.last = st
	add := func(c metric.Int64Counter, now, before uint64, set metric.MeasurementOption) {
		c.Add(ctx, int64(now-before), set) // of 0 too, so that it is there
	}
	add(o.reconnects, st.Reconnects, last.Reconnects, o.set)
	add(o.messages, st.Sent, last.Sent, o.sent)
	add(o.messages, st.Received, last.Received, o.received)
	add(o.dropped, st.Dropped, last.Dropped, o.set)
	add(o.overflowed, st.Overflowed, last.Overflowed, o.set)
	add(o.refused, st.Refused, last.Refused, o.set)
	add(o.faults, st.Faults, last.Faults, o.set)
	return st
}
