package session

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// This file is when a connection is made again: which ends are final, how many
// attempts there are and how long each waits.

const (
	// mostBad is how many links in a row may end by a breach of the protocol.
	mostBad = 5
	// mostRefused is how many logins in a row may be refused once the session
	// has been joined, and refusedTime over how long a time at least: a proxy
	// refuses while its router is being started again.
	mostRefused = 5
	refusedTime = time.Minute
)

// Reconnect says when and how often a lost link is dialled again.
type Reconnect struct {
	// Min and Max are floor and ceiling of the delay before an attempt; the
	// ceiling of the first is Min doubled. Defaults 100 ms and 30 s.
	Min, Max time.Duration
	// Attempts limits the attempts in a row, Time how long they may take
	// together. Zero: no limit.
	Attempts int
	Time     time.Duration
	// Hold is how long a link must have held for the count to begin anew.
	// Default 10 s.
	Hold time.Duration
	// Killed: also after the router has killed the session, by GOODBYE
	// wamp.close.killed. A router that kills by another reason, as Crossbar does
	// by wamp.close.normal, cannot be told from one that goes away: such a kill
	// is undone by the next attempt whatever Killed says.
	Killed bool
	// Initial: also for the first connection.
	Initial bool
	// FailFast: operations that begin while there is no link fail at once
	// with ErrNotConnected; otherwise they wait under their contexts.
	FailFast bool
	// Redial decides for each loss, and each attempt that failed, whether it is
	// dialled again. It takes the place of all other rules but Attempts and
	// Time; only Close is not asked about. It runs on a goroutine of its own.
	// Where it panics, or takes longer than DialTimeout, the rules decide. Nil:
	// the rules.
	Redial func(cause error) bool
	// Random gives numbers from 0 up to 1 for the jitter. Others, and a function
	// that panics, are as good as none. Default: math/rand.
	Random func() float64
}

func (r *Reconnect) setDefaults() {
	if r.Min <= 0 {
		r.Min = 100 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 30 * time.Second
	}
	r.Max = max(r.Max, r.Min)
	if r.Hold <= 0 {
		r.Hold = 10 * time.Second
	}
}

// consults reports whether the policy has code of the user's.
func (r *Reconnect) consults() bool { return r.Redial != nil || r.Random != nil }

// decide asks the policy whether cause is an end of the link only, where the
// rules say that it is (again), and for the jitter of the next attempt. What
// panics in a user's function counts as not asked.
func (r *Reconnect) decide(cause error, again bool, fault func(what string, p any)) (bool, float64) {
	random := rand.Float64()
	if r.Redial != nil {
		guard("Backoff.Redial", fault, func() { again = r.Redial(cause) })
	}
	if again && r.Random != nil {
		guard("Backoff.Random", fault, func() {
			if said := r.Random(); said >= 0 && said <= 1 { // and not NaN
				random = said
			}
		})
	}
	return again, random
}

// policyCode is the user's code in a policy, in the log.
const policyCode = "Backoff.Redial or Backoff.Random"

// asked is decide for the first connection, where nobody waits longer than
// DialTimeout, or beyond ctx.
func (r *Reconnect) asked(ctx context.Context, cfg *settings, cause error, again bool) (bool, float64) {
	if !r.consults() {
		return r.decide(cause, again, cfg.log.fault)
	}
	t := time.NewTimer(cfg.DialTimeout)
	defer t.Stop()
	type answer struct {
		again  bool
		random float64
	}
	said := make(chan answer, 1)
	go func() { // ends with the user's code
		a := answer{again, rand.Float64()}
		defer func() { said <- a }() // also behind runtime.Goexit
		a.again, a.random = r.decide(cause, again, cfg.log.fault)
	}()
	select {
	case a := <-said:
		return a.again, a.random
	case <-ctx.Done():
	case <-t.C:
		cfg.log.stuck(policyCode, cfg.DialTimeout)
	}
	return again, rand.Float64()
}

// delay is the wait before an attempt, counted from 1.
func (r *Reconnect) delay(attempt int, random float64) time.Duration {
	return Jitter(r.Min, r.Max, attempt, random)
}

// Jitter is the wait before an attempt, counted from 1: full jitter between a floor and a
// ceiling that doubles up to the highest. random is from 0 up to 1.
func Jitter(floor, highest time.Duration, attempt int, random float64) time.Duration {
	ceiling := highest
	if attempt < 30 {
		if c := floor << attempt; c > 0 && c < ceiling {
			ceiling = c
		}
	}
	return floor + time.Duration(random*float64(ceiling-floor))
}

// retry counts the attempts in a row to join, of a first connection or after a
// loss, and says by its policy whether there is another and when.
type retry struct {
	policy   *Reconnect
	route    *transport.Rotation // nil where the address is not known
	attempt  int                 // how many there have been
	waits    int                 // how many of them began a round, and were waited for: the first of a first connection was not
	since    time.Time           // when they began
	bad      int                 // links and logins in a row that ended because somebody broke the protocol, and had answered nothing
	refused  int                 // logins in a row that were refused
	refusing time.Time           // when the first of those was
	soon     bool                // the next attempt is one soon behind a refusal by a proxy
	soons    int                 // how many of those there have been since they began
}

// begin counts anew.
func (r *retry) begin(now time.Time) {
	r.attempt, r.waits, r.soons, r.since = 0, 0, 0, now
	if r.route != nil {
		r.route.Begin()
	}
}

