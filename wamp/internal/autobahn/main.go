// Command autobahn stands for this library in Autobahn|Testsuite, the conformance
// tests of WebSocket: .ci/autobahn.sh runs it beside an engine of the suite.
//
//	autobahn client HOST:PORT    takes all cases of a fuzzing server
//	autobahn server HOST:PORT    is the server of a fuzzing client, at /text and /binary
//	autobahn judge REPORT...     counts, and fails where a case is not fine
//
// A connection of WAMP has messages of one type, and is failed with 1003 on the
// other. So each case is run with text, and once more with binary where that came;
// only the run of its type counts.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

const (
	parallel  = 4                // cases at a time
	limit     = 32 << 20         // the largest message of the suite has half of it
	forOne    = 60 * time.Second // of a case
	agentText = "text"
	agentRaw  = "binary"
)

var (
	text, _ = transport.ProtocolByName("wamp.2.json")
	raw, _  = transport.ProtocolByName("wamp.2.cbor")
)

func main() {
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "autobahn:", err)
		os.Exit(1)
	}
}

func do(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "client":
		return client(args[1])
	case len(args) == 2 && args[0] == "server":
		return server(args[1])
	case len(args) >= 2 && args[0] == "judge":
		return judge(args[1:])
	}
	return errors.New("want client or server with an address, or judge with reports")
}

// client takes all cases of the fuzzing server at an address.
func client(address string) error {
	count, err := ask(address, "/getCaseCount")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no number of cases", count)
	}
	failed := make([]error, n)
	places := make(chan struct{}, parallel)
	var cases sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		cases.Go(func() { // ends within the time of a case
			defer func() { <-places }()
			failed[i] = takeCase(address, i+1)
		})
	}
	cases.Wait()
	// The report is of all agents. An engine may be gone as soon as it has written it.
	if _, err := ask(address, "/updateReports?agent="+agentText); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errors.Join(failed...)
}

// takeCase runs a case with text, and with binary where that has come.
func takeCase(address string, n int) error {
	err := echoCase(address, fmt.Sprintf("/runCase?case=%d&agent=%s", n, agentText), text)
	if errors.Is(err, transport.ErrFrameType) && !isOpcode(err) {
		err = echoCase(address, fmt.Sprintf("/runCase?case=%d&agent=%s", n, agentRaw), raw)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("case %d: %w", n, err)
	}
	return nil // the suite knows what was wrong
}

// isOpcode tells the reserved types of frames, which are wrong for both.
func isOpcode(err error) bool {
	var bad *transport.FrameError
	return errors.As(err, &bad) && bad.Err != transport.ErrFrameType
}

func echoCase(address, path string, p transport.Protocol) error {
	ctx, cancel := context.WithTimeout(context.Background(), forOne)
	defer cancel()
	c, err := dial(ctx, address, path, p)
	if err != nil {
		return err
	}
	return echo(ctx, c)
}

// ask asks the fuzzing server for something.
func ask(address, path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), forOne)
	defer cancel()
	c, err := dial(ctx, address, path, text)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(ctx) }()
	m, err := c.Read()
	if errors.Is(err, io.EOF) { // it says nothing, and closes
		return "", nil
	}
	return string(m), err
}

// echo sends back what comes, until the connection ends, and gives the reason.
func echo(ctx context.Context, c transport.Conn) error {
	defer context.AfterFunc(ctx, func() { _ = c.CloseNow() })()
	defer func() { _ = c.Close(ctx) }()
	var b transport.Batch
	for {
		m, err := c.Read()
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		b.Reset(1 << 20)
		b.Begin()
		b.Buf = append(b.Buf, m...)
		b.End()
		if err := c.Write(&b); err != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

func dial(ctx context.Context, address, path string, p transport.Protocol) (transport.Conn, error) {
	return transport.DialWebSocket(ctx, "ws://"+address+path, []transport.Protocol{p}, transport.WebSocketOptions{
		ReadLimit: limit,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &agreeing{Conn: conn, line: "Sec-WebSocket-Protocol: " + p.Name + "\r\n"}, err
		},
	})
}

// agreeing puts a line into the answer to a handshake: the suite's servers agree
// to no subprotocol, and a WAMP client takes that for a refusal.
type agreeing struct {
	net.Conn
	line string
	head []byte // of the answer
	done bool
}

func (c *agreeing) Read(p []byte) (int, error) {
	for !c.done {
		piece := make([]byte, 4096)
		n, err := c.Conn.Read(piece)
		c.head = append(c.head, piece[:n]...)
		if before, after, ok := bytes.Cut(c.head, []byte("\r\n\r\n")); ok {
			c.head = append(fmt.Appendf(nil, "%s\r\n%s\r\n", before, c.line), after...)
			c.done = true
		} else if err != nil {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// server serves fuzzing clients until it is killed.
func server(address string) error {
	mux := http.NewServeMux()
	for path, p := range map[string]transport.Protocol{"/" + agentText: text, "/" + agentRaw: raw} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Sec-WebSocket-Protocol", p.Name)
			c, err := transport.AcceptWebSocket(quiet{w}, r, []transport.Protocol{p}, transport.AcceptOptions{ReadLimit: limit, AnyOrigin: true})
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), forOne)
			defer cancel()
			_ = echo(ctx, c)
		})
	}
	s := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: forOne}
	return s.ListenAndServe()
}

// quiet leaves the subprotocol, for which the suite's clients do not ask, out of
// the answer.
type quiet struct{ http.ResponseWriter }

func (q quiet) WriteHeader(status int) {
	q.Header().Del("Sec-WebSocket-Protocol")
	q.ResponseWriter.WriteHeader(status)
}

func (q quiet) Unwrap() http.ResponseWriter { return q.ResponseWriter }
