package simtest_test

import (
	"context"
	"iter"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// slow has the consumer of an operation stop reading: until the next check, or
// where it holds the link back for a while, or for ever.
func (w *simWorld) slow(n int, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.ops[n]
	o.dead = o.dead || dead
	if o.slow != nil {
		return
	}
	stopped := make(chan struct{})
	o.slow = stopped
	if o.policy != sim.Block || dead {
		return
	}
	time.AfterFunc(3*time.Second, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if o.slow == stopped && !o.dead {
			close(stopped)
			o.slow = nil
		}
	})
}

var publishTo = map[string][]wamp.PublishOption{
	"all":    {wamp.ExcludeMe(false)},
	"self":   {wamp.ExcludeMe(false), wamp.EligibleAuthID(sim.SelfID)},
	"others": {wamp.ExcludeMe(false), wamp.ExcludeAuthID(sim.SelfID)},
	"nobody": {wamp.ExcludeMe(false), wamp.EligibleAuthID()},
}

func (w *simWorld) publish(o *simOp, a sim.Action) {
	options := append([]wamp.PublishOption{}, publishTo[a.To]...)
	if a.How != "" {
		options = append(options, wamp.Acknowledge())
	}
	if a.Idempotent() {
		options = append(options, wamp.Idempotent())
	}
	if a.How == sim.Retain {
		options = append(options, wamp.Retain())
	}
	acks := w.s.Publish(o.ctx, sim.TopicURI(a.Name), simPayload(sim.Values(a, 0)), options...)
	if a.Of > 0 {
		go w.takeAck(a, acks)
		w.leaveBehind(a.Op)
		return
	}
	w.takeAck(a, acks)
}

// takeAck waits for the answer to a publish.
func (w *simWorld) takeAck(a sim.Action, acks wamp.Acks) {
	if a.How == "" {
		return
	}
	ack, ok := <-acks
	if _, more := <-acks; !ok || more {
		w.m.Broken(sim.EndsOnce, "publish %d has no answer, or two", a.Op)
		return
	}
	w.m.Ended(a.Op, simEnd(ack.Err, wamp.Payload{}))
}

func simSubscribeOptions(a sim.Action) []wamp.SubscribeOption {
	options := []wamp.SubscribeOption{wamp.Match(sim.TopicMatch(a.Name)), wamp.Buffer(2, 0)}
	switch a.Policy {
	case sim.Newest:
		options = append(options, wamp.OverflowDropNewest())
	case sim.Fail:
		options = append(options, wamp.OverflowFail(), wamp.Buffer(sim.Room, 0))
	case sim.Block:
		options = append(options, wamp.OverflowBlock())
	}
	switch {
	case a.How == sim.Retained:
		options = append(options, wamp.GetRetained())
	case a.How == sim.History && a.N > 0:
		options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: a.N}))
	case a.How == sim.History:
		options = append(options, wamp.FromHistory(wamp.HistoryQuery{}))
	}
	return options
}

func (w *simWorld) subscribe(o *simOp, a sim.Action) {
	if a.Op%3 == 0 {
		w.consume(o, a)
		return
	}
	sub, err := w.s.Subscribe(o.ctx, sim.TopicURI(a.Name), simSubscribeOptions(a)...)
	if err != nil {
		w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
		return
	}
	w.mu.Lock()
	o.sub = sub
	w.mu.Unlock()
	w.m.Acked(a.Op)
	for ev := range simEvents(sub, a.Op) {
		w.eventCame(a, ev)
		w.pause(o)
	}
	w.m.Ended(a.Op, simEnd(sub.Err(), wamp.Payload{}))
}

func (w *simWorld) eventCame(a sim.Action, ev wamp.Event) {
	tag := sim.TagOf(simNumbers(ev.Payload))
	if a.How == sim.History {
		w.m.HistoryCame(a.Op, tag, ev.AfterGap, int(ev.Lost))
	} else if ev.Retained {
		w.m.RetainedCame(a.Op, tag, ev.AfterGap)
	} else {
		w.m.EventCame(a.Op, tag, ev.AfterGap, int(ev.Lost))
	}
}