// lost takes note of the end of a link that had been joined.
func (r *retry) lost(now time.Time, held bool, reason error) {
	r.soon = false
	if held || r.attempt == 0 {
		r.begin(now)
	}
	if r.route != nil && (!held || leaves(reason)) {
		r.route.Failed(reason)
	}
}

// leaves reports whether the end of a link means that its router is not to be expected
// at its address: it has said that it goes, or it has vanished without a word.
func leaves(reason error) bool {
	if goodbye, is := Find[*GoodbyeError](reason); is {
		return goodbye.Reason == proto.CloseURISystemShutdown || goodbye.Reason == proto.CloseURICloseRealm
	}
	op, is := Find[*net.OpError](reason)
	return Is(reason, ErrPongTimeout) || is && op.Timeout()
}

// fresh reports whether the next attempt is at another address, which was not tried
// since the first one of them was.
func (r *retry) fresh() bool { return r.route != nil && r.route.Fresh() }

// all returns why no address works, where there are several: last is how the last
// attempt has failed.
func (r *retry) all(last error) error {
	if r.route == nil || r.route.Len() == 1 {
		return last
	}
	return &AddressesError{Failures: r.route.Failures()}
}

// failed takes note of an attempt that came to nothing, and reports whether there
// may be another by the rules. joined: the session has been joined before.
func (r *retry) failed(now time.Time, err error, joined bool) (again bool) {
	again, r.soon = !r.policy.final(err, joined), false
	switch {
	case breach(err):
		r.bad++
		again = r.bad < mostBad
	case joined && r.soons < mostSoon && proxied(err):
		r.soons++ // and is not counted with those that take their time
		again, r.soon = true, true
	case joined && refusal(err):
		if r.refused++; r.refused == 1 {
			r.refusing = now
		}
		again = r.refused < mostRefused || now.Sub(r.refusing) < refusedTime
	}
	return again
}

// proxied reports whether a login was refused by Crossbar's proxy because the router
// behind it is gone. The URI alone says as much of a wrong password: who tries that again
// at once has the account locked, or is slowed down by the router with everybody else.
func proxied(err error) bool {
	abort, is := Find[*AbortError](err)
	return is && abort.Reason == proto.ErrURIAuthenticationFailed && strings.HasPrefix(abort.Message, "Frontend connection accept failed")
}

const (
	// hop is how long an attempt waits at most that is at another address than the
	// one before: long enough that not all clients of a router that has died come at
	// once.
	hop = 100 * time.Millisecond
	// soon is the same behind one of the first mostSoon refusals by a proxy of a login
	// that was let in before: it may refuse every second one while one of its routers is
	// down, until chance gives the session to another.
	soon     = 25 * time.Millisecond
	mostSoon = 8
)

// next counts another attempt and returns how long to wait before it, or the error
// of the limit that the policy sets.
func (r *retry) next(now time.Time, cause error, random float64) (time.Duration, error) {
	p, waits := r.policy, r.waits
	var delay time.Duration
	switch {
	case r.soon:
		delay = time.Duration(random * float64(min(p.Min, soon)))
	case r.fresh():
		delay = time.Duration(random * float64(min(p.Min, hop)))
	default:
		waits++
		delay = p.delay(waits, random)
	}
	if p.Attempts > 0 && r.attempt-r.soons >= p.Attempts || p.Time > 0 && now.Add(delay).Sub(r.since) > p.Time {
		return 0, &GaveUpError{Attempts: r.attempt, Err: r.all(cause)}
	}
	r.attempt++
	r.waits = waits
	return delay, nil
}

// final reports whether an end is the end of the session by the rules, and not
// only of its link. joined: it has been joined before.
func (r *Reconnect) final(err error, joined bool) bool {
	if goodbye, is := Find[*GoodbyeError](err); is {
		return goodbye.Reason == proto.CloseURIKilled && !r.Killed
	}
	if breach(err) {
		return false // these are counted
	}
	if abort, is := Find[*AbortError](err); is && abort.Reason == proto.ErrURINoSuchRealm {
		return !joined
	}
	return !joined && refusal(err)
}

// breach reports whether an end was one of those that a broken message makes:
// ours, or the router's ABORT.
func breach(err error) bool {
	if _, is := Find[*ProtocolError](err); is {
		return true
	}
	abort, is := Find[*AbortError](err)
	return is && abort.Reason == proto.ErrURIProtocolViolation
}

// refusal reports whether a login was refused, by either side, for a reason that
// does not go away by itself.
func refusal(err error) bool {
	if handshake, is := Find[*transport.HandshakeError](err); is && (handshake.Status == 401 || handshake.Status == 403) {
		return true
	}
	if _, is := Find[*authn.CredentialError](err); is {
		return false // a provider may have something the next time
	}
	if abort, is := Find[*AbortError](err); is {
		switch abort.Reason {
		case proto.ErrURINotAuthorized, proto.ErrURIAuthorizationFailed, proto.ErrURIAuthorizationDenied,
			proto.ErrURIAuthorizationRequired, proto.ErrURIAuthenticationFailed, proto.ErrURIAuthenticationDenied,
			proto.ErrURIAuthenticationRequired, proto.ErrURINoSuchPrincipal, proto.ErrURINoMatchingAuthMethod,
			proto.ErrURINoAuthMethod, proto.ErrURINoSuchRole:
			return true
		}
		return false
	}
	_, login := Find[*LoginError](err)
	return login
}
