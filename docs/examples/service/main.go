// Command service is a streaming service that shuts down in order: told to stop by
// SIGTERM, it takes no more calls, finishes those that run, and then leaves.
//
// Without flags it brings its own router and its own client, sends itself the signal in
// the middle of two streams, and ends:
//
//	go run ./docs/examples/service [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "A streaming service that shuts down in order.\n\nusage: go run ./docs/examples/service [-url ws://127.0.0.1:8080/ws -realm realm1]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // signals are for serve
	defer cancel()
	if err := run(ctx, *address, *realm); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, realm string) error {
	var options []wamp.Option
	if address == "" {
		router := wamptest.Start()
		defer router.Close()
		options = append(options, wamp.WithTransport(router.Dial))
	}
	serving, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- serve(ctx, address, realm, options, serving) }()
	select {
	case <-serving:
	case err := <-over:
		return err
	}
	if err := errors.Join(client(ctx, address, realm, options), <-over); err != nil {
		return err
	}
	fmt.Println("service: drained, and gone")
	return nil
}

// serve is the service. It ends when the process is told to.
func serve(ctx context.Context, address, realm string, options []wamp.Option, serving chan<- struct{}) error {
	told, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	session, err := wamp.Connect(told, address, realm, append(options, wamp.WithReconnect(wamp.Backoff{}))...)
	if err != nil {
		return err
	}
	count := func(ctx context.Context, n int, send func(int) error) (string, error) {
		for i := range n {
			if err := send(i + 1); err != nil {
				return "", err // the caller has cancelled, or is gone
			}
			select {
			case <-time.After(20 * time.Millisecond): // the work
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return fmt.Sprintf("counted to %d", n), nil
	}
	// The ctx of the registration, not the one that the signal ends: that would end the calls too.
	if _, err := wamp.ServeStream(ctx, session, "com.example.count", count, wamp.Concurrency(8)); err != nil {
		return err
	}
	close(serving)
	select {
	case <-told.Done():
	case <-session.Done():
		return session.Err()
	}
	fmt.Println("service: told to stop: no more calls, those that run may finish")
	stop() // a second signal ends the process at once
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := session.Drain(ctx); err != nil {
		return fmt.Errorf("what was cut: %w", err)
	}
	return nil
}

// client has two streams under way when the signal comes, and calls once more behind it.
func client(ctx context.Context, address, realm string, options []wamp.Option) error {
	session, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer session.Close(ctx)
	var streams sync.WaitGroup
	said, failed := make([]string, 2), make([]error, 2)
	running := make(chan struct{}, 4) // a stream has begun, or has ended
	for i := range failed {
		streams.Go(func() {
			defer func() { running <- struct{}{} }()
			st := wamp.OpenStream[int, string](ctx, session, "com.example.count", wamp.Args(20))
			items := 0
			for _, err := range st.All() {
				if err != nil {
					failed[i] = err
					return
				}
				if items++; items == 1 {
					running <- struct{}{}
				}
			}
			var text string
			if text, failed[i] = st.Result(); failed[i] == nil {
				said[i] = fmt.Sprintf("%d results, then %q", items, text)
			}
		})
	}
	for range failed {
		<-running
	}
	if err := terminate(); err != nil {
		return err
	}
	// Until the signal has come, and the procedure is gone. Between the two the router may still pass a call on.
	for err == nil || errors.Is(err, wamp.ErrUnavailable) || errors.Is(err, wamp.ErrNoAvailableCallee) {
		_, err = wamp.Call[string](ctx, session, "com.example.count", wamp.Args(1))
	}
	streams.Wait()
	for _, text := range said {
		fmt.Println("client:  a stream from before the signal:", text)
	}
	fmt.Println("client:  a call behind the signal:", wamp.ErrorURI(err))
	return errors.Join(failed...)
}

// terminate sends this process the signal that a supervisor would.
func terminate() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Signal(syscall.SIGTERM)
}
