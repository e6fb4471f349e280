package meta

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

const (
	room        = 8        // of the channels of users
	mergedBytes = 64 << 20 // bound of what waits to be followed
)

// item is one event, or the sign that its subscription has been restored.
type item struct {
	payload  codec.Payload
	topic    string
	lost     uint64 // events that a slow consumer has lost before this one
	gap      bool   // it comes after a restore of which the sign was lost
	restored bool   // no event: the subscription is there again on a new link
	number   uint64 // of all that came
}

// merged is several subscriptions that deliver into one stream, in the order in
// which the router sent their events: across two channels that order is lost. A
// subscription that is restored after a reconnect says so in the stream, behind
// what came before and in front of what comes after.
type merged struct {
	stream flow.Stream[item]
	eng    *session.Session
	cancel context.CancelFunc // ends the subscriptions
	err    atomic.Pointer[error]
	count  atomic.Uint64 // of what has come; each item has its number
}

// merge subscribes to topics. ctx owns all of it; stop ends it.
func merge(ctx context.Context, eng *session.Session, need session.Need, topics ...string) (*merged, error) {
	m := &merged{eng: eng}
	inner, cancel := context.WithCancel(ctx)
	m.cancel = cancel
	st := &m.stream
	st.Open(inner, eng, room) // what nobody will read goes with it
	st.Policy, st.Bytes = flow.DropOldest, mergedBytes
	st.Mark = func(it item, n uint64, gap bool) item {
		it.lost += n
		it.gap = it.gap || gap
		return it
	}
	st.Hole = func(it item) bool { return it.gap || it.restored }
	st.Cut = func(*flow.Stream[item], int) (item, bool) { return item{}, false }
	for _, topic := range topics {
		e := &session.Subscription{
			Handle: session.Handle{Ctx: inner, URI: topic, Match: proto.Exact, Ready: make(chan error, 1), Needs: []session.Need{need}},
			Sink:   &mergedSink{m: m, topic: topic},
		}
		err := eng.Subscribe(e)
		if err == nil {
			err = <-e.Ready
		}
		if err != nil {
			if why := m.ended(); why != nil && ctx.Err() == nil {
				err = why // another one has ended and taken this one with it
			}
			cancel()
			return nil, session.WrapOp("subscribe", topic, err)
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

var (
	_ session.Sink       = (*mergedSink)(nil)
	_ session.Restorable = (*mergedSink)(nil)
	_ session.Lossy      = (*mergedSink)(nil)
	_ session.Hoarder    = (*mergedSink)(nil)
)

// Deliver takes an event.
func (k *mergedSink) Deliver(msg *proto.Message) session.Verdict {
	it := item{payload: codec.Received(k.m.eng.Codec(), msg), topic: k.topic, number: k.m.count.Add(1)}
	return k.m.stream.Put(it, session.Cost(msg))
}

// Restored says that events may have been missed before what comes now.
func (k *mergedSink) Restored() session.Verdict {
	return k.m.stream.Put(item{restored: true, number: k.m.count.Add(1)}, session.Overhead)
}

// Lost, Held and Shed are the policy's part.

func (k *mergedSink) Lost() uint64               { return k.m.stream.Lost() }
func (k *mergedSink) Held() int                  { return k.m.stream.Held() }
func (k *mergedSink) Shed(n int) session.Verdict { return k.m.stream.Shed(n) }

// End takes the end of the subscription, and ends the others.
func (k *mergedSink) End(e session.End) {
	k.m.err.CompareAndSwap(nil, &e.Err)
	k.m.stream.Finish(item{}, false, e.Now)
	k.m.cancel()
}
