// Command browser is what the tests of the library in JavaScript have beside them.
//
//	browser run PROGRAM.wasm [argument...]    runs a test under Node, with servers for it
//	browser page [flags]                      drives docs/examples/browser in Chromium, see page.go
//
// The first is for the flag -exec of go test. The test finds the servers by the
// variable WAMP_BROWSER, which has their address; they end with it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	err := do(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func do(ctx context.Context, args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "run":
		return run(ctx, args[1:])
	case len(args) >= 1 && args[0] == "page":
		return page(ctx, args[1:])
	}
	return errors.New("want run with a program, or page")
}

// run runs a program for GOOS=js under Node.
func run(ctx context.Context, args []string) error {
	options, err := nodeOptions(ctx)
	if err != nil {
		return err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	address, stop, err := serve()
	if err != nil {
		return err
	}
	defer stop()
	script := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")
	cmd := exec.CommandContext(ctx, script, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "WAMP_BROWSER="+address, "NODE_OPTIONS="+options)
	return cmd.Run()
}

// nodeOptions are those that give Node a WebSocket: it has one from version 22 on, and
// 20 where it is told to.
func nodeOptions(ctx context.Context) (string, error) {
	const flag = "--experimental-websocket"
	given := os.Getenv("NODE_OPTIONS")
	for _, options := range []string{given, strings.TrimSpace(given + " " + flag)} {
		cmd := exec.CommandContext(ctx, "node", "-p", "typeof WebSocket")
		cmd.Env = append(os.Environ(), "NODE_OPTIONS="+options)
		out, err := cmd.Output()
		if err == nil && bytes.Contains(out, []byte("function")) {
			return options, nil
		}
	}
	return "", errors.New("node is needed, version 20 or newer, and not there")
}

// serve starts the servers on a free port.
func serve() (address string, stop func(), err error) {
	router, closeRouter, err := startRouter(context.Background())
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait for anybody
	if err != nil {
		closeRouter()
		return "", nil, err
	}
	mux := newOdd().handler()
	mux.Handle("/ws", router)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }() // ends with stop
	return "ws://" + ln.Addr().String(), func() { _ = srv.Close(); closeRouter() }, nil
}
