package proto

import (
	"fmt"
	"math"
	"slices"
)

// OptionError says that a known key of a message's options has a value of the
// wrong type, or one that is not among those it may have.
type OptionError struct {
	Type MessageType
	Key  string
	Want string
}

// Error names the message, the key and what was expected.
func (e *OptionError) Error() string {
	return fmt.Sprintf("%v.%s is not %s", e.Type, e.Key, e.Want)
}

// want is what the value of a key must be.
type want uint8

const (
	wantAny want = iota
	wantBool
	wantInt
	wantID
	wantString
	wantDict
	wantIDs
	wantStrings
	wantDicts
	wantMatch
	wantMode
	wantCipher
)

var wantNames = [...]string{
	wantAny: "a value", wantBool: "a bool", wantInt: "a non-negative integer", wantID: "an id", wantString: "a string", wantDict: "a dict",
	wantIDs: "a list of ids", wantStrings: "a list of strings", wantDicts: "a list of dicts",
	wantMatch: "exact, prefix or wildcard", wantMode: "skip, kill or killnowait",
	wantCipher: "cryptobox, mqtt, xbr or x_...",
}

// optionRow is a known key: what its value must be in the messages named, what a
// message is that has another one, and what the key needs of a router.
type optionRow struct {
	key  string
	want want
	odd  Oddities
	in   []MessageType
	need []Need
}

// has reports whether the key is one of messages of type t.
func (r *optionRow) has(t MessageType) bool { return slices.Contains(r.in, t) }

// withPayload are the messages that carry a user's payload.
var withPayload = []MessageType{Publish, Event, Call, Result, Invocation, Yield, Error}

// Lack says what this library does with a key where the router does not have the
// feature that it needs.
type Lack uint8

const (
	// Ignore: the operation goes on without it.
	Ignore Lack = iota + 1
	// Refuse: the operation fails, and nothing is sent.
	Refuse
	// Emulate: the key is not sent, and the library does by itself what it can.
	Emulate
)

// Need is the feature of the router that a key of a message needs.
type Need struct {
	In      MessageType
	Role    Role
	Feature Feature
	Lack    Lack
	// Default is the value that means the same as no key at all, and so needs
	// nothing. Nil: each value needs the feature.
	Default any
	// Silent: a router without the feature takes no notice of the key. Any other
	// key is an error there, or a violation of the protocol.
	Silent bool
}

// Unmet reports whether value asks for something that the features of a router
// do not have.
func (n Need) Unmet(value any, has FeatureSet) bool { return value != n.Default && !has.Has(n.Feature) }

