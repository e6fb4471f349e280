//go:build !js

// Command browser serves a page that speaks WAMP, a program of Go in WebAssembly:
//
//	go run ./docs/examples/browser [-once] [-listen 127.0.0.1:8088] [-router ws://127.0.0.1:8080/ws]
//
// The page is page_js.go, which this builds. It calls, streams, cancels, publishes and
// subscribes, and what it shows is printed here too: with -once that is the end. Without
// -router the router is in this process, behind /ws of the same server; the callee is here
// in any case.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

//go:embed index.html
var index []byte

func main() {
	listen := flag.String("listen", "127.0.0.1:8088", "where the page is served")
	router := flag.String("router", "", "router to connect to; without it one is started in this process")
	own := "." // in whatever module the folder has been copied to
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "command-line-arguments" {
		own = info.Path
	}
	source := flag.String("page", own, "package of the page")
	once := flag.Bool("once", false, "end when a page has shown what it has to show")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "A server with a page that speaks WAMP.\n\n"+
			"usage: go run ./docs/examples/browser [-once] [-listen 127.0.0.1:8088] [-router ws://127.0.0.1:8080/ws]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *router, *source, *once); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, router, source string, once bool) error {
	page, script, err := build(ctx, source)
	if err != nil {
		return err
	}
	if router == "" {
		local := wamptest.Start(wamptest.WithRealms("realm1"))
		defer local.Close()
		if router, err = local.ListenWebSocket("127.0.0.1:0"); err != nil {
			return err
		}
	}
	worker, err := wamp.Connect(ctx, router, "realm1", wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		return err
	}
	defer worker.Close(ctx)
	shown := make(chan struct{}, 1)
	if err := serve(ctx, worker, shown); err != nil {
		return err
	}
	mux := http.NewServeMux()
	file := func(path, kind string, content []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Encoding", "gzip") // a third, or less, of the program
			_, _ = w.Write(content)
		})
	}
	file("/{$}", "text/html; charset=utf-8", squeeze(index))
	file("/wasm_exec.js", "text/javascript", squeeze(script))
	small := squeeze(page)
	file("/page.wasm", "application/wasm", small)
	if err := proxy(mux, router); err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("serving http://%s/, a program of %d bytes, %d compressed\n", ln.Addr(), len(page), len(small))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = server.Close() }()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }() // ends with the server
	for {
		select {
		case err := <-failed:
			return err
		case <-worker.Done():
			return worker.Err()
		case <-ctx.Done(): // which is how it is meant to end
			return nil
		case <-shown:
			if once {
				return nil
			}
		}
	}
}

// build builds the page, and reads what of Go's belongs to it.
func build(ctx context.Context, source string) (page, script []byte, err error) {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "page.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", file, source) //nolint:gosec // the flag of whoever runs this
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOTMPDIR="+dir)
	cmd.Cancel = func() error { // it ends its compilers, which Kill would not
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill() // where there are no signals
		}
		return nil
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, nil, err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, nil, err
	}
	if script, err = os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")); err != nil {
		return nil, nil, err
	}
	page, err = os.ReadFile(file)
	return page, script, err
}

func squeeze(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// proxy puts the router behind /ws, so that the page needs no other origin than its own.
func proxy(mux *http.ServeMux, router string) error {
	to, err := url.Parse(router)
	if err != nil {
		return err
	}
	mux.Handle("/ws", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = "http", to.Host, cmp.Or(to.Path, "/")
		if to.Scheme == "wss" {
			r.Out.URL.Scheme = "https"
		}
		r.Out.Header.Del("Origin") // it is that of this server
	}})
	return nil
}

// serve is the callee: it counts, tells how often it was interrupted, and prints what a page
// shows.
func serve(ctx context.Context, worker *wamp.Session, shown chan<- struct{}) error {
	var interrupts atomic.Int64
	if _, err := wamp.ServeStream(ctx, worker, "com.example.count", func(ctx context.Context, n int, send func(int) error) (int, error) {
		for i := 1; i < n; i++ {
			if err := send(i); err != nil {
				interrupts.Add(1)
				fmt.Printf("callee: ended after %d results: %v\n", i, context.Cause(ctx))
				return 0, err
			}
		}
		return n, nil
	}); err != nil {
		return err
	}
	if _, err := worker.Handle(ctx, "com.example.interrupts", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(interrupts.Load()))
	}); err != nil {
		return err
	}
	_, err := wamp.On(ctx, worker, "com.example.shown", func(_ context.Context, ev wamp.EventOf[[]string]) error {
		for _, line := range ev.Value {
			line = strconv.Quote(line) // anybody may publish, also what a terminal should not see
			fmt.Println("page:  ", line[1:len(line)-1])
		}
		select {
		case shown <- struct{}{}:
		default:
		}
		return nil
	})
	return err
}
