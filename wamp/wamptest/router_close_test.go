package wamptest_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Close ends whatever is under way: links that are stalled, not read or not
// reading, held messages, sessions that are half-open, dials and handshakes.
func TestCloseInTrouble(t *testing.T) {
	server, _, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 100)
	var slow sync.Once
	r := wamptest.NewRouter(t, wamptest.WithHalfOpen(time.Hour), wamptest.WithAccept(func(ctx context.Context) error {
		wait := false
		if ctx.Value(slowDial{}) != nil {
			slow.Do(func() { wait = true })
		}
		if wait {
			arrived <- struct{}{}
			<-ctx.Done()
		}
		return ctx.Err()
	}))
	var clients []*client
	var flooded []proto.ID
	for _, d := range ways(t, r) {
		flooded = append(flooded, deaf(t, d))
		for range 5 {
			c := dial(t, d, "cbor")
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			clients = append(clients, c)
		}
	}
	raw, err := r.ListenRawSocket("tcp", "", wamptest.WithTLS(server), wamptest.WithPingHangUp())
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", strings.TrimPrefix(raw, "tcps://")) // never begins with TLS
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), slowDial{}, true))
	defer cancel()
	dialled := make(chan error, 1)
	go func() {
		_, err := r.Dial(ctx, transport.Protocols())
		dialled <- err
	}()
	<-arrived
	big := make([]byte, 2<<20)
	flood := &proto.Message{Type: proto.Event, ID: 1, Publication: 1, Args: append([]byte{0x81, 0x5a, 0, 0x20, 0, 0}, big...)}
	for _, id := range flooded {
		for range 4 {
			if _, err := r.Send(id, flood); err != nil {
				t.Error(err)
			}
		}
	}
	for i, c := range clients {
		switch i % 5 {
		case 0:
			r.Stall(c.id)
		case 1:
			r.StopReading(c.id)
			go c.send(&proto.Message{Type: proto.Publish, Request: 1, URI: "com.example"}, big)
		case 2:
			r.Cut(c.id) // half-open
		case 3:
			r.Kill(c.id, proto.CloseURISystemShutdown)
		case 4:
			r.Delay(time.Hour)
			c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example"})
		}
	}
	done := make(chan struct{})
	start := time.Now()
	go func() {
		var both sync.WaitGroup
		both.Go(r.Close)
		both.Go(r.Close)
		both.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Close hangs")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("Close took %v", d)
	}
	cancel()
	if err := <-dialled; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type slowDial struct{}

// deaf joins, and reads nothing behind WELCOME.
func deaf(t *testing.T, d transport.Dialer) proto.ID {
	t.Helper()
	conn, err := d(t.Context(), []transport.Protocol{protocol(t, "cbor")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	var b transport.Batch
	b.Begin()
	b.Buf, err = codec.CBOR.AppendMessage(b.Buf, &proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
	b.End()
	if err == nil {
		err = conn.Write(&b)
	}
	var data []byte
	if err == nil {
		data, err = conn.Read()
	}
	var m proto.Message
	if err == nil {
		err = codec.CBOR.NewParser(codec.Limits{}).Parse(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}
