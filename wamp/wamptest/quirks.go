package wamptest

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// quirks are what routers there are do, and what no client should need. Each
// option says where it was seen.
type quirks struct {
	sharing       Sharing
	uris          Presence
	noInterrupt   bool
	halfOpen      time.Duration
	upperHistory  bool
	historyIgnore []string
	inclusive     bool
	noRearm       bool
	lostAborts    bool
	killReason    string
	noGoodbye     bool
	welcome       proto.Dict
	floatIDs      bool
	lateChunks    bool
	binaryAsText  bool
	looseJSON     bool
	forwarded     []string
}

// Sharing says which handles of one session have the same id.
type Sharing uint8

const (
	// SameProcedure gives a session that registers a shared procedure again the
	// same registration once more, and UNREGISTER ends it. Seen at Crossbar, and
	// much the same at nexus. By default, it is refused with
	// procedure_already_exists.
	SameProcedure Sharing = 1 << iota
	// SameURI gives one id to what a session subscribes under one URI, exactly, as
	// a prefix and as a wildcard, and one to what it registers so.
	SameURI
	// AnyURI gives one id to all registrations of a session, and another one to
	// all its subscriptions.
	AnyURI
)

// WithSharedIDs gives several handles of one session the same id, as the WAMP
// specification allows. An event that several of them match is sent once.
// INVOCATION.Details.procedure and EVENT.Details.topic are there where the id
// does not tell, unless WithURIs says otherwise. UNREGISTER and UNSUBSCRIBE,
// and a revocation, end all that the id stands for. The meta API tells of the
// registrations and subscriptions one by one, each with an id of its own; the
// first one's is the one that the session knows.
func WithSharedIDs(which ...Sharing) Option {
	return optionFunc(func(c *config) {
		for _, s := range which {
			c.sharing |= s
		}
	})
}

// Presence says when a detail is there.
type Presence uint8

const (
	// WhereNeeded is where the receiver could not know otherwise.
	WhereNeeded Presence = iota
	// Always is in each message.
	Always
	// Never is in none, also where it is missed.
	Never
)

// WithURIs says when INVOCATION.Details.procedure and EVENT.Details.topic are
// there. Default WhereNeeded: for patterns, and for ids that stand for several
// handles (see WithSharedIDs).
func WithURIs(p Presence) Option { return optionFunc(func(c *config) { c.uris = p }) }

// WithoutInterrupt sends callees no INTERRUPT when a caller vanishes: they work
// on, and what they answer is dropped. Seen at nexus.
func WithoutInterrupt() Option { return optionFunc(func(c *config) { c.noInterrupt = true }) }

// WithHalfOpen makes the router notice only after d that a link has ended
// without GOODBYE or ABORT, as routers do when a client's host or the network
// dies. Until then the session stays, deaf, with its registrations and
// subscriptions: who registers one of its procedures is told
// wamp.error.procedure_already_exists, and calls of them are not answered. Seen
// wherever there is TCP. Restart and Close do not wait for it.
func WithHalfOpen(d time.Duration) Option { return optionFunc(func(c *config) { c.halfOpen = d }) }

// WithUpperCaseHistory gives the keys of the events in a history a first letter
// in upper case: Timestamp, Subscription, Publication, Details, Args, Kwargs.
// Seen at nexus, which sends Go structs. It needs WithHistory.
func WithUpperCaseHistory() Option { return optionFunc(func(c *config) { c.upperHistory = true }) }

// WithHistoryIgnoring makes wamp.subscription.get_events ignore these of its
// keyword arguments, such as "limit", "reverse", "topic" or "from_time": it
// gives more than was asked for, or in another order. Seen at routers whose
// history is older than the specification's. It needs WithHistory.
func WithHistoryIgnoring(keywords ...string) Option {
	return optionFunc(func(c *config) { c.historyIgnore = append(c.historyIgnore, keywords...) })
}

