package proto

// The keys of the options and details of messages: those of the WAMP
// specification, and those that routers and other clients use beside it. The
// key table (options.go) says of each where it stands and what it needs. What a
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

// CancelMode says what a CANCEL asks of the dealer.
type CancelMode uint8

// The cancel modes.
const (
	// KillNoWait interrupts the callee, and the call ends at once. It is the
	// default.
	KillNoWait CancelMode = iota
	// Kill interrupts the callee, and the call ends with its answer.
	Kill
	// Skip leaves the callee alone, and the call ends at once.
	Skip
)

var cancelModes = [...]string{KillNoWait: "killnowait", Kill: "kill", Skip: "skip"}

// String returns the mode as it stands on the wire.
func (m CancelMode) String() string { return cancelModes[m] }

// ParseCancelMode returns the mode that a string stands for. Any that is not
// known, the empty one included, is KillNoWait.
func ParseCancelMode(s string) (m CancelMode, known bool) {
	for i, name := range cancelModes {
		if s == name {
			return CancelMode(i), true
		}
	}
	return KillNoWait, false
}

// RunMode says which callees of a sharded registration a call goes to.
type RunMode string

// The run modes.
const (
	RunPartition RunMode = "partition" // the one that the routing key picks
	RunAll       RunMode = "all"       // every one
)

// Scope says when a testament is published.
type Scope string

// The scopes of testaments.
const (
	Destroyed Scope = "destroyed" // when the session is gone for good
	Detached  Scope = "detached"  // when its connection is gone
	// OldDetached is Detached as older versions of Crossbar spell it.
	OldDetached Scope = "detatched" //nolint:misspell // it is theirs
)
