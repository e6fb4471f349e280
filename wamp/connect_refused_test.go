package wamp_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestConnectRefuses(t *testing.T) {
	var invalid *wamp.URIError
	for _, tt := range []struct {
		address, realm string
		options        []wamp.Option
		want           string
	}{
		{"", "realm1", nil, "no address"},
		{"127.0.0.1:8080", "realm1", nil, "URL"},
		{"localhost:8080", "realm1", nil, "scheme"},
		{"http://127.0.0.1:8080/ws", "realm1", nil, "scheme"},
		{"ws://user:secret@[::1", "realm1", nil, "URL"},
		{"ws://user:secret\x7f@host/", "realm1", nil, "URL"},
		{"ws:///ws", "realm1", nil, "host"},
		{"wss://", "realm1", nil, "host"},
		{"tcp://", "realm1", nil, "host"},
		{"rss://", "realm1", nil, "host"},
		{"unix://", "realm1", nil, "path"},
		{"ws+unix://", "realm1", nil, "path"},
		{"ws+unix://host/path:/ws", "realm1", nil, "path"},
		{"tcp://127.0.0.1:1", "", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm 1", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm..1", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithURLs(false, "gopher://host")}, "scheme"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithSerializers()}, "WithSerializers"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithOutbound(0)}, "WithOutbound"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithOutbound(-1)}, "WithOutbound"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.AckTimeout(0)}, "AckTimeout"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.AckTimeout(-time.Second)}, "AckTimeout"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.Assume("telepathy")}, "telepathy"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithKeepalive(wamp.Keepalive{})}, "WithKeepalive"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithKeepalive(wamp.Keepalive{Interval: 1, Timeout: -1})}, "WithKeepalive"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithReconnect(wamp.Backoff{Min: -1})}, "WithReconnect"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithReconnect(wamp.Backoff{Attempts: -1})}, "WithReconnect"},
	} {
		err := fails2(t, tt.address, tt.realm, tt.options)
		if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "wamp: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q %q: %v", tt.address, tt.realm, err)
		}
		if tt.want == "realm" && !errors.As(err, &invalid) {
			t.Errorf("%q: %v", tt.realm, err)
		}
		var refused syscall.Errno
		if errors.As(err, &refused) {
			t.Errorf("%q was dialled: %v", tt.address, err)
		}
	}
	// Where nobody listens the system says so.
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, s := range schemes {
		address := s.name + "://" + gone.Addr().String()
		want := error(syscall.ECONNREFUSED)
		if strings.HasSuffix(s.name, "unix") {
			address, want = s.name+"://"+filepath.Join(t.TempDir(), "gone"), os.ErrNotExist
		}
		if err := fails(t, address); !errors.Is(err, want) {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func fails2(t *testing.T, address, realm string, options []wamp.Option) error {
	t.Helper()
	s, err := wamp.Connect(within(t, 10*time.Second), address, realm, options...)
	if err == nil {
		closeIt(t, s)
		t.Fatalf("%q %q: Connect has succeeded", address, realm)
	}
	return err
}

func TestConnectDeadline(t *testing.T) {
	patient := func(ctx context.Context, _ authn.Request) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	challenge := wamptest.Send(&proto.Message{Type: proto.Challenge, Text: "ticket"})
	hello := wamptest.Expect(proto.Hello)
	for name, tt := range map[string]struct {
		auth  authn.Authenticator
		steps []wamptest.Step
	}{
		"at HELLO":            {nil, []wamptest.Step{hello}},
		"not even reading":    {nil, []wamptest.Step{wamptest.Stall()}},
		"after CHALLENGE":     {authn.Ticket("joe", "x"), []wamptest.Step{hello, challenge, wamptest.Expect(proto.Authenticate)}},
		"the provider itself": {authn.Ticket("joe", patient), []wamptest.Step{hello, challenge}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, tt.steps...)
				err := checkDeadline(t, wamp.WithTransport(script.Dial), wamp.WithAuth(tt.auth))
				if err.Error() != "wamp: connect: login: context deadline exceeded" {
					t.Errorf("where it was is not told: %v", err)
				}
			})
		})
	}
	t.Run("at the dial", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithAccept(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
			checkDeadline(t, wamp.WithTransport(r.Dial))
		})
	})
	t.Run("with a cause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			script := wamptest.NewScript(t, hello)
			why := errors.New("changed my mind")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(why) })
			_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(script.Dial))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, wamp.ErrCanceled) {
				t.Errorf("%v", err)
			}
		})
	})
}

