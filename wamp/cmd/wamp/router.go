package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// routerFlags are what the router can be told.
type routerFlags struct {
	listen, rawSocket string
	realms            []string
	login             string
	log, demo         bool
	crossbar          bool
	cert, key         string
}

// addressLine is an address of the router as it is printed: from then on it can be joined.
type addressLine struct {
	URL    string   `json:"url"`
	Realms []string `json:"realms"`
}

func (l addressLine) raw() []any { return []any{l.URL} }

func (t *tool) routerCommand() *cobra.Command {
	var f routerFlags
	c := &cobra.Command{
		Use:   "router",
		Short: "Run a router for development",
		Long: `router is a WAMP router in this process, for development and demonstrations: strict, with every
feature of the specification, and written for clarity. It keeps nothing, and bounds neither what
waits for a slow client nor how many may come: do not put it on a network that you do not trust.

It prints its addresses, each when it can be joined, and runs until Ctrl-C, which sends everybody
away with wamp.close.system_shutdown and ends with code 0.

--log prints each message, without the secrets of logins and without long payloads. --demo
serves com.example.add, which adds numbers, com.example.echo, com.example.count, which counts to its
argument in progressive results, and com.example.upper, which answers each chunk in capitals.

--login FILE says who is let in, by JSON such as

  [{"method": "ticket", "authid": "alice", "secret_file": "alice.ticket", "role": "user"},
   {"method": "cryptosign", "authid": "bob", "keys": ["e2d1...", "ssh-ed25519 AAAA..."]},
   {"method": "scram", "authid": "carol", "secret": "...", "realm": "realm1"},
   {"method": "anonymous", "role": "guest"}]

The methods are anonymous, ticket, cra, scram and cryptosign. "secret_file" is found from the
folder of FILE. In the place of a secret, scram and cra may have a "record" of package accept. An
entry without a realm is good for each. Without the flag everybody is let in as anonymous.`,
		Example: `  wamp router --demo
  wamp router --listen 127.0.0.1:9000 --rawsocket 127.0.0.1:9001 --realm lab --login users.json --log
  wamp router --listen unix:/tmp/wamp.sock --crossbar`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return t.router(c.Context(), c, &f)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`address` for WebSocket, host:port or unix:FILE; empty for none")
	fs.StringVar(&f.rawSocket, "rawsocket", "", "`address` for RawSocket, host:port or unix:FILE")
	fs.StringArrayVar(&f.realms, "realm", nil, "a `realm` there is, as often as there are ($"+variable("realm")+", or realm1)")
	fs.StringVar(&f.login, "login", "", "`file` of who is let in")
	fs.BoolVar(&f.log, "log", false, "print each message")
	fs.BoolVar(&f.demo, "demo", false, "serve com.example.add, com.example.count, com.example.echo and com.example.upper")
	fs.BoolVar(&f.crossbar, "crossbar", false, "deviate from the specification as Crossbar does")
	fs.StringVar(&f.cert, "tls-cert", "", "`file` of a certificate: speak TLS")
	fs.StringVar(&f.key, "tls-key", "", "`file` of its key, default the one of --tls-cert")
	return c
}

// check makes of the flags what they mean, and finds what they cannot.
func (f *routerFlags) check(changed func(string) bool) error {
	if !changed("realm") {
		f.realms = []string{"realm1"}
		if v := os.Getenv(variable("realm")); v != "" {
			f.realms = []string{v}
		}
	}
	for _, realm := range f.realms {
		if err := proto.CheckURI(realm); err != nil {
			return usage("--realm %q: %w", realm, err)
		}
	}
	if f.listen == "" && f.rawSocket == "" {
		return usage("the router listens nowhere: --listen is empty, and there is no --rawsocket")
	}
	if f.key != "" && f.cert == "" {
		return usage("--tls-key without --tls-cert")
	}
	return nil
}

// options are those of the router, and the login of its own callee.
func (f *routerFlags) options(t *tool, log *messageLog) (options []wamptest.Option, demo *demoLogin, err error) {
	options = []wamptest.Option{wamptest.WithRealms(f.realms...), wamptest.WithLog(log.note)}
	logins := []wamptest.Login{wamptest.Anonymous()}
	if f.login != "" {
		if logins, err = readLogins(t, f.login); err != nil {
			return nil, nil, err
		}
	}
	if f.demo {
		demo = newDemoLogin()
		logins = append(logins, demo.login())
	}
	options = append(options, wamptest.WithLogins(logins...))
	if f.log {
		options = append(options, wamptest.WithHook(log.hook))
	}
	if f.crossbar {
		options = append(options, wamptest.CrossbarQuirks())
	}
	return options, demo, nil
}

// router runs a router until ctx ends.
func (t *tool) router(ctx context.Context, c *cobra.Command, f *routerFlags) error {
	if err := f.check(c.Flags().Changed); err != nil {
		return err
	}
	listen, err := f.listenOptions()
	if err != nil {
		return err
	}
	log := startLog(t)
	defer log.stop()
	options, demo, err := f.options(t, log)
	if err != nil {
		return err
	}
	r := wamptest.Start(options...)
	defer r.Close()
	if demo != nil {
		for _, realm := range f.realms {
			leave, err := demo.serve(ctx, r, realm)
			if err != nil {
				return fmt.Errorf("--demo: %w", err)
			}
			defer leave()
		}
	}
	if err := t.open(r, f, listen); err != nil {
		return err
	}
	log.on.Store(true)
	t.note("wamp: the router is ready. It is one for development. Ctrl-C ends it")
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case err = <-log.failed:
	}
	r.GoodbyeAll(proto.CloseURISystemShutdown)
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = r.WaitFor(patient, func(s wamptest.Stats) bool { return s.Sessions == 0 })
	if errors.Is(err, errInterrupted) {
		t.toTheEnd = true // it has done what it was there for
		return nil
	}
	return err
}

// listenOptions are those of all listeners.
func (f *routerFlags) listenOptions() ([]wamptest.ListenOption, error) {
	if f.cert == "" {
		return nil, nil
	}
	key := f.key
	if key == "" {
		key = f.cert
	}
	cert, err := tls.LoadX509KeyPair(f.cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	return []wamptest.ListenOption{wamptest.WithTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})}, nil
}

// open listens, and prints where.
func (t *tool) open(r *wamptest.Router, f *routerFlags, options []wamptest.ListenOption) error {
	var lines []addressLine
	if f.listen != "" {
		t.warnOfNetwork(f.listen)
		url, err := r.ListenWebSocket(f.listen, options...)
		if err != nil {
			return fmt.Errorf("--listen: %w", err)
		}
		lines = append(lines, addressLine{url, f.realms})
	}
	if f.rawSocket != "" {
		t.warnOfNetwork(f.rawSocket)
		network, address := "tcp", f.rawSocket
		if path, is := strings.CutPrefix(address, "unix:"); is {
			network, address = "unix", path
		}
		url, err := r.ListenRawSocket(network, address, options...)
		if err != nil {
			return fmt.Errorf("--rawsocket: %w", err)
		}
		lines = append(lines, addressLine{url, f.realms})
	}
	for _, l := range lines { // now that nothing can go wrong
		if err := t.show.print(l); err != nil {
			return err
		}
	}
	return nil
}

// warnOfNetwork warns of an address that others than this machine can reach.
func (t *tool) warnOfNetwork(address string) {
	if strings.HasPrefix(address, "unix:") {
		return
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return // what is wrong with it, listening tells
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		t.note("wamp: warning: %s can be reached from the network, and this router is for development", address)
	}
}
