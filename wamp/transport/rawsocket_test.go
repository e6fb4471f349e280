//go:build !js

package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// rawRouter answers each connection with what answer makes of its handshake,
// and then leaves it open until the test ends; with hangUp it closes it.
func rawRouter(t testing.TB, answer func(offer [4]byte) (reply []byte, hangUp bool)) (address string, offers func() [][4]byte) {
	t.Helper()
	ln := listen(t, "tcp")
	var got [][4]byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			conn, err := ln.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
			var offer [4]byte
			if _, err := io.ReadFull(conn, offer[:]); err != nil {
				continue
			}
			got = append(got, offer)
			reply, hangUp := answer(offer)
			_, _ = conn.Write(reply)
			if hangUp {
				_ = conn.(*net.TCPConn).SetLinger(0) // a reset
				_ = conn.Close()
			}
		}
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	stop := func() { _ = ln.Close(); <-done }
	t.Cleanup(stop)
	return ln.Addr().String(), func() [][4]byte { stop(); return got }
}

func TestRawSocketHandshake(t *testing.T) {
	json := []transport.Protocol{protocol(t, "wamp.2.json")}
	tests := []struct {
		name    string
		reply   []byte
		refusal transport.Refusal
		err     error
		maxSend int
	}{
		{"accepted", []byte{0x7f, 0xf1, 0, 0}, 0, nil, 1<<24 - 1},
		{"accepted with 512 bytes", []byte{0x7f, 0x01, 0, 0}, 0, nil, 512},
		{"accepted with 64 KiB", []byte{0x7f, 0x71, 0, 0}, 0, nil, 64 << 10},
		{"no magic", []byte{0x7e, 0xf1, 0, 0}, 0, transport.ErrNotRawSocket, 0},
		{"http", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, transport.ErrNotRawSocket, 0},
		{"error 0", []byte{0x7f, 0x00, 0, 0}, 0, transport.ErrNotRawSocket, 0},
		{"third byte", []byte{0x7f, 0xf1, 1, 0}, 0, transport.ErrReserved, 0},
		{"fourth byte", []byte{0x7f, 0xf1, 0, 1}, 0, transport.ErrReserved, 0},
		{"another serializer", []byte{0x7f, 0xf2, 0, 0}, 0, transport.ErrNoProtocol, 0},
		{"truncated", []byte{0x7f, 0xf1}, 0, io.EOF, 0},
		{"nothing", nil, 0, io.EOF, 0},
	}
	for code := range byte(15) {
		tests = append(tests, struct {
			name    string
			reply   []byte
			refusal transport.Refusal
			err     error
			maxSend int
		}{fmt.Sprintf("error %d", code+1), []byte{0x7f, (code + 1) << 4, 0, 0}, transport.Refusal(code + 1), nil, 0})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, offers := rawRouter(t, func([4]byte) ([]byte, bool) { return tt.reply, tt.maxSend == 0 })
			c, err := transport.DialRawSocket(bound(t), "tcp", address, nil, json, transport.RawSocketOptions{MaxReceive: 100_000})
			if got := offers(); len(got) != 1 || got[0] != [4]byte{0x7f, 0x71, 0, 0} {
				t.Errorf("offers were %x", got)
			}
			if tt.maxSend > 0 {
				if err != nil {
					t.Fatal(err)
				}
				if c.MaxSend() != tt.maxSend {
					t.Errorf("MaxSend is %d, want %d", c.MaxSend(), tt.maxSend)
				}
				_ = c.CloseNow()
				return
			}
			var he *transport.HandshakeError
			if !errors.As(err, &he) {
				t.Fatalf("error is %v, want a HandshakeError", err)
			}
			if he.Refusal != tt.refusal {
				t.Errorf("Refusal is %v, want %v", he.Refusal, tt.refusal)
			}
			// A reset may overtake what came before it.
			if tt.err != nil && tt.err != io.EOF && !errors.Is(err, tt.err) {
				t.Errorf("error is %v, want %v", err, tt.err)
			}
		})
	}
}

