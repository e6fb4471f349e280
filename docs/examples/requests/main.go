// Command requests asks and answers, with what goes wrong between: a service that is not there
// yet, one that is too slow, one that fails, and an answer that was lost with the connection.
//
//	go run ./docs/examples/requests
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Order is a request, Receipt its answer.
type (
	Order struct {
		ID    string `json:"id"`
		Count int    `json:"count"`
	}
	Receipt struct {
		ID    string `json:"id"`
		Cents int    `json:"cents"`
	}
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Question and answer, with what goes wrong between.\n\nusage: go run ./docs/examples/requests")
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
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "requests:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	router := wamptest.Start() // a router of one's own, so that it can be made to fail
	defer router.Close()
	again := wamp.WithReconnect(wamp.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond})
	client, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), again)
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	shop, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), again)
	if err != nil {
		return err
	}
	defer shop.Close(ctx)
	order := func(o Order, options ...wamp.CallOption) (Receipt, error) {
		return wamp.Call[Receipt](ctx, client, "com.example.order", wamp.Args(o), options...)
	}

	fmt.Println("Nobody serves it yet:")
	_, err = order(Order{"a", 1})
	if err := wanted(errors.Is(err, wamp.ErrNoSuchProcedure), err); err != nil {
		return err
	}
	fmt.Println("  without Retry:", wamp.ErrorURI(err))
	first := make(chan error, 1)
	go func() {
		receipt, err := order(Order{"b", 2}, wamp.Retry(wamp.RetryPolicy{Min: 10 * time.Millisecond}), wamp.Timeout(10*time.Second))
		fmt.Println("  with Retry, once there is one:", receipt.Cents, "cents")
		first <- err
	}()
	paid := map[string]int{} // a shop that knows its orders by their ids takes each once
	var delay atomic.Int64
	if _, err := wamp.Serve(ctx, shop, "com.example.order", func(ctx context.Context, o Order) (Receipt, error) {
		if o.Count < 1 {
			return Receipt{}, wamp.Errorf(wamp.ErrInvalidArgument, "an order of %d", o.Count)
		}
		if _, known := paid[o.ID]; !known {
			paid[o.ID] = o.Count * 250
		}
		select {
		case <-time.After(time.Duration(delay.Load())):
		case <-ctx.Done():
		}
		return Receipt{o.ID, paid[o.ID]}, ctx.Err()
	}, wamp.Concurrency(1)); err != nil { // one at a time, so that paid needs no lock
		return err
	}
	if err := <-first; err != nil {
		return err
	}

	fmt.Println("It fails, by an error that the caller can tell from others:")
	_, err = order(Order{"c", 0})
	refused := errors.Is(err, wamp.ErrInvalidArgument)
	if err := wanted(refused, err); err != nil {
		return err
	}
	fmt.Printf("  %v (an invalid argument: %v)\n", err, refused)

	fmt.Println("It is too slow:")
	delay.Store(int64(time.Hour))
	_, err = order(Order{"d", 1}, wamp.Timeout(50*time.Millisecond))
	late := errors.Is(err, context.DeadlineExceeded) // here or at the router, whoever is first
	if err := wanted(late, err); err != nil {
		return err
	}
	fmt.Println("  out of time:", late)

	fmt.Println("The connection is lost between question and answer:")
	delay.Store(int64(300 * time.Millisecond))
	_, err = lose(router, client, func() (Receipt, error) { return order(Order{"e", 1}) })
	var unknown *wamp.OutcomeUnknown
	lost := errors.As(err, &unknown)
	if err := wanted(lost, err); err != nil {
		return err
	}
	fmt.Println("  it may have happened, or not:", lost)
	receipt, err := lose(router, client, func() (Receipt, error) { return order(Order{"f", 4}, wamp.Idempotent()) })
	if err != nil {
		return err
	}
	fmt.Println("  marked as harmless to repeat, it is sent again:", receipt.Cents, "cents")
	return nil
}

// wanted returns nil if a call has failed as this program means it to, else what it ended with.
func wanted(as bool, err error) error {
	switch {
	case as:
		return nil
	case err == nil:
		return errors.New("a call that should have failed has an answer")
	default:
		return err
	}
}

// lose cuts the connection of the client in the middle of a call.
func lose(router *wamptest.Router, client *wamp.Session, call func() (Receipt, error)) (Receipt, error) {
	cut := time.AfterFunc(100*time.Millisecond, func() { router.Cut(client.ID()) })
	defer cut.Stop()
	return call()
}