func checkDeadline(t *testing.T, options ...wamp.Option) error {
	t.Helper()
	start := time.Now()
	_, err := wamp.Connect(within(t, 300*time.Millisecond), "", "realm1", options...)
	var canceled *wamp.CanceledError
	if !errors.As(err, &canceled) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d != 300*time.Millisecond {
		t.Errorf("after %v", d)
	}
	return err
}

func TestConnectSilentSockets(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		for _, s := range schemes {
			t.Run(s.name+" accepts", func(t *testing.T) {
				t.Parallel()
				network, address := "tcp", "127.0.0.1:0"
				if strings.HasSuffix(s.name, "unix") {
					network, address = "unix", filepath.Join(t.TempDir(), "s.sock")
				}
				ln, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close() // the system has accepted for it: nobody reads, nobody writes
				checkSilent(t, s.name+"://"+ln.Addr().String())
			})
		}
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(proto.ID, *proto.Message) wamptest.Action { return wamptest.Drop() }))
		overSockets(t, r, func(t *testing.T, s scheme, address string, options []wamp.Option) {
			checkSilent(t, address, options...)
		})
	})
}

func checkSilent(t *testing.T, address string, options ...wamp.Option) {
	t.Helper()
	start := time.Now()
	s, err := wamp.Connect(within(t, 50*time.Millisecond), address, "realm1", options...)
	if err == nil {
		closeIt(t, s)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
		t.Errorf("%v", err)
	}
	phase := regexp.MustCompile(`: (dial|websocket upgrade|tls handshake|rawsocket handshake|login): context deadline exceeded( \(hint: .*\))?$`)
	_, where, _ := strings.Cut(address, "://")
	if !phase.MatchString(err.Error()) || !strings.Contains(err.Error(), "://"+where+":") {
		t.Errorf("the error does not say where it was: %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("after %v", d)
	}
}

func TestConnectWebSocketAnswers(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(code), code) }
	}
	upgrade := func(salt string, lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + salt))
			accept := base64.StdEncoding.EncodeToString(sum[:])
			answer := append([]string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + accept}, lines...)
			_, _ = io.WriteString(conn, strings.Join(answer, "\r\n")+"\r\n\r\n")
		}
	}
	const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // of RFC 6455
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		is     error
		text   string
	}{
		"401":                {status(http.StatusUnauthorized), 401, nil, "401 Unauthorized"},
		"403":                {status(http.StatusForbidden), 403, nil, "403"},
		"404":                {status(http.StatusNotFound), 404, nil, "404 Not Found"},
		"503":                {status(http.StatusServiceUnavailable), 503, nil, "503"},
		"200":                {status(http.StatusOK), 200, nil, "200"},
		"no subprotocol":     {upgrade(salt), 101, transport.ErrNoProtocol, ""},
		"wrong subprotocol":  {upgrade(salt, "Sec-WebSocket-Protocol: wamp.2.flatbuffers"), 101, transport.ErrNoProtocol, "wamp.2.flatbuffers"},
		"one we did not ask": {upgrade(salt, "Sec-WebSocket-Protocol: wamp.2.json"), 101, transport.ErrNoProtocol, "wamp.2.json"},
		"no WebSocket":       {upgrade("salt", "Sec-WebSocket-Protocol: wamp.2.cbor"), 101, nil, ""},
		"a long one":         {upgrade(salt, "Sec-WebSocket-Protocol: "+strings.Repeat("x", 100_000)), 101, transport.ErrNoProtocol, "xxx..."},
		"hangs up":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, io.EOF, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			err := fails(t, "ws"+strings.TrimPrefix(server.URL, "http"), wamp.WithSerializers(codec.CBOR))
			var handshake *transport.HandshakeError
			if !errors.As(err, &handshake) || handshake.Status != tt.status {
				t.Fatalf("%v", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v", err)
			}
			if len(err.Error()) > 700 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if len(req.URL.Path) > 1000 {
			http.NotFound(w, req)
			return
		}
		http.Redirect(w, req, "/"+strings.Repeat("x", 100_000), http.StatusFound)
	}))
	defer far.Close()
	if err := fails(t, "ws"+strings.TrimPrefix(far.URL, "http")); len(err.Error()) > 700 || !strings.Contains(err.Error(), "404") {
		t.Errorf("redirected: %d bytes: %.300v", len(err.Error()), err)
	}
}

