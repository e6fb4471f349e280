package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/floor"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// librarySide is the router through this library.
func (b *benching) librarySide(s *wamp.Session) *benchSide {
	side := &benchSide{name: sideLibrary}
	switch b.work {
	case workCall:
		side.one = func(ctx context.Context) error {
			_, err := wamp.Call[wamp.Payload](ctx, s, b.uri, wamp.Args(b.text))
			return err
		}
	case workPub:
		side.one = func(ctx context.Context) error {
			_, err := s.Publish(ctx, b.uri, wamp.Args(b.text), wamp.Acknowledge()).Wait()
			return err
		}
	default:
		side.stream = func(ctx context.Context, n int, every time.Duration, got func(time.Duration)) error {
			for r, err := range s.Call(ctx, b.uri, wamp.Args(n, int64(every), b.text), wamp.Progressive()).All() {
				if err != nil {
					return err
				}
				if !r.Progress {
					break
				}
				var sent int64
				var text string
				if err := r.Scan(&sent, &text); err != nil {
					return err
				}
				got(time.Duration(sent))
			}
			return nil
		}
	}
	return side
}

// floorSide is the router through a client that does as little as it can: over the same
// transport, in the serializer that s has agreed on with the router, by the same login.
func (b *benching) floorSide(ctx context.Context, s *wamp.Session) (*benchSide, error) {
	e, err := b.endpoint(ctx, s.Codec())
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, overdue, errOverdue)
	defer cancel()
	c, err := e.Dial(limited)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() { _ = c.Close() })
	f := &benchFloor{c: c}
	side := &benchSide{name: sideFloor}
	w := e.Wire
	switch b.work {
	case workCall:
		request := c.Template(5, floor.TypeCall, w.AppendTail(nil, floor.Dict{}, b.uri, []any{b.text}))
		side.one = func(ctx context.Context) error { return f.one(ctx, &request) }
	case workPub:
		request := c.Template(5, floor.TypePublish, w.AppendTail(nil, floor.Pairs(proto.KeyAcknowledge, true), b.uri, []any{b.text}))
		side.one = func(ctx context.Context) error { return f.one(ctx, &request) }
	default:
		side.stream = func(ctx context.Context, n int, every time.Duration, got func(time.Duration)) error {
			tail := w.AppendTail(nil, floor.Pairs(proto.KeyReceiveProgress, true), b.uri, []any{n, int(every), b.text})
			return f.stream(ctx, w, tail, got)
		}
	}
	return side, nil
}

// benchFloor is the floor, whose errors are told as the library's.
type benchFloor struct{ c *floor.Client }

