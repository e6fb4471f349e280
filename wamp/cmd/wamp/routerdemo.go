package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// demoLogin lets the callee of --demo in, whoever else is, by a ticket of this process.
type demoLogin struct{ ticket string }

const demoMethod = "wamp-tool-demo"

func newDemoLogin() *demoLogin { return &demoLogin{ticket: rand.Text()} }

// login is the router's side.
func (d *demoLogin) login() wamptest.Login {
	return wamptest.LoginFunc(demoMethod, func(wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{Challenge: map[string]any{}, Next: func(r authn.Response) wamptest.LoginStep {
			if !accept.Ticket(d.ticket, r.Signature) {
				return wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "this login is for the router itself"}}
			}
			return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "demo", AuthRole: "demo"}}
		}}
	})
}

// serve serves the procedures in a realm until leave is called.
func (d *demoLogin) serve(ctx context.Context, r *wamptest.Router, realm string) (leave func(), err error) {
	answer := func(context.Context, authn.Challenge, authn.Request) (authn.Response, error) {
		return authn.Response{Signature: d.ticket}, nil
	}
	s, err := wamp.Connect(ctx, "ws://demo.invalid/ws", realm, wamp.WithTransport(r.Dial), wamp.WithAgent("connectanum-go wamp"),
		wamp.WithAuth(authn.Custom(demoMethod, "demo", answer, authn.AllowPlaintext())))
	if err != nil {
		return nil, err
	}
	leave = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	}
	for name, h := range demoProcedures {
		if _, err := s.Handle(context.WithoutCancel(ctx), name, h); err != nil {
			leave()
			return nil, err
		}
	}
	return leave, nil
}

// demoProcedures are what --demo serves.
var demoProcedures = map[string]wamp.Handler{
	"com.example.add":   demoAdd,
	"com.example.count": demoCount,
	"com.example.echo":  demoEcho,
	"com.example.upper": demoUpper,
}

func demoEcho(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

func demoAdd(_ context.Context, inv *wamp.Invocation) error {
	args, err := inv.Args()
	if err != nil {
		return err
	}
	whole, rest, isWhole := new(big.Int), 0.0, true // integers of any size
	for _, a := range args {
		switch n := a.(type) {
		case int64:
			whole.Add(whole, big.NewInt(n))
		case uint64:
			whole.Add(whole, new(big.Int).SetUint64(n))
		case *big.Int:
			whole.Add(whole, n)
		case float64:
			rest, isWhole = rest+n, false
		default:
			return wamp.Errorf(wamp.ErrInvalidArgument, "%s is not a number", compact(printable(a)))
		}
	}
	switch {
	case !isWhole:
		sum, _ := new(big.Float).SetInt(whole).Float64()
		return inv.Return(wamp.Args(sum + rest))
	case whole.IsInt64():
		return inv.Return(wamp.Args(whole.Int64()))
	}
	return inv.Return(wamp.Args(whole))
}

// demoUpper answers each chunk, and in the end with how many there were.
func demoUpper(ctx context.Context, inv *wamp.Invocation) error {
	n := 0
	for p := range inv.Chunks() {
		if p.Empty() {
			continue
		}
		n++
		var text string
		if err := p.Scan(&text); err != nil {
			return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
		}
		if err := inv.Progress(wamp.Args(strings.ToUpper(text))); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return inv.Return(wamp.Args(n))
}

// demoCount counts in progressive results, ten a second. The last one is the result.
func demoCount(ctx context.Context, inv *wamp.Invocation) error {
	var n int
	if err := inv.Scan(&n); err != nil || n < 1 {
		return wamp.Errorf(wamp.ErrInvalidArgument, "count wants a number from 1 on")
	}
	for i := 1; i < n; i++ {
		if err := inv.Progress(wamp.Args(i)); err != nil {
			return fmt.Errorf("not more than %d: %w", i, err)
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return inv.Return(wamp.Args(n))
}
