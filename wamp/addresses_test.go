package wamp_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Each round takes every address once: in their order, or in one that is drawn
// anew.
func TestConnectOrderOfAddresses(t *testing.T) {
	const n, rounds = 5, 10
	for _, shuffle := range []bool{false, true} {
		var mu sync.Mutex
		var order []int
		var addresses []string
		for i := range n {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					_ = conn.Close()
				}
			}()
			addresses = append(addresses, "tcp://"+ln.Addr().String())
		}
		policy := wamp.WithReconnect(wamp.Backoff{Initial: true, Min: time.Microsecond, Max: time.Microsecond, Attempts: n * rounds})
		var gaveUp *wamp.GaveUpError
		err := fails(t, addresses[0], policy, wamp.WithURLs(shuffle, addresses[1:]...), wamp.WithSerializers(codec.CBOR))
		if !errors.As(err, &gaveUp) || gaveUp.Attempts != n*rounds {
			t.Fatalf("%v", err)
		}
		mu.Lock()
		got := order
		mu.Unlock()
		if len(got) != n*rounds {
			t.Fatalf("%d connections", len(got))
		}
		different := map[string]bool{}
		for round := range slices.Chunk(got, n) {
			different[fmt.Sprint(round)] = true
			if len(slices.Compact(slices.Sorted(slices.Values(round)))) != n {
				t.Errorf("a round takes %v", round)
			}
		}
		if !shuffle && !different["[0 1 2 3 4]"] {
			t.Errorf("not in their order: %v", got)
		}
		// By chance all rounds are the same once in 120 to the ninth.
		if shuffle == (len(different) == 1) {
			t.Errorf("shuffle %v: %v", shuffle, got)
		}
	}
}

// The errors of a dial name the phase and the address, and say what may be
// wrong.
func TestConnectErrorsNameTheAddress(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	address := "ws" + strings.TrimPrefix(server.URL, "http")
	err := fails(t, address+"/ws")
	var failed *transport.DialError
	if !errors.As(err, &failed) || failed.Phase != transport.PhaseWebSocket || failed.Address != address+"/ws" ||
		!strings.Contains(err.Error(), address+"/ws: websocket upgrade: 404 Not Found (hint: the path \"/ws\"") {
		t.Errorf("%v", err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whom it lets in waits for ever
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	quiet := silent.Addr().String()
	ctx := within(t, 2*time.Second)
	var all sync.WaitGroup
	for given, want := range map[string]string{
		"tcp://user:secret@" + host + "/path": "wamp: connect tcp://" + host + ": rawsocket handshake: context deadline exceeded",
		"ws://" + quiet + "/ws?token=secret":  "wamp: connect ws://" + quiet + "/ws: websocket upgrade: context deadline exceeded",
		"wss://" + quiet + "/ws":              "wamp: connect wss://" + quiet + "/ws: tls handshake: context deadline exceeded",
		"unix://@wamp-nobody-listens":         "wamp: connect unix://@wamp-nobody-listens: dial: ",
	} {
		all.Go(func() { // at once, since each takes its time
			_, err := wamp.Connect(ctx, given, "realm1")
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "://") != 1 {
				t.Errorf("%s: %v, want %s...", given, err, want)
			}
		})
	}
	all.Wait()
}