func TestConnectAbort(t *testing.T) {
	for uri, sentinel := range map[string]error{
		proto.ErrURINoSuchRealm: wamp.ErrNoSuchRealm, proto.ErrURINoMatchingAuthMethod: wamp.ErrNoMatchingAuthMethod,
		proto.ErrURIAuthenticationFailed: wamp.ErrAuthenticationFailed, proto.ErrURINotAuthorized: wamp.ErrNotAuthorized,
		proto.ErrURIProtocolViolation: wamp.ErrProtocolViolation, proto.ErrURINoSuchPrincipal: wamp.ErrNoSuchPrincipal,
		proto.ErrURIAuthenticationRequired: wamp.ErrAuthenticationRequired, "com.example.full": nil,
	} {
		t.Run(uri, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, wamptest.Expect(proto.Hello), wamptest.Send(&proto.Message{Type: proto.Abort, URI: uri,
					Options: proto.Dict{{Key: "message", Value: "because"}, {Key: "x_more", Value: 1}}}), wamptest.ExpectEnd())
				err := fails(t, "", wamp.WithTransport(script.Dial))
				var abort *wamp.AbortError
				if !errors.As(err, &abort) || abort.Reason != uri || abort.Message != "because" || !strings.Contains(err.Error(), uri+" (because)") {
					t.Fatalf("%v", err)
				}
				if n, _ := abort.Details.Int("x_more"); n != 1 || sentinel != nil && !errors.Is(err, sentinel) || errors.Is(err, wamp.ErrRuntimeError) {
					t.Errorf("%v", err)
				}
				script.Wait()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithRealms("realm2"))
		if err := fails(t, "", wamp.WithTransport(r.Dial)); !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Errorf("%v", err)
		}
	})
}

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
	var all sync.WaitGroup
	for given, want := range map[string]string{
		"tcp://user:secret@" + host + "/path": "wamp: connect tcp://" + host + ": rawsocket handshake: context deadline exceeded",
		"ws://" + quiet + "/ws?token=secret":  "wamp: connect ws://" + quiet + "/ws: websocket upgrade: context deadline exceeded",
		"wss://" + quiet + "/ws":              "wamp: connect wss://" + quiet + "/ws: tls handshake: context deadline exceeded",
		"unix://@wamp-nobody-listens":         "wamp: connect unix://@wamp-nobody-listens: dial: ",
	} {
		all.Go(func() { // at once, since each takes its time
			var err error
			for _, limit := range []time.Duration{time.Second, 10 * time.Second} { // a busy machine may not get far in one
				if _, err = wamp.Connect(within(t, limit), given, "realm1"); err != nil && strings.HasPrefix(err.Error(), want) {
					break
				}
			}
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "://") != 1 {
				t.Errorf("%s: %v, want %s...", given, err, want)
			}
		})
	}
	all.Wait()
}
