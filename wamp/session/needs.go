package session

import "github.com/connectanum/connectanum-go/wamp/proto"

// Need is a feature that an operation cannot do without.
type Need struct {
	Role    proto.Role
	Feature proto.Feature
	// Option is the option that makes it one, "" if the operation itself does.
	Option string
}

// NeedFor returns what a key of messages of type t needs by the key table (package
// proto), as a Need. option is what users call it. A key without a need is a
// mistake of the library.
func NeedFor(t proto.MessageType, key, option string) Need {
	n, ok := proto.NeedOf(t, key)
	if !ok {
		panic(t.String() + "." + key + " needs nothing")
	}
	return Need{n.Role, n.Feature, option}
}

// in reports whether the router has the feature.
func (n Need) in(broker, dealer proto.FeatureSet) bool {
	if n.Role == proto.Broker {
		return broker.Has(n.Feature)
	}
	return dealer.Has(n.Feature)
}

func (n Need) missing() error {
	return &FeatureError{Role: n.Role, Feature: n.Feature, Option: n.Option}
}

// What the key table says of the keys that the engine sets by itself. It is looked
// up once: these are asked for with each call.
var (
	resultsNeed  = NeedFor(proto.Call, proto.KeyReceiveProgress, "")
	chunksNeed   = NeedFor(proto.Call, proto.KeyProgress, "")
	timeoutNeed  = NeedFor(proto.Call, proto.KeyTimeout, "")
	cancelNeed   = NeedFor(proto.Cancel, proto.KeyMode, "")
	retainedNeed = NeedFor(proto.Subscribe, proto.KeyGetRetained, "")
	topicsNeed   = NeedFor(proto.Subscribe, proto.KeyMatch, "")
	patternsNeed = NeedFor(proto.Register, proto.KeyMatch, "")
)
