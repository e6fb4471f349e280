package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kind is what an action does.
type Kind string

// The operations.
const (
	Call        Kind = "call"        // a call to a peer's procedure; behind it the same goroutine unregisters Of
	Publish     Kind = "publish"     // a publish to the peers; behind it the same goroutine unsubscribes Of
	Subscribe   Kind = "subscribe"   // a subscription
	Unsubscribe Kind = "unsubscribe" // Of ends by Unsubscribe
	Register    Kind = "register"    // a registration, its procedure named by its number or shared by all of its Name; Steps run at once
	Unregister  Kind = "unregister"  // Of ends by Unregister
	Cancel      Kind = "cancel"      // the context of Of ends
	Slow        Kind = "slow"        // the consumer of Of stops reading; with How "dead" for ever
	Chunk       Kind = "chunk"       // the progressive call Of sends one more, with How "last" the last
	Invoke      Kind = "invoke"      // a peer calls the registration Of, in N further chunks
	Event       Kind = "event"       // a peer publishes to a topic
	Stream      Kind = "stream"      // N publishes, Steps at once
	Numbers     Kind = "numbers"     // a call whose results are the numbers up to N, one each After, and that is resumed
	Follow      Kind = "follow"      // what the router has of How: "sessions" and others
	Guest       Kind = "guest"       // a peer comes, and leaves After
	Will        Kind = "will"        // a testament, How its scope
	Unwill      Kind = "unwill"      // the testaments of scope How are taken back
	States      Kind = "states"      // somebody listens to the session's states
	Drain       Kind = "drain"       // the session ends gracefully
	Close       Kind = "close"       // the session ends
)

// The faults.
const (
	Cut       Kind = "cut"       // the link breaks when Up and Down more bytes have passed; peers learn of it After
	Stall     Kind = "stall"     // nothing passes, with How "up" nothing of the session's; After, it goes on, or with How "dead" the link is given up
	Restart   Kind = "restart"   // the router loses its links and all its state
	Revoke    Kind = "revoke"    // the router takes the registration Of away
	Take      Kind = "take"      // the router takes the subscription Of away
	Interrupt Kind = "interrupt" // the router interrupts the invocation Of
	Goodbye   Kind = "goodbye"   // the router says GOODBYE for the reason How; with N a peer has the session killed
	NoDial    Kind = "nodial"    // the next N connections are refused
	Refuse    Kind = "refuse"    // the next N logins are refused for the reason How
	Mute      Kind = "mute"      // the router does not acknowledge the handle Of, or the publish Of, the next N times; or After, if that is set
	Deny      Kind = "deny"      // the router refuses the next N requests of the kind How: subscribe, register, publish or will
	Breach    Kind = "breach"    // the router breaks the protocol as How says
	Odd       Kind = "odd"       // the next N messages of the kind How have details that they must not have
)

// The rest is about time. A world that has a schedule of its own may do less
// than Flush and Pump say.
const (
	Flush Kind = "flush" // what is queued is handed to the link
	Pump  Kind = "pump"  // Up and Down bytes pass
	Pass  Kind = "pass"  // time passes, everything that can happen happens
	Check Kind = "check" // time passes until all is quiet, then all must be well
	// Together: the next N operations reach the session in one turn.
	Together Kind = "together"
	// Setup comes first of all. How "failfast": nothing begins without a link.
	// Steps and N are the windows of handles and of publishes, 0 the defaults.
	// To "oneid": the router gives several handles one id. Policy is how the
	// user's logger behaves. After 1: each operation is handed over before the
	// next one begins.
	Setup Kind = "setup"
)

// The manners of operations (Action.How), and of the ends of calls
// (Action.End).
const (
	Progressive = "progressive"
	Idempotent  = "idempotent"
	Both        = "both" // progressive and idempotent
	Kill        = "kill"
	Skip        = "skip"
	Chunks      = "chunks"  // a progressive call: what it sends comes in chunks
	Timeout     = "timeout" // the call has a limit of its own: CallTimeout
	Ack         = "ack"
	Dead        = "dead"
	Last        = "last"
	Up          = "up"
	OneID       = "oneid"
	Retain      = "retain"   // a publish or event, acknowledged: it is kept
	History     = "history"  // a subscription: it begins with the last N events, with all if that is 0
	GoOn        = "goon"     // a stream: also behind an error
	Retained    = "retained" // a subscription: it asks for what is kept

	Detached  = "detached" // the scopes of testaments
	Destroyed = "destroyed"
	FailFast  = "failfast"

	// The overflow policies of subscriptions (Action.Policy); the default
	// drops the oldest event.
	Newest = "newest"
	Fail   = "fail"
	Block  = "block"

	EndResult  = "result"
	EndError   = "error"
	EndNever   = "never"
	EndDecline = "decline" // the callee takes no part; of an invocation
	EndKills   = "kills"   // the router hangs up on it; of what the session sends
	EndPanic   = "panic"   // the handler panics
	EndGoexit  = "goexit"  // the handler calls runtime.Goexit
	EndStuck   = "stuck"   // the handler goes on for ever, whatever it is told
)