func TestRawSocketTriesProtocolsInOrder(t *testing.T) {
	refuse := []byte{0x7f, 0x10, 0, 0}
	for name, other := range map[string]struct {
		reply  []byte
		hangUp bool
	}{"error byte": {refuse, false}, "reset": {nil, true}} {
		t.Run(name, func(t *testing.T) {
			address, offers := rawRouter(t, func(offer [4]byte) ([]byte, bool) {
				if offer[1]&0xf == 1 {
					return []byte{0x7f, 0xf1, 0, 0}, false
				}
				return other.reply, other.hangUp
			})
			c, err := transport.DialRawSocket(bound(t), "tcp", address, nil, transport.Protocols(), transport.RawSocketOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			if c.Protocol().Name != "wamp.2.json" {
				t.Errorf("protocol is %v", c.Protocol())
			}
			want := [][4]byte{{0x7f, 0xf3}, {0x7f, 0xf2}, {0x7f, 0xf1}}
			if got := offers(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("offers were %x, want %x", got, want)
			}
		})
	}
	t.Run("all refused", func(t *testing.T) {
		address, offers := rawRouter(t, func([4]byte) ([]byte, bool) { return refuse, true })
		_, err := transport.DialRawSocket(bound(t), "tcp", address, nil, transport.Protocols(), transport.RawSocketOptions{})
		var he *transport.HandshakeError
		if !errors.As(err, &he) || len(offers()) != len(transport.Protocols()) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("too many connections", func(t *testing.T) {
		address, offers := rawRouter(t, func([4]byte) ([]byte, bool) { return []byte{0x7f, 0x40, 0, 0}, false })
		_, err := transport.DialRawSocket(bound(t), "tcp", address, nil, transport.Protocols(), transport.RawSocketOptions{})
		var he *transport.HandshakeError
		if !errors.As(err, &he) || he.Refusal != transport.RefusedMaxConnections || len(offers()) != 1 {
			t.Errorf("error is %v after %d offers", err, len(offers()))
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		ln := listen(t, "tcp")
		_ = ln.Close()
		_, err := transport.DialRawSocket(bound(t), "tcp", ln.Addr().String(), nil, transport.Protocols(), transport.RawSocketOptions{})
		var op *net.OpError
		if !errors.As(err, &op) {
			t.Errorf("error is %v, want the dialer's", err)
		}
	})
	t.Run("no protocol", func(t *testing.T) {
		_, err := transport.DialRawSocket(bound(t), "tcp", "127.0.0.1:1", nil, transport.BatchedProtocols(), transport.RawSocketOptions{})
		if !errors.Is(err, transport.ErrNoProtocol) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestRawSocketSilentPeer(t *testing.T) {
	ln := listen(t, "tcp")
	for name, config := range map[string]*tls.Config{"plain": nil, "tls": {}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := transport.DialRawSocket(ctx, "tcp", ln.Addr().String(), config, transport.Protocols(), transport.RawSocketOptions{})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// An address with TLS is dialled with TLS: the first byte is that of a TLS
// record.
func TestRawSocketTLSIsTLS(t *testing.T) {
	ln := listen(t, "tcp")
	first := make(chan byte, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var b [1]byte
		_, _ = io.ReadFull(conn, b[:])
		first <- b[0]
	}()
	_, err := transport.DialRawSocket(bound(t), "tcp", ln.Addr().String(), &tls.Config{}, transport.Protocols(), transport.RawSocketOptions{})
	if err == nil {
		t.Error("no error")
	}
	if b := <-first; b != 22 {
		t.Errorf("the first byte is %#x, want a TLS handshake", b)
	}
	serverTLS, _ := testTLS(t)
	secure := tls.NewListener(listen(t, "tcp"), serverTLS)
	go func() {
		if conn, err := secure.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	_, err = transport.DialRawSocket(bound(t), "tcp", secure.Addr().String(), &tls.Config{}, transport.Protocols(), transport.RawSocketOptions{})
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) {
		t.Errorf("error with a certificate of nobody: %v", err)
	}
}

func TestAcceptRawSocket(t *testing.T) {
	json := protocol(t, "wamp.2.json")
	tests := []struct {
		name  string
		offer []byte
		reply []byte
		err   error
	}{
		{"accepted", []byte{0x7f, 0x01, 0, 0}, []byte{0x7f, 0xb1, 0, 0}, nil},
		{"serializer 0", []byte{0x7f, 0xf0, 0, 0}, []byte{0x7f, 0x10, 0, 0}, transport.ErrNoProtocol},
		{"other serializer", []byte{0x7f, 0xf2, 0, 0}, []byte{0x7f, 0x10, 0, 0}, transport.ErrNoProtocol},
		{"reserved", []byte{0x7f, 0xf1, 0, 1}, []byte{0x7f, 0x30, 0, 0}, transport.ErrReserved},
		{"http", []byte("GET "), nil, transport.ErrNotRawSocket},
		{"truncated", []byte{0x7f, 0xf1}, nil, io.ErrUnexpectedEOF},
		{"nothing", nil, nil, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln := listen(t, "tcp")
			client, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = client.Write(tt.offer)
			_ = client.(*net.TCPConn).CloseWrite()
			c, err := transport.AcceptRawSocket(bound(t), conn, only(json), transport.RawSocketOptions{MaxReceive: testLimit})
			if !errors.Is(err, tt.err) {
				t.Errorf("error is %v, want %v", err, tt.err)
			}
			if err == nil {
				if c.MaxSend() != 512 || c.Protocol() != json {
					t.Errorf("MaxSend %d, protocol %v", c.MaxSend(), c.Protocol())
				}
				_ = c.CloseNow()
			}
			reply, _ := io.ReadAll(client)
			if !bytes.Equal(reply, tt.reply) {
				t.Errorf("reply is %x, want %x", reply, tt.reply)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := transport.AcceptRawSocket(ctx, b, only(json), transport.RawSocketOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

// rawReader returns a connection that receives stream and then the end.
func rawReader(t testing.TB, stream []byte, maxReceive int) transport.Conn {
	a, b := net.Pipe()
	go func() { // ends with the connection at the latest
		_, _ = a.Write(stream)
		_ = a.Close()
	}()
	c := transport.NewRawSocket(b, transport.Protocols()[0], 0, maxReceive)
	closeAtEnd(t, c)
	return c
}

func TestRawSocketFrames(t *testing.T) {
	big := make([]byte, 1<<24)
	for i := range big {
		big[i] = byte(i >> 8)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	good := []byte{0, 0, 0, 2, 'h', 'i'}
	tests := []struct {
		name     string
		stream   []byte
		max      int
		messages [][]byte
		err      error
	}{
		{"nothing", nil, 512, nil, io.EOF},
		{"one", good, 512, [][]byte{[]byte("hi")}, io.EOF},
		{"empty message", []byte{0, 0, 0, 0}, 512, [][]byte{{}}, io.EOF},
		{"unasked pong", join([]byte{2, 0, 0, 8}, make([]byte, 8), []byte{2, 0, 0, 1, 'x', 2, 0, 0, 0}, good), 512, [][]byte{[]byte("hi")}, io.EOF},
		{"largest", join([]byte{0, 0, 2, 0}, big[:512], good), 512, [][]byte{big[:512], []byte("hi")}, io.EOF},
		{"too large", join(good, []byte{0, 0, 2, 1}, big[:513]), 512, [][]byte{[]byte("hi")}, transport.ErrTooBig},
		{"too large ping", join([]byte{1, 0, 2, 1}, big[:513]), 512, nil, transport.ErrTooBig},
		{"2^24", join([]byte{8, 0, 0, 0}, big, good), 1 << 24, [][]byte{big, []byte("hi")}, io.EOF},
		{"2^24 where that is too large", []byte{8, 0, 0, 0}, 1 << 23, nil, transport.ErrTooBig},
		{"X with a length", []byte{8, 0, 0, 1, 0}, 1 << 24, nil, transport.ErrBadLength},
		{"truncated header", join(good, []byte{0, 0, 0}), 512, [][]byte{[]byte("hi")}, io.ErrUnexpectedEOF},
		{"truncated message", join(good, []byte{0, 0, 0, 3, 'x'}), 512, [][]byte{[]byte("hi")}, io.ErrUnexpectedEOF},
	}
	for typ := byte(3); typ < 8; typ++ {
		tests = append(tests, tests[0])
		tt := &tests[len(tests)-1]
		tt.name, tt.stream, tt.err = fmt.Sprintf("type %d", typ), []byte{typ, 0, 0, 1, 0}, transport.ErrFrameType
	}
	for bit := byte(0x10); bit != 0; bit <<= 1 {
		tests = append(tests, tests[0])
		tt := &tests[len(tests)-1]
		tt.name, tt.stream, tt.err = fmt.Sprintf("reserved bit %#x", bit), []byte{bit, 0, 0, 1, 0}, transport.ErrReserved
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rawReader(t, tt.stream, tt.max)
			for _, m := range tt.messages {
				mustRead(t, c, m)
			}
			_, err := c.Read()
			if !errors.Is(err, tt.err) {
				t.Errorf("error is %v, want %v", err, tt.err)
			}
			var frame *transport.FrameError
			if errors.As(err, &frame) == (tt.err == io.EOF || tt.err == io.ErrUnexpectedEOF) {
				t.Errorf("error is a %T", err)
			}
			var ce *transport.CloseError
			if errors.As(err, &ce) != (tt.err == io.EOF) {
				t.Errorf("error is a %T", err)
			}
			if _, again := c.Read(); again != err {
				t.Errorf("then it is %v", again)
			}
		})
	}
}

// What we send: one length has no agreed form, so it is never sent.
func TestRawSocketNeverSends2To24(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	c := transport.NewRawSocket(b, transport.Protocols()[0], 1<<24, 0)
	defer c.CloseNow()
	if c.MaxSend() != 1<<24-1 {
		t.Errorf("MaxSend is %d", c.MaxSend())
	}
	if err := c.Write(batch(make([]byte, 1<<24))); !errors.Is(err, transport.ErrTooBig) {
		t.Errorf("Write: %v", err)
	}
	wait := send(t, c, []byte("abc"), nil)
	got := make([]byte, 11)
	if _, err := io.ReadFull(a, got); err != nil || string(got) != "\x00\x00\x00\x03abc\x00\x00\x00\x00" {
		t.Errorf("sent %q, %v", got, err)
	}
	wait()
}

func TestRawSocketPongIsIdentical(t *testing.T) {
	a, b := net.Pipe()
	c := transport.NewRawSocket(b, transport.Protocols()[0], 0, 1<<20)
	reads := readAll(c)
	for _, n := range []int{0, 1, 8, 300, 100_000} {
		ping := binary.BigEndian.AppendUint32(nil, 1<<24|uint32(n))
		ping = append(ping, payload(n)...)
		if _, err := a.Write(ping); err != nil {
			t.Fatal(err)
		}
		pong := make([]byte, len(ping))
		if _, err := io.ReadFull(a, pong); err != nil {
			t.Fatal(err)
		}
		ping[0] = 2
		if !bytes.Equal(ping, pong) {
			t.Errorf("pong of %d bytes differs", n)
		}
	}
	_ = a.Close()
	var ce *transport.CloseError
	if err := within(t, reads, "Read"); !errors.As(err, &ce) {
		t.Errorf("Read: %v", err)
	}
	_ = c.CloseNow()
}

// Whatever TryWrite has left half done, a pong waits for its end.
func TestRawSocketPongDoesNotCutABatch(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no TryWrite
	}
	client, server := rawSocket("tcp", false)(t, transport.Protocols()[0])
	var sent [][]byte
	b := new(transport.Batch)
	for done := true; done; {
		m := payload(50_001)
		sent = append(sent, m)
		b = batch(m)
		var err error
		if done, err = client.(transport.TryWriter).TryWrite(b); err != nil {
			t.Fatal(err)
		}
	}
	clientReads := readAll(client)
	ctx := bound(t)
	pinged := background(func() error { return server.Ping(ctx) })
	for transport.Queued(client) == 0 { // until the pong is on its way
		if ctx.Err() != nil {
			t.Fatal("no pong")
		}
		runtime.Gosched()
	}
	rest := background(func() error { return client.Write(b) })
	for _, m := range sent {
		mustRead(t, server, m)
	}
	if err := within(t, rest, "Write"); err != nil {
		t.Fatal(err)
	}
	reads := readAll(server)
	if err := within(t, pinged, "Ping"); err != nil {
		t.Fatal(err)
	}
	_ = server.CloseNow()
	_ = within(t, reads, "Read")
	_ = within(t, clientReads, "Read")
}

// A header is no reason to allocate; what has grown shrinks again.
func TestRawSocketMemory(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	c := transport.NewRawSocket(b, transport.Protocols()[0], 0, 0)
	defer c.CloseNow()
	done := background(func() error { _, err := c.Read(); return err })
	head := []byte{0, 0xff, 0xff, 0xff}
	_, _ = a.Write(head)
	_, _ = a.Write(make([]byte, 100))
	if n := transport.ReadBuffer(c); n > 2<<10 {
		t.Errorf("%d bytes for 100", n)
	}
	_, _ = a.Write(make([]byte, 1<<24-1-100))
	if err := within(t, done, "Read"); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = a.Write([]byte{0, 0, 0, 1, 'x'}) }()
	mustRead(t, c, []byte("x"))
	if n := transport.ReadBuffer(c); n > 128<<10 {
		t.Errorf("%d bytes after the big message was read", n)
	}
	// One that is not that big is kept for a while.
	go func() {
		_, _ = a.Write(binary.BigEndian.AppendUint32(nil, 300_000))
		_, _ = a.Write(make([]byte, 300_000))
		for range 200 {
			_, _ = a.Write([]byte{0, 0, 0, 1, 'x'})
		}
	}()
	mustRead(t, c, make([]byte, 300_000))
	for range 200 {
		mustRead(t, c, []byte("x"))
	}
	if n := transport.ReadBuffer(c); n > 2<<10 {
		t.Errorf("%d bytes after many small messages", n)
	}
}

func TestTryWriteAllocatesNothing(t *testing.T) {
	client, server := rawSocket("tcp", false)(t, transport.Protocols()[0])
	reads := readAll(server)
	b := batch(payload(100), payload(200))
	var m [200]byte
	allocs := testing.AllocsPerRun(200, func() {
		b.Reset(1 << 20)
		for range 2 {
			b.Begin()
			b.Buf = append(b.Buf, m[:]...)
			b.End()
		}
		if done, err := client.(transport.TryWriter).TryWrite(b); err != nil {
			t.Fatal(err)
		} else if !done {
			if err := client.Write(b); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	_ = client.CloseNow()
	within(t, reads, "Read")
}

// Close ends TLS in order, even if there is no time.
func TestRawSocketCloseNotify(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, ctx := range map[string]context.Context{"in time": bound(t), "ended": ended} {
		// closed returns what the peer's socket reads behind Close.
		closed := func(t *testing.T) (int64, error) {
			ln := listen(t, "tcp")
			conns := make(chan *bareConn, 1)
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				bare := &bareConn{Conn: conn}
				_, _ = transport.AcceptRawSocket(bound(t), tls.Server(bare, serverTLS), only(protocol(t, "wamp.2.cbor")), transport.RawSocketOptions{})
				conns <- bare
			}()
			c, err := transport.DialRawSocket(bound(t), "tcp", ln.Addr().String(), clientTLS, transport.Protocols(), transport.RawSocketOptions{})
			if err != nil {
				t.Fatal(err)
			}
			bare := <-conns
			defer bare.Close()
			_ = c.Close(ctx)
			return io.Copy(io.Discard, bare.Conn)
		}
		t.Run(name, func(t *testing.T) {
			n, err := closed(t)
			for i := 0; i < 2 && ctx == ended && (n == 0 || err != nil); i++ {
				n, err = closed(t) // there are 50 ms for it; a machine under load may take longer
			}
			if n == 0 || err != nil {
				t.Errorf("%d bytes of a close_notify, %v", n, err)
			}
		})
	}
}

type bareConn struct{ net.Conn }

// The pipe, and RawSocket over net.Pipe, run in fake time.
func TestSynctest(t *testing.T) {
	for name, connect := range map[string]connector{"pipe": pipe, "net.Pipe": rawPipe} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := connect(t, transport.Protocols()[0])
				end := echo(server)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				clientReads := readAll(client)
				if err := client.Ping(ctx); err != nil {
					t.Fatal(err)
				}
				_ = server.CloseNow()
				<-end
				<-clientReads
				start := time.Now()
				_ = client.CloseNow()
				client, server = connect(t, transport.Protocols()[0])
				if err := client.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Ping: %v", err)
				}
				if time.Since(start) != time.Hour {
					t.Errorf("waited %v", time.Since(start))
				}
				_ = server.CloseNow()
				_ = client.CloseNow()
			})
		})
	}
}
