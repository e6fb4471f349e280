package proto

import "slices"

// The keys of the options and details of messages: those of the WAMP
// specification, and those that routers and other clients use beside it. The
// key table below says of each where it stands and what it needs. What a
// login method puts into authextra, CHALLENGE.Extra and AUTHENTICATE.Extra
// belongs to that method.
const (
	KeyReceiveProgress = "receive_progress"
	KeyProgress        = "progress"
	KeyTimeout         = "timeout"
	KeyMode            = "mode"
	KeyReason          = "reason"

	KeyDiscloseMe      = "disclose_me"
	KeyDiscloseCaller  = "disclose_caller"
	KeyForwardTimeout  = "forward_timeout"
	KeyForceReregister = "force_reregister" // Crossbar
	KeyConcurrency     = "concurrency"      // Crossbar
	KeyInvoke          = "invoke"
	KeyMatch           = "match"
	KeyGetRetained     = "get_retained"
	KeyNKey            = "nkey"
	KeyRKey            = "rkey"
	KeyRunMode         = "runmode"

	KeyCaller         = "caller"
	KeyCallerAuthID   = "caller_authid"
	KeyCallerAuthRole = "caller_authrole"
	KeyCallee         = "callee"
	KeyCalleeAuthID   = "callee_authid"
	KeyCalleeAuthRole = "callee_authrole"
	KeyProcedure      = "procedure"
	KeyTrustLevel     = "trustlevel"
	KeyError          = "error" // of one callee of several, in a progressive result

	KeyAcknowledge      = "acknowledge"
	KeyExcludeMe        = "exclude_me"
	KeyExclude          = "exclude"
	KeyExcludeAuthID    = "exclude_authid"
	KeyExcludeAuthRole  = "exclude_authrole"
	KeyEligible         = "eligible"
	KeyEligibleAuthID   = "eligible_authid"
	KeyEligibleAuthRole = "eligible_authrole"
	KeyRetain           = "retain"

	KeyPublisher         = "publisher"
	KeyPublisherAuthID   = "publisher_authid"
	KeyPublisherAuthRole = "publisher_authrole"
	KeyTopic             = "topic"
	KeyRetained          = "retained"
	KeySubscription      = "subscription"
	KeyRegistration      = "registration"

	KeyPPTScheme     = "ppt_scheme"
	KeyPPTSerializer = "ppt_serializer"
	KeyPPTCipher     = "ppt_cipher"
	KeyPPTKeyID      = "ppt_keyid"

	KeyRoles        = "roles"
	KeyAgent        = "agent"
	KeyRealm        = "realm"
	KeyAuthID       = "authid"
	KeyAuthRole     = "authrole"
	KeyAuthMethod   = "authmethod"
	KeyAuthProvider = "authprovider"
	KeyAuthMethods  = "authmethods"
	KeyAuthExtra    = "authextra"
	KeyTransport    = "transport"
	KeyMessage      = "message"

	// Autobahn's own: router links, and its older form of encryption.
	KeyForwardFor           = "forward_for"
	KeyTransactionHash      = "transaction_hash"
	KeyAcknowledgedDelivery = "x_acknowledged_delivery"
	KeyEncAlgo              = "enc_algo"
	KeyEncSerializer        = "enc_serializer"
	KeyEncKey               = "enc_key"
)

// optionRow is a known key: what its value must be in the messages named, what a
// message is that has another one, and what the key needs of a router.
type optionRow struct {
	key  string
	want want
	odd  Oddities
	in   []MessageType
	need []KeyNeed
}

// has reports whether the key is one of messages of type t.
func (r *optionRow) has(t MessageType) bool { return slices.Contains(r.in, t) }

// withPayload are the messages that carry a user's payload.
var withPayload = []MessageType{Publish, Event, Call, Result, Invocation, Yield, Error}

// Lack is what this library does with a key whose feature the router does not have.
type Lack uint8

const (
	// Ignore lets the operation go on without the key's effect.
	Ignore Lack = iota + 1
	// Refuse fails the operation before anything is sent.
	Refuse
	// Emulate leaves the key out, and the library does by itself what it can.
	Emulate
)

// KeyNeed is the feature of the router that a key of a message needs.
type KeyNeed struct {
	// In is the message in which the key has the need.
	In MessageType
	// Role and Feature are what the router must have announced.
	Role    Role
	Feature Feature
	// Lack is what the library does where it has not.
	Lack Lack
	// Default is the value that means the same as no key at all, and so needs
	// nothing. With nil each value needs the feature.
	Default any
	// Silent reports that a router without the feature takes no notice of the key.
	// Any other key is an error there, or a violation of the protocol.
	Silent bool
}

// Unmet reports whether value asks for something that the features of a router
// do not have.
func (n KeyNeed) Unmet(value any, has FeatureSet) bool {
	return value != n.Default && !has.Has(n.Feature)
}

