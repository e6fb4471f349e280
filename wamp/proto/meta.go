package proto

// The procedures of the meta API.
const (
	MetaSessionCount          = "wamp.session.count"
	MetaSessionList           = "wamp.session.list"
	MetaSessionGet            = "wamp.session.get"
	MetaSessionKill           = "wamp.session.kill"
	MetaSessionKillByAuthID   = "wamp.session.kill_by_authid"
	MetaSessionKillByAuthRole = "wamp.session.kill_by_authrole"
	MetaSessionKillAll        = "wamp.session.kill_all"
	MetaAddTestament          = "wamp.session.add_testament"
	MetaFlushTestaments       = "wamp.session.flush_testaments"

	MetaRegistrationList         = "wamp.registration.list"
	MetaRegistrationLookup       = "wamp.registration.lookup"
	MetaRegistrationMatch        = "wamp.registration.match"
	MetaRegistrationGet          = "wamp.registration.get"
	MetaRegistrationListCallees  = "wamp.registration.list_callees"
	MetaRegistrationCountCallees = "wamp.registration.count_callees"

	MetaSubscriptionList             = "wamp.subscription.list"
	MetaSubscriptionLookup           = "wamp.subscription.lookup"
	MetaSubscriptionMatch            = "wamp.subscription.match"
	MetaSubscriptionGet              = "wamp.subscription.get"
	MetaSubscriptionListSubscribers  = "wamp.subscription.list_subscribers"
	MetaSubscriptionCountSubscribers = "wamp.subscription.count_subscribers"
	// MetaSubscriptionCountSuscribers is the same as some routers spell it.
	MetaSubscriptionCountSuscribers = "wamp.subscription.count_suscribers"
	MetaSubscriptionGetEvents       = "wamp.subscription.get_events"
)

// The topics of the meta API.
const (
	MetaSessionOnJoin  = "wamp.session.on_join"
	MetaSessionOnLeave = "wamp.session.on_leave"

	MetaRegistrationOnCreate     = "wamp.registration.on_create"
	MetaRegistrationOnRegister   = "wamp.registration.on_register"
	MetaRegistrationOnUnregister = "wamp.registration.on_unregister"
	MetaRegistrationOnDelete     = "wamp.registration.on_delete"

	MetaSubscriptionOnCreate      = "wamp.subscription.on_create"
	MetaSubscriptionOnSubscribe   = "wamp.subscription.on_subscribe"
	MetaSubscriptionOnUnsubscribe = "wamp.subscription.on_unsubscribe"
	MetaSubscriptionOnDelete      = "wamp.subscription.on_delete"
)