// The manners of Breach, Odd and of loggers.
const (
	Garbage    = "garbage"    // what is no message
	UnknownID  = "unknownid"  // an answer to a request that never was
	Impossible = "impossible" // a message that may not come now
	Aborted    = "aborted"    // the router says that we have broken the protocol

	OddResult     = "result"     // whether it is progressive cannot be told
	OddInvocation = "invocation" // the same
	OddEvent      = "event"      // something that only describes it
	OddRevocation = "revocation" // of what cannot be told

	LogBlocks = "blocks" // the logger takes seconds
	LogPanics = "panics"
	LogCalls  = "calls" // it uses the session it is told of
)

// Action is one line of a plan.
type Action struct {
	Kind Kind
	// Op numbers the operation that begins, from 1; Of the one that it is
	// about.
	Op, Of int
	// Name is which topic or procedure.
	Name int
	// How is its manner, End how a callee ends a call.
	How, End string
	// To is for whom a publish is, Policy the overflow policy of a
	// subscription.
	To, Policy string
	// Steps is how many progressive results come before the end.
	Steps int
	// After is a time in milliseconds.
	After int
	// Up and Down are bytes, N a count.
	Up, Down, N int
}

// Progressive reports whether it asks for progressive results.
func (a Action) Progressive() bool { return a.How == Progressive || a.How == Both }

// Idempotent reports whether it may be carried out twice.
func (a Action) Idempotent() bool { return a.How == Idempotent || a.How == Both }

// String writes the action as one line.
func (a Action) String() string {
	b := []byte(a.Kind)
	num := func(key string, n int) {
		if n != 0 {
			b = append(append(append(append(b, ' '), key...), '='), strconv.Itoa(n)...)
		}
	}
	text := func(key, s string) {
		if s != "" {
			b = append(append(append(append(b, ' '), key...), '='), s...)
		}
	}
	num("op", a.Op)
	num("of", a.Of)
	num("name", a.Name)
	text("how", a.How)
	text("end", a.End)
	text("to", a.To)
	text("policy", a.Policy)
	num("steps", a.Steps)
	num("after", a.After)
	num("up", a.Up)
	num("down", a.Down)
	num("n", a.N)
	return string(b)
}

// ParseAction reads what String wrote.
func ParseAction(line string) (Action, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Action{}, errors.New("sim: an empty action")
	}
	a := Action{Kind: Kind(words[0])}
	if _, known := kinds[a.Kind]; !known {
		return a, fmt.Errorf("sim: no action is called %q", words[0])
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		var to *int
		switch key {
		case "how":
			a.How = value
			continue
		case "end":
			a.End = value
			continue
		case "to":
			a.To = value
			continue
		case "policy":
			a.Policy = value
			continue
		case "op":
			to = &a.Op
		case "of":
			to = &a.Of
		case "name":
			to = &a.Name
		case "steps":
			to = &a.Steps
		case "after":
			to = &a.After
		case "up":
			to = &a.Up
		case "down":
			to = &a.Down
		case "n":
			to = &a.N
		default:
			return a, fmt.Errorf("sim: %q: no field is called %q", line, key)
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return a, fmt.Errorf("sim: %q: %w", line, err)
		}
		*to = n
	}
	return a, nil
}

// ParseLog returns the actions of a log, or of a plan.
func ParseLog(log string) ([]Action, error) {
	var plan []Action
	for line := range strings.Lines(log) {
		line, is := strings.CutPrefix(strings.TrimSpace(line), "+ ")
		if !is {
			continue
		}
		a, err := ParseAction(line)
		if err != nil {
			return nil, err
		}
		plan = append(plan, a)
	}
	return plan, nil
}
