//go:build peer

// A third side of the benchmark, for package main: docs/benchmarks.md, "Another
// client beside these", says how to build it in. TestThirdSide compiles it with
// what it uses of that client, which is in the folder stub.

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	nexus "github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

func init() {
	register(side{name: "nexus", wires: []string{"cbor"}, dial: dialNexus})
}

// nexusClient can do no fan-out, since it has one handler for each topic, and no
// stream of publishes.
type nexusClient struct {
	unable
	c        *nexus.Client
	received chan error
}

func dialNexus(ctx context.Context, transport, address string, w wire) (client, error) {
	forms := map[string]serialize.Serialization{"cbor": serialize.CBOR, "msgpack": serialize.MSGPACK, "json": serialize.JSON}
	c, err := nexus.ConnectNet(ctx, addressURL(transport, address), nexus.Config{
		Realm: "bench", Serialization: forms[w.Name()], Logger: log.New(io.Discard, "", 0), ResponseTimeout: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	return &nexusClient{c: c, received: make(chan error, 1024)}, nil
}

// number looks at the small payload.
func (*nexusClient) number(args wamp.List, scan bool) error {
	if len(args) != 1 {
		return errAnswer
	}
	if n, ok := wamp.AsInt64(args[0]); scan && (!ok || n != answer) {
		return errAnswer
	}
	return nil
}

func (n *nexusClient) call(ctx context.Context) error {
	r, err := n.c.Call(ctx, procCall, nil, wamp.List{answer}, nil, nil)
	if err != nil {
		return err
	}
	return n.number(r.Arguments, true)
}

func (n *nexusClient) echo(ctx context.Context, text string) error {
	r, err := n.c.Call(ctx, procEcho, nil, wamp.List{text}, nil, nil)
	if err == nil && (len(r.Arguments) != 1 || r.Arguments[0] != text) {
		err = errAnswer
	}
	return err
}

func (n *nexusClient) results(ctx context.Context, count int, scan bool) error {
	var failed error
	_, err := n.c.Call(ctx, fmt.Sprintf("%s.%d", procFlood, count), nil, nil, nil, func(r *wamp.Result) {
		if err := n.number(r.Arguments, scan); err != nil {
			failed = err
		}
		count--
	})
	if err == nil {
		err = failed
	}
	if err == nil && count != 0 {
		err = fmt.Errorf("%w: %d results are missing", errAnswer, count)
	}
	return err
}

func (n *nexusClient) subscribe(_ context.Context, consumers int) error {
	if consumers != 1 {
		return errUnable
	}
	return n.c.Subscribe("bench.topic", func(ev *wamp.Event) { n.received <- n.number(ev.Arguments, true) }, nil)
}

func (n *nexusClient) events(ctx context.Context, count int, _ bool) error {
	done := make(chan error, 1)
	go func() { // ends with the call
		_, err := n.c.Call(ctx, fmt.Sprintf("%s.%d", procEvents, count), nil, nil, nil, nil)
		done <- err
	}()
	for range count {
		if err := <-n.received; err != nil {
			return err
		}
	}
	return <-done
}

func (n *nexusClient) register(context.Context) error {
	return n.c.Register("bench.callee", func(_ context.Context, inv *wamp.Invocation) nexus.InvokeResult {
		return nexus.InvokeResult{Args: inv.Arguments}
	}, nil)
}

func (n *nexusClient) invocations(ctx context.Context, count int) error {
	_, err := n.c.Call(ctx, fmt.Sprintf("%s.%d", procInvoke, count), nil, nil, nil, nil)
	return err
}

func (n *nexusClient) publish(context.Context) error {
	return n.c.Publish("bench.topic", nil, wamp.List{answer}, nil)
}

func (n *nexusClient) acked(context.Context) error {
	return n.c.Publish("bench.topic", wamp.Dict{"acknowledge": true}, wamp.List{answer}, nil)
}

func (n *nexusClient) published(ctx context.Context) (int, error) {
	r, err := n.c.Call(ctx, procCount, nil, nil, nil, nil)
	if err != nil {
		return 0, err
	}
	if len(r.Arguments) == 1 {
		if count, ok := wamp.AsInt64(r.Arguments[0]); ok {
			return int(count), nil
		}
	}
	return 0, errAnswer
}

func (n *nexusClient) close() error { return n.c.Close() }
