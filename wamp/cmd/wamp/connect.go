package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/term"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// with connects, runs f with the session, and closes it, whatever becomes of ctx.
func (t *tool) with(c *cobra.Command, f func(ctx context.Context, s *wamp.Session) error, options ...wamp.Option) error {
	ctx, cancel := t.within(c.Context())
	defer cancel()
	s, err := t.connect(ctx, c, options...)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.Close(ctx)
	}()
	return f(ctx, s)
}

// connect joins the realm as the command line, the environment and the context say.
func (t *tool) connect(ctx context.Context, c *cobra.Command, more ...wamp.Option) (*wamp.Session, error) {
	s, err := t.settled(c.Flags())
	if err != nil {
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

// methods are the values of --auth.
var methods = []string{"anonymous", "ticket", "cra", "scram", "cryptosign", "tls"}

// check reports what cannot be meant, without a look at any file.
func (s *settings) check() error {
	if s.URL != "" {
		if _, err := transport.ParseAddress(s.URL); err != nil {
			return err
		}
	}
	if _, err := s.codecs(); err != nil {
		return err
	}
	if s.Auth != "" && !slices.Contains(methods, s.Auth) {
		return usage("--auth %q is none of %s", s.Auth, strings.Join(methods, ", "))
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

// login is the method to log in by, nil for the library's own.
func (s *settings) login(ctx context.Context, t *tool) (authn.Authenticator, error) {
	method := s.Auth
	if method == "" {
		switch {
		case s.Key != "":
			method = "cryptosign"
		case s.SecretFile != "":
			return nil, usage("--secret-file without --auth")
		case s.AuthID != "":
			return nil, usage("--authid without --auth")
		}
	}
	secret := func(context.Context, authn.Request) (string, error) { return s.secret(ctx, t) }
	switch method {
	case "":
		return nil, nil
	case "anonymous":
		return authn.Anonymous(), nil
	case "tls":
		return authn.TLS(), nil
	}
	if s.AuthID == "" && method != "cryptosign" {
		return nil, usage("--auth %s needs --authid", method)
	}
	switch method {
	case "ticket":
		return authn.Ticket(s.AuthID, secret), nil
	case "cra":
		return authn.CRA(s.AuthID, secret), nil
	case "scram":
		return authn.SCRAM(s.AuthID, secret), nil
	case "cryptosign":
		return s.cryptosign(ctx, t)
	}
	return nil, usage("--auth %q is none of %s", method, strings.Join(methods, ", "))
}

// secret is the ticket or password: of a file, of the environment, or asked for.
func (s *settings) secret(ctx context.Context, t *tool) (string, error) {
	if s.SecretFile != "" {
		text, err := os.ReadFile(s.SecretFile)
		if err != nil {
			return "", fmt.Errorf("--secret-file: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	if v, ok := os.LookupEnv("WAMP_SECRET"); ok {
		return v, nil
	}
	return t.promptOnce(ctx, fmt.Sprintf("Secret of %s: ", s.AuthID))
}

// promptOnce asks for a secret of which a command with several sessions has more need.
func (t *tool) promptOnce(ctx context.Context, question string) (string, error) {
	t.asked.Lock()
	defer t.asked.Unlock()
	if answer, is := t.answers[question]; is {
		return answer, nil
	}
	answer, err := t.prompt(ctx, question)
	if err == nil {
		if t.answers == nil {
			t.answers = map[string]string{}
		}
		t.answers[question] = answer
	}
	return answer, err
}

// asks reports whether there is a terminal to ask at.
func (t *tool) asks() bool {
	in, ok := t.in.(*os.File)
	return ok && isTerminal(in)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// prompt asks for a secret on the terminal.
func (t *tool) prompt(ctx context.Context, question string) (string, error) {
	in, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", usage("a secret is needed: --secret-file, $WAMP_SECRET, or a terminal to ask at")
	}
	state, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(t.errs, question)
	type answer struct {
		text []byte
		err  error
	}
	asked := make(chan answer, 1)
	go func() { // ends with the line, or the program
		text, err := term.ReadPassword(int(in.Fd()))
		asked <- answer{text, err}
	}()
	select {
	case a := <-asked:
		fmt.Fprintln(t.errs)
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(int(in.Fd()), state)
		fmt.Fprintln(t.errs)
		return "", context.Cause(ctx)
	}
}

// agentKey is the --key that stands for the keys of a running ssh-agent.
const agentKey = "ssh-agent"

// cryptosign logs in with a key.
func (s *settings) cryptosign(ctx context.Context, t *tool) (authn.Authenticator, error) {
	switch s.Key {
	case "":
		return nil, usage("--auth cryptosign needs --key")
	case agentKey:
		return s.agent()
	}
	text, err := os.ReadFile(s.Key)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	if hex := strings.TrimSpace(string(text)); len(hex) == 64 && !strings.Contains(hex, "\n") {
		return authn.CryptosignHex(s.AuthID, hex)
	}
	ask := func(context.Context, authn.Request) (string, error) {
		return t.promptOnce(ctx, "Passphrase of "+s.Key+": ")
	}
	return authn.CryptosignFile(s.AuthID, s.Key, authn.WithPassphrase(ask))
}

// agent logs in with the first Ed25519 key that the ssh-agent has.
func (s *settings) agent() (authn.Authenticator, error) {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil, errors.New("--key ssh-agent: $SSH_AUTH_SOCK names no agent")
	}
	conn, err := net.Dial("unix", path) //nolint:noctx // a socket of this machine
	if err != nil {
		return nil, fmt.Errorf("--key ssh-agent: %w", err)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, fmt.Errorf("--key ssh-agent: %w", err)
	}
	for _, signer := range signers {
		if key, err := authn.SSHSigner(signer); err == nil {
			return authn.Cryptosign(s.AuthID, key), nil
		}
	}
	return nil, errors.New("--key ssh-agent: the agent has no Ed25519 key")
}
