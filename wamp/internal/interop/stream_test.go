//go:build interop

package interop_test

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Many publishes with a window of acknowledgements in flight: all come, in
// order, to both sides.
func TestPublishStream(t *testing.T) {
	const n = 1500
	for _, c := range []cell{{"ws", codecs[0]}, {"raw", codecs[1]}, {"wss", codecs[2]}} {
		t.Run(c.String(), func(t *testing.T) {
			s, p, listener := c.join(t), newPartner(t, peerCell, "", nil), pubsubCell.join(t)
			topic := fresh("com.interop.stream.")
			sub := subscribe(t, listener, topic)
			p.ask(t, "subscribe", request{"topic": topic})
			payloads := make(chan wamp.Payload)
			go func() {
				defer close(payloads)
				for i := range n {
					payloads <- wamp.Args(i)
				}
			}()
			var ids []wamp.ID
			for ack := range s.PublishStream(limit(t), topic, payloads, wamp.Window(64)) {
				if ack.Err != nil {
					t.Fatal(ack.Err)
				}
				ids = append(ids, ack.ID)
			}
			for ack := range s.PublishFunc(limit(t), topic, func(_ context.Context, send func(wamp.Payload) error) error {
				for i := range n {
					if err := send(wamp.Args(n + i)); err != nil {
						return err
					}
				}
				return nil
			}) {
				if ack.Err != nil {
					t.Fatal(ack.Err)
				}
				ids = append(ids, ack.ID)
			}
			if len(ids) != 2*n {
				t.Fatalf("%d acknowledgements, want %d", len(ids), 2*n)
			}
			theirs := p.events(t, topic, 2*n)
			for i, id := range ids {
				ev := next(t, sub)
				var got int
				if err := ev.Scan(&got); err != nil || got != i || ev.Publication != id {
					t.Fatalf("event %d is %d (%v), publication %d, want %d", i, got, err, ev.Publication, id)
				}
				if theirs[i].Publication != id || !sameMessage(theirs[i], []any{i}, nil) {
					t.Fatalf("event %d at the peer is %s", i, show(theirs[i]))
				}
			}
			idle(t, s)
		})
	}
}

// What the router refuses ends a stream: the producer is told, and what it has
// sent has its answers.
func TestPublishStreamRefused(t *testing.T) {
	s := pubsubCell.join(t, wamp.WithAuth(authn.Ticket("tick-limited", "ticket-limited-secret")))
	const forbidden = "com.public.interop.forbidden" // it may subscribe there, not publish
	stopped := make(chan error, 1)
	refused, n := 0, 0
	for ack := range s.PublishFunc(limit(t), forbidden, func(ctx context.Context, send func(wamp.Payload) error) error {
		for {
			if err := send(wamp.Args(n)); err != nil {
				stopped <- err
				return err
			}
			n++
		}
	}, wamp.Window(8)) {
		if !errors.Is(ack.Err, wamp.ErrNotAuthorized) {
			t.Errorf("%+v", ack)
		}
		refused++
	}
	if err := <-stopped; !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Errorf("the producer was told %v", err)
	}
	if refused == 0 || refused > n {
		t.Errorf("%d of %d refused", refused, n)
	}
	payloads := make(chan wamp.Payload, 3)
	for i := range 3 {
		payloads <- wamp.Args(i)
	}
	close(payloads)
	refused = 0
	for ack := range s.PublishStream(limit(t), forbidden, payloads, wamp.GoOn(), wamp.Window(1)) {
		if !errors.Is(ack.Err, wamp.ErrNotAuthorized) {
			t.Errorf("%+v", ack)
		}
		refused++
	}
	if refused != 3 {
		t.Errorf("%d of 3 refused", refused)
	}
	left := make(chan wamp.Payload, 3)
	for i := range 3 {
		left <- wamp.Args(i)
	}
	if _, err := s.PublishStream(limit(t), forbidden, left, wamp.Window(1)).Wait(); !errors.Is(err, wamp.ErrNotAuthorized) || len(left) != 2 {
		t.Errorf("%v, %d are left", err, len(left))
	}
	if _, err := s.Subscribe(limit(t), "com.interop.elsewhere"); !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Error(err)
	}
}

// The batched subprotocols, of which the peer speaks one too. Crossbar ends each
// message of batched JSON with 0x18, where the text has 0x1e.
func TestBatching(t *testing.T) {
	for _, cd := range codecs {
		for _, kind := range []string{"ws", "ws-deflate", "wss"} {
			c := cell{kind, cd}
			t.Run(c.String(), func(t *testing.T) {
				s := c.join(t, wamp.WithBatching(0x18))
				if got := s.Details().Protocol; got != "wamp.2."+cd.Name()+".batched" {
					t.Fatalf("protocol %s", got)
				}
				prefix := fresh("com.interop.batched.") + "."
				p := newPartner(t, cell{"ws", cd}, "", request{"codec": cd.Name() + ".batched", "offer": prefix})
				p.prefix = prefix
				if p.protocol != s.Details().Protocol {
					t.Errorf("the peer has %s", p.protocol)
				}
				topic := prefix + "topic"
				sub := subscribe(t, s, topic)
				p.ask(t, "subscribe", request{"topic": topic})
				const n = 300
				for i := range n { // many wait to be written, and go together
					if err := (<-s.Publish(limit(t), topic, wamp.Args(i, "\x18\x1e"))).Err; err != nil {
						t.Fatal(err)
					}
				}
				for i, ev := range p.events(t, topic, n) {
					if !sameMessage(ev, []any{i, "\x18\x1e"}, nil) {
						t.Fatalf("the peer got %s", show(ev))
					}
				}
				p.ask(t, "publish", request{"topic": topic, "args": tagAll("\x18\x1e"), "count": n})
				for i := range n {
					if err := samePayload(next(t, sub).Payload, []any{"\x18\x1e"}, map[string]any{"i": int64(i)}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 3 {
					checkEcho(t, s, p, samples(t)[i])
				}
				count := 0
				for r := range s.Call(limit(t), p.prefix+"flood", wamp.Args(500), wamp.Progressive()) {
					var i int
					if err := errors.Join(r.Err, r.Scan(&i)); err != nil || i != count {
						t.Fatalf("result %d is %d, %v", count, i, err)
					}
					count++
				}
				if count != 501 {
					t.Errorf("%d results", count)
				}
				idle(t, s)
			})
		}
	}
	t.Run("the text's separator", func(t *testing.T) { // Crossbar takes it for garbage and closes
		s, err := wamp.Connect(limit(t), rig.URLs["ws"], realm, wamp.WithSerializers(codec.JSON), wamp.WithBatching(0))
		if err == nil {
			leave(t, s)
			t.Fatal("joined")
		}
		var lost *wamp.LinkError
		if !errors.As(err, &lost) {
			t.Errorf("%T %v", err, err)
		}
	})
	t.Run("where there is none", func(t *testing.T) {
		s := cell{"raw", codec.CBOR}.join(t, wamp.WithBatching(0x18))
		if got := s.Details().Protocol; got != "wamp.2.cbor" {
			t.Errorf("protocol %s", got)
		}
		idle(t, s)
	})
}
