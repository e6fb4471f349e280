// Command quickstart shows the library at work: a procedure that streams
// progressive results over a file while it reads it, a call that is cancelled
// in the middle, and a round of publish and subscribe.
//
// Without flags it brings its own router, in this process. With -url and
// -realm it does the same against a real one:
//
//	go run ./docs/examples/quickstart [-url ws://127.0.0.1:8080/ws -realm realm1] [file]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Search is a request: which word to look for in which file, and how long to
// rest behind each line.
type Search struct {
	File  string        `json:"file"`
	Word  string        `json:"word"`
	Pause time.Duration `json:"pause"`
}

// Found is one progressive result: how far the search is, and the line that
// matched.
type Found struct {
	Line  int    `json:"line"`
	Bytes int64  `json:"bytes"`
	Text  string `json:"text"`
}

// Summary is the final result.
type Summary struct {
	Lines   int `json:"lines"`
	Matches int `json:"matches"`
}

// Tide is an event.
type Tide struct {
	State  string  `json:"state"`
	Metres float64 `json:"metres"`
}

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	word := flag.String("word", "storm", "word to search for")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "A first look: a procedure that streams, a call that is cancelled, an event.\n\n"+
			"usage: go run ./docs/examples/quickstart [-url ws://127.0.0.1:8080/ws -realm realm1] [-word storm] [file]")
		flag.PrintDefaults()
	}
	flag.Parse()
	file := "testdata/harbour.log"
	switch flag.NArg() {
	case 0:
	case 1:
		file = flag.Arg(0)
	default:
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, *address, *realm, file, *word); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, realm, file, word string) error {
	var options []wamp.Option
	if address == "" {
		router := wamptest.Start(wamptest.WithRealms(realm))
		defer router.Close()
		options = append(options, wamp.WithTransport(router.Dial))
		fmt.Println("router:   in this process")
	} else {
		fmt.Println("router:  ", address)
	}
	worker, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer worker.Close(ctx)
	client, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	d := client.Details()
	fmt.Printf("joined:   realm %s as %s, session %d, %s\n", d.Realm, d.AuthRole, d.Session, d.Protocol)

	stopped := make(chan string, 1)
	if _, err := wamp.ServeStream(ctx, worker, "com.example.search", search(stopped)); err != nil {
		return err
	}
	if err := stream(ctx, client, file, word); err != nil {
		return err
	}
	if err := cancelled(ctx, client, file, stopped); err != nil {
		return err
	}
	return events(ctx, worker, client)
}

// search is the procedure: it reads the file line by line, sends each line
// that has the word as a progressive result, and returns how many lines there
// were and how many matched. When the caller cancels, ctx ends.
func search(stopped chan<- string) func(context.Context, Search, func(Found) error) (Summary, error) {
	return func(ctx context.Context, in Search, send func(Found) error) (Summary, error) {
		var sum Summary
		f, err := os.Open(in.File)
		if err != nil {
			return sum, wamp.NewError("com.example.error.no_such_file", wamp.Args(in.File))
		}
		defer f.Close()
		var size int64
		for text := bufio.NewScanner(f); text.Scan(); {
			if ctx.Err() != nil {
				stopped <- fmt.Sprintf("after line %d: %v", sum.Lines, context.Cause(ctx))
				return sum, ctx.Err()
			}
			sum.Lines++
			size += int64(len(text.Bytes()) + 1)
			if strings.Contains(text.Text(), in.Word) {
				sum.Matches++
				if err := send(Found{sum.Lines, size, text.Text()}); err != nil {
					continue // ctx has ended: the next round sees it
				}
			}
			if in.Pause > 0 {
				wait(ctx, in.Pause)
			}
		}
		return sum, nil
	}
}

// wait pauses, but no longer than ctx lives.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// stream consumes the progressive results as they come.
func stream(ctx context.Context, client *wamp.Session, file, word string) error {
	fmt.Printf("\nA call is a stream: searching %s for %q\n", file, word)
	shown := 0
	search := wamp.OpenStream[Found, Summary](ctx, client, "com.example.search", wamp.Args(Search{File: file, Word: word}))
	for found, err := range search.All() {
		if err != nil {
			return err
		}
		if shown++; shown <= 3 {
			fmt.Printf("  progress: line %d, %d bytes in: %s\n", found.Line, found.Bytes, found.Text)
		} else if shown == 4 {
			fmt.Println("  progress: ...")
		}
	}
	sum, err := search.Result()
	if err != nil {
		return err
	}
	fmt.Printf("  final result: %d lines read, %d matches\n", sum.Lines, sum.Matches)
	return nil
}

// cancelled stops a call in its middle by its context.
func cancelled(ctx context.Context, client *wamp.Session, file string, stopped <-chan string) error {
	fmt.Println("\nCancelling: the same call, slowed down, its context ended at the third result")
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := 0
	search := wamp.OpenStream[Found, Summary](callCtx, client, "com.example.search", wamp.Args(Search{File: file, Pause: 2 * time.Millisecond}))
	for _, err := range search.All() {
		if err != nil {
			fmt.Printf("  caller:  the stream ended with %q (canceled: %v)\n", err, errors.Is(err, context.Canceled))
			break
		}
		if n++; n == 3 {
			cancel()
		}
	}
	select {
	case where := <-stopped:
		fmt.Println("  callee:  the work stopped", where)
	case <-ctx.Done():
		return fmt.Errorf("the callee was not told: %w", ctx.Err())
	}
	return nil
}

// events publishes to a subscriber.
func events(ctx context.Context, subscriber, publisher *wamp.Session) error {
	fmt.Println("\nPublish and subscribe")
	came := make(chan wamp.EventOf[Tide], 1)
	sub, err := wamp.On(ctx, subscriber, "com.example.tide", func(_ context.Context, ev wamp.EventOf[Tide]) error {
		came <- ev
		return nil
	})
	if err != nil {
		return err
	}
	id, err := publisher.Publish(ctx, "com.example.tide", wamp.Args(Tide{"high", 3.5}), wamp.Acknowledge()).Wait()
	if err != nil {
		return err
	}
	fmt.Printf("  publisher:  acknowledged as publication %d\n", id)
	select {
	case ev := <-came:
		fmt.Printf("  subscriber: the tide is %s, %.1f metres (publication %d)\n", ev.Value.State, ev.Value.Metres, ev.Publication)
	case <-ctx.Done():
		return ctx.Err()
	}
	return sub.Unsubscribe(ctx)
}
