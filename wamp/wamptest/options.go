package wamptest

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Option changes what a router is like.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// config is what the options make. It does not change once the router runs.
type config struct {
	realms           []string // empty: any
	logins           []Login
	roles            proto.Roles // what the router can
	announced        proto.Roles // what it says
	protocols        []string    // empty: any
	limits           codec.Limits
	maxMessage       int
	queueLimit       int
	seed             uint64
	hook             Hook
	accept           func(context.Context) error
	lenientIDs       bool
	noDisclosure     bool
	callTrust        func(caller SessionInfo, procedure string) int
	publicationTrust func(publisher SessionInfo, topic string) int
	crossbar         bool
	history          int // publications kept in each realm
	log              func(string)
	e2ee             *E2EE // nil: not looked at
	quirks
}

func newConfig(options []Option) config {
	c := config{roles: Features(), announced: Features(), seed: rand.Uint64()}
	for _, o := range options {
		o.apply(&c)
	}
	if c.maxMessage > 0 {
		c.limits.Size = c.maxMessage
	}
	if c.limits.Size <= 0 {
		c.limits.Size = defaultMaxMessage
	}
	if len(c.logins) == 0 {
		c.logins = []Login{Anonymous()}
	}
	return c
}

// Features returns the roles and features that the router has. It may be
// changed and given to WithFeatures.
func Features() proto.Roles {
	var r proto.Roles
	var none proto.FeatureSet
	r.Set(proto.Broker, none.Add(proto.PublisherExclusion, proto.PublisherIdentification, proto.PatternBasedSubscription,
		proto.SubscriberBlackwhiteListing, proto.PublicationTrustlevels, proto.SubscriptionRevocation, proto.EventRetention,
		proto.ShardedSubscription, proto.SessionMetaAPI, proto.SubscriptionMetaAPI, proto.PayloadPassthruMode))
	r.Set(proto.Dealer, none.Add(proto.ProgressiveCallResults, proto.ProgressiveCallInvocations, proto.CallTimeout,
		proto.CallCanceling, proto.CallerIdentification, proto.CallTrustlevels, proto.PatternBasedRegistration,
		proto.SharedRegistration, proto.ShardedRegistration, proto.RegistrationRevocation, proto.CallReroute,
		proto.SessionMetaAPI, proto.RegistrationMetaAPI, proto.TestamentMetaAPI, proto.PayloadPassthruMode))
	return r
}

// FeaturesWithout returns what Features does, less the given ones.
func FeaturesWithout(features ...proto.Feature) proto.Roles {
	r := Features()
	for _, role := range []proto.Role{proto.Broker, proto.Dealer} {
		s := r.Features(role)
		for _, f := range features {
			s &^= proto.FeatureSet(0).Add(f)
		}
		r.Set(role, s)
	}
	return r
}

// WithFeatures makes the router one that has, and announces, only these of its
// features: what belongs to another is ignored, refused or a protocol
// violation, as at a router that has never heard of it.
func WithFeatures(roles proto.Roles) Option {
	return optionFunc(func(c *config) { c.roles, c.announced = roles, roles })
}

// Announce makes the router announce these features, whatever it can.
func Announce(roles proto.Roles) Option {
	return optionFunc(func(c *config) { c.announced = roles })
}

// WithRealms names the realms there are. Default: any realm is there.
func WithRealms(realms ...string) Option {
	return optionFunc(func(c *config) { c.realms = append(c.realms, realms...) })
}

// WithLogins names the logins that are accepted. Default: Anonymous.
func WithLogins(logins ...Login) Option {
	return optionFunc(func(c *config) { c.logins = append(c.logins, logins...) })
}

// WithProtocols names the subprotocols that the router speaks, such as
// "wamp.2.json". Default: all.
func WithProtocols(names ...string) Option {
	return optionFunc(func(c *config) { c.protocols = append(c.protocols, names...) })
}

// WithLimits bounds what is accepted in one message. Defaults: codec.Limits. A
// message that is larger than Size ends the link as WithMaxMessage says, what
// is over another limit is a protocol violation.
func WithLimits(l codec.Limits) Option { return optionFunc(func(c *config) { c.limits = l }) }

// WithQueueLimit drops messages, of whatever type, to a client that has this
// many waiting: answers too, so that of many requests at once some are never
// answered. Seen at nexus, whose queues hold 64 messages by default. A message
// then stays in the queue for a millisecond, so that what is sent at the same
// moment of fake time meets the same queue: of 500 SUBSCRIBE at once the first
// 64 are answered, in each run.
//
// Default: nothing is dropped, and what waits for a client that does not read is
// not bounded; Stats.QueuedBytes tells how much it is.
func WithQueueLimit(messages int) Option {
	return optionFunc(func(c *config) { c.queueLimit = messages })
}

// WithSeed makes the router give the same ids in each run.
func WithSeed(seed uint64) Option { return optionFunc(func(c *config) { c.seed = seed }) }

