//go:build !js

package transport_test

import (
	"bytes"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// adopted is a message with headroom.
func adopted(m []byte) []byte {
	return append(make([]byte, transport.Headroom, transport.Headroom+len(m)), m...)
}

// fill makes batches of messages, of which some are adopted.
func fill(b *transport.Batch, messages [][]byte, own func(i int) bool) {
	for i, m := range messages {
		if own(i) {
			b.Adopt(adopted(m), nil)
			continue
		}
		b.Begin()
		b.Buf = append(b.Buf, m...)
		b.End()
	}
}

// Messages that were adopted go in their order among the others, over each kind of
// connection, and are not changed; a batch that is used again has nothing of them.
func TestAdopt(t *testing.T) {
	big := func(n int) []byte { return payload(100_000 + n) }
	messages := [][]byte{payload(10), big(0), payload(20), payload(3000), big(1), big(2), payload(30_000), big(3)}
	for name, own := range map[string]func(i int) bool{
		"some":  func(i int) bool { return len(messages[i]) >= 100_000 },
		"first": func(i int) bool { return i == 0 || i == 3 },
		"all":   func(int) bool { return true },
		"none":  func(int) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, _ kind, client, server transport.Conn) {
				b := new(transport.Batch)
				var sent [][]byte
				for range 2 {
					fill(b, messages, own)
					if b.Len() != len(messages) {
						t.Fatalf("%d messages", b.Len())
					}
					size := 0
					for i, m := range messages {
						if size += transport.Headroom + len(m); !bytes.Equal(b.Message(i), m) {
							t.Errorf("message %d is another one", i)
						}
						sent = append(sent, b.Message(i))
					}
					if b.Bytes() != size {
						t.Errorf("%d bytes, want %d", b.Bytes(), size)
					}
					done := background(func() error {
						if w, ok := client.(transport.TryWriter); ok {
							if done, err := w.TryWrite(b); done || err != nil {
								return err
							}
						}
						return client.Write(b)
					})
					for _, m := range messages {
						mustRead(t, server, m)
					}
					if err := within(t, done, "Write"); err != nil {
						t.Fatal(err)
					}
					for i := range messages {
						if own(i) && !bytes.Equal(sent[len(sent)-len(messages)+i], messages[i]) {
							t.Errorf("message %d was written to", i)
						}
					}
					b.Reset(1 << 20)
					if b.Len() != 0 || b.Bytes() != 0 {
						t.Errorf("%d messages of %d bytes after Reset", b.Len(), b.Bytes())
					}
				}
				for i, m := range sent { // those of the first time too
					if own(i%len(messages)) && !bytes.Equal(m, messages[i%len(messages)]) {
						t.Errorf("the memory of message %d was used again", i)
					}
				}
			})
		})
	}
}

// Next gives them in their order too.
func TestAdoptNext(t *testing.T) {
	messages := [][]byte{payload(10), payload(1000), {}, payload(5)}
	b := new(transport.Batch)
	fill(b, messages, func(i int) bool { return i%2 == 1 || i == 2 })
	b.Begin()
	b.Discard()
	for i, want := range messages {
		if m, ok := b.Next(); !ok || !bytes.Equal(m, want) {
			t.Errorf("message %d: %q", i, m)
		}
	}
	if m, ok := b.Next(); ok {
		t.Errorf("another one: %q", m)
	}
}

// What TryWrite leaves of a batch, Write sends, wherever it stopped.
func TestAdoptInParts(t *testing.T) {
	client, server := rawSocket("tcp", false)(t, protocol(t, "wamp.2.cbor"))
	for round := range 30 {
		var messages [][]byte
		for i := range 40 {
			messages = append(messages, payload((1+i*7919+round*104729)%200_000))
		}
		b := new(transport.Batch)
		fill(b, messages, func(i int) bool { return i%3 != round%3 })
		done, err := client.(transport.TryWriter).TryWrite(b)
		if err != nil {
			t.Fatal(err)
		}
		rest := background(func() error {
			if done {
				return nil
			}
			return client.Write(b)
		})
		for _, m := range messages {
			mustRead(t, server, m)
		}
		if err := within(t, rest, "Write"); err != nil {
			t.Fatal(err)
		}
		for i := range messages { // RawSocket frames stand in the headroom only
			if !bytes.Equal(b.Message(i), messages[i]) {
				t.Fatalf("message %d was written to", i)
			}
		}
	}
}
