package proto

import "sort"

// Role is one of the six WAMP roles.
type Role uint8

// The roles a peer can have: the first four are a client's.
const (
	Publisher Role = iota
	Subscriber
	Caller
	Callee
	Broker
	Dealer
	numRoles
)

var roleNames = [numRoles]string{"publisher", "subscriber", "caller", "callee", "broker", "dealer"}

// String returns the key of the role in HELLO and WELCOME.
func (r Role) String() string { return roleNames[r] }

// Feature is an announced feature of the advanced profile.
type Feature uint8

// The features of the advanced profile.
const (
	ProgressiveCallResults Feature = iota
	ProgressiveCallInvocations
	CallTimeout
	CallCanceling
	CallerIdentification
	CallTrustlevels
	RegistrationMetaAPI
	PatternBasedRegistration
	SharedRegistration
	ShardedRegistration
	RegistrationRevocation
	CallReroute
	SubscriberBlackwhiteListing
	PublisherExclusion
	PublisherIdentification
	PublicationTrustlevels
	SubscriptionMetaAPI
	PatternBasedSubscription
	ShardedSubscription
	SubscriptionRevocation
	EventHistory
	EventRetention
	SessionMetaAPI
	TestamentMetaAPI
	PayloadPassthruMode
	PayloadTransparency        // Crossbar
	PayloadEncryptionCryptobox // Crossbar
	numFeatures
)

var featureNames = [numFeatures]string{
	ProgressiveCallResults: "progressive_call_results", ProgressiveCallInvocations: "progressive_call_invocations",
	CallTimeout: "call_timeout", CallCanceling: "call_canceling", CallerIdentification: "caller_identification",
	CallTrustlevels: "call_trustlevels", RegistrationMetaAPI: "registration_meta_api",
	PatternBasedRegistration: "pattern_based_registration", SharedRegistration: "shared_registration",
	ShardedRegistration: "sharded_registration", RegistrationRevocation: "registration_revocation",
	CallReroute: "call_reroute", SubscriberBlackwhiteListing: "subscriber_blackwhite_listing",
	PublisherExclusion: "publisher_exclusion", PublisherIdentification: "publisher_identification",
	PublicationTrustlevels: "publication_trustlevels", SubscriptionMetaAPI: "subscription_meta_api",
	PatternBasedSubscription: "pattern_based_subscription", ShardedSubscription: "sharded_subscription",
	SubscriptionRevocation: "subscription_revocation", EventHistory: "event_history", EventRetention: "event_retention",
	SessionMetaAPI: "session_meta_api", TestamentMetaAPI: "testament_meta_api", PayloadPassthruMode: "payload_passthru_mode",
	PayloadTransparency: "payload_transparency", PayloadEncryptionCryptobox: "payload_encryption_cryptobox",
}

// spellings that the WAMP specification or routers use beside the right one.
var featureAliases = map[string]Feature{
	"call_cancelling":        CallCanceling,
	"shareded_subscriptions": ShardedSubscription,
	"shareded_subscription":  ShardedSubscription,
	"sharded_subscriptions":  ShardedSubscription,
}

// String returns the flag as it stands in the features dict.
func (f Feature) String() string { return featureNames[f] }

// ParseFeature returns the feature of a flag; misspelled flags that are in use
// are understood.
func ParseFeature(flag string) (Feature, bool) {
	for f, n := range featureNames {
		if n == flag {
			return Feature(f), true
		}
	}
	f, ok := featureAliases[flag]
	return f, ok
}

// FeatureSet is a set of features.
type FeatureSet uint32

// Has reports whether f is in the set.
func (s FeatureSet) Has(f Feature) bool { return s&(1<<f) != 0 }

// Add returns the set with the given features in it.
func (s FeatureSet) Add(fs ...Feature) FeatureSet {
	for _, f := range fs {
		s |= 1 << f
	}
	return s
}

// Names returns the flags of the set, sorted.
func (s FeatureSet) Names() []string {
	var out []string
	for f := range numFeatures {
		if s.Has(f) {
			out = append(out, f.String())
		}
	}
	sort.Strings(out)
	return out
}

// Roles are the roles of a peer with the features of each.
type Roles struct {
	has      uint8
	features [numRoles]FeatureSet
}

// Has reports whether the peer has the role.
func (r *Roles) Has(role Role) bool { return r.has&(1<<role) != 0 }

// Set adds a role with its features.
func (r *Roles) Set(role Role, s FeatureSet) {
	r.has |= 1 << role
	r.features[role] = s
}

// Features returns the features of a role.
func (r *Roles) Features(role Role) FeatureSet { return r.features[role] }

// Dict returns the roles as they stand in HELLO and WELCOME.
func (r *Roles) Dict() map[string]any {
	out := map[string]any{}
	for role := range numRoles {
		if !r.Has(role) {
			continue
		}
		d := map[string]any{}
		if names := r.features[role].Names(); len(names) > 0 {
			fs := map[string]any{}
			for _, n := range names {
				fs[n] = true
			}
			d["features"] = fs
		}
		out[role.String()] = d
	}
	return out
}

// ParseRoles reads the roles of HELLO.Details or WELCOME.Details. What it does
// not know is left out.
func ParseRoles(details Dict) Roles {
	var r Roles
	roles := details.Dict(KeyRoles)
	for role := range numRoles {
		v, ok := roles[role.String()]
		if !ok {
			continue
		}
		var s FeatureSet
		if d, ok := v.(map[string]any); ok {
			if fs, ok := d["features"].(map[string]any); ok {
				for name, on := range fs {
					if f, known := ParseFeature(name); known && on == true {
						s = s.Add(f)
					}
				}
			}
		}
		r.Set(role, s)
	}
	return r
}

// ClientRoles are the roles and features that this library announces in HELLO.
func ClientRoles() Roles {
	var r Roles
	var none FeatureSet
	r.Set(Publisher, none.Add(SubscriberBlackwhiteListing, PublisherExclusion, PublisherIdentification, ShardedSubscription,
		PayloadPassthruMode))
	r.Set(Subscriber, none.Add(PublisherIdentification, PublicationTrustlevels, PatternBasedSubscription,
		SubscriptionRevocation, ShardedSubscription, PayloadPassthruMode))
	r.Set(Caller, none.Add(ProgressiveCallResults, ProgressiveCallInvocations, CallTimeout, CallCanceling,
		CallerIdentification, ShardedRegistration, PayloadPassthruMode))
	r.Set(Callee, none.Add(ProgressiveCallResults, ProgressiveCallInvocations, CallTimeout, CallCanceling,
		CallerIdentification, CallTrustlevels, PatternBasedRegistration, SharedRegistration, ShardedRegistration,
		RegistrationRevocation, CallReroute, PayloadPassthruMode))
	return r
}