// WithHook installs a hook from the start. Router.SetHook changes it.
func WithHook(h Hook) Option { return optionFunc(func(c *config) { c.hook = h }) }

// WithReceive installs a hook for what comes from clients.
func WithReceive(f func(session proto.ID, m *proto.Message) Action) Option {
	return WithHook(func(x *Exchange) Action {
		if x.Sent {
			return Pass()
		}
		return f(x.Session, x.Message)
	})
}

// WithSend installs a hook for what goes to clients.
func WithSend(f func(session proto.ID, m *proto.Message) Action) Option {
	return WithHook(func(x *Exchange) Action {
		if !x.Sent {
			return Pass()
		}
		return f(x.Session, x.Message)
	})
}

// WithAccept asks f before a connection comes in: it may refuse it, or keep it
// waiting until its ctx ends, which is that of the dial in memory and the
// router's own for listeners.
func WithAccept(f func(ctx context.Context) error) Option {
	return optionFunc(func(c *config) { c.accept = f })
}

// LenientIDs takes any request id. By default each must be the last one plus
// one, and what is not is a protocol violation.
func LenientIDs() Option { return optionFunc(func(c *config) { c.lenientIDs = true }) }

// WithoutDisclosure refuses disclose_me.
func WithoutDisclosure() Option { return optionFunc(func(c *config) { c.noDisclosure = true }) }

// CrossbarQuirks makes the router announce what Crossbar 26.10 does and deviate
// like it:
//
//   - CANCEL with mode skip is never answered, and what a callee answers to kill
//     becomes ERROR canceled. A timeout counts in seconds and ends a call with
//     ERROR canceled.
//   - RESULT says who the callee is, INVOCATION never who the caller is. Callees
//     are asked for progressive results, and may send them, whoever announced or
//     asked for what.
//   - REGISTER takes force_reregister and concurrency, and a session that
//     registers a shared procedure again gets the same registration.
//   - A violation, and a URI that is none in whatever message, close the link
//     without ABORT: a WebSocket with code 1002 and 1011, RawSocket is cut.
//   - GOODBYE is answered with wamp.close.normal, which is also the reason of a
//     kill; wamp.session.kill_all is not there.
//   - A login is refused with wamp.error.not_authorized, or with
//     wamp.error.no_auth_method, and a client that names a method which is not
//     known is turned away.
//   - A RawSocket PING ends the connection. NaN is written into JSON.
//   - The option transaction_hash is handed on.
//   - With WithHistory it gives the newest events first, knows a limit only, and
//     has names of its own for them.
//
// Not imitated: that Crossbar takes each chunk of a progressive call for a call
// of its own, which is a protocol violation here; that it does not check request
// ids; that it takes dicts with other keys than strings in CBOR and bytes as
// keys in MessagePack; and that its batched JSON is separated by 0x18.
func CrossbarQuirks() Option {
	var none proto.FeatureSet
	var r proto.Roles
	r.Set(proto.Broker, none.Add(proto.PublisherIdentification, proto.PatternBasedSubscription, proto.SessionMetaAPI,
		proto.SubscriptionMetaAPI, proto.SubscriberBlackwhiteListing, proto.PublisherExclusion, proto.SubscriptionRevocation,
		proto.EventRetention, proto.PayloadTransparency, proto.PayloadEncryptionCryptobox))
	r.Set(proto.Dealer, none.Add(proto.CallerIdentification, proto.PatternBasedRegistration, proto.SessionMetaAPI,
		proto.RegistrationMetaAPI, proto.SharedRegistration, proto.CallCanceling, proto.ProgressiveCallResults,
		proto.RegistrationRevocation, proto.TestamentMetaAPI, proto.PayloadTransparency, proto.PayloadEncryptionCryptobox))
	return optionFunc(func(c *config) {
		c.crossbar, c.roles, c.announced = true, r, r
		c.sharing |= SameProcedure
		c.looseJSON = true
		c.forwarded = append(c.forwarded, proto.KeyTransactionHash)
	})
}

// brokerHas reports whether the router has a feature of the broker.
func (c *config) brokerHas(f proto.Feature) bool { return c.roles.Features(proto.Broker).Has(f) }

// dealerHas reports whether the router has a feature of the dealer.
func (c *config) dealerHas(f proto.Feature) bool { return c.roles.Features(proto.Dealer).Has(f) }

// speaks reports whether the router speaks a protocol.
func (c *config) speaks(p transport.Protocol) bool {
	if _, ok := codec.ByName(p.Serializer()); !ok {
		return false
	}
	return len(c.protocols) == 0 || slices.Contains(c.protocols, p.Name)
}

// offered returns the standard protocols that the router speaks.
func (c *config) offered() []transport.Protocol {
	all := append(transport.Protocols(), transport.BatchedProtocols()...)
	return slices.DeleteFunc(all, func(p transport.Protocol) bool { return !c.speaks(p) })
}
