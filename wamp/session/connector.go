package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// connector makes the connections of a session, one attempt at a time.
type connector struct {
	cfg       *settings
	protocols []transport.Protocol // those that are offered
	turn      int                  // the part of a Sequence to begin with
	login     atomic.Bool          // an attempt has a connection
}

// first makes the first connection: at each address once, or again and again under
// ctx where the policy says so.
func (d *connector) first(ctx context.Context) (*joiner, error) {
	cfg, p := d.cfg, d.cfg.Reconnect
	once := p == nil || !p.Initial
	if once {
		p = new(Reconnect)
		p.setDefaults()
	}
	r := retry{policy: p, route: cfg.Rotation, attempt: 1, since: time.Now()}
	var failing failures
	for {
		j, err := d.connect(ctx, 0)
		if err == nil {
			return j, nil
		}
		if once && !r.fresh() {
			return nil, r.all(err)
		}
		attempt := r.attempt
		if ctx.Err() != nil {
			return nil, attemptsError(ctx, attempt, err, r.all(err))
		}
		again, random := p.asked(ctx, cfg, err, r.failed(time.Now(), err, false))
		if !again {
			return nil, err
		}
		delay, gaveUp := r.next(time.Now(), err, random)
		if gaveUp != nil {
			return nil, gaveUp
		}
		failing.tell(cfg, time.Now(), attempt, err)
		cfg.log.write(RecordConnecting, slog.Int("attempt", r.attempt), slog.Duration("delay", delay), failed(err))
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, attemptsError(ctx, attempt, err, r.all(err))
		}
	}
}

// attemptsError is the error of a first connection that ctx has ended: how the
// last attempt failed is what the user wants to know, or at several addresses that of
// each.
func attemptsError(ctx context.Context, attempts int, last, all error) error {
	if _, is := Find[*CanceledError](last); is && attempts == 1 {
		return last
	}
	e := newCanceled(ctx)
	made := count(attempts, "attempt", "attempts")
	if all != last {
		e.Offline = wrapf("%s: %w", made, all)
	} else {
		e.Offline = wrapf("%s, the last one: %w", made, last)
	}
	return e
}

// connect dials and joins: the first connection, with rejoin 0, or the one that
// follows. Where there are several addresses it takes the next one.
func (d *connector) connect(ctx context.Context, rejoin int) (*joiner, error) {
	dialer, r := d.cfg.Dial, d.cfg.Rotation
	if r != nil {
		dialer = r.Turn()
	}
	j, err := d.connectTo(ctx, dialer, rejoin)
	switch {
	case r == nil:
	case err == nil:
		r.Worked()
	default:
		r.Failed(err)
	}
	return j, err
}

// connectTo dials one address and joins. The parts of a Sequence are tried
// one after the other, beginning with the one that was let in the last time.
func (d *connector) connectTo(ctx context.Context, dialer transport.Dialer, rejoin int) (*joiner, error) {
	cfg := d.cfg
	var turns []authn.Authenticator
	if s, ok := cfg.Auth.(authn.Sequence); ok {
		guard("a login", cfg.log.fault, func() { turns = s.Turns() })
	}
	if len(turns) == 0 {
		return d.connectAs(ctx, dialer, cfg.Auth, rejoin)
	}
	order := []int{d.turn % len(turns)}
	for i := range turns {
		if i != order[0] {
			order = append(order, i)
		}
	}
	var refused []error
	for _, i := range order {
		j, err := d.connectAs(ctx, dialer, turns[i], rejoin)
		if err == nil {
			d.turn = i
			return j, nil
		}
		next := false
		guard("a login", cfg.log.fault, func() { next = authn.TryNext(err) }) // it looks at errors of the user's
		if !next || len(turns) == 1 {
			return nil, err
		}
		refused = append(refused, &wrapped{err, bare(err)})
	}
	return nil, &authn.TurnsError{Errs: refused}
}

// connectAs dials and joins with one login.
func (d *connector) connectAs(ctx context.Context, dialer transport.Dialer, auth authn.Authenticator, rejoin int) (*joiner, error) {
	cfg := d.cfg
	if auth == nil {
		return nil, &LoginError{Err: &authn.ConfigError{Problem: "a method is nil"}}
	}
	conn, err := dial(ctx, cfg, dialer, d.protocols)
	if err != nil {
		return nil, err
	}
	d.login.Store(true)
	defer d.login.Store(false)
	login, cancel := context.WithTimeoutCause(ctx, cfg.LoginTimeout, ErrLoginTimeout)
	defer cancel()
	j := &joiner{cfg: cfg, auth: auth, conn: conn, state: proto.StateJoining}
	// The connection knows nothing of ctx, and a provider need not look at it: when
	// that ends the connection is torn down, and nobody is waited for.
	err, late := within(login, func() error { return j.guardedJoin(login, rejoin) }, func() {
		closeNow(conn, cfg.log.fault)
	})
	if late {
		err = context.Cause(login)
	}
	if err != nil {
		if !late {
			j.hangUp(err)
		}
		return nil, ctxError(ctx, loginError(login, err), "login")
	}
	return j, nil
}

// dial opens a connection. The dialer may be a user's: one that panics has
// failed, and one that does not look at its ctx is left behind.
func dial(ctx context.Context, cfg *settings, dialer transport.Dialer, protocols []transport.Protocol) (transport.Conn, error) {
	type dialed struct {
		conn transport.Conn
		err  error
	}
	dialing, cancel := context.WithTimeoutCause(ctx, cfg.DialTimeout, ErrDialTimeout)
	defer cancel()
	result, gone := make(chan dialed), make(chan struct{})
	defer close(gone)
	go func() { // ends with the dialer
		d := dialed{err: errors.New("the dialer panicked")}
		defer func() {
			select {
			case result <- d:
			case <-gone:
				if d.conn != nil {
					closeNow(d.conn, cfg.log.fault)
				}
			}
		}()
		guard("a dialer", cfg.log.fault, func() { d.conn, d.err = dialer(dialing, protocols) })
		d.err = outside(d.err)
		if d.err == nil && d.conn == nil {
			d.err = errors.New("the dialer has returned no connection")
		}
	}()
	var d dialed
	select {
	case d = <-result:
	case <-dialing.Done():
		t := time.NewTimer(lingerTime)
		defer t.Stop()
		select {
		case d = <-result: // it knows where it was
		case <-t.C:
		}
		if d.err == nil {
			if conn := d.conn; conn != nil {
				go closeNow(conn, cfg.log.fault) // ends with CloseNow
			}
			d.conn, d.err = nil, context.Cause(dialing)
		}
	}
	if d.err != nil {
		return nil, ctxError(ctx, dialError(dialing, d.err), "")
	}
	return d.conn, nil
}

// dialError says that the attempt took too long where a dialer has returned the error of
// its context, and not the cause of that.
func dialError(dialing context.Context, err error) error {
	switch late := Is(context.Cause(dialing), ErrDialTimeout) && Is(err, context.DeadlineExceeded) && !Is(err, ErrDialTimeout); {
	case !late:
		return err
	case err == context.DeadlineExceeded:
		return ErrDialTimeout
	default:
		return fmt.Errorf("%w: %w", ErrDialTimeout, err) // where it was
	}
}
