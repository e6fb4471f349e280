package wamp

import (
	"errors"
	"time"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// Backoff configures automatic reconnection. Passing one to [WithReconnect]
// enables it. The zero value has the defaults.
//
// Before each attempt the session waits for a random time between Min and a
// ceiling that starts at twice Min and doubles with each attempt, up to Max. With
// the addresses of [WithURLs] that is the wait before each round: within one, the
// wait before an attempt at another address is a random time up to Min, and no
// longer than 100 ms.
type Backoff struct {
	// Min and Max bound the wait before an attempt. Defaults: 100 ms and 30 s.
	Min, Max time.Duration
	// Attempts limits how many attempts in a row are made, each at one address,
	// before the session ends with a GaveUpError. Attempts that are repeated at once,
	// because a proxy has answered for a router that is gone, are not counted. Zero means
	// no limit.
	Attempts int
	// Time limits how long the attempts in a row may take together. Zero means
	// no limit.
	Time time.Duration
	// Hold is how long a connection must last before attempts are counted from
	// zero again. One that lasts less is a failure of its address. Default: 10 s.
	Hold time.Duration
	// Killed reconnects also after the router has killed the session by GOODBYE
	// with wamp.close.killed. Some routers, Crossbar among them, kill with
	// wamp.close.normal, which is also what they send when they go away; the
	// session reconnects after that in any case.
	Killed bool
	// Initial applies the policy to the first connection too, the one that
	// Connect makes. Otherwise that is tried once at each address.
	Initial bool
	// FailFast makes operations that begin while there is no connection fail at
	// once with ErrNotConnected. Otherwise they wait for one under their
	// contexts.
	FailFast bool
	// Redial decides after each loss and each failed attempt whether to try
	// again. It replaces all rules but Attempts and Time, and is not asked
	// after Close. It runs on a goroutine of its own; where it panics or takes
	// longer than DialTimeout, the rules decide. Default: the rules, see
	// WithReconnect.
	Redial func(cause error) bool
	// Random returns the random numbers for the wait, from 0 up to 1. Others
	// are ignored. Default: math/rand/v2.
	Random func() float64
}

// WithReconnect lets the session outlive its connection. When the connection is
// lost, the session dials again after a wait that the policy sets, logs in
// again, and restores registrations and subscriptions with their options, in
// their order, on the channels that they have. Without it the session ends with
// its first connection. docs/reconnect.md describes what becomes of operations
// that were in progress.
//
// These ends are final: [Session.Close], a GOODBYE with wamp.close.killed, five
// connections in a row that broke the protocol and answered nothing, a refused
// login and a realm that does not exist. The last two are final at once only if
// the session has not been joined before; later a refused login is final after
// at least five refusals in a row over at least 60 s. Anything else is a loss.
func WithReconnect(policy Backoff) Option {
	return optionFunc(func(c *config) error {
		if policy.Min < 0 || policy.Max < 0 || policy.Attempts < 0 || policy.Time < 0 || policy.Hold < 0 {
			return errors.New("WithReconnect: a number or a duration of the Backoff is negative")
		}
		c.Reconnect = (*session.Reconnect)(&policy)
		return nil
	})
}

// WithURLs adds addresses to the one given to [Connect]: of the same router, or of
// routers that stand for each other. One that is given twice counts once.
//
// [Connect] tries each address once, or again and again with [Backoff.Initial]. After
// a loss each round of attempts takes every address once, until a session is joined:
// first the address that worked last, then the others in their order, or with shuffle
// in a random order that is drawn anew for each round, and after them those that have
// failed. An address has failed where nobody answers, where the login is refused, and
// where a connection is lost within [Backoff.Hold], or because the router said that it
// goes away or was found dead by [WithKeepalive]. It counts as one that has failed
// for 10 s, and for twice as long with each failure in a row, up to 5 min.
// [WithPreferred] has the session come back to the first address. Which losses and
// refusals are final, [WithReconnect] tells; the other addresses do not change that.
//
// The name of a host is looked up at each attempt, and all of its addresses are
// tried. [session.Details.Router] is where the session is. Where Connect or the session gives
// up, an [AddressesError] says for each address why.
func WithURLs(shuffle bool, addresses ...string) Option {
	return optionFunc(func(c *config) error {
		c.addresses, c.shuffle = append(c.addresses, addresses...), shuffle
		return nil
	})
}

// WithPreferred makes the address given to [Connect] the preferred one of those of
// [WithURLs]: an attempt to connect takes it first, even if another one has worked since,
// once the time after has passed since its last failure. With shuffle only the others are
// shuffled. A session that is connected elsewhere stays there until it loses that
// connection: moving it would be a loss, and all clients of a router that comes back
// would move at once. Default: the address that worked last comes first.
func WithPreferred(after time.Duration) Option {
	return optionFunc(func(c *config) error {
		if after < 0 {
			return errors.New("WithPreferred: the time is negative")
		}
		c.preferred = &after
		return nil
	})
}

// Keepalive configures how a connection is probed. Passing one to
// [WithKeepalive] enables it.
type Keepalive struct {
	// Interval is the pause between two probes. It must be positive.
	Interval time.Duration
	// Timeout bounds the wait for the answer to a probe. Default: Interval.
	Timeout time.Duration
	// RawSocket probes RawSocket connections by a PING. Some routers, Crossbar
	// among them, close the connection on a PING, so the default is a call.
	RawSocket bool
	// Procedure is what is called where the connection has no ping. Any answer
	// counts, an error too. Default: wamp.session.count.
	Procedure string
}

// WithKeepalive probes the connection, so that a router that has vanished
// without a word is noticed within Interval + Timeout. The probe is a ping on a
// WebSocket, and a call on connections without pings. A probe that is not
// answered in time is the loss of the connection, with the reason
// [ErrPongTimeout]. Default: no probes.
func WithKeepalive(k Keepalive) Option {
	return optionFunc(func(c *config) error {
		if k.Interval <= 0 || k.Timeout < 0 {
			return errors.New("WithKeepalive: the interval must be positive")
		}
		c.Keepalive = session.Keepalive(k)
		return nil
	})
}