// one sends a request and waits for its answer.
func (f *benchFloor) one(ctx context.Context, request *floor.Template) error {
	answer := make(chan []byte, 1)
	if err := f.c.Send(request, floor.Waiter{Ch: answer}); err != nil {
		return floorError(err)
	}
	select {
	case b, ok := <-answer:
		return f.look(b, ok)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// look is the error of an answer.
func (f *benchFloor) look(b []byte, ok bool) error {
	if !ok {
		return floorError(f.c.Err())
	}
	return floorError(floor.Refusal(b))
}

// stream makes a call of type 5 and reads its results.
func (f *benchFloor) stream(ctx context.Context, w floor.Wire, tail []byte, got func(time.Duration)) error {
	answers := make(chan []byte, 1024)
	if err := f.c.Request(5, floor.TypeCall, tail, floor.Waiter{Ch: answers, Stream: true}); err != nil {
		return floorError(err)
	}
	r := w.NewReader()
	for ended := false; ; {
		select {
		case b, ok := <-answers:
			if !ok {
				if ended {
					return nil
				}
				return floorError(f.c.Err())
			}
			if err := f.look(b, true); err != nil {
				return err
			}
			r.Begin(b)
			r.List()
			sent := r.Uint()
			if ended = !r.OK(); !ended { // the final result is empty
				got(time.Duration(sent))
			}
		case <-ctx.Done():
			// the reader must not wait for a channel that nobody empties
			go func() { // ends with the call, or the floor
				for range answers {
				}
			}()
			return context.Cause(ctx)
		}
	}
}

// floorError tells an error of the floor as the library would.
func floorError(err error) error {
	var refused *floor.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && !strings.HasPrefix(refused.URI, "wamp.close."):
		return &wamp.Error{URI: refused.URI}
	}
	return &wamp.LinkError{Err: err}
}

// endpoint is where the floor joins, and how.
func (b *benching) endpoint(ctx context.Context, c codec.Codec) (*floor.Endpoint, error) {
	at, err := transport.ParseAddress(b.where.URL)
	if err != nil {
		return nil, err
	}
	e := &floor.Endpoint{Network: at.Network, Address: at.Host, Web: at.WebSocket(), Wire: floor.Wires[c.Name()], Realm: b.where.Realm}
	if e.Wire == nil {
		return nil, fmt.Errorf("it does not know the serializer %s", c.Name())
	}
	private := at.Network == "unix" || at.TLS()
	if u, err := url.Parse(b.where.URL); err == nil && at.Network != "unix" {
		e.Host, e.Path = u.Host, u.RequestURI()
		if u.Port() == "" && e.Web {
			e.Address = net.JoinHostPort(u.Hostname(), map[bool]string{false: "80", true: "443"}[at.TLS()])
		}
		ip := net.ParseIP(u.Hostname())
		private = private || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	} else if e.Web {
		_, path, _ := strings.Cut(strings.TrimPrefix(b.where.URL, "ws+unix://"), ":")
		e.Host, e.Path = "localhost", "/"+strings.TrimPrefix(path, "/")
	}
	if at.TLS() {
		cfg, err := b.where.tlsConfig()
		if err != nil {
			return nil, err
		}
		e.TLS = tlsFor(cfg, e.Address)
	}
	return e, b.login(ctx, e, c, private)
}

// tlsFor is a configuration for one server.
func tlsFor(cfg *tls.Config, address string) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.ServerName, _, _ = net.SplitHostPort(address)
	return cfg
}

// login makes the floor log in as the library does. What is said then is nothing that is
// measured: the project's own packages write it.
func (b *benching) login(ctx context.Context, e *floor.Endpoint, c codec.Codec, private bool) error {
	login, err := b.where.login(ctx, b.t)
	if err != nil {
		return err
	}
	if login == nil {
		login = authn.Anonymous()
	}
	attempt, err := login.Begin(ctx, authn.JoinInfo{Realm: b.where.Realm, Private: private})
	if err != nil {
		return err
	}
	var h authn.Hello
	if err := attempt.Hello(&h); err != nil {
		return err
	}
	roles := proto.ClientRoles()
	d := proto.Dict{{Key: proto.KeyRoles, Value: roles.Dict()}}
	if len(h.Methods) > 0 {
		d = append(d, proto.Entry{Key: proto.KeyAuthMethods, Value: h.Methods})
	}
	if h.AuthID != "" {
		d = append(d, proto.Entry{Key: proto.KeyAuthID, Value: h.AuthID})
	}
	if h.Extra != nil {
		d = append(d, proto.Entry{Key: proto.KeyAuthExtra, Value: h.Extra})
	}
	if e.Hello, err = c.AppendMessage(nil, &proto.Message{Type: proto.Hello, URI: b.where.Realm, Options: d}); err != nil {
		return err
	}
	parser := c.NewParser(codec.Limits{})
	e.Challenged = func(msg []byte) ([]byte, error) {
		var m proto.Message
		if err := parser.Parse(msg, &m); err != nil {
			return nil, err
		}
		r, err := attempt.Challenge(ctx, authn.Challenge{Method: m.Text, Extra: m.Options})
		if err != nil {
			return nil, err
		}
		answer := &proto.Message{Type: proto.Authenticate, Text: r.Signature}
		for k, v := range r.Extra {
			answer.Options = append(answer.Options, proto.Entry{Key: k, Value: v})
		}
		return c.AppendMessage(nil, answer)
	}
	return nil
}
