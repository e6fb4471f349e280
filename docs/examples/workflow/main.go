// Command workflow makes fifty calls at once. The first that fails ends the others, and
// their callees stop working.
//
//	go run ./docs/examples/workflow [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Fifty calls at once, of which the first failure ends the rest.\n\nusage: go run ./docs/examples/workflow [-url ws://127.0.0.1:8080/ws -realm realm1]")
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
		fmt.Fprintln(os.Stderr, "workflow:", err)
		os.Exit(1)
	}
}

// group runs functions at once. The context of all ends with the first that fails, whose
// error Wait returns: what golang.org/x/sync/errgroup does, which the library does not need.
type group struct {
	sync.WaitGroup
	cancel context.CancelCauseFunc
	ctx    context.Context
}

func newGroup(ctx context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &group{cancel: cancel, ctx: ctx}, ctx
}

func (g *group) run(f func() error) {
	g.Go(func() {
		if err := f(); err != nil {
			g.cancel(err)
		}
	})
}

func (g *group) wait() error {
	g.Wait()
	defer g.cancel(nil)
	return context.Cause(g.ctx)
}

func run(ctx context.Context, address, realm string) error {
	var options []wamp.Option
	if address == "" {
		router := wamptest.Start()
		defer router.Close()
		options = append(options, wamp.WithTransport(router.Dial))
	}
	session, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer session.Close(ctx)
	worker, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer worker.Close(ctx)
	var began, stopped atomic.Int64
	if _, err := wamp.Serve(ctx, worker, "com.example.resize", func(ctx context.Context, picture int) (string, error) {
		began.Add(1)
		if picture == 17 {
			for began.Load() < 50 && ctx.Err() == nil { // so that all the others are in their middle
				time.Sleep(time.Millisecond)
			}
			return "", wamp.Errorf(wamp.ErrInvalidArgument, "picture %d is no picture", picture)
		}
		select {
		case <-time.After(10 * time.Second): // the work
			return fmt.Sprintf("picture %d", picture), nil
		case <-ctx.Done(): // the caller has cancelled
			stopped.Add(1)
			return "", ctx.Err()
		}
	}, wamp.Concurrency(50)); err != nil {
		return err
	}

	start := time.Now()
	g, workCtx := newGroup(ctx)
	var canceled atomic.Int64
	for picture := range 50 {
		g.run(func() error {
			_, err := wamp.Call[string](workCtx, session, "com.example.resize", wamp.Args(picture))
			if errors.Is(err, context.Canceled) {
				canceled.Add(1)
			}
			return err
		})
	}
	if err = g.wait(); ctx.Err() != nil {
		return err
	}
	fmt.Println("the workflow failed:", err)
	fmt.Println("that was an invalid argument:", errors.Is(err, wamp.ErrInvalidArgument))
	if err := worker.Drain(ctx); err != nil { // waits for the handlers
		return err
	}
	fmt.Printf("of 50 calls %d were cancelled, and %d callees stopped, long before their 10 s: %v\n",
		canceled.Load(), stopped.Load(), time.Since(start) < 5*time.Second)
	if canceled.Load() != 49 || stopped.Load() != 49 {
		return errors.New("a call or a callee went on")
	}
	return nil
}
