// Command presence shows who is in a realm, from the meta API of the router: those who are
// there, and then those who come and go, of whom nobody is missed and nobody told twice.
//
//	go run ./docs/examples/presence [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Who is in a realm, and who comes and goes.\n\nusage: go run ./docs/examples/presence [-url ws://127.0.0.1:8080/ws -realm realm1]")
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
		fmt.Fprintln(os.Stderr, "presence:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, realm string) error {
	join := func(name string, options ...wamp.Option) (*wamp.Session, error) {
		return wamp.Connect(ctx, address, realm, options...)
	}
	if address == "" {
		router := wamptest.Start(wamptest.WithLogins(wamptest.Ticket(func(authid, _ string) (string, string, bool) {
			return "secret of " + authid, "user", true
		})))
		defer router.Close()
		join = func(name string, options ...wamp.Option) (*wamp.Session, error) {
			options = append(options, wamp.WithTransport(router.Dial), wamp.WithAuth(authn.Ticket(name, "secret of "+name)))
			return wamp.Connect(ctx, "", realm, options...)
		}
	}
	watcher, err := join("watcher", wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		return err
	}
	defer watcher.Close(ctx)
	watch, forget := context.WithCancel(ctx)
	defer forget()
	there, changes, err := meta.Of(watcher).FollowSessions(watch)
	if err != nil {
		return err
	}
	for _, s := range there {
		fmt.Println("is here: ", s.AuthID)
	}
	guests := make([]*wamp.Session, 0, 2)
	for _, name := range []string{"ada", "grace"} {
		guest, err := join(name)
		if err != nil {
			return err
		}
		defer guest.Close(ctx)
		guests = append(guests, guest)
	}
	names := map[wamp.ID]string{}
	for seen := 1; seen <= 3; seen++ {
		change, more := <-changes
		if !more { // ctx has ended, or the session
			return cmp.Or(context.Cause(ctx), watcher.Err())
		}
		who := change.Value
		switch {
		case change.Err != nil:
			return change.Err
		case change.Gone: // of which some routers tell the id alone
			fmt.Println("has gone:", names[who.Session])
		default:
			names[who.Session] = who.AuthID
			fmt.Println("has come:", who.AuthID)
		}
		if seen == 2 {
			if err := guests[0].Close(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
