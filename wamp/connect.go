package wamp

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// config is what the options of Connect make.
type config struct {
	session.Config
	serializers []codec.Codec
	batching    bool
	dialer      transport.Dialer // of WithTransport, nil without
	dial        transport.DialOptions
	addresses   []string
	shuffle     bool
	preferred   *time.Duration // of WithPreferred, nil without
	payloads    seal.Codec

	interceptors []Interceptor
}

// agent is HELLO.Details.agent.
const agent = "connectanum-go"

// Connect opens a connection to the router at address, logs in and joins the
// realm. ctx governs this, together with [DialTimeout] and [LoginTimeout]; its end after
// Connect has returned does not end the session, which lives until [Session.Close].
//
// The address is a URL:
//
//   - ws://host:port/path and wss://host:port/path are WebSocket, without and
//     with TLS.
//   - tcp://host:port and tcps://host:port are RawSocket, without and with TLS.
//     The schemes rs and rss mean the same.
//   - unix:///path/to/socket is RawSocket over a Unix socket, and
//     ws+unix:///path/to/socket:/path is WebSocket over one. unix://@name and
//     ws+unix://@name:/path are abstract sockets.
//
// In a browser (GOOS=js) there are only ws and wss; any other is an error that matches
// [ErrNotInBrowser].
//
// The error is an [OpError] that names what was in progress, and the address that
// was dialled last. It wraps a [DialError] if there was no connection, an [AbortError] if the router
// refused, a [LoginError] if this side gave up the login, a [ProtocolError] if
// the router broke the protocol, a [LinkError] if the connection was lost, or a
// [CanceledError] if ctx ended. Where [WithURLs] has given several addresses, an
// [AddressesError] has the error of each that was tried.
func Connect(ctx context.Context, address, realm string, options ...Option) (*Session, error) {
	c := &config{serializers: codec.All()}
	c.Agent, c.Realm, c.Address = agent, realm, func() string { return "" }
	s, err := c.connect(ctx, address, options)
	if err != nil {
		return nil, opError("connect", c.Address(), err)
	}
	return s, nil
}

func (c *config) connect(ctx context.Context, address string, options []Option) (*Session, error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if o == nil {
			return nil, errNilOption
		}
		if err := o.applyConnect(c); err != nil {
			return nil, err
		}
	}
	if err := proto.CheckURI(c.Realm); err != nil {
		return nil, fmt.Errorf("realm: %w", err)
	}
	if err := c.reach(address); err != nil {
		return nil, err
	}
	if c.interceptors != nil {
		return c.connectSeen(ctx)
	}
	return c.dialled(ctx)
}

// connectSeen is the rest of connect where there are interceptors.
func (c *config) connectSeen(ctx context.Context) (s *Session, err error) {
	e := newSeen(nil, Op{Kind: OpConnect, Realm: c.Realm}, c.interceptors)
	if ctx, err = e.begin(ctx, onUsers); err != nil {
		return nil, err
	}
	s, err = c.dialled(ctx)
	e.Router = c.Address()
	if e.Session = s; s != nil {
		e.Realm = s.eng.Details().Realm
	}
	told := false
	defer func() {
		if !told && s != nil { // runtime.Goexit: nobody gets the session
			ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
			cancel()
			_ = s.Close(ended)
		}
	}()
	e.over(opError("connect", e.Router, err), onUsers)
	told = true
	return s, err
}

// dialled makes the session.
func (c *config) dialled(ctx context.Context) (*Session, error) {
	negotiator, negotiates := c.payloads.(seal.Negotiator)
	if negotiates {
		c.Handshake = negotiation{negotiator}
	}
	eng, err := session.Connect(ctx, c.Config)
	if err != nil {
		return nil, err
	}
	s := &Session{eng: eng, noAcks: flow.Of[Ack](), payloads: c.payloads, negotiates: negotiates, window: eng.Windows().Publishes}
	if c.interceptors != nil {
		s.interceptors, s.address = c.interceptors, c.Address
		s.seeing = eng.NewTally("interceptor still runs", "interceptors still run")
	}
	return s, nil
}

// reach sets what is offered to the router, and how it is dialled.
func (c *config) reach(address string) (err error) {
	var names []string
	for _, s := range c.serializers {
		names = append(names, s.Name())
	}
	if c.Protocols, err = transport.Offer(c.batching, names...); err != nil {
		return err
	}
	if c.Dial = c.dialer; c.Dial != nil {
		return nil
	}
	c.dial.MaxReceive = c.Limits.Size
	r, err := transport.NewRotation(c.shuffle, c.dial, append([]string{address}, c.addresses...)...)
	if err != nil {
		return err
	}
	if c.preferred != nil {
		r.Prefer(*c.preferred)
	}
	c.Rotation, c.Address = r, r.Last
	return nil
}
