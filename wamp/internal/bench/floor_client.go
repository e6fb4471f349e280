package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

var errAnswer = errors.New("bench: wrong answer")

// floorClient is the floor with the work of the comparison.
type floorClient struct {
	*floor.Client
	w                                floor.Wire
	calls, publishes, ackeds, yields floor.Template
	topics                           []chan []byte // events, one for each consumer
}

// dialFloor connects and joins.
func dialFloor(ctx context.Context, transport, address string, w wire) (*floorClient, error) {
	at := floor.Endpoint{Network: "tcp", Address: address, Wire: w, Web: transport == transportWeb, Host: address, Path: "/ws",
		Realm: "bench", LastID: idBase}
	if transport == transportUnix {
		at.Network = "unix"
	}
	f, err := at.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &floorClient{
		Client:    f,
		w:         w,
		calls:     f.Template(5, floor.TypeCall, w.AppendTail(nil, floor.Dict{}, procCall, []any{answer})),
		publishes: f.Template(5, floor.TypePublish, w.AppendTail(nil, floor.Dict{}, "bench.topic", []any{answer})),
		ackeds:    f.Template(5, floor.TypePublish, w.AppendTail(nil, floor.Pairs("acknowledge", true), "bench.topic", []any{answer})),
		yields:    f.Template(4, floor.TypeYield, w.AppendTail(nil, floor.Dict{}, []any{answer})),
	}, nil
}

func (c *floorClient) close() error { return c.Client.Close() }

func (c *floorClient) call(context.Context) error {
	ch := make(chan []byte, 1)
	if err := c.Send(&c.calls, floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	b, err := c.Result(ch)
	if err == nil && len(b) < 2 {
		err = errAnswer
	}
	return err
}

func (c *floorClient) echo(_ context.Context, text string) error {
	ch := make(chan []byte, 1)
	args := []any{text}
	if err := c.Request(5, floor.TypeCall, c.w.AppendTail(nil, floor.Dict{}, procEcho, args), floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	b, err := c.Result(ch)
	if err == nil && !bytes.Contains(b, []byte(text)) {
		err = errAnswer
	}
	return err
}

func (c *floorClient) results(_ context.Context, n int, _ bool) error {
	ch := make(chan []byte, 1024)
	tail := c.w.AppendTail(nil, floor.Pairs("receive_progress", true), fmt.Sprintf("%s.%d", procFlood, n))
	if err := c.Request(4, floor.TypeCall, tail, floor.Waiter{Ch: ch, Stream: true}); err != nil {
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

func (c *floorClient) subscribe(_ context.Context, consumers int) error {
	ch := make(chan []byte, 1)
	c.topics = c.Consume(consumers)
	if err := c.Request(4, floor.TypeSubscribe, c.w.AppendTail(nil, floor.Dict{}, "bench.topic"), floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	_, err := c.Result(ch)
	return err
}

func (c *floorClient) events(_ context.Context, n int, _ bool) error {
	ch := make(chan []byte, 1)
	tail := c.w.AppendTail(nil, floor.Dict{}, fmt.Sprintf("%s.%d", procEvents, n))
	if err := c.Request(4, floor.TypeCall, tail, floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	err := spread(len(c.topics), len(c.topics), func(i int) error {
		for range n {
			if b, ok := <-c.topics[i]; !ok || len(b) < 2 {
				return errAnswer
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = c.Result(ch)
	return err
}

func (c *floorClient) register(context.Context) error {
	ch := make(chan []byte, 1)
	invoked := c.Client.Invocations()
	c.Spawn(func() { // ends when the reader closes the channel
		for id := range invoked {
			c.Answer(&c.yields, id)
		}
	})
	if err := c.Request(4, floor.TypeRegister, c.w.AppendTail(nil, floor.Dict{}, "bench.callee"), floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	_, err := c.Result(ch)
	return err
}

func (c *floorClient) invocations(_ context.Context, n int) error {
	ch := make(chan []byte, 1)
	tail := c.w.AppendTail(nil, floor.Dict{}, fmt.Sprintf("%s.%d", procInvoke, n))
	if err := c.Request(4, floor.TypeCall, tail, floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	_, err := c.Result(ch)
	return err
}

func (c *floorClient) publish(context.Context) error {
	return c.Send(&c.publishes, floor.Waiter{})
}

func (c *floorClient) acked(context.Context) error {
	ch := make(chan []byte, 1)
	if err := c.Send(&c.ackeds, floor.Waiter{Ch: ch}); err != nil {
		return err
	}
	_, err := c.Result(ch)
	return err
}

// window is how many acknowledged publishes are in flight.
const window = 256

func (c *floorClient) stream(_ context.Context, n int) error {
	ch := make(chan []byte, window)
	for sent, done := 0, 0; done < n; {
		if sent < n && sent-done < window {
			if err := c.Send(&c.ackeds, floor.Waiter{Ch: ch}); err != nil {
				return err
			}
			sent++
			continue
		}
		if _, err := c.Result(ch); err != nil {
			return err
		}
		done++
	}
	return nil
}

func (c *floorClient) published(context.Context) (int, error) {
	ch := make(chan []byte, 1)
	if err := c.Request(4, floor.TypeCall, c.w.AppendTail(nil, floor.Dict{}, procCount), floor.Waiter{Ch: ch}); err != nil {
		return 0, err
	}
	b, err := c.Result(ch)
	if err != nil {
		return 0, err
	}
	if c.w.Text() {
		b = []byte(strings.TrimSuffix(string(b), "]"))
	}
	r := c.w.NewReader()
	r.Begin(b)
	r.List()
	n := r.Uint()
	if !r.OK() {
		return 0, errAnswer
	}
	return int(n), nil
}