// consume is subscribe with a handler, of which one runs at a time.
func (w *simWorld) consume(o *simOp, a sim.Action) {
	handles := make(chan struct{}, 1) // full while one runs, and before the model knows of the subscription
	handles <- struct{}{}
	sub, err := w.s.SubscribeFunc(o.ctx, sim.TopicURI(a.Name), func(_ context.Context, ev wamp.Event) error {
		handles <- struct{}{}
		w.eventCame(a, ev)
		<-handles
		w.pause(o)
		return nil
	}, simSubscribeOptions(a)...)
	if err != nil {
		w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
		return
	}
	w.mu.Lock()
	o.sub = sub
	w.mu.Unlock()
	w.m.Lingers(a.Op)
	w.m.Acked(a.Op)
	<-handles
	<-sub.Done()
	handles <- struct{}{}
	w.m.Ended(a.Op, simEnd(sub.Err(), wamp.Payload{}))
	<-handles
}

// simEvents are the events of a subscription, read in one way or the other.
func simEvents(sub *wamp.Subscription, op int) iter.Seq[wamp.Event] {
	return func(yield func(wamp.Event) bool) {
		if op%2 == 0 {
			for ev := range sub.Events() {
				if !yield(ev) {
					return
				}
			}
			return
		}
		for ev, err := range sub.All() {
			if err == nil && !yield(ev) {
				return
			}
		}
	}
}

// takeAway takes the subscription of an operation away, where the router has it.
func (w *simWorld) takeAway(op int) {
	name, link := w.m.NameOf(op), w.m.Link()
	w.mu.Lock()
	var id proto.ID
	if h := w.here(link); h != nil && link > 0 {
		id = h.topics[name]
	}
	w.mu.Unlock()
	if id != 0 {
		w.router.RevokeSubscription(id, sim.RevokeReason, w.s.ID())
		synctest.Wait()
	}
}

// heardRevoked: the session is about to learn that a subscription is gone.
func (w *simWorld) heardRevoked(link int, id proto.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.held {
		if name, is := h.names[id]; is && h.link == link {
			w.m.HeardRevoked(name)
		}
	}
}

// hookPublish tells the model of a PUBLISH that the router takes, on a link of
// the session or, h being nil, from a peer.
func (w *simWorld) hookPublish(x *wamptest.Exchange, h *holding) {
	m := x.Message
	if h == nil {
		op := sim.TagOf(simNumbers(w.payload(x.Codec, x.Message))).Op
		if w.m.Logged(op); m.Options.Bool("retain") {
			w.m.Retains(op)
		}
		return
	}
	if op, k, is := simStreamed(simNumbers(w.payload(x.Codec, x.Message))); is {
		h.streamed[m.Request] = [2]int{op, k}
		w.m.StreamTaken(op, k)
		return
	}
	op := w.action(m).Op
	if m.Options.Bool("acknowledge") {
		h.published[m.Request] = op
		if w.deny[string(sim.Publish)] > 0 {
			w.denies(x, sim.Publish, op)
			return
		}
	}
	own, others := sim.Receivers(m.Options)
	w.m.JudgeReceivers(op, own, others)
	w.m.Executed(op, h.link)
	if m.Options.Bool("retain") {
		w.m.Retains(op)
	}
}

// hookEvent tells the model of an event that the router sends to the session,
// and writes into it on which link.
func (w *simWorld) hookEvent(x *wamptest.Exchange, h *holding) wamptest.Action {
	name, is := h.names[x.Message.ID]
	if !is {
		return wamptest.Pass() // of the meta API
	}
	retained := x.Message.Options.Bool("retained")
	if retained && h.quiet[x.Message.ID] {
		return wamptest.Drop()
	}
	op := sim.TagOf(simNumbers(w.payload(x.Codec, x.Message))).Op
	if err := w.setPayload(x, simPayload(sim.Tag{Op: op, Run: h.link}.Numbers())); err != nil {
		w.m.Broken(sim.Protocol, "the hook: %v", err)
	}
	if retained {
		w.m.RetainedSent(op, h.link, name)
	} else {
		w.m.EventSent(op, h.link, name)
	}
	return wamptest.Pass()
}
