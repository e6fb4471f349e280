package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// startRouter starts a router with a callee, for clients in JavaScript:
//
//	com.example.count N      progressive results from 1 up to N
//	com.example.interrupts   how often the callee of that was interrupted
//	com.example.cut          cuts all clients but that callee
//	com.example.stall MS     lets nothing out to them for so long
//
// realm1 is there. What is returned goes behind a path of a server.
func startRouter(ctx context.Context) (http.Handler, func(), error) {
	router := wamptest.Start(wamptest.WithRealms("realm1"))
	address, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		router.Close()
		return nil, nil, err
	}
	callee, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	if err != nil {
		router.Close()
		return nil, nil, err
	}
	stop := func() { _ = callee.Close(ctx); router.Close() }
	if err := register(ctx, router, callee); err != nil {
		stop()
		return nil, nil, err
	}
	to, err := url.Parse(address)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = "http", to.Host, to.Path
		r.Out.Header.Del("Origin") // it is that of this server
	}}, stop, nil
}

func register(ctx context.Context, router *wamptest.Router, callee *wamp.Session) error {
	var interrupts atomic.Int64
	clients := func(do func(wamp.ID)) {
		for _, s := range router.Sessions() {
			if s.ID != callee.ID() { // so that it is there for the next one
				do(s.ID)
			}
		}
	}
	for procedure, h := range map[string]wamp.Handler{
		"com.example.count": func(_ context.Context, inv *wamp.Invocation) error {
			var n int
			if err := inv.Scan(&n); err != nil {
				return err
			}
			for i := 1; i < n; i++ {
				if err := inv.Progress(wamp.Args(i)); err != nil {
					interrupts.Add(1)
					return err
				}
			}
			return inv.Return(wamp.Args(n))
		},
		"com.example.interrupts": func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(interrupts.Load())) },
		"com.example.cut": func(context.Context, *wamp.Invocation) error {
			clients(func(id wamp.ID) { router.Cut(id) })
			return nil
		},
		"com.example.stall": func(_ context.Context, inv *wamp.Invocation) error {
			var ms int
			if err := inv.Scan(&ms); err != nil {
				return err
			}
			clients(func(id wamp.ID) {
				router.Stall(id)
				time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { router.Unstall(id) })
			})
			return nil
		},
	} {
		if _, err := callee.Handle(ctx, procedure, h); err != nil {
			return err
		}
	}
	return nil
}
