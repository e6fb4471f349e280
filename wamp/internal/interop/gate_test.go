//go:build interop

package interop_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// gate stands between a session and the router, over RawSocket, and can cut the
// connection.
type gate struct {
	url string

	mu    sync.Mutex
	shut  bool
	conns map[net.Conn]struct{}
}

func newGate(t *testing.T) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{url: "tcp://" + l.Addr().String(), conns: map[net.Conn]struct{}{}}
	router := strings.TrimPrefix(rig.URLs["raw"], "tcp://")
	var work sync.WaitGroup
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", router)
			if err != nil {
				_ = client.Close()
				continue
			}
			if !g.add(client, server) {
				continue
			}
			work.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			work.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		g.cut()
		work.Wait()
	})
	return g
}

// add lets two connections be joined, or closes them while the gate is shut.
func (g *gate) add(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range conns {
		if g.shut {
			_ = c.Close()
		} else {
			g.conns[c] = struct{}{}
		}
	}
	return !g.shut
}

// cut ends all connections and lets none through until open.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.conns {
		_ = c.Close()
		delete(g.conns, c)
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}

// join joins a realm through the gate, with a session that comes back.
func (g *gate) join(t *testing.T, realm string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	options = append([]wamp.Option{wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond})}, options...)
	s, err := wamp.Connect(limit(t), g.url, realm, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(t, s) })
	return s
}

// rejoined waits until the session is joined under another id than that one, and
// until the router has answered a call: what is restored comes before.
func rejoined(t *testing.T, s *wamp.Session, old wamp.ID) {
	t.Helper()
	for state := range s.States(limit(t)) {
		if state.Phase == wamp.Joined && s.ID() != old {
			if _, err := meta.Of(s).CountSessions(limit(t)); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("it did not come back")
}
