// Package meta is the meta API of a WAMP router: which sessions, registrations and
// subscriptions there are, events of what changes, and views that begin with what is
// there and follow.
//
//	api := meta.Of(session)
//	n, err := api.CountSessions(ctx)
//	there, changes, err := api.FollowSessions(ctx)
//
// [API.OnJoin] and its kin are plain subscriptions, which miss what happens while the
// connection is lost. [API.FollowSessions], [API.FollowRegistrations] and
// [API.FollowSubscriptions] miss nothing that lasts.
//
// A router has to announce session_meta_api, registration_meta_api or
// subscription_meta_api for its events; see [wamp.Assume] for those that have more
// than they say. Crossbar and nexus answer some procedures otherwise than the WAMP
// specification says: they are understood.
//
// See the WAMP specification, "Session Meta API", "Registration Meta API" and
// "Subscription Meta API".
package meta
