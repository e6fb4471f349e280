package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/term"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

// The values of --auth.
const (
	authAnonymous     = "anonymous"
	authTicket        = "ticket"
	authCRA           = "cra"
	authSCRAM         = "scram"
	authCrossbarSCRAM = "scram-crossbar"
	authCryptosign    = "cryptosign"
	authTLS           = "tls"
)

var authMethods = []string{authAnonymous, authTicket, authCRA, authSCRAM, authCrossbarSCRAM, authCryptosign, authTLS}

// login is the method to log in by, nil for the library's own.
func (s *settings) login(ctx context.Context, t *tool) (authn.Authenticator, error) {
	method := s.Auth
	if method == "" {
		switch {
		case s.Key != "":
			method = authCryptosign
		case s.SecretFile != "":
			return nil, usage("--secret-file without --auth")
		case s.AuthID != "":
			return nil, usage("--authid without --auth")
		}
	}
	switch method {
	case "":
		return nil, nil
	case authAnonymous:
		return authn.Anonymous(), nil
	case authTLS:
		if s.Cert == "" {
			return nil, usage("--auth tls needs --cert")
		}
		return authn.TLS(), nil
	case authCryptosign:
		return s.cryptosign(ctx, t)
	case authTicket, authCRA, authSCRAM, authCrossbarSCRAM:
	default:
		return nil, usage("--auth %q is none of %s", method, strings.Join(authMethods, ", "))
	}
	if s.AuthID == "" {
		return nil, usage("--auth %s needs --authid", method)
	}
	secret, err := s.secret(ctx, t, "Secret of "+s.AuthID)
	if err != nil {
		return nil, err
	}
	switch method {
	case authTicket:
		return authn.Ticket(s.AuthID, secret), nil
	case authCRA:
		return authn.CRA(s.AuthID, secret), nil
	case authCrossbarSCRAM:
		return authn.SCRAM(s.AuthID, secret, authn.CrossbarDialect()), nil
	}
	return authn.SCRAM(s.AuthID, secret), nil
}

// secret provides a ticket, password or passphrase: of a file, which is read at each login,
// or of the environment. Without these it asks for it, now and once: a login has little time.
func (s *settings) secret(ctx context.Context, t *tool, what string) (authn.Provider, error) {
	if s.SecretFile != "" {
		read := func(context.Context, authn.Request) (string, error) {
			text, err := os.ReadFile(s.SecretFile)
			if err != nil {
				return "", fmt.Errorf("--secret-file: %w", err)
			}
			return strings.TrimRight(string(text), "\r\n"), nil
		}
		_, err := read(ctx, authn.Request{})
		return read, err
	}
	text, ok := os.LookupEnv(secretVariable)
	if !ok {
		var err error
		if text, err = t.promptOnce(ctx, what+": "); err != nil {
			return nil, err
		}
	}
	return func(context.Context, authn.Request) (string, error) { return text, nil }, nil
}

// secretVariable is the environment variable of a secret.
const secretVariable = "WAMP_SECRET"

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
func (t *tool) asks() bool { return isTerminal(t.in) }

// prompt asks for a secret at the terminal: standard input, or where that is none the one that
// the program belongs to.
func (t *tool) prompt(ctx context.Context, question string) (string, error) {
	missing := usage("a secret is needed: --secret-file, $%s, or a terminal to ask at", secretVariable)
	if t.alone {
		return "", missing
	}
	in, ok := t.in.(*os.File)
	if !ok || !isTerminal(in) {
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return "", missing
		}
		defer tty.Close()
		in = tty
	}
	out := io.Writer(in)
	if isTerminal(t.errs.to) {
		out = t.errs
	}
	state, err := term.MakeRaw(int(in.Fd())) // before the question is there: nothing of the answer is shown
	if err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	asked := make(chan answer, 1)
	go func() { // ends with the line, or the program
		text, err := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{in, out}, "").ReadPassword(question)
		asked <- answer{text, err}
	}()
	select {
	case a := <-asked:
		_ = term.Restore(int(in.Fd()), state)
		if a.err == io.EOF { // Ctrl-C is a key here
			t.interrupt()
			a.err = errInterrupted
		}
		return a.text, a.err
	case <-ctx.Done():
		_ = term.Restore(int(in.Fd()), state)
		fmt.Fprintln(out)
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
	var options []authn.CryptosignOption
	var missing *ssh.PassphraseMissingError
	if _, err := ssh.ParseRawPrivateKey(text); errors.As(err, &missing) {
		passphrase, err := s.secret(ctx, t, "Passphrase of "+s.Key)
		if err != nil {
			return nil, err
		}
		options = append(options, authn.WithPassphrase(passphrase))
	}
	return authn.CryptosignFile(s.AuthID, s.Key, options...)
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
