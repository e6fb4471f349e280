package faults_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connectanum/connectanum-go/wamp/internal/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take that has to happen.
const patience = 20 * time.Second

// pair is a connection through a proxy, seen from both ends.
func pair(t *testing.T, plan faults.Plan) (p *faults.Proxy, client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	p, err = faults.Start(t.Context(), ln.Addr().String(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.SetNew(plan)
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, c := range []net.Conn{c, s} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return p, c.(*net.TCPConn), s.(*net.TCPConn)
}

// data is what nobody confuses with anything else.
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestForwards(t *testing.T) {
	for name, plan := range map[string]faults.Plan{
		"clean": faults.Clean,
		"slow":  {Up: faults.Fault{Rate: 4 << 20, Delay: 10 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, server := pair(t, plan)
			want := data(1 << 20)
			start := time.Now()
			go func() {
				_, _ = client.Write(want)
				_ = client.CloseWrite()
			}()
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if d := time.Since(start); name == "slow" && d < 200*time.Millisecond {
				t.Errorf("1 MiB at 4 MiB a second took %v", d)
			}
			// The other half goes on.
			if _, err := server.Write(want[:100]); err != nil {
				t.Fatal(err)
			}
			_ = server.Close()
			if got, err := io.ReadAll(client); err != nil || len(got) != 100 {
				t.Errorf("%d bytes back, %v", len(got), err)
			}
		})
	}
}

func TestCuts(t *testing.T) {
	for name, with := range map[string]faults.End{"fin": faults.FIN, "rst": faults.RST} {
		t.Run(name, func(t *testing.T) {
			p, client, server := pair(t, faults.Plan{Up: faults.Fault{Cut: 1000, With: with}})
			go func() { _, _ = client.Write(data(5000)) }()
			got, err := io.ReadAll(server)
			if with == faults.FIN && (err != nil || len(got) != 1000) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if with == faults.RST && !errors.Is(err, syscall.ECONNRESET) || len(got) > 1000 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			_ = server.Close()
			_, err = io.ReadAll(client)
			if with == faults.FIN && err != nil || with == faults.RST && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client: %v", err)
			}
			if st := p.Stats(); st.Cut != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestFlips(t *testing.T) {
	p, client, server := pair(t, faults.Plan{Up: faults.Fault{Flip: 1000, From: 5000}})
	want := data(100_000)
	go func() {
		_, _ = client.Write(want)
		_ = client.CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	changed := 0
	for i := range got {
		if got[i] != want[i] {
			if changed++; i < 5000 {
				t.Errorf("byte %d was to be spared", i)
			}
		}
	}
	if changed < 50 || changed > 150 || int64(changed) != p.Stats().Flipped {
		t.Errorf("%d bytes changed; %+v", changed, p.Stats())
	}
}

// Through a black hole nothing comes, not even the end, and what is behind it
// stays.
func TestBlackHole(t *testing.T) {
	p, client, server := pair(t, faults.Clean)
	b := make([]byte, 10)
	_, _ = client.Write(b)
	if _, err := io.ReadFull(server, b); err != nil {
		t.Fatal(err)
	}
	p.SetLive(faults.BlackHole)
	for range 100 {
		if _, err := client.Write(data(10_000)); err != nil {
			t.Fatal(err)
		}
	}
	_ = client.Close()
	for end := time.Now().Add(patience); p.Stats().Vanished == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("nothing has vanished")
		}
	}
	p.SetLive(faults.Clean) // too late: the stream has a hole
	_ = server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if n, err := server.Read(b); n > 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read %d, %v", n, err)
	}
	if st := p.Stats(); st.Live != 1 {
		t.Errorf("%+v", st)
	}
	p.Cut(faults.RST)
	_ = server.SetReadDeadline(time.Now().Add(patience))
	if _, err := server.Read(b); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

func TestStallAndGoOn(t *testing.T) {
	p, client, server := pair(t, faults.Stalled)
	want := data(1 << 20)
	go func() {
		_, _ = client.Write(want)
		_ = client.CloseWrite()
	}()
	_ = server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := server.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
	p.SetLive(faults.Clean)
	_ = server.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestRefuses(t *testing.T) {
	p, _, _ := pair(t, faults.Clean)
	p.Queue(faults.Plan{Refuse: true})
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused: %v", err)
	}
	p.Shut()
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("shut: %v", err)
	}
	err = p.Open()
	for range 100 { // somebody else may have the port for a while
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		err = p.Open()
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err = net.Dial("tcp", p.Addr()); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
