package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// with connects, runs f with the session, and closes it, whatever becomes of ctx.
func (t *tool) with(c *cobra.Command, f func(ctx context.Context, s *wamp.Session) error, options ...wamp.Option) error {
	ctx := c.Context()
	s, err := t.connect(ctx, c, options...)
	if err != nil {
		return err
	}
	defer t.close(ctx, s)
	return f(ctx, s)
}

// close closes a session, whatever has become of ctx.
func (t *tool) close(ctx context.Context, s *wamp.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = s.Close(ctx)
}

// connect joins the realm as the command line, the environment and the context say.
func (t *tool) connect(ctx context.Context, c *cobra.Command, more ...wamp.Option) (*wamp.Session, error) {
	s, err := t.settled(c.Flags())
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	options, err := s.options(ctx, t)
	if err != nil {
		return nil, err
	}
	if t.verbose > 0 {
		h := slog.NewTextHandler(t.errs, &slog.HandlerOptions{Level: slog.LevelDebug})
		options = append(options, wamp.WithLogger(slog.New(h)))
	}
	return wamp.Connect(ctx, s.URL, s.Realm, append(options, more...)...)
}

// options are the options of the library for settings.
func (s *settings) options(ctx context.Context, t *tool) (options []wamp.Option, err error) {
	options = append(options, wamp.WithAgent("connectanum-go wamp"))
	codecs, err := s.codecs()
	if err != nil {
		return nil, err
	}
	if len(codecs) > 0 {
		options = append(options, wamp.WithSerializers(codecs...))
	}
	cfg, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if cfg != nil {
		options = append(options, wamp.WithTLS(cfg))
	}
	if t.verbose > 1 {
		seeing, err := t.seeing(s.URL, cfg)
		if err != nil {
			return nil, err
		}
		options = append(options, seeing)
	}
	login, err := s.login(ctx, t)
	if err != nil {
		return nil, err
	}
	if login != nil {
		options = append(options, wamp.WithAuth(login))
	}
	return options, nil
}

// codecs are the serializers that were named, none for those of the library.
func (s *settings) codecs() (codecs []codec.Codec, err error) {
	if s.Serializer == "" {
		return nil, nil
	}
	for _, name := range strings.Split(s.Serializer, ",") {
		c, ok := codec.ByName(strings.TrimSpace(name))
		if !ok {
			return nil, usage("the serializer %q is none of cbor, msgpack, json", name)
		}
		codecs = append(codecs, c)
	}
	return codecs, nil
}

// check reports what cannot be meant, without a look at any file.
func (s *settings) check() error {
	if s.URL != "" {
		if _, err := transport.ParseAddress(s.URL); err != nil {
			return usage("--url: %w", err)
		}
	}
	if _, err := s.codecs(); err != nil {
		return err
	}
	if s.Auth != "" && !slices.Contains(authMethods, s.Auth) {
		return usage("--auth %q is none of %s", s.Auth, strings.Join(authMethods, ", "))
	}
	return nil
}

// tlsConfig is nil where nothing was said.
func (s *settings) tlsConfig() (*tls.Config, error) {
	if s.CA == "" && s.Cert == "" && !s.Insecure {
		return nil, nil
	}
	cfg := &tls.Config{InsecureSkipVerify: s.Insecure}
	if s.CA != "" {
		text, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s has no certificate", s.CA)
		}
	}
	if s.Cert != "" {
		key := s.CertKey
		if key == "" {
			key = s.Cert
		}
		cert, err := tls.LoadX509KeyPair(s.Cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
