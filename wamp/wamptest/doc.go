// Package wamptest is the other side of the wire, for tests and demonstrations: a small
// router that runs in the process ([NewRouter], [Start]), and a player of scripts for a
// router that misbehaves ([Script]). Both work by themselves and inside a bubble of
// [testing/synctest]; what is used inside a bubble must be started inside it.
//
// Tests of applications import it, and programs that want a router for a
// demonstration. The packages that sessions are made of do not.
//
// # Promises
//
// The router is as strict as real ones are, so that a test that passes with it does not
// fail with those. It is written for clarity and not for production. Its names are kept as
// those of package wamp are; what it writes into a log may change.
//
// It owns the tables of a broker and a dealer, the accepting side of logins, listeners,
// and the hooks that break things. It knows neither package session nor package wamp.
//
// # The router
//
// [NewRouter] starts a router that ends with the test, [Start] one that its caller
// closes. [Router.Dial] connects to it in memory, [Router.ListenWebSocket] and
// [Router.ListenRawSocket] give it addresses. It has every feature of the WAMP
// specification that [Features] returns; [WithFeatures] takes some away, and [Announce]
// makes it announce others than it has.
//
// What breaks the protocol is answered with ABORT
// wamp.error.protocol_violation, whose message says what it was; so is the ERROR
// of a callee, a GOODBYE or an ABORT with a URI that is none. A message that is
// too large (WithMaxMessage), or whose payload has keys that are no strings or
// text that is not UTF-8 somewhere inside, closes the link without ABORT, as at
// Crossbar: a WebSocket with the codes 1009, 1002 and 1007, a link in memory as
// if it were one (the client reads a *transport.CloseError), RawSocket is cut.
// Request ids have no gaps (LenientIDs). Ids that come as integral floats are
// taken for the integers they are.
//
// What a rule makes it leave out in silence is said once in the test's log
// (WithLog): a callee that did not announce call_canceling is not asked for
// progressive results, a publisher does not get its own event, and so on.
// Stats has the numbers, and the violations.
//
// # Breaking things
//
// A request that fails, is late, or whose answer is lost, is a [Fault] for
// [Router.Inject]. [Router.LoseCallee] makes the callees of a procedure vanish in the
// middle of their calls.
//
// A connection breaks by [Router.Cut], [Router.CutAll] and [Router.Restart], and goes
// dead by [Router.Stall] and [Router.StopReading]. [Router.Delay] makes the router
// slow, [Router.Refuse] and [Router.RefuseDials] keep clients out, [Router.Kill]
// sends one away, and [Router.RevokeRegistration] and [Router.RevokeSubscription] take
// something away from clients that stay.
//
// For all else there is a [Hook], which sees every message in and out and may drop,
// hold, replace or change it. The page docs/testing.md goes through the tests of a
// service with all of these.
//
// # Routers as they are
//
// CrossbarQuirks makes the router one like Crossbar. Each of these is one
// behaviour that was seen at some router:
//
//   - answers and events are dropped by a queue that is full: WithQueueLimit
//   - several handles of a session have one id: WithSharedIDs, WithURIs
//   - a callee is not told that its caller is gone: WithoutInterrupt
//   - a dead session is kept for a while: WithHalfOpen
//   - the timeout of a call runs on while results come: WithoutRearm
//   - a late chunk of a progressive call is a new call: WithLateChunks
//   - the event history has other keys, or ignores what was asked:
//     WithUpperCaseHistory, WithHistoryIgnoring, WithInclusiveHistory
//   - a login is refused and the ABORT is lost: WithLostAborts
//   - logins are refused for a while, or by number: Router.RefuseFor, Refuse
//   - a worker behind a proxy dies: Router.LoseWorker; all are sent away with a
//     reason of one's own: GoodbyeAll
//   - a kill has another reason: WithKillReason
//   - GOODBYE is not answered: WithoutGoodbye; nothing is read: Router.StopReading
//   - RawSocket PING ends the connection: WithPingHangUp
//   - WELCOME is odd: WithOddWelcome, WithWelcome; ids are floats: WithFloatIDs
//   - binary in JSON is handed on as text: WithBinaryAsText; NaN is written into
//     JSON: WithLooseJSON
//   - features are there and not announced, or the reverse: Announce
//   - wamp.error.canceled comes though nobody cancelled: Cut of the callee, or a
//     callee that says so
//
// # Scripts
//
// A Script plays a router step by step, for what no router would do.
//
// # Memory
//
// What a link may put into the router is bounded: it reads on when that has been
// worked off. What waits for a client that does not read is not, unless
// WithQueueLimit says so; Stats.QueuedBytes tells how much it is, and the log
// says when it is much. Neither is what Delay and Action.Hold hold back. Retained
// events are one for each topic, and the history is as long as WithHistory says.
package wamptest