var (
	lists    = []KeyNeed{{In: Publish, Role: Broker, Feature: SubscriberBlackwhiteListing, Lack: Refuse, Silent: true}}
	passthru = []KeyNeed{
		{In: Publish, Role: Broker, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Call, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Yield, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
		{In: Error, Role: Dealer, Feature: PayloadPassthruMode, Lack: Refuse},
	}
	cryptobox = []KeyNeed{
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
	{KeyReceiveProgress, wantBool, OddDetail, []MessageType{Call, Invocation}, []KeyNeed{{In: Call, Role: Dealer, Feature: ProgressiveCallResults, Lack: Ignore, Default: false, Silent: true}}},
	{KeyProgress, wantBool, OddProgress, []MessageType{Call, Invocation, Result, Yield}, []KeyNeed{{In: Call, Role: Dealer, Feature: ProgressiveCallInvocations, Lack: Refuse, Default: false}}},
	{KeyTimeout, wantInt, OddDetail, []MessageType{Call, Invocation}, []KeyNeed{{In: Call, Role: Dealer, Feature: CallTimeout, Lack: Emulate, Silent: true}}},
	{KeyMode, wantMode, OddDetail, []MessageType{Cancel, Interrupt}, []KeyNeed{{In: Cancel, Role: Dealer, Feature: CallCanceling, Lack: Emulate}}},
	{KeyReason, wantString, OddDetail, []MessageType{Interrupt, Unsubscribed, Unregistered}, nil},
	{KeyDiscloseMe, wantBool, OddDetail, []MessageType{Call, Publish}, []KeyNeed{
		{In: Call, Role: Dealer, Feature: CallerIdentification, Lack: Ignore, Default: false, Silent: true},
		{In: Publish, Role: Broker, Feature: PublisherIdentification, Lack: Ignore, Default: false, Silent: true},
	}},
	{KeyDiscloseCaller, wantBool, OddDetail, []MessageType{Register}, []KeyNeed{{In: Register, Role: Dealer, Feature: CallerIdentification, Lack: Ignore, Default: false, Silent: true}}},
	{KeyForwardTimeout, wantBool, OddDetail, []MessageType{Register}, []KeyNeed{{In: Register, Role: Dealer, Feature: CallTimeout, Lack: Refuse, Default: false, Silent: true}}},
	{KeyForceReregister, wantBool, OddDetail, []MessageType{Register}, nil},
	{KeyConcurrency, wantInt, OddDetail, []MessageType{Register}, nil},
	{KeyInvoke, wantString, OddDetail, []MessageType{Register}, []KeyNeed{{In: Register, Role: Dealer, Feature: SharedRegistration, Lack: Refuse, Default: string(Single)}}},
	{KeyMatch, wantMatch, OddDetail, []MessageType{Subscribe, Register}, []KeyNeed{
		{In: Subscribe, Role: Broker, Feature: PatternBasedSubscription, Lack: Refuse, Default: string(Exact)},
		{In: Register, Role: Dealer, Feature: PatternBasedRegistration, Lack: Refuse, Default: string(Exact)},
	}},
	{KeyGetRetained, wantBool, OddDetail, []MessageType{Subscribe}, []KeyNeed{{In: Subscribe, Role: Broker, Feature: EventRetention, Lack: Ignore, Default: false, Silent: true}}},
	{KeyNKey, wantString, OddDetail, []MessageType{Subscribe}, []KeyNeed{{In: Subscribe, Role: Broker, Feature: ShardedSubscription, Lack: Refuse, Silent: true}}},
	{KeyRKey, wantString, OddDetail, []MessageType{Call, Publish}, []KeyNeed{
		{In: Call, Role: Dealer, Feature: ShardedRegistration, Lack: Refuse, Silent: true},
		{In: Publish, Role: Broker, Feature: ShardedSubscription, Lack: Refuse, Silent: true},
	}},
	{KeyRunMode, wantString, OddDetail, []MessageType{Call}, []KeyNeed{{In: Call, Role: Dealer, Feature: ShardedRegistration, Lack: Refuse, Silent: true}}},
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
	{KeyExcludeMe, wantBool, OddDetail, []MessageType{Publish}, []KeyNeed{{In: Publish, Role: Broker, Feature: PublisherExclusion, Lack: Refuse, Default: true, Silent: true}}},
	{KeyExclude, wantIDs, OddDetail, []MessageType{Publish}, lists},
	{KeyExcludeAuthID, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyExcludeAuthRole, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyEligible, wantIDs, OddDetail, []MessageType{Publish}, lists},
	{KeyEligibleAuthID, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyEligibleAuthRole, wantStrings, OddDetail, []MessageType{Publish}, lists},
	{KeyRetain, wantBool, OddDetail, []MessageType{Publish}, []KeyNeed{{In: Publish, Role: Broker, Feature: EventRetention, Lack: Refuse, Default: false, Silent: true}}},
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

// NeedOf returns what a key needs of a router in messages of type t, if there is
// something.
func NeedOf(t MessageType, key string) (KeyNeed, bool) {
	if row := rowOf(t, key); row != nil {
		for _, n := range row.need {
			if n.In == t {
				return n, true
			}
		}
	}
	return KeyNeed{}, false
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
