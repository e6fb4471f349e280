//go:build !js

package transport_test

import (
	"net"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

type embedding struct{ transport.Conn }

type twoEmbedded struct {
	transport.TryWriter
	transport.Conn
}

type unwrapping struct {
	transport.Conn
	inner transport.Conn
}

func (u unwrapping) Unwrap() transport.Conn { return u.inner }

type brave struct{ transport.Conn }

func (brave) RiskyPing() bool { return false }

type circle struct{ transport.Conn }

func (c *circle) Unwrap() transport.Conn { return c }

// That a ping may end a RawSocket is seen through wrappers too.
func TestRiskyPing(t *testing.T) {
	a, b := net.Pipe()
	raw := transport.NewRawSocket(a, transport.Protocols()[0], 0, 0)
	defer raw.CloseNow()
	defer b.Close()
	piped, _ := transport.Pipe(transport.Protocols()[0])
	ws, _ := webSocket(wsOptions{})(t, transport.Protocols()[0])
	for name, tt := range map[string]struct {
		conn transport.Conn
		want bool
	}{
		"rawsocket":      {raw, true},
		"pipe":           {piped, false},
		"websocket":      {ws, false},
		"embedded":       {embedding{raw}, true},
		"by pointer":     {&embedding{raw}, true},
		"twice":          {&embedding{embedding{raw}}, true},
		"second":         {&twoEmbedded{Conn: raw}, true},
		"a pipe":         {&twoEmbedded{Conn: piped}, false},
		"unwrapped":      {unwrapping{piped, raw}, true},
		"says it is not": {brave{raw}, false},
		"nothing":        {embedding{}, false},
		"nil":            {nil, false},
		"circle":         {&circle{raw}, false},
	} {
		if got := transport.RiskyPing(tt.conn); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
