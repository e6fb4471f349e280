package simtest_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Publish streams, testaments, and what is followed.

// simStreamed reads the payload of a publish of a stream.
func simStreamed(v []int) (op, k int, ok bool) {
	if len(v) != 4 {
		return 0, 0, false
	}
	return v[0], v[1], true
}

// stream plays a publish stream: the producer, and who reads the acknowledgements.
func (w *simWorld) stream(o *simOp, a sim.Action) {
	var options []wamp.PublishStreamOption
	if a.Steps > 0 { // otherwise it shares the session's
		options = append(options, wamp.Window(a.Steps))
	}
	switch a.How {
	case sim.GoOn:
		options = append(options, wamp.GoOn())
	case sim.Idempotent:
		options = append(options, wamp.Idempotent())
	}
	over := make(chan struct{})
	var acks wamp.Acks
	if a.Op%2 == 0 {
		payloads := make(chan wamp.Payload)
		go func() { // ends with the stream
			defer close(payloads)
			for k := range a.N {
				select {
				case payloads <- simPayload([]int{a.Op, k + 1, 0, 0}):
					w.m.StreamFed(a.Op)
				case <-over:
					return
				}
				time.Sleep(time.Duration(a.After) * time.Millisecond)
			}
		}()
		acks = w.s.PublishStream(o.ctx, sim.TopicURI(a.Name), payloads, options...)
	} else {
		acks = w.s.PublishFunc(o.ctx, sim.TopicURI(a.Name), func(ctx context.Context, send func(wamp.Payload) error) error {
			for k := range a.N {
				if err := send(simPayload([]int{a.Op, k + 1, 0, 0})); err != nil {
					return err
				}
				w.m.StreamFed(a.Op)
				_ = simSleep(ctx, time.Duration(a.After)*time.Millisecond)
			}
			return nil
		}, options...)
	}
	for ack := range acks {
		w.m.StreamAck(a.Op, uint64(ack.ID), simEnd(ack.Err, wamp.Payload{}))
	}
	close(over)
	<-time.After(time.Millisecond) // the producer has said what was taken
	w.m.StreamEnded(a.Op)
}

func (w *simWorld) will(o *simOp, a sim.Action) {
	var err error
	if a.Kind == sim.Unwill {
		err = w.s.FlushTestaments(o.ctx, wamp.Scope(a.How))
	} else {
		err = w.s.AddTestament(o.ctx, wamp.Scope(a.How), sim.TopicURI(sim.WillTopic), simPayload(sim.Tag{Op: a.Op}.Numbers()), wamp.DiscloseMe())
	}
	w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
}

// willOf is the operation of a call that adds a testament.
func (w *simWorld) willOf(p wamp.Payload) int {
	var topic string
	var args []int
	if w.sealed != nil {
		var data [][]byte
		var kw struct {
			Options struct {
				Cipher string `json:"ppt_cipher"`
				KeyID  string `json:"ppt_keyid"`
			} `json:"publish_options"`
		}
		if p.Scan(&topic, &data) != nil || len(data) != 1 || p.ScanKw(&kw) != nil {
			return -1
		}
		return sim.TagOf(simNumbers(w.opened(kw.Options.Cipher, kw.Options.KeyID, data[0]))).Op
	}
	if p.Scan(&topic, &args) != nil {
		return -1
	}
	return sim.TagOf(args).Op
}

// hookCall tells the model of testaments that the router takes.
func (w *simWorld) hookCall(x *wamptest.Exchange, h *holding) {
	switch x.Message.URI {
	case "wamp.session.add_testament":
		op := w.willOf(x.Payload())
		if w.deny[string(sim.Will)] > 0 {
			w.denies(x, sim.Will, op)
			return
		}
		w.m.WillTaken(op, h.link)
	case "wamp.session.flush_testaments":
		if kw, err := x.Payload().Kwargs(); err == nil {
			w.m.WillsFlushed(fmt.Sprint(kw["scope"]), h.link)
		}
	}
}

// hookPeer sees what goes to the peer: the testaments of the session.
func (w *simWorld) hookPeer(x *wamptest.Exchange) {
	if h := w.held[x.Message.Options.ID("publisher")]; h != nil {
		w.m.WillPublished(sim.TagOf(simNumbers(w.payload(x.Codec, x.Message))).Op, h.link)
	}
}

// guest is a peer that comes and goes.
func (w *simWorld) guest(a sim.Action) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(w.router.Dial), wamp.WithAuth(authn.Ticket(sim.PeerID, simTicket, authn.AllowPlaintext())), wamp.WithPayloadCodec(w.sealed))
	if err != nil {
		return
	}
	select {
	case <-time.After(time.Duration(a.After) * time.Millisecond):
	case <-w.over:
	}
	_ = s.Close(ctx)
}

// view is what a follower knows.
type view struct {
	what  string
	there map[wamp.ID]bool
}

// follow follows what the router has.
func (w *simWorld) follow(o *simOp, a sim.Action) {
	m := meta.Of(w.s)
	switch a.How {
	case "sessions":
		there, changes, err := m.FollowSessions(o.ctx)
		followed(w, o, a, there, changes, err, func(s meta.SessionInfo) wamp.ID { return s.Session })
	case "registrations":
		there, changes, err := m.FollowRegistrations(o.ctx)
		followed(w, o, a, there, changes, err, func(r meta.RegistrationInfo) wamp.ID { return r.ID })
	default:
		there, changes, err := m.FollowSubscriptions(o.ctx)
		followed(w, o, a, there, changes, err, func(s meta.SubscriptionInfo) wamp.ID { return s.ID })
	}
}

func followed[T any](w *simWorld, o *simOp, a sim.Action, there []T, changes <-chan meta.Change[T], err error, id func(T) wamp.ID) {
	if err != nil {
		w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
		return
	}
	v := &view{a.How, map[wamp.ID]bool{}}
	for _, t := range there {
		v.there[id(t)] = true
	}
	w.mu.Lock()
	o.view = v
	w.mu.Unlock()
	w.m.Acked(a.Op)
	for c := range changes {
		if c.Err != nil {
			err = c.Err
			continue
		}
		w.mu.Lock()
		if n := id(c.Value); v.there[n] != c.Gone || err != nil {
			w.m.Broken(sim.TrueOutcome, "follow %d: %d, gone: %v, and it was there: %v, behind the end: %v", a.Op, n, c.Gone, v.there[n], err)
		} else if v.there[n] = true; c.Gone {
			delete(v.there, n)
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	o.view = nil
	w.mu.Unlock()
	w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
}

// judgeViews judges when all is quiet that who follows knows what there is.
func (w *simWorld) judgeViews() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	truth := map[string][]wamp.ID{}
	for _, s := range w.router.Sessions() {
		truth["sessions"] = append(truth["sessions"], s.ID)
	}
	regs, err := meta.Of(w.peer).ListRegistrations(ctx)
	subs, err2 := meta.Of(w.peer).ListSubscriptions(ctx)
	if err != nil || err2 != nil {
		w.t.Errorf("the peer: %v, %v", err, err2)
	}
	truth["registrations"], truth["subscriptions"] = regs.All(), subs.All()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, o := range w.ops {
		if o.view == nil || w.m.Link() == 0 {
			continue
		}
		var knows []wamp.ID
		for id := range o.view.there {
			knows = append(knows, id)
		}
		want := truth[o.view.what]
		slices.Sort(knows)
		slices.Sort(want)
		if !slices.Equal(knows, want) {
			w.m.Broken(sim.Restored, "follow %d knows the %s %v, there are %v", n, o.view.what, knows, want)
		}
	}
}
