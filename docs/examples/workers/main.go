// Command workers is a pool of workers that share a procedure: the router gives each call to
// one of them in turn, and one that leaves takes nothing with it.
//
//	go run ./docs/examples/workers [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
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
		fmt.Fprintln(flag.CommandLine.Output(), "A pool of workers that share a procedure, and one that leaves in order.\n\nusage: go run ./docs/examples/workers [-url ws://127.0.0.1:8080/ws -realm realm1]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, *address, *realm); err != nil {
		fmt.Fprintln(os.Stderr, "workers:", err)
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
	var pool []*wamp.Session
	for i := range 3 { // processes, where this is no demonstration
		worker, err := wamp.Connect(ctx, address, realm, options...)
		if err != nil {
			return err
		}
		defer worker.Close(ctx)
		name := fmt.Sprintf("worker %d", i+1)
		if _, err := wamp.Serve(ctx, worker, "com.example.convert", func(ctx context.Context, document int) (string, error) {
			select {
			case <-time.After(5 * time.Millisecond): // the work
				return name, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}, wamp.Invoke(wamp.RoundRobin), wamp.Concurrency(4)); err != nil {
			return err
		}
		pool = append(pool, worker)
	}
	client, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer client.Close(ctx)

	fmt.Println("60 calls to three workers:")
	by, err := convert(ctx, client, nil)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		fmt.Printf("  %s: %d\n", name, by[name])
	}
	fmt.Println("60 calls while one of them leaves in order:")
	if by, err = convert(ctx, client, func() error { return pool[1].Drain(ctx) }); err != nil {
		return err
	}
	sum := 0
	for _, n := range by {
		sum += n
	}
	most := by["worker 1"]+by["worker 3"] > 2*by["worker 2"]
	fmt.Printf("  answered: %d, the most of them by those that stay: %v\n", sum, most)
	if sum != 60 || !most {
		return fmt.Errorf("calls went astray: %v", by)
	}
	return nil
}

// convert makes sixty calls, up to twelve at once, and returns how many each worker did. half
// is called behind the first thirty.
func convert(ctx context.Context, client *wamp.Session, half func() error) (map[string]int, error) {
	var mu sync.Mutex
	by := map[string]int{}
	var failed error
	var calls sync.WaitGroup
	places := make(chan struct{}, 12)
	for document := range 60 {
		if document == 30 && half != nil {
			if err := half(); err != nil {
				return nil, err
			}
		}
		places <- struct{}{}
		calls.Go(func() {
			defer func() { <-places }()
			// A call that reaches a worker which has just begun to leave is refused, and made again.
			name, err := wamp.Call[string](ctx, client, "com.example.convert", wamp.Args(document), wamp.Retry(wamp.RetryPolicy{}))
			mu.Lock()
			defer mu.Unlock()
			by[name]++
			failed = cmp.Or(failed, err) // the first one
		})
	}
	calls.Wait()
	return by, failed
}
