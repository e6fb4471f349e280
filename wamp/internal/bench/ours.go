package main

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// ours is this library, as a program uses it.
type ours struct {
	session *wamp.Session
	subs    []*wamp.Subscription
	loops   bool // read by iterators
}

// codecs are the library's serializers by name.
var codecs = map[string]codec.Codec{"cbor": codec.CBOR, "msgpack": codec.MsgPack, "json": codec.JSON}

// connect joins with one serializer.
func connect(ctx context.Context, transport, address string, w wire) (*wamp.Session, error) {
	return wamp.Connect(ctx, addressURL(transport, address), "bench", wamp.WithSerializers(codecs[w.Name()]))
}

func dialOurs(ctx context.Context, transport, address string, w wire) (client, error) {
	s, err := connect(ctx, transport, address, w)
	if err != nil {
		return nil, err
	}
	return &ours{session: s}, nil
}

func (c *ours) call(ctx context.Context) error {
	r, err := c.session.Call(ctx, procCall, wamp.Args(answer)).Final()
	if err != nil {
		return err
	}
	var n int
	if err := r.Scan(&n); err != nil {
		return err
	}
	if n != answer {
		return errAnswer
	}
	return nil
}

// one is call without a stream.
func (c *ours) one(ctx context.Context) error {
	n, err := wamp.Call[int](ctx, c.session, procCall, wamp.Args(answer))
	if err == nil && n != answer {
		err = errAnswer
	}
	return err
}

func (c *ours) echo(ctx context.Context, text string) error {
	got, err := wamp.Call[string](ctx, c.session, procEcho, wamp.Args(text))
	if err == nil && got != text {
		err = errAnswer
	}
	return err
}

// look takes a payload as a consumer does that scans it, or as one that hands
// it on.
func look(p *wamp.Payload, scan bool) error {
	if !scan {
		if len(p.RawArgs()) < 2 {
			return errAnswer
		}
		return nil
	}
	var n int
	if err := p.Scan(&n); err != nil {
		return err
	}
	if n != answer {
		return errAnswer
	}
	return nil
}

func (c *ours) results(ctx context.Context, n int, scan bool) error {
	if c.loops {
		return c.resultsByLoop(ctx, n)
	}
	for r := range c.session.Call(ctx, fmt.Sprintf("%s.%d", procFlood, n), wamp.Args(), wamp.Progressive()) {
		if r.Err != nil {
			return r.Err
		}
		if err := look(&r.Payload, scan); err != nil {
			return err
		}
		n--
	}
	if n != -1 {
		return fmt.Errorf("%w: %d results are missing", errAnswer, n+1)
	}
	return nil
}

// resultsByLoop is results of Stream, which scans.
func (c *ours) resultsByLoop(ctx context.Context, n int) error {
	for v, err := range wamp.Stream[int](ctx, c.session, fmt.Sprintf("%s.%d", procFlood, n), wamp.Args()) {
		if err != nil {
			return err
		}
		if v != answer {
			return errAnswer
		}
		n--
	}
	if n != -1 {
		return fmt.Errorf("%w: %d results are missing", errAnswer, n+1)
	}
	return nil
}

// subscribe makes a bound that holds a whole flood: the default one may drop
// events of a burst that is longer than that.
func (c *ours) subscribe(ctx context.Context, consumers int) error {
	for range consumers {
		sub, err := c.session.Subscribe(ctx, "bench.topic", wamp.Buffer(2*floodSize, 64<<20))
		if err != nil {
			return err
		}
		c.subs = append(c.subs, sub)
	}
	return nil
}

func (c *ours) events(ctx context.Context, n int, scan bool) error {
	done := c.session.Call(ctx, fmt.Sprintf("%s.%d", procEvents, n), wamp.Args())
	err := spread(len(c.subs), len(c.subs), func(i int) error {
		if c.loops {
			return eventsByLoop(c.subs[i], n, scan)
		}
		for range n {
			ev, ok := <-c.subs[i].Events()
			if !ok {
				return c.subs[i].Err()
			}
			if err := lookAt(&ev, scan); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = done.Final()
	return err
}

// lookAt takes an event.
func lookAt(ev *wamp.Event, scan bool) error {
	if ev.Lost > 0 {
		return fmt.Errorf("%w: %d events were lost", errAnswer, ev.Lost)
	}
	return look(&ev.Payload, scan)
}

// eventsByLoop takes n events of one subscription.
func eventsByLoop(sub *wamp.Subscription, n int, scan bool) error {
	for ev, err := range sub.All() {
		if err == nil {
			err = lookAt(&ev, scan)
		}
		if err != nil {
			return err
		}
		if n--; n == 0 {
			break
		}
	}
	return nil
}

func (c *ours) register(ctx context.Context) error {
	reg, err := c.session.Register(ctx, "bench.callee", wamp.Buffer(2*floodSize, 64<<20))
	if err != nil {
		return err
	}
	go func() { // ends with the registration, which ctx owns
		if c.loops {
			for inv, err := range reg.All() {
				if err == nil {
					answerInvocation(inv)
				}
			}
			return
		}
		for inv := range reg.Invocations() {
			answerInvocation(inv)
		}
	}()
	return nil
}

func answerInvocation(inv *wamp.Invocation) {
	var n int
	err := inv.Scan(&n)
	if err == nil {
		err = inv.Return(wamp.Args(n))
	}
	if err != nil {
		_ = inv.Fail(err)
	}
}

func (c *ours) invocations(ctx context.Context, n int) error {
	_, err := c.session.Call(ctx, fmt.Sprintf("%s.%d", procInvoke, n), wamp.Args()).Final()
	return err
}

func (c *ours) publish(ctx context.Context) error {
	if ack, ok := <-c.session.Publish(ctx, "bench.topic", wamp.Args(answer)); ok {
		return ack.Err
	}
	return nil
}

func (c *ours) acked(ctx context.Context) error {
	_, err := c.session.Publish(ctx, "bench.topic", wamp.Args(answer), wamp.Acknowledge()).Wait()
	return err
}

func (c *ours) stream(ctx context.Context, n int) error {
	for ack := range c.session.PublishFunc(ctx, "bench.topic", func(_ context.Context, send func(wamp.Payload) error) error {
		for range n {
			if err := send(wamp.Args(answer)); err != nil {
				return err
			}
		}
		return nil
	}, wamp.Window(window)) {
		if ack.Err != nil {
			return ack.Err
		}
		n--
	}
	if n != 0 {
		return fmt.Errorf("%w: %d acknowledgements are missing", errAnswer, n)
	}
	return nil
}

func (c *ours) published(ctx context.Context) (n int, err error) {
	r, err := c.session.Call(ctx, procCount, wamp.Args()).Final()
	if err == nil {
		err = r.Scan(&n)
	}
	return n, err
}

func (c *ours) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.session.Close(ctx)
}
