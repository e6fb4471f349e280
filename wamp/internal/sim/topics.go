package sim

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// topic is what plans number: a topic, or a pattern.
type topic struct {
	uri   string
	match proto.MatchPolicy
}

// uris are all topics and patterns. Some patterns match several topics, some
// topics are matched several times, and one pattern has a topic's own URI.
var uris = []topic{
	{"sim.topic.a.0", proto.Exact}, {"sim.topic.b.1", proto.Exact}, {"sim.topic.a.2", proto.Exact}, {"sim.topic.b.3", proto.Exact},
	{"sim.topic.a.4", proto.Exact}, {"sim.topic.a", proto.Prefix}, {"sim.topic", proto.Prefix}, {"sim.topic..1", proto.Wildcard},
	{"sim.topic.b.", proto.Wildcard}, {"sim.topic.a.0", proto.Prefix},
	logTopic:     {"sim.log.0", proto.Exact},
	logTopic + 1: {"sim.log.1", proto.Exact}, logTopic + 2: {"sim.log", proto.Prefix}, logTopic + 3: {"sim.log.", proto.Wildcard},
	WillTopic: {"sim.will", proto.Exact}, StreamTopic: {"sim.stream", proto.Exact}, DeadlyTopic: {"sim.deadly", proto.Exact},
}

// The topics of plans: those of events, with patterns behind them, those of
// streams with a history, to which only peers publish.
const (
	topics    = 5
	patterns  = 10 // topics and patterns together
	logTopic  = 10
	logTopics = 2
	logNames  = 4 // with patterns
	// WillTopic is that of testaments, StreamTopic that of publish streams, and
	// DeadlyTopic one at whose SUBSCRIBE the router hangs up.
	WillTopic   = 14
	StreamTopic = 15
	DeadlyTopic = 16
)

// TopicURI is the topic or pattern of that number.
func TopicURI(n int) string { return uris[n].uri }

// TopicMatch is how it matches.
func TopicMatch(n int) proto.MatchPolicy { return uris[n].match }

// TopicOf is the number of a topic or pattern, -1 if it is none of a plan.
func TopicOf(uri string, options proto.Dict) int {
	t := topic{uri, proto.Exact}
	if match := options.Str(proto.KeyMatch); match != "" {
		t.match = proto.MatchPolicy(match)
	}
	return slices.Index(uris, t)
}

// SameTopic stands for all topics and patterns to which a router with one id for
// several handles gives the same: those of one URI, however they match.
func SameTopic(n int) int {
	return slices.IndexFunc(uris, func(t topic) bool { return t.uri == uris[n].uri })
}

// Matches reports whether a subscription to one gets the events of the other.
func Matches(subscribed, published int) bool {
	return proto.MatchURI(uris[subscribed].uri, uris[subscribed].match, uris[published].uri)
}

// The authids of the session and of its peers.
const (
	SelfID = "self"
	PeerID = "peer"
)

// to is for whom a publish is (Action.To).
var to = map[string]struct{ self, others bool }{
	"":       {false, true},
	"all":    {true, true},
	"self":   {true, false},
	"others": {false, true},
	"nobody": {false, false},
}

// ForSelf reports whether a publish may come back to its session.
func (a Action) ForSelf() bool { return to[a.To].self }

// Receivers says by the options of a PUBLISH who may have it: its own session,
// and peers. They are in lists by their authids.
func Receivers(options proto.Dict) (own, others bool) {
	me, given := options.Get(proto.KeyExcludeMe)
	has := func(authid string) bool {
		list := func(key string) (names []any, ok bool) {
			v, _ := options.Get(key)
			names, ok = v.([]any)
			return names, ok
		}
		if not, ok := list(proto.KeyExcludeAuthID); ok && slices.Contains(not, any(authid)) {
			return false
		}
		only, ok := list(proto.KeyEligibleAuthID)
		return !ok || slices.Contains(only, any(authid))
	}
	return given && me == false && has(SelfID), has(PeerID)
}

// JudgeReceivers judges that a PUBLISH says for whom it is.
func (m *Model) JudgeReceivers(n int, own, others bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.op(n); o != nil && (own != to[o.To].self || others != to[o.To].others) {
		m.broken(TrueOutcome, "%s is for itself: %v, for others: %v", o.Action, own, others)
	}
}
