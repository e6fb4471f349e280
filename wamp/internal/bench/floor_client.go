package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

var errAnswer = errors.New("bench: wrong answer")

// result waits for the one result of a call.
func (c *floor) result(ch chan []byte) ([]byte, error) {
	b, ok := <-ch
	if !ok {
		return nil, c.err
	}
	return b, nil
}

func (c *floor) call(context.Context) error {
	ch := make(chan []byte, 1)
	if err := c.send(&c.calls, waiter{ch: ch}); err != nil {
		return err
	}
	b, err := c.result(ch)
	if err == nil && len(b) < 2 {
		err = errAnswer
	}
	return err
}

func (c *floor) echo(_ context.Context, text string) error {
	ch := make(chan []byte, 1)
	args := []any{text}
	if err := c.request(5, typeCall, c.w.appendTail(nil, dict{}, procEcho, args), waiter{ch: ch}); err != nil {
		return err
	}
	b, err := c.result(ch)
	if err == nil && !bytes.Contains(b, []byte(text)) {
		err = errAnswer
	}
	return err
}

func (c *floor) results(_ context.Context, n int, _ bool) error {
	ch := make(chan []byte, 1024)
	tail := c.w.appendTail(nil, dict{{"receive_progress", true}}, fmt.Sprintf("%s.%d", procFlood, n))
	if err := c.request(4, typeCall, tail, waiter{ch: ch, stream: true}); err != nil {
		return err
	}
	for b := range ch {
		if len(b) < 2 {
			return errAnswer
		}
		n--
	}
	if n != -1 {
		return fmt.Errorf("%w: %d results are missing", errAnswer, n+1)
	}
	return nil
}

func (c *floor) subscribe(_ context.Context, consumers int) error {
	ch := make(chan []byte, 1)
	c.mu.Lock()
	for range consumers {
		c.topic = append(c.topic, make(chan []byte, 1024))
	}
	c.mu.Unlock()
	if err := c.request(4, typeSubscribe, c.w.appendTail(nil, dict{}, "bench.topic"), waiter{ch: ch}); err != nil {
		return err
	}
	_, err := c.result(ch)
	return err
}

func (c *floor) events(_ context.Context, n int, _ bool) error {
	ch := make(chan []byte, 1)
	tail := c.w.appendTail(nil, dict{}, fmt.Sprintf("%s.%d", procEvents, n))
	if err := c.request(4, typeCall, tail, waiter{ch: ch}); err != nil {
		return err
	}
	err := spread(len(c.topic), len(c.topic), func(i int) error {
		for range n {
			if b, ok := <-c.topic[i]; !ok || len(b) < 2 {
				return errAnswer
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = c.result(ch)
	return err
}

func (c *floor) register(context.Context) error {
	ch := make(chan []byte, 1)
	invoked := make(chan uint64, 1024)
	c.mu.Lock()
	c.invoked = invoked
	c.mu.Unlock()
	c.stopped.Go(func() { // ends when the reader closes the channel
		for id := range invoked {
			c.answer(&c.yields, id)
		}
	})
	if err := c.request(4, typeRegister, c.w.appendTail(nil, dict{}, "bench.callee"), waiter{ch: ch}); err != nil {
		return err
	}
	_, err := c.result(ch)
	return err
}

func (c *floor) invocations(_ context.Context, n int) error {
	ch := make(chan []byte, 1)
	tail := c.w.appendTail(nil, dict{}, fmt.Sprintf("%s.%d", procInvoke, n))
	if err := c.request(4, typeCall, tail, waiter{ch: ch}); err != nil {
		return err
	}
	_, err := c.result(ch)
	return err
}

func (c *floor) publish(context.Context) error {
	return c.send(&c.publishes, waiter{})
}

func (c *floor) acked(context.Context) error {
	ch := make(chan []byte, 1)
	if err := c.send(&c.ackeds, waiter{ch: ch}); err != nil {
		return err
	}
	_, err := c.result(ch)
	return err
}

// window is how many acknowledged publishes are in flight.
const window = 256

func (c *floor) stream(_ context.Context, n int) error {
	ch := make(chan []byte, window)
	for sent, done := 0, 0; done < n; {
		if sent < n && sent-done < window {
			if err := c.send(&c.ackeds, waiter{ch: ch}); err != nil {
				return err
			}
			sent++
			continue
		}
		if _, err := c.result(ch); err != nil {
			return err
		}
		done++
	}
	return nil
}

func (c *floor) published(context.Context) (int, error) {
	ch := make(chan []byte, 1)
	if err := c.request(4, typeCall, c.w.appendTail(nil, dict{}, procCount), waiter{ch: ch}); err != nil {
		return 0, err
	}
	b, err := c.result(ch)
	if err != nil {
		return 0, err
	}
	if c.w.text() {
		b = []byte(strings.TrimSuffix(string(b), "]"))
	}
	r := c.w.newReader()
	r.begin(b)
	r.list()
	n := r.uint()
	if !r.ok() {
		return 0, errAnswer
	}
	return int(n), nil
}
