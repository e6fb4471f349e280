package proto

// Error URIs of the basic and the advanced profile, and those that routers
// use beside them.
const (
	ErrURIInvalidURI             = "wamp.error.invalid_uri"
	ErrURINoSuchProcedure        = "wamp.error.no_such_procedure"
	ErrURIProcedureAlreadyExists = "wamp.error.procedure_already_exists"
	ErrURINoSuchRegistration     = "wamp.error.no_such_registration"
	ErrURINoSuchSubscription     = "wamp.error.no_such_subscription"
	ErrURIInvalidArgument        = "wamp.error.invalid_argument"
	ErrURICanceled               = "wamp.error.canceled"
	ErrURICancelled              = "wamp.error.cancelled" // stray spelling, accepted
	ErrURIPayloadSizeExceeded    = "wamp.error.payload_size_exceeded"
	ErrURIProtocolViolation      = "wamp.error.protocol_violation"
	ErrURINotAuthorized          = "wamp.error.not_authorized"
	ErrURIAuthorizationFailed    = "wamp.error.authorization_failed"
	ErrURINoSuchRealm            = "wamp.error.no_such_realm"
	ErrURINoSuchRole             = "wamp.error.no_such_role"
	ErrURINoMatchingAuthMethod   = "wamp.error.no_matching_auth_method"
	ErrURINoSuchPrincipal        = "wamp.error.no_such_principal"
	ErrURIAuthenticationDenied   = "wamp.error.authentication_denied"
	ErrURIAuthenticationFailed   = "wamp.error.authentication_failed"
	ErrURIAuthenticationRequired = "wamp.error.authentication_required"
	ErrURIAuthorizationDenied    = "wamp.error.authorization_denied"
	ErrURIAuthorizationRequired  = "wamp.error.authorization_required"
	ErrURITimeout                = "wamp.error.timeout"
	ErrURIOptionNotAllowed       = "wamp.error.option_not_allowed"
	ErrURIDiscloseMe             = "wamp.error.option_disallowed.disclose_me"
	ErrURINetworkFailure         = "wamp.error.network_failure"
	ErrURIUnavailable            = "wamp.error.unavailable"
	ErrURINoAvailableCallee      = "wamp.error.no_available_callee"
	ErrURIFeatureNotSupported    = "wamp.error.feature_not_supported"
	ErrURINoSuchSession          = "wamp.error.no_such_session"
	ErrURINoAuthMethod           = "wamp.error.no_auth_method"                                    // Crossbar
	ErrURIInvocationPolicy       = "wamp.error.procedure_exists_with_different_invocation_policy" // Crossbar
	ErrURINoEligibleCallee       = "wamp.error.no_eligible_callee"                                // nexus
	ErrURIInvalidPayload         = "wamp.error.invalid_payload"                                   // Autobahn
	ErrURIRuntimeError           = "wamp.error.runtime_error"                                     // Autobahn
	ErrURIHistoryUnavailable     = "wamp.error.history_unavailable"                               // Crossbar
	ErrURIUnregistered           = "wamp.error.unregistered"                                      // Crossbar
	ErrURIMaxConcurrencyReached  = "crossbar.error.max_concurrency_reached"                       // Crossbar
	ErrURITestament              = "wamp.error.testament_error"                                   // Crossbar
	CloseURISystemShutdown       = "wamp.close.system_shutdown"
	CloseURICloseRealm           = "wamp.close.close_realm"
	CloseURIGoodbyeAndOut        = "wamp.close.goodbye_and_out"
	CloseURIKilled               = "wamp.close.killed"
	CloseURINormal               = "wamp.close.normal" // Crossbar
)
