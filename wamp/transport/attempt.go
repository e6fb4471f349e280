package transport

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// straggle is how long a dial whose context has ended waits for its goroutine,
// which ends at once unless code of the user's holds it.
const straggle = 20 * time.Millisecond

// attempt is one dial under way.
type attempt struct {
	tls     bool
	network string   // "tcp" or "unix"
	offered []string // protocols

	mu       sync.Mutex // guards the rest, never held across a call
	address  string
	phase    string
	path     string               // of the request, for WebSocket
	first    []byte               // what the peer began with
	wantsTLS bool                 // and it says so
	over     bool                 // nothing more is to be opened
	opened   map[any]func() error // closes what was
}

// at notes how far the attempt has come.
func (a *attempt) at(phase string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase = phase
}

// opens notes what is closed when the attempt is over; false if it is.
func (a *attempt) opens(key any, closing func() error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	if a.opened == nil {
		a.opened = make(map[any]func() error)
	}
	a.opened[key] = closing
	return true
}

// stop ends the attempt: it closes what was opened, but for what is to be kept,
// and lets nothing more be.
func (a *attempt) stop(keep any) {
	a.mu.Lock()
	a.over = true
	opened := a.opened
	a.opened = nil
	a.mu.Unlock()
	var closers crew
	for key, closing := range opened {
		if key != keep {
			closers.start(closing, func(error) {}) // ends with the Close
		}
	}
	_ = closers.wait(straggle)
}

// run dials by f, which is left behind if it does not end with ctx.
func (a *attempt) run(ctx context.Context, f func(context.Context) (Conn, error)) (Conn, error) {
	dialCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := await(ctx, straggle, func() { a.stop(nil) }, func() (Conn, error) { return f(dialCtx) },
		func(c Conn) { _ = c.CloseNow() })
	if err == nil {
		return conn, nil
	}
	a.stop(nil)
	if ctx.Err() != nil {
		err = ctxError(ctx)
	}
	return nil, a.fail(err)
}

// await runs f on a goroutine of its own. When ctx ends it calls stop, and then
// waits for the goroutine no longer than grace; what f may still come with is
// given to drop.
func await[T comparable](ctx context.Context, grace time.Duration, stop func(), f func() (T, error), drop func(T)) (T, error) {
	var got, none T
	var failed error
	var taken atomic.Bool // by who comes first: f with its result, or the end of waiting
	done := make(chan struct{})
	go run(func() (err error) { // ends with f
		got, err = f()
		return err
	}, func(err error) {
		if taken.Swap(true) {
			if got != none {
				drop(got)
			}
			return
		}
		failed = err
		close(done)
	})
	select {
	case <-done:
		if failed == nil && got == none {
			failed = errors.New("the dialer has returned no connection")
		}
		return got, failed
	case <-ctx.Done():
	}
	stop()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		if !taken.Swap(true) {
			return none, ctxError(ctx)
		}
		<-done // it is on its way
	}
	if got != none {
		drop(got)
	}
	return none, ctxError(ctx)
}

// dialFunc opens a socket: the user's, or that of a net.Dialer.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// call calls the dialer, which may panic, or go on when ctx has ended.
func (dial dialFunc) call(ctx context.Context, network, address string) (net.Conn, error) {
	return await(ctx, straggle, func() {}, func() (net.Conn, error) { return dial(ctx, network, address) },
		func(c net.Conn) { _ = c.Close() })
}

// recoverTLS makes errors of panics of what the user has put into cfg, which is
// called on goroutines of others.
func recoverTLS(cfg *tls.Config) {
	if f := cfg.VerifyConnection; f != nil {
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return safely(func() error { return f(s) }) }
	}
	if f := cfg.VerifyPeerCertificate; f != nil {
		cfg.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
			return safely(func() error { return f(raw, chains) })
		}
	}
	if f := cfg.EncryptedClientHelloRejectionVerify; f != nil {
		cfg.EncryptedClientHelloRejectionVerify = func(s tls.ConnectionState) error { return safely(func() error { return f(s) }) }
	}
	if f := cfg.GetClientCertificate; f != nil {
		cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (c *tls.Certificate, err error) {
			err = safely(func() (err error) {
				c, err = f(info)
				return err
			})
			if err == nil && c != nil {
				own := safeCertificate(*c)
				c = &own
			}
			return c, err
		}
	}
	if len(cfg.Certificates) > 0 {
		all := make([]tls.Certificate, len(cfg.Certificates))
		for i, c := range cfg.Certificates {
			all[i] = safeCertificate(c)
		}
		cfg.Certificates = all
	}
	if f := cfg.Time; f != nil {
		cfg.Time = func() (now time.Time) {
			if safely(func() error { now = f(); return nil }) != nil {
				now = time.Now()
			}
			return now
		}
	}
	if r := cfg.Rand; r != nil {
		cfg.Rand = safeReader{r}
	}
	if w := cfg.KeyLogWriter; w != nil {
		cfg.KeyLogWriter = safeWriter{w}
	}
	if c := cfg.ClientSessionCache; c != nil {
		cfg.ClientSessionCache = safeCache{c}
	}
}

type safeReader struct{ io.Reader }

func (r safeReader) Read(p []byte) (n int, err error) {
	own := make([]byte, len(p)) // one that is left behind does not write into p
	err = safely(func() (err error) { n, err = r.Reader.Read(own); return err })
	if n < 0 || n > len(p) {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, own[:n]), err
}

type safeWriter struct{ io.Writer }

func (w safeWriter) Write(p []byte) (n int, err error) {
	err = safely(func() (err error) { n, err = w.Writer.Write(p); return err })
	return n, err
}

// safeCache is a cache of the user's. What it is given comes while a connection is
// read, which does not wait for it.
type safeCache struct{ tls.ClientSessionCache }

func (c safeCache) Get(key string) (s *tls.ClientSessionState, ok bool) {
	if safely(func() error { s, ok = c.ClientSessionCache.Get(key); return nil }) != nil {
		return nil, false
	}
	return s, ok
}

func (c safeCache) Put(key string, s *tls.ClientSessionState) {
	go run(func() error { c.ClientSessionCache.Put(key, s); return nil }, func(error) {}) // ends with the Put
}

// safeCertificate returns a certificate whose key may be a user's code, such as
// one that is kept in a device.
func safeCertificate(c tls.Certificate) tls.Certificate {
	switch key := c.PrivateKey.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
	case crypto.Signer:
		c.PrivateKey = safeSigner{key}
	}
	return c
}

type safeSigner struct{ crypto.Signer }

func (s safeSigner) Public() (key crypto.PublicKey) {
	if safely(func() error { key = s.Signer.Public(); return nil }) != nil {
		return nil
	}
	return key
}

func (s safeSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	err = safely(func() (err error) { sig, err = s.Signer.Sign(random, digest, opts); return err })
	return sig, err
}

// fail makes the error of the attempt.
func (a *attempt) fail(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &DialError{Address: a.address, Phase: a.phase, Err: withoutPassword(err)}
	e.Hint = a.hint(err)
	return e
}

// ctxError is the error of a context that has ended: its own, and the cause if
// that is another.
func ctxError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
