// Package meta is the meta API of a WAMP router: it lists and describes the
// sessions, registrations and subscriptions of a realm, reports changes, and closes
// sessions.
//
//	api := meta.Of(session)
//	n, err := api.CountSessions(ctx)
//	sessions, changes, err := api.FollowSessions(ctx)
//
// [API.OnJoin] and the other On methods are plain subscriptions, which miss what happens
// while the connection is lost. [API.FollowSessions], [API.FollowRegistrations] and
// [API.FollowSubscriptions] begin with what there is and then report each change.
//
// The router has to announce session_meta_api, registration_meta_api or
// subscription_meta_api for its events; see [wamp.Assume] for routers that have them
// without saying so. Crossbar and nexus answer some procedures differently from the
// WAMP specification; both forms are understood.
//
// # Promises
//
// Applications that look at who is in a realm import it. Until 1.0 its names may change
// with any version; CHANGELOG.md lists those that did. It has no protocol state of its
// own: it calls and subscribes through the session, and through Session.Engine.
//
// See the WAMP specification, "Session Meta API", "Registration Meta API" and
// "Subscription Meta API".
package meta