var (
	lists    = []Need{{In: Publish, Role: Broker, Feature: SubscriberBlackwhiteListing, Lack: Refuse, Silent: true}}
	passthru = []Need{
		{In: Publish, Role: Broker, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Call, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Yield, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Error, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
	}
	cryptobox = []Need{
		{In: Publish, Role: Broker, Feature: PayloadEncryptionCryptobox, Lack: Refuse},
		{In: Call, Role: Dealer, Feature: PayloadEncryptionCryptobox, Lack: Refuse},
		{In: Yield, Role: Dealer, Feature: PayloadEncryptionCryptobox, Lack: Refuse},
		{In: Error, Role: Dealer, Feature: PayloadEncryptionCryptobox, Lack: Refuse},
	}
)

// options is the key table: the keys that are defined for the options and
// details of messages, by the WAMP specification or by routers. Keys that are not
// here are ignored.
var options = [...]optionRow{
	{KeyReceiveProgress, wantBool, OddDetail, []MessageType{Call, Invocation}, []Need{{In: Call, Role: Dealer, Feature: ProgressiveCallResults, Lack: Ignore, Default: false, Silent: true}}},
	{KeyProgress, wantBool, OddProgress, []MessageType{Call, Invocation, Result, Yield}, []Need{{In: Call, Role: Dealer, Feature: ProgressiveCallInvocations, Lack: Refuse, Default: false}}},
	{KeyTimeout, wantInt, OddDetail, []MessageType{Call, Invocation}, []Need{{In: Call, Role: Dealer, Feature: CallTimeout, Lack: Emulate, Silent: true}}},
	{KeyMode, wantMode, OddDetail, []MessageType{Cancel, Interrupt}, []Need{{In: Cancel, Role: Dealer, Feature: CallCanceling, Lack: Emulate}}},
	{KeyReason, wantString, OddDetail, []MessageType{Interrupt, Unsubscribed, Unregistered}, nil},
	{KeyDiscloseMe, wantBool, OddDetail, []MessageType{Call, Publish}, []Need{
		{In: Call, Role: Dealer, Feature: CallerIdentification, Lack: Ignore, Default: false, Silent: true},
		{In: Publish, Role: Broker, Feature: PublisherIdentification, Lack: Ignore, Default: false, Silent: true},
	}},
	{KeyDiscloseCaller, wantBool, OddDetail, []MessageType{Register}, []Need{{In: Register, Role: Dealer, Feature: CallerIdentification, Lack: Ignore, Default: false, Silent: true}}},
	{KeyForwardTimeout, wantBool, OddDetail, []MessageType{Register}, []Need{{In: Register, Role: Dealer, Feature: CallTimeout, Lack: Refuse, Default: false, Silent: true}}},
	{KeyForceReregister, wantBool, OddDetail, []MessageType{Register}, nil},
	{KeyConcurrency, wantInt, OddDetail, []MessageType{Register}, nil},
	{KeyInvoke, wantString, OddDetail, []MessageType{Register}, []Need{{In: Register, Role: Dealer, Feature: SharedRegistration, Lack: Refuse, Default: string(Single)}}},
	{KeyMatch, wantMatch, OddDetail, []MessageType{Subscribe, Register}, []Need{
		{In: Subscribe, Role: Broker, Feature: PatternBasedSubscription, Lack: Refuse, Default: string(Exact)},
		{In: Register, Role: Dealer, Feature: PatternBasedRegistration, Lack: Refuse, Default: string(Exact)},
	}},
	{KeyGetRetained, wantBool, OddDetail, []MessageType{Subscribe}, []Need{{In: Subscribe, Role: Broker, Feature: EventRetention, Lack: Ignore, Default: false, Silent: true}}},
	{KeyNKey, wantString, OddDetail, []MessageType{Subscribe}, []Need{{In: Subscribe, Role: Broker, Feature: ShardedSubscription, Lack: Refuse, Silent: true}}},
	{KeyRKey, wantString, OddDetail, []MessageType{Call, Publish}, []Need{
		{In: Call, Role: Dealer, Feature: ShardedRegistration, Lack: Refuse, Silent: true},
		{In: Publish, Role: Broker, Feature: ShardedSubscription, Lack: Refuse, Silent: true},
	}},
	{KeyRunMode, wantString, OddDetail, []MessageType{Call}, []Need{{In: Call, Role: Dealer, Feature: ShardedRegistration, Lack: Refuse, Silent: true}}},
	{KeyCaller, wantID, OddDetail, []MessageType{Invocation, Call}, nil},
	{KeyCallerAuthID, wantString, OddDetail, []MessageType{Invocation, Call}, nil},
	{KeyCallerAuthRole, wantString, OddDetail, []MessageType{Invocation, Call}, nil},
	{KeyCallee, wantID, OddDetail, []MessageType{Result, Error, Yield}, nil},
	{KeyCalleeAuthID, wantString, OddDetail, []MessageType{Result, Error, Yield}, nil},
	{KeyCalleeAuthRole, wantString, OddDetail, []MessageType{Result, Error, Yield}, nil},
	{KeyProcedure, wantString, OddDetail, []MessageType{Invocation}, nil},
	{KeyTrustLevel, wantInt, OddDetail, []MessageType{Invocation, Event}, nil},
	{KeyError, wantAny, OddDetail, []MessageType{Result}, nil},
	{KeyAcknowledge, wantBool, OddDetail, []MessageType{Publish}, nil},
	{KeyExcludeMe, wantBool, OddDetail, []MessageType{Publish}, []Need{{In: Publish, Role: Broker, Feature: PublisherExclusion, Lack: Refuse, Default: true, Silent: true}}},
	{KeyExclude, wantIDs, OddDetail, []MessageType{Publish}, lists},
	{KeyExcludeAuthID, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyExcludeAuthRole, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyEligible, wantIDs, OddDetail, []MessageType{Publish}, lists},
	{KeyEligibleAuthID, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyEligibleAuthRole, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyRetain, wantBool, OddDetail, []MessageType{Publish}, []Need{{In: Publish, Role: Broker, Feature: EventRetention, Lack: Refuse, Default: false, Silent: true}}},
	{KeyPublisher, wantID, OddDetail, []MessageType{Event}, nil},
	{KeyPublisherAuthID, wantString, OddDetail, []MessageType{Event}, nil},
	{KeyPublisherAuthRole, wantString, OddDetail, []MessageType{Event}, nil},
	{KeyTopic, wantString, OddDetail, []MessageType{Event}, nil},
	{KeyRetained, wantBool, OddDetail, []MessageType{Event}, nil},
	{KeySubscription, wantID, OddID, []MessageType{Unsubscribed}, nil},
	{KeyRegistration, wantID, OddID, []MessageType{Unregistered}, nil},
	{KeyPPTScheme, wantString, OddPayload, withPayload, passthru},
	{KeyPPTSerializer, wantString, OddPayload, withPayload, passthru},
	{KeyPPTCipher, wantString, OddPayload, withPayload, passthru},
	{KeyPPTKeyID, wantString, OddPayload, withPayload, passthru},
	// Of HELLO and WELCOME.
	{KeyRoles, wantDict, OddDetail, []MessageType{Hello, Welcome}, nil},
	{KeyAgent, wantString, OddDetail, []MessageType{Hello, Welcome}, nil},
	{KeyRealm, wantString, OddDetail, []MessageType{Welcome}, nil},
	{KeyAuthID, wantString, OddDetail, []MessageType{Hello, Welcome}, nil},
	{KeyAuthRole, wantString, OddDetail, []MessageType{Hello, Welcome}, nil},
	{KeyAuthMethod, wantString, OddDetail, []MessageType{Welcome}, nil},
	{KeyAuthProvider, wantString, OddDetail, []MessageType{Welcome}, nil},
	{KeyAuthMethods, wantStrings, OddDetail, []MessageType{Hello}, nil},
	{KeyAuthExtra, wantDict, OddDetail, []MessageType{Hello, Welcome}, nil},
	{KeyTransport, wantDict, OddDetail, []MessageType{Hello}, nil},
	{KeyMessage, wantString, OddDetail, []MessageType{Abort, Goodbye}, nil},
	// Autobahn's own keys: router links and its older form of encryption.
	{KeyForwardFor, wantDicts, OddDetail, []MessageType{Publish, Event, Subscribe, Unsubscribe, Call, Cancel, Result, Register, Unregister,
		Invocation, Interrupt, Yield, Error}, nil},
	{KeyTransactionHash, wantString, OddDetail, []MessageType{Publish, Event, Call}, nil},
	{KeyAcknowledgedDelivery, wantBool, OddDetail, []MessageType{Event}, nil},
	{KeyEncAlgo, wantCipher, OddPayload, withPayload, cryptobox},
	{KeyEncSerializer, wantString, OddPayload, withPayload, cryptobox},
	{KeyEncKey, wantString, OddPayload, withPayload, cryptobox},
}

// optionIndex maps a key to its row in options.
var optionIndex = func() map[string]int {
	ix := make(map[string]int, len(options))
	for i := range options {
		ix[options[i].key] = i
	}
	return ix
}()

// OptionKey returns a known key as a string that costs no allocation.
func OptionKey(key []byte) (string, bool) {
	if i, ok := optionIndex[string(key)]; ok {
		return options[i].key, true
	}
	return "", false
}

// CheckOptions checks the known keys in the options, details or extra of a
// message that came from a peer, where the values are plain. Unknown keys are
// ignored, and null counts as absent. A float that is an integer counts as one.
// The error is an *OptionError.
func CheckOptions(t MessageType, d Dict) error {
	for i := range d {
		e := &d[i]
		if row := rowOf(t, e.Key); row != nil && e.Value != nil && !row.want.fits(e.Value) {
			return &OptionError{t, e.Key, wantNames[row.want]}
		}
	}
	return nil
}

// rowOf returns the row of a key in messages of type t, nil if it has none.
func rowOf(t MessageType, key string) *optionRow {
	if ix, ok := optionIndex[key]; ok && options[ix].has(t) {
		return &options[ix]
	}
	return nil
}

// NeedOf returns what a key needs of a router in messages of type t, if there is
// something.
func NeedOf(t MessageType, key string) (Need, bool) {
	if row := rowOf(t, key); row != nil {
		for _, n := range row.need {
			if n.In == t {
				return n, true
			}
		}
	}
	return Need{}, false
}

// IntegerKeys returns the keys whose values are ids, lists of ids or counts.
func IntegerKeys() (keys []string) {
	for i := range options {
		switch options[i].want {
		case wantID, wantIDs, wantInt:
			keys = append(keys, options[i].key)
		default:
		}
	}
	return keys
}

func (w want) fits(v any) bool {
	switch w {
	case wantAny:
		return true
	case wantBool:
		_, ok := v.(bool)
		return ok
	case wantInt:
		n, ok := integer(v)
		return ok && n >= 0
	case wantID:
		return isID(v)
	case wantString:
		return isString(v)
	case wantDict:
		return isDict(v)
	case wantIDs:
		return all(v, isID)
	case wantStrings:
		return all(v, isString)
	case wantDicts:
		return all(v, isDict)
	case wantMatch:
		return v == string(Exact) || v == string(Prefix) || v == string(Wildcard)
	case wantMode:
		mode, _ := v.(string)
		_, known := ParseCancelMode(mode)
		return known
	}
	s, _ := v.(string)
	return s == "cryptobox" || s == "mqtt" || s == "xbr" || len(s) > 2 && s[:2] == "x_"
}

// integer returns a plain number that is an integer of int64, whatever form it
// came in: JavaScript and others write 7 as a float.
func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n >= -1<<63 && n < 1<<63 && n == math.Trunc(n)
	}
	return 0, false
}

func isID(v any) bool {
	n, ok := integer(v)
	return ok && n >= 0 && ID(n) <= MaxID
}

func isString(v any) bool { _, ok := v.(string); return ok }

func isDict(v any) bool { _, ok := v.(map[string]any); return ok }

// all reports whether v is a list whose elements all fit.
func all(v any, fits func(any) bool) bool {
	list, ok := v.([]any)
	if !ok {
		return false
	}
	for _, e := range list {
		if !fits(e) {
			return false
		}
	}
	return true
}
