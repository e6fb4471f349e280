// Command dashboard shows measurements as they come: typed events of all topics with a
// prefix, those from before it began out of the history, and what became of events where it
// was too slow, or the connection was lost.
//
//	go run ./docs/examples/dashboard
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Reading is an event.
type Reading struct {
	Celsius float64 `json:"celsius"`
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Measurements as they come, with those from before and those that are missing.\n\nusage: go run ./docs/examples/dashboard")
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
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	router := wamptest.Start(wamptest.WithHistory(1000)) // a router of one's own, so that it can be made to fail
	defer router.Close()
	sensors, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		return err
	}
	defer sensors.Close(ctx)
	publish := func(room string, celsius float64) error {
		_, err := sensors.Publish(ctx, "com.example.temperature."+room, wamp.Args(Reading{celsius}), wamp.Acknowledge()).Wait()
		return err
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Min: 10 * time.Millisecond, Max: 10 * time.Millisecond}))
	if err != nil {
		return err
	}
	defer session.Close(ctx)

	fmt.Println("History, and then live, as one stream:")
	for _, celsius := range []float64{19.5, 20} {
		if err := publish("kitchen", celsius); err != nil {
			return err
		}
	}
	kitchen, err := session.Subscribe(ctx, "com.example.temperature.kitchen", wamp.FromHistory(wamp.HistoryQuery{Last: 10}))
	if err != nil {
		return err
	}
	if err := publish("kitchen", 20.5); err != nil {
		return err
	}
	n := 0
	for ev, err := range wamp.Events[Reading](kitchen) {
		if err != nil {
			return err
		}
		fmt.Printf("  %.1f degrees\n", ev.Value.Celsius)
		if n++; n == 3 {
			break
		}
	}

	fmt.Println("All rooms, by their prefix; what does not fit is an error of its own event:")
	rooms, err := session.Subscribe(ctx, "com.example.temperature.", wamp.Match(wamp.Prefix), wamp.Buffer(4, 0), wamp.OverflowDropOldest())
	if err != nil {
		return err
	}
	if err := publish("hall", 17); err != nil {
		return err
	}
	if _, err := sensors.Publish(ctx, "com.example.temperature.attic", wamp.Args("broken"), wamp.Acknowledge()).Wait(); err != nil {
		return err
	}
	n = 0
	for ev, err := range wamp.Events[Reading](rooms) {
		if err != nil {
			fmt.Printf("  %s: not understood\n", ev.Topic)
		} else {
			fmt.Printf("  %s: %.1f degrees\n", ev.Topic, ev.Value.Celsius)
		}
		if n++; n == 2 {
			break
		}
	}

	fmt.Println("A slow consumer keeps the newest, and is told how many it has missed:")
	for i := range 1000 {
		if err := publish("cellar", float64(i)); err != nil {
			return err
		}
	}
	if _, err := session.Ping(ctx); err != nil { // what was published before has come
		return err
	}
	read, missed := 0, uint64(0)
	for ev, err := range wamp.Events[Reading](rooms) {
		if err != nil {
			return err
		}
		read++
		missed += ev.Lost
		if ev.Value.Celsius == 999 {
			break
		}
	}
	all := read+int(missed) == 1000
	fmt.Printf("  of 1000 the last is there: %v; all are accounted for: %v\n", missed > 0, all)
	if missed == 0 || !all {
		return fmt.Errorf("read %d and missed %d of 1000", read, missed)
	}

	fmt.Println("A lost connection: the subscriptions come back, the first event says that some may be missing:")
	before := session.ID()
	router.Cut(before)
	for session.ID() == before || session.Healthy() != nil { // until the subscriptions are back too
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range 2 {
		if err := publish("hall", float64(18+i)); err != nil {
			return err
		}
	}
	for ev, err := range wamp.Events[Reading](rooms) {
		if err != nil {
			return err
		}
		fmt.Printf("  %s: %.0f degrees, behind a gap: %v\n", ev.Topic, ev.Value.Celsius, ev.AfterGap)
		if ev.Value.Celsius == 19 {
			return nil
		}
	}
	return rooms.Err()
}
