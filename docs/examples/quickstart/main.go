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
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Found is one progressive result: how far the search is, and the line that
// matched.
type Found struct {
	Line  int    `json:"line"`
	Bytes int64  `json:"bytes"`
	Text  string `json:"text"`
}

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	word := flag.String("word", "storm", "word to search for")
	flag.Parse()
	file := "testdata/harbour.log"
	if flag.NArg() > 0 {
		file = flag.Arg(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
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
	if _, err := worker.Handle(ctx, "com.example.search", search(stopped)); err != nil {
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
func search(stopped chan<- string) wamp.Handler {
	return func(ctx context.Context, inv *wamp.Invocation) error {
		var file, word string
		var pause time.Duration
		if err := inv.Scan(&file, &word, &pause); err != nil {
			return wamp.ErrInvalidArgument
		}
		f, err := os.Open(file)
		if err != nil {
			return wamp.NewError("com.example.error.no_such_file", wamp.Args(file))
		}
		defer f.Close()
		var lines, matches int
		var size int64
		for in := bufio.NewScanner(f); in.Scan(); {
			if ctx.Err() != nil {
				stopped <- fmt.Sprintf("after line %d: %v", lines, context.Cause(ctx))
				return ctx.Err()
			}
			lines++
			size += int64(len(in.Bytes()) + 1)
			if strings.Contains(in.Text(), word) {
				matches++
				if err := inv.Progress(wamp.Args(Found{lines, size, in.Text()})); err != nil {
					continue // ctx has ended: the next round sees it
				}
			}
			if pause > 0 {
				wait(ctx, pause)
			}
		}
		return inv.Return(wamp.Args(lines, matches))
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
	for r := range client.Call(ctx, "com.example.search", wamp.Args(file, word, 0), wamp.Progressive()) {
		if r.Err != nil {
			return r.Err
		}
		if !r.Progress {
			var lines, matches int
			if err := r.Scan(&lines, &matches); err != nil {
				return err
			}
			fmt.Printf("  final result: %d lines read, %d matches\n", lines, matches)
			continue
		}
		var found Found
		if err := r.Scan(&found); err != nil {
			return err
		}
		if shown++; shown <= 3 {
			fmt.Printf("  progress: line %d, %d bytes in: %s\n", found.Line, found.Bytes, found.Text)
		} else if shown == 4 {
			fmt.Println("  progress: ...")
		}
	}
	return nil
}

// cancelled stops a call in its middle by its context.
func cancelled(ctx context.Context, client *wamp.Session, file string, stopped <-chan string) error {
	fmt.Println("\nCancelling: the same call, slowed down, its context ended at the third result")
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := 0
	for r := range client.Call(callCtx, "com.example.search", wamp.Args(file, "", 2*time.Millisecond), wamp.Progressive()) {
		if r.Err != nil {
			fmt.Printf("  caller:  the stream ended with %q (canceled: %v)\n", r.Err, errors.Is(r.Err, context.Canceled))
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
	sub, err := subscriber.Subscribe(ctx, "com.example.tide")
	if err != nil {
		return err
	}
	id, err := publisher.Publish(ctx, "com.example.tide", wamp.Args("high").With("metres", 3.5), wamp.Acknowledge()).Wait()
	if err != nil {
		return err
	}
	fmt.Printf("  publisher:  acknowledged as publication %d\n", id)
	select {
	case ev := <-sub.Events():
		var tide string
		var more struct {
			Metres float64 `json:"metres"`
		}
		if err := errors.Join(ev.Scan(&tide), ev.ScanKw(&more)); err != nil {
			return err
		}
		fmt.Printf("  subscriber: the tide is %s, %.1f metres (publication %d)\n", tide, more.Metres, ev.Publication)
	case <-ctx.Done():
		return ctx.Err()
	}
	return sub.Unsubscribe(ctx)
}
