// Command routers is a service behind two routers: the first dies in the middle of a stream
// and of a call, and service and client are at the second one.
//
//	go run ./docs/examples/routers
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "A service behind two routers, of which one dies.\n\nusage: go run ./docs/examples/routers")
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
		fmt.Fprintln(os.Stderr, "routers:", err)
		os.Exit(1)
	}
}

// Range is what to count: from one number up to another.
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// connect joins the realm at a, or at b where a does not answer, and comes back by itself.
func connect(ctx context.Context, a, b string) (*wamp.Session, error) {
	return wamp.Connect(ctx, a, "realm1",
		wamp.WithURLs(false, b), // in this order for everybody: who shares no router does not meet
		wamp.WithPreferred(time.Minute),
		wamp.WithReconnect(wamp.Backoff{}),
		wamp.WithKeepalive(wamp.Keepalive{Interval: 5 * time.Second, Timeout: 2 * time.Second}),
		wamp.DialTimeout(3*time.Second), wamp.LoginTimeout(3*time.Second))
}

// serve offers two procedures. They and the session are back at the other router without a
// line of code.
func serve(ctx context.Context, service *wamp.Session, working chan<- struct{}) error {
	if _, err := wamp.ServeStream(ctx, service, "com.example.count", func(ctx context.Context, r Range, send func(int) error) (string, error) {
		for n := r.From; n <= r.To; n++ {
			if err := send(n); err != nil {
				return "", err // the caller is gone: it will ask for the rest
			}
			select {
			case <-time.After(time.Millisecond): // the work
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return fmt.Sprintf("counted to %d", r.To), nil
	}); err != nil {
		return err
	}
	_, err := wamp.Serve(ctx, service, "com.example.square", func(ctx context.Context, n int) (int, error) {
		select {
		case working <- struct{}{}:
		default:
		}
		select {
		case <-time.After(100 * time.Millisecond): // the work
			return n * n, nil
		case <-ctx.Done(): // with the connection, for one
			return 0, ctx.Err()
		}
	})
	return err
}

func run(ctx context.Context) error {
	var urls []string
	var routers []*wamptest.Router
	for range 2 { // processes on two machines, where this is no demonstration
		router := wamptest.Start()
		defer router.Close()
		url, err := router.ListenWebSocket("127.0.0.1:0")
		if err != nil {
			return err
		}
		routers, urls = append(routers, router), append(urls, url)
	}
	service, err := connect(ctx, urls[0], urls[1])
	if err != nil {
		return err
	}
	defer service.Close(ctx)
	working := make(chan struct{}, 2)
	if err := serve(ctx, service, working); err != nil {
		return err
	}
	client, err := connect(ctx, urls[0], urls[1])
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	say := func(who string, session *wamp.Session) {
		router := "a"
		if session.Details().Router == urls[1] {
			router = "b"
		}
		fmt.Printf("%s is at router %s\n", who, router)
	}
	say("service", service)
	say("client", client)

	// A stream, which goes on behind the last number that has come, and two calls.
	asked := 1
	rest := func(d wamp.Delivered) (wamp.Payload, bool) {
		asked++
		return wamp.Args(Range{d.Count + 1, 1000}), true
	}
	numbers := wamp.OpenStream[int, string](ctx, client, "com.example.count", wamp.Args(Range{1, 1000}), wamp.Resume(rest))
	var marked, unmarked <-chan error
	want := 0
	for n, err := range numbers.All() {
		if err != nil {
			return err
		}
		if want++; n != want {
			return fmt.Errorf("number %d came in the place of %d", n, want)
		}
		if n == 100 {
			marked = square(ctx, client, wamp.Idempotent(), wamp.Retry(wamp.RetryPolicy{}))
			unmarked = square(ctx, client)
			for range 2 {
				select {
				case <-working:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			fmt.Println("router a dies, in the middle of a stream and of two calls")
			routers[0].Close()
		}
	}
	last, err := numbers.Result()
	if err != nil {
		return err
	}
	fmt.Printf("the stream had %d numbers, each once, and asked for them %d times: %s\n", want, asked, last)
	if err := <-marked; err != nil {
		return err
	}
	fmt.Println("the call that is harmless to repeat has its answer")
	var unknown *wamp.OutcomeUnknown
	switch err := <-unmarked; {
	case err == nil:
		return errors.New("a call whose connection was lost has a result")
	case !errors.As(err, &unknown):
		return err
	}
	fmt.Println("the other one may have run, or not, and its caller is told so")
	say("service", service)
	say("client", client)
	return nil
}

// square makes a call in the background, and tells how it ended.
func square(ctx context.Context, client *wamp.Session, options ...wamp.CallOption) <-chan error {
	done := make(chan error, 1)
	go func() { // ends with the call
		got, err := wamp.Call[int](ctx, client, "com.example.square", wamp.Args(12), options...)
		if err == nil && got != 144 {
			err = fmt.Errorf("%d is not the square of 12", got)
		}
		done <- err
	}()
	return done
}
