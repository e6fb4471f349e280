//go:build !js

package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// nameServer is a DNS server that is asked through pipes, in the place of the system's.
type nameServer struct {
	mu    sync.Mutex
	names map[string][]netip.Addr
	asked int // for addresses of version 4
}

// serveNames answers the questions of the process until the end of the test.
func serveNames(t *testing.T) *nameServer {
	t.Helper()
	s := &nameServer{names: map[string][]netip.Addr{}}
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go s.serve(far) // ends with the connection
		return near, nil
	}}
	t.Cleanup(func() { net.DefaultResolver = old })
	return s
}

// is sets the addresses of a name, and returns how often it was asked for since the last time.
func (s *nameServer) is(name string, addresses ...string) (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []netip.Addr
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	s.names[name+"."] = all
	asked, s.asked = s.asked, 0
	return asked
}

func (s *nameServer) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, q); err != nil {
			return
		}
		a := s.answer(q)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}

// answer answers a message with one question (RFC 1035, section 4).
func (s *nameServer) answer(q []byte) []byte {
	const header, typeA, typeAAAA = 12, 1, 28
	var name string
	at := header
	for ; q[at] != 0; at += int(q[at]) + 1 {
		name += strings.ToLower(string(q[at+1:at+1+int(q[at])])) + "."
	}
	kind := binary.BigEndian.Uint16(q[at+1:])
	s.mu.Lock()
	defer s.mu.Unlock()
	all, known := s.names[name]
	if known && kind == typeA {
		s.asked++
	}
	a := append([]byte(nil), q[:at+5]...)
	a[2], a[3] = 0x81, 0x80 // an answer
	if !known {
		a[3] |= 3 // there is no such name
	}
	copy(a[4:], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	for _, ip := range all {
		if ip.Is4() != (kind == typeA) || !ip.Is4() && kind != typeAAAA {
			continue
		}
		a[7]++
		a = append(a, 0xc0, header, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0xff, 0xff) // for 65535 s
		a = append(append(a, 0, byte(len(ip.AsSlice()))), ip.AsSlice()...)
	}
	return a
}

// The name of a host is looked up for each dial, whatever the name server has said about how
// long its answer holds, and all of its addresses are tried. TLS is with the name.
func TestDialLooksNamesUp(t *testing.T) {
	const host = "router.example.com"
	cbor := protocol(t, "wamp.2.cbor")
	serverTLS, trusting := testTLS(t)
	ch, named := make(chan accepted, 1), make(chan string, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			named <- r.TLS.ServerName
		}
		c, err := transport.AcceptWebSocket(w, r, []transport.Protocol{cbor}, transport.AcceptOptions{})
		ch <- accepted{c, err}
	}
	raw := func(secure bool) string {
		return serve(t, "tcp", func(conn net.Conn) {
			var secured *tls.Conn
			if secure {
				secured = tls.Server(conn, serverTLS)
				conn = secured
			}
			c, err := transport.AcceptRawSocket(context.Background(), conn, only(cbor), transport.RawSocketOptions{})
			if secured != nil {
				named <- secured.ConnectionState().ServerName
			}
			ch <- accepted{c, err}
		}).Addr().String()
	}
	web, _ := serveHTTP(t, wsOptions{}, handler)
	webTLS, trustingWeb := serveHTTP(t, wsOptions{secure: true}, handler)
	for _, tt := range []struct {
		address string
		tls     *tls.Config
	}{{"tcp://" + raw(false), nil}, {"tcps://" + raw(true), trusting}, {web, nil}, {webTLS, trustingWeb}} {
		scheme, _, _ := strings.Cut(tt.address, ":")
		t.Run(scheme, func(t *testing.T) {
			dns := serveNames(t)
			a, err := transport.ParseAddress(strings.Replace(tt.address, "127.0.0.1", host, 1))
			if err != nil {
				t.Fatal(err)
			}
			r, err := transport.NewRotation(false, transport.DialOptions{TLS: tt.tls}, a.Scheme+"://"+a.Host+"/ws")
			if err != nil {
				t.Fatal(err)
			}
			offered := []transport.Protocol{cbor}
			var missing *net.DNSError
			if _, err := r.Dial(bound(t), offered); !errors.As(err, &missing) || !missing.IsNotFound {
				t.Errorf("a name that is not there: %v", err)
			}
			dns.is(host, "::1", "127.0.0.2") // nobody listens there
			if _, err := r.Dial(bound(t), offered); err == nil {
				t.Fatal("dialled what is dead")
			}
			for _, addresses := range [][]string{{"::1", "127.0.0.1"}, {"127.0.0.2", "127.0.0.1"}, {"127.0.0.1"}, {"127.0.0.1", "127.0.0.3", "::1"}} {
				if asked := dns.is(host, addresses...); asked != 1 {
					t.Errorf("%v: asked %d times for the dial before", addresses, asked)
				}
				c, err := r.Dial(bound(t), offered)
				if err != nil {
					t.Fatalf("%v: %v", addresses, err)
				}
				closeAtEnd(t, c, await(t, ch))
				if tt.tls != nil {
					if name := <-named; name != host {
						t.Errorf("TLS with %q", name)
					}
				}
			}
			if asked := dns.is(host, "127.0.0.2"); asked != 1 {
				t.Errorf("asked %d times for the last dial", asked)
			}
			if _, err := r.Dial(bound(t), offered); err == nil {
				t.Error("an old address of the name is still in use")
			}
		})
	}
}

// A dialer of the user's is given the name.
func TestDialerOfTheUsersIsGivenTheName(t *testing.T) {
	for address, want := range map[string]string{
		"tcp://router.example.com:1":    "tcp router.example.com:1",
		"tcps://router.example.com:1":   "tcp router.example.com:1",
		"ws://router.example.com/ws":    "tcp router.example.com:80",
		"wss://router.example.com:1/ws": "tcp router.example.com:1",
	} {
		var got string
		refused := errors.New("refused")
		a, err := transport.ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		dial := a.Dialer(transport.DialOptions{Dial: func(_ context.Context, network, address string) (net.Conn, error) {
			got = network + " " + address
			return nil, refused
		}})
		if _, err := dial(bound(t), transport.Protocols()); !errors.Is(err, refused) || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
}
