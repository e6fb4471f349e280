package wamp

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// merged is several subscriptions that deliver into one stream, in the order in
// which the router sent their events: across two channels that order is lost. A
// subscription that is restored after a reconnect says so in the stream, behind
// what came before and in front of what comes after.
type merged struct {
	stream flow.Stream[Event]
	s      *Session
	cancel context.CancelFunc // ends the subscriptions
	err    atomic.Pointer[error]
	count  atomic.Uint64 // of what has come; each event has its number as stamp
}

// merge subscribes to topics. ctx owns all of it; stop ends it.
func (s *Session) merge(ctx context.Context, need session.Need, topics ...string) (*merged, error) {
	m := &merged{s: s}
	inner, cancel := context.WithCancel(ctx)
	m.cancel = cancel
	initEvents(&m.stream, s, inner) // what nobody will read goes with it
	m.stream.Cut = func(*flow.Stream[Event], int) (Event, bool) { return Event{}, false }
	for _, topic := range topics {
		e := &session.Subscription{Ctx: inner, URI: topic, Match: Exact, Ready: make(chan error, 1),
			Needs: []session.Need{need}}
		e.Sink = &mergedSink{m: m, topic: topic}
		err := s.eng.Subscribe(e)
		if err == nil {
			err = <-e.Ready
		}
		if err != nil {
			if why := m.ended(); why != nil && ctx.Err() == nil {
				err = why // another one has ended and taken this one with it
			}
			cancel()
			return nil, opError("subscribe", topic, err)
		}
	}
	return m, nil
}

// stop ends the subscriptions; the channel is closed then.
func (m *merged) stop() { m.cancel() }

// ended is why the stream is over.
func (m *merged) ended() error {
	if err := m.err.Load(); err != nil {
		return *err
	}
	return nil
}

// mergedSink is one of the subscriptions. Its methods run on the actor.
type mergedSink struct {
	m     *merged
	topic string
}

func (k *mergedSink) Deliver(msg *proto.Message) session.Verdict {
	ev := newEvent(k.m.s, msg, k.topic, Exact)
	ev.stamp = k.m.count.Add(1)
	return k.m.stream.Put(ev, sizeOf(msg))
}

// Restored says that events may have been missed before what comes now.
func (k *mergedSink) Restored() session.Verdict {
	return k.m.stream.Put(Event{restored: true, stamp: k.m.count.Add(1)}, overhead)
}

func (k *mergedSink) Lost() uint64               { return k.m.stream.Lost() }
func (k *mergedSink) Held() int                  { return k.m.stream.Held() }
func (k *mergedSink) Shed(n int) session.Verdict { return k.m.stream.Shed(n) }

func (k *mergedSink) End(e session.End) {
	k.m.err.CompareAndSwap(nil, &e.Err)
	k.m.stream.Finish(Event{}, false, e.Now)
	k.m.cancel()
}
