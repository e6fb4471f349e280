//go:build !js

package transport_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Writers take their memory from each other, and none while another has it: what one is
// about to write stays as it is while others write.
func TestWritersShareTheirRoom(t *testing.T) {
	for _, server := range []bool{false, true} {
		a, b := transport.NewMessageWriter(server, protocol(t, "wamp.2.cbor")), transport.NewMessageWriter(server, protocol(t, "wamp.2.cbor"))
		write := func(w *transport.MessageWriter, m string) (wire []byte) {
			w.Pieces(batch([]byte(m)), func(p []byte) { wire = append(wire, p...) })
			return wire
		}
		if !a.Idle() {
			t.Error("it has memory before it writes")
		}
		write(a, "first")
		if !a.Idle() {
			t.Error("it keeps memory when all is written")
		}
		long := strings.Repeat("long ", 40_000)
		pieces := 0
		var wire []byte
		b.Pieces(batch([]byte(long), []byte("behind")), func(p []byte) {
			pieces++
			before := bytes.Clone(p)
			if got := slowStream(write(a, strings.Repeat("x", 50_000)), !server, false, 1<<30); got.code != 0 || len(got.events) != 1 {
				t.Errorf("server %v: the other has written %d events, code %d", server, len(got.events), got.code)
			}
			if !bytes.Equal(p, before) {
				t.Fatalf("server %v: piece %d was changed", server, pieces)
			}
			wire = append(wire, p...)
		})
		if got := slowStream(wire, !server, false, 1<<30); pieces < 3 || got.code != 0 || len(got.events) != 2 {
			t.Errorf("server %v: %d pieces, %d events, code %d", server, pieces, len(got.events), got.code)
		}
		if !a.Idle() || !b.Idle() {
			t.Error("memory is kept")
		}
	}
}