// WithInclusiveHistory takes the bounds after_time, after_publication,
// before_time and before_publication of wamp.subscription.get_events for
// from_time and so on: the event at the bound is given too. It needs WithHistory.
func WithInclusiveHistory() Option { return optionFunc(func(c *config) { c.inclusive = true }) }

// WithoutRearm counts the timeout of a call from its start, whatever
// progressive results come back meanwhile. Seen at nexus.
func WithoutRearm() Option { return optionFunc(func(c *config) { c.noRearm = true }) }

// WithLostAborts loses the ABORT by which a login is refused: the connection is
// closed behind HELLO or AUTHENTICATE, and nothing says why. Seen at routers
// that close the socket before what they wrote has left.
func WithLostAborts() Option { return optionFunc(func(c *config) { c.lostAborts = true }) }

// WithKillReason is the reason of a GOODBYE by the procedures wamp.session.kill
// and its like where the caller gives none. Default wamp.close.killed; Crossbar
// says wamp.close.normal. Router.Kill is given a reason anyway.
func WithKillReason(uri string) Option { return optionFunc(func(c *config) { c.killReason = uri }) }

// WithoutGoodbye makes the router end a session that says GOODBYE without
// answering it. The connection stays open. Seen at routers that are shutting
// down, and behind proxies.
func WithoutGoodbye() Option { return optionFunc(func(c *config) { c.noGoodbye = true }) }

// WithWelcome adds to WELCOME.Details, or replaces what is there: a router may
// say there what it likes, such as {"agent", 5}, {"authid", 12} or roles whose
// values are null. See WithOddWelcome.
func WithWelcome(details ...proto.Entry) Option {
	return optionFunc(func(c *config) {
		for _, e := range details {
			c.welcome = c.welcome.With(e.Key, e.Value)
		}
	})
}

// WithOddWelcome makes a WELCOME whose agent, authid and authrole are numbers,
// whose realm is null, and which has a role and a feature that are null. All of
// that was seen at one router or another, and none of it matters.
func WithOddWelcome() Option {
	return WithWelcome(proto.Entry{Key: proto.KeyAgent, Value: 5}, proto.Entry{Key: proto.KeyAuthID, Value: 12.5},
		proto.Entry{Key: proto.KeyAuthRole, Value: 7}, proto.Entry{Key: proto.KeyRealm, Value: nil}, proto.Entry{Key: proto.KeyRoles, Value: oddRoles{}})
}

// oddRoles stands for the roles of the router with nulls among them.
type oddRoles struct{}

// WithFloatIDs sends every id as an integral float, also those in details and in
// the results and events of the meta API, as routers do whose language has no
// integers.
func WithFloatIDs() Option { return optionFunc(func(c *config) { c.floatIDs = true }) }

// WithLateChunks takes a chunk of a progressive call that has ended for a new
// call: a callee that ends early gets invocations of what was on its way, and
// the caller results that it does not expect. Seen at nexus.
func WithLateChunks() Option { return optionFunc(func(c *config) { c.lateChunks = true }) }

// WithBinaryAsText hands binary values that come in JSON on as what they are
// there, a string of U+0000 and base64, also to clients of other serializers.
// Seen at routers that do not know WAMP's form of binary in JSON.
func WithBinaryAsText() Option { return optionFunc(func(c *config) { c.binaryAsText = true }) }

// WithLooseJSON writes NaN and the infinities into JSON, where they are none:
// NaN, Infinity, -Infinity. Seen at Crossbar, and part of CrossbarQuirks. By
// default, such a payload is refused for a client of JSON.
func WithLooseJSON() Option { return optionFunc(func(c *config) { c.looseJSON = true }) }

// WithForwardedOptions hands options of CALL and PUBLISH that have one of the keys on, as
// details of the INVOCATION and of the EVENTs. By default, options that the router does not
// know go no further, as at most routers. Seen at Crossbar: transaction_hash, which is
// part of CrossbarQuirks.
func WithForwardedOptions(keys ...string) Option {
	return optionFunc(func(c *config) { c.forwarded = append(c.forwarded, keys...) })
}
