package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// procedures is how many peers' procedures there are.
const procedures = 4

// gen makes a plan. It knows what it has begun, not what became of it: an
// action about an operation that is over does nothing.
type gen struct {
	r      *rand.Rand
	ops    int
	live   map[Kind][]int
	name   map[int]int // of a subscription: its topic
	shared bool        // the router gives several handles one id
}

// kind is how the generator makes an action: a weight against the others, 0
// where it is placed by hand.
type kind struct {
	weight int
	make   func(g *gen) (Action, bool)
}

// kinds are all actions that there are.
var kinds = map[Kind]kind{
	Call:        {30, makeCall},
	Publish:     {20, makePublish},
	Subscribe:   {10, makeSubscribe},
	Unsubscribe: {4, func(g *gen) (Action, bool) { return g.about(Unsubscribe, Subscribe) }},
	Register:    {6, makeRegister},
	Unregister:  {3, func(g *gen) (Action, bool) { return g.about(Unregister, Register) }},
	Cancel:      {8, makeCancel},
	Chunk:       {16, makeChunk},
	Revoke:      {2, func(g *gen) (Action, bool) { return g.about(Revoke, Register) }},
	Slow:        {2, makeSlow},
	Invoke:      {16, makeInvoke},
	Take:        {2, func(g *gen) (Action, bool) { return g.about(Take, Subscribe) }},
	Event:       {24, makeEvent},
	Stream:      {2, makeStream},
	Numbers:     {3, makeNumbers},
	Follow: {1, func(g *gen) (Action, bool) {
		return g.begin(Action{Kind: Follow, How: g.one("sessions", "registrations", "subscriptions")}), true
	}},
	Guest: {2, func(g *gen) (Action, bool) { return g.begin(Action{Kind: Guest, After: g.r.IntN(2000)}), true }},
	Will:  {3, func(g *gen) (Action, bool) { return g.begin(Action{Kind: Will, How: g.one(Detached, Destroyed)}), true }},
	Unwill: {1, func(g *gen) (Action, bool) {
		return g.begin(Action{Kind: Unwill, How: g.one(Detached, Destroyed)}), true
	}},
	States:    {1, func(g *gen) (Action, bool) { return g.begin(Action{Kind: States}), true }},
	Interrupt: {4, func(g *gen) (Action, bool) { return g.about(Interrupt, Invoke) }},
	Together:  {4, func(g *gen) (Action, bool) { return Action{Kind: Together, N: 2 + g.r.IntN(5)}, true }},
	Flush:     {20, func(*gen) (Action, bool) { return Action{Kind: Flush}, true }},
	Pump: {20, func(g *gen) (Action, bool) {
		return Action{Kind: Pump, Up: g.r.IntN(300), Down: g.r.IntN(300)}, true
	}},
	Pass: {14, func(g *gen) (Action, bool) { return Action{Kind: Pass, After: 1 + g.r.IntN(400)}, true }},
	Cut:  {10, makeCut},
	Stall: {3, func(g *gen) (Action, bool) {
		return Action{Kind: Stall, After: 1 + g.r.IntN(5000), How: g.one("", Dead, Up)}, true
	}},
	Restart: {2, func(*gen) (Action, bool) { return Action{Kind: Restart}, true }},
	Goodbye: {2, func(g *gen) (Action, bool) {
		return Action{Kind: Goodbye, How: g.one(proto.CloseURISystemShutdown, "sim.maintenance", proto.CloseURINormal), N: g.r.IntN(2)}, true
	}},
	NoDial: {2, func(g *gen) (Action, bool) { return Action{Kind: NoDial, N: 1 + g.r.IntN(3)}, true }},
	Refuse: {2, func(g *gen) (Action, bool) {
		return Action{Kind: Refuse, N: 1 + g.r.IntN(2), How: g.one(proto.ErrURIUnavailable, proto.ErrURINotAuthorized, proto.ErrURIProtocolViolation)}, true
	}},
	Mute: {1, makeMute},
	Deny: {1, func(g *gen) (Action, bool) {
		return Action{Kind: Deny, How: g.one(string(Subscribe), string(Register), string(Publish), string(Will)), N: 1 + g.r.IntN(2)}, true
	}},
	Breach: {3, func(g *gen) (Action, bool) { return g.breach(), true }},
	Odd: {2, func(g *gen) (Action, bool) {
		return Action{Kind: Odd, How: g.one(OddResult, OddInvocation, OddEvent, OddRevocation), N: 1 + g.r.IntN(2)}, true
	}},
	Check: {1, func(*gen) (Action, bool) { return Action{Kind: Check}, true }},
	Setup: {0, nil},
	Drain: {0, nil},
	Close: {0, nil},
}

// order of kinds: a map has none, and a plan must follow from its seed.
var order = []Kind{Call, Publish, Subscribe, Unsubscribe, Register, Unregister, Cancel, Chunk, Revoke, Take, Slow, Invoke,
	Event, Stream, Numbers, Follow, Guest, Will, Unwill, States, Interrupt, Together, Flush, Pump, Pass, Cut, Stall, Restart, Goodbye, NoDial, Refuse,
	Mute, Deny, Breach, Odd, Check}

// handed are the operations that a session takes in one turn with others.
var handed = []Kind{Call, Publish, Subscribe, Unsubscribe, Register, Unregister, Cancel, Chunk, Will, Unwill, States}

func total(of []Kind) (n int) {
	for _, k := range of {
		n += kinds[k].weight
	}
	return n
}

// Plan makes the life of one session from a seed: it breaks about cuts times,
// and in the end it is closed, drained, or refused for good.
func Plan(seed uint64, cuts int) []Action {
	g := &gen{r: rand.New(rand.NewPCG(seed, 0x5eed)), live: map[Kind][]int{}, name: map[int]int{}}
	setup := g.setup()
	plan := []Action{setup}
	if setup.Steps == 0 && g.r.IntN(6) == 0 { // more handles than the windows of a session have room for
		for range 50 {
			plan = append(plan, g.begin(Action{Kind: Register}))
		}
	}
	for broken := 0; broken < cuts; {
		a, ok := g.next(order)
		if !ok {
			continue
		}
		plan = append(plan, a)
		if a.Kind == Cut || a.Kind == Restart {
			broken++
		}
		plan = append(plan, g.behind(a)...)
	}
	return append(plan, g.end()...)
}

// setup is what holds for a whole life.
func (g *gen) setup() Action {
	a := Action{Kind: Setup, Policy: g.one("", "", LogBlocks, LogPanics, LogCalls), After: g.r.IntN(2), Up: g.r.IntN(2)}
	if g.r.IntN(4) == 0 {
		a.How = FailFast
	}
	if g.r.IntN(2) == 0 {
		a.Steps, a.N = 1+g.r.IntN(4), 1+g.r.IntN(4)
	}
	if g.shared = g.r.IntN(4) == 0; g.shared {
		a.To = OneID
	}
	return a
}

// behind is what belongs to an action, so that it brings about what it is for.
func (g *gen) behind(a Action) (plan []Action) {
	switch a.Kind {
	case Cut, Restart:
		if g.r.IntN(3) > 0 { // mostly it comes back before it breaks again
			plan = append(plan, Action{Kind: Pass, After: 200 + g.r.IntN(1500)})
		}
	case Together:
		for n := 0; n < a.N; {
			if b, ok := g.next(handed); ok {
				plan = append(plan, b)
				n++
			}
		}
	case Subscribe, Register:
		if a.How == History { // something happens before it is answered
			plan = append(plan, g.begin(Action{Kind: Event, Name: logTopic}), g.begin(Action{Kind: Event, Name: logTopic + 1}))
		}
		if g.r.IntN(8) == 0 {
			plan = append(plan, g.regret(a)...)
		} else if a.Kind == Register && a.Steps > 0 {
			plan = append(plan, g.crowd(a)...)
		}
	case Stall: // the writer is busy with one, others wait for it
		plan = append(plan, g.begin(g.answer(Action{Kind: Call})), Action{Kind: Flush},
			g.begin(g.answer(Action{Kind: Call, How: Timeout})))
		if a.How == Up {
			plan = append(plan, g.begin(g.answer(Action{Kind: Call, How: Idempotent})), g.begin(Action{Kind: Publish, How: g.one("", Ack)}))
		}
		if a.How == Up && g.r.IntN(2) == 0 {
			plan = append(plan, Action{Kind: Breach, How: g.one(Aborted, Aborted, UnknownID)})
		}
		plan = append(plan, Action{Kind: Pass, After: 1 + g.r.IntN(3000)})
	case Slow:
		plan = append(plan, g.burst(a.Of)...)
	case Mute:
		switch g.r.IntN(4) {
		case 0, 1:
			plan = append(plan, Action{Kind: Cut}, Action{Kind: Pass, After: 1000 * g.r.IntN(60)})
		case 2:
			what := Unregister
			if _, is := g.name[a.Of]; is {
				what = Unsubscribe
			}
			plan = append(plan, Action{Kind: what, Of: a.Of}, Action{Kind: Pass, After: 1000 * g.r.IntN(15)})
		}
	case Deny:
		if g.r.IntN(2) == 0 {
			plan = append(plan, Action{Kind: Cut}, Action{Kind: Pass, After: 2000})
		}
	case Invoke:
		if a.End == EndStuck && g.r.IntN(2) == 0 {
			plan = append(plan, Action{Kind: Pass, After: 300}, Action{Kind: Interrupt, Of: a.Op}, Action{Kind: Pass, After: 1000 * g.r.IntN(20)})
		}
	}
	return plan
}

// crowd is more invocations than a registration has slots, sometimes more than
// fit into the channel of its handler, and mostly its end while they wait.
func (g *gen) crowd(reg Action) []Action {
	plan := []Action{{Kind: Pass, After: 50}}
	n := 3 + g.r.IntN(5)
	if g.r.IntN(4) == 0 {
		n += 30
	}
	for range n {
		a := g.invocation(Action{Kind: Invoke, Of: reg.Op})
		a.After += 200
		plan = append(plan, a)
	}
	plan = append(plan, Action{Kind: Flush}, Action{Kind: Pump, Up: 9000, Down: 9000}, Action{Kind: Pass, After: g.r.IntN(400)})
	if a, ok := g.about(Interrupt, Invoke); ok && g.r.IntN(2) == 0 {
		plan = append(plan, a, Action{Kind: Pass, After: 1000 * g.r.IntN(20)})
	}
	what := Action{Kind: Kind(g.one(string(Unregister), string(Cancel), string(Revoke), string(Check))), Of: reg.Op}
	if what.Kind == Check {
		return plan
	}
	g.live[Register] = slices.DeleteFunc(g.live[Register], func(op int) bool { return op == reg.Op })
	return append(plan, what)
}

// breach is one way in which a router breaks the protocol.
func (g *gen) breach() Action {
	return Action{Kind: Breach, How: g.one(Garbage, UnknownID, Impossible, Aborted)}
}

// next makes an action that is not placed by hand.
func (g *gen) next(of []Kind) (Action, bool) {
	n := g.r.IntN(total(of))
	for _, k := range of {
		if n -= kinds[k].weight; n < 0 {
			return kinds[k].make(g)
		}
	}
	return Action{}, false
}

// burst is more events than a slow subscription has room for, around a cut.
func (g *gen) burst(of int) (plan []Action) {
	name, is := g.name[of]
	if !is {
		return nil
	}
	if name >= topics && name < logTopic || name >= logTopic+logTopics { // a pattern
		pattern := name
		for name = 0; !Matches(pattern, name); name++ {
		}
	}
	plan = append(plan, Action{Kind: Pass, After: 1500})
	for i := range 30 {
		if i == 15 {
			plan = append(plan, Action{Kind: Cut}, Action{Kind: Pass, After: 2000})
		}
		plan = append(plan, g.begin(Action{Kind: Event, Name: name}))
	}
	return append(plan, Action{Kind: Pass, After: 100})
}

// regret takes something back before the router has answered, and sometimes
// wants it again.
func (g *gen) regret(a Action) []Action {
	plan := []Action{{Kind: Flush}, {Kind: Cancel, Of: a.Op}}
	if a.Kind == Subscribe && g.r.IntN(2) == 0 {
		plan = append(plan, g.begin(Action{Kind: Subscribe, Name: a.Name}))
	}
	if g.r.IntN(3) == 0 {
		plan = append(plan, Action{Kind: Check})
	}
	return plan
}

// end is how the life ends.
func (g *gen) end() []Action {
	check, closing := Action{Kind: Check}, Action{Kind: Close}
	cut := Action{Kind: Cut, Up: g.r.IntN(200), Down: g.r.IntN(200)}
	last := []Action{check, closing, check}
	switch g.r.IntN(12) {
	case 0:
		plan := []Action{closing}
		if g.r.IntN(2) == 0 { // and nobody answers
			plan = append(plan, cut)
		}
		return append(plan, check)
	case 1:
		return append(g.busy(2000), closing, check)
	case 2: // at rest
		return append([]Action{check, {Kind: Drain}}, last...)
	case 3: // while it is busy
		return append(append(g.busy(2000), Action{Kind: Drain}, Action{Kind: Pass, After: 50}), last...)
	case 4: // and while the link breaks
		return append(append(g.busy(2000), Action{Kind: Drain}, cut), last...)
	case 5: // and without a link
		return append(append(append([]Action{cut}, g.busy(1)...), Action{Kind: Drain}), last...)
	case 6:
		return append(g.withOthers(Action{Kind: Goodbye, How: proto.CloseURIKilled, N: g.r.IntN(2)}), last...)
	case 7: // consumers that never read again
		plan := g.busy(2000)
		for range 3 {
			if a, ok := makeSlow(g); ok {
				a.How = Dead
				plan = append(append(plan, a), g.burst(a.Of)...)
			}
		}
		return append(plan, closing, check)
	case 8: // with others in the same turn
		return append(g.withOthers(closing), check)
	case 9: // a router that breaks the protocol again and again
		plan := []Action{check}
		for range mostBreaches - 1 {
			plan = append(plan, g.breach(), Action{Kind: Pass, After: 1500})
		}
		if g.r.IntN(2) == 0 {
			plan = append(plan, g.withOthers(g.breach())...)
		}
		return append(append(plan, g.breach()), last...)
	case 10:
		return append([]Action{{Kind: Refuse, N: mostBreaches, How: proto.ErrURIProtocolViolation}, cut}, last...)
	}
	return append(append([]Action{{Kind: Refuse, N: 1000, How: proto.ErrURINotAuthorized}, cut}, g.withOthers(Action{Kind: Pass, After: 70_000})...), last...)
}

// withOthers is an end of the session with operations before and behind it that
// reach the session in one turn.
func (g *gen) withOthers(end Action) []Action {
	drain := Action{Kind: Drain}
	plan := append(g.busy(500), Action{Kind: Together, N: 10})
	if end.Kind == Close {
		plan = append(plan, g.begin(Action{Kind: Publish, How: Ack}), end)
	} else {
		plan = append(plan, g.begin(Action{Kind: States}))
	}
	for range 5 {
		a, ok := g.next(handed)
		if ok {
			plan = append(plan, a)
		}
	}
	plan = append(plan, g.begin(Action{Kind: States}))
	if end.Kind == Close || g.r.IntN(2) == 0 { // otherwise it is to end by itself
		plan = append(plan, drain)
	}
	if end.Kind == Close {
		return append(plan, Action{Kind: Flush})
	}
	if end.Kind == Goodbye || end.Kind == Breach {
		return append(plan, end, Action{Kind: Pump, Down: 1 << 20})
	}
	return append(plan, end)
}

// busy is what a drain has to wait for, and what it must not let in, when the
// link has had some time.
func (g *gen) busy(ms int) []Action {
	plan := []Action{g.begin(Action{Kind: Register}), {Kind: Pass, After: ms}}
	for range 3 {
		if a, ok := makeInvoke(g); ok {
			a.After += 100
			plan = append(plan, a)
		}
	}
	return append(plan, Action{Kind: Flush}, Action{Kind: Pump, Up: 1000, Down: 1000},
		g.begin(Action{Kind: Publish, How: Ack}), g.begin(Action{Kind: Register}))
}

func (g *gen) begin(a Action) Action {
	g.ops++
	a.Op = g.ops
	g.live[a.Kind] = append(g.live[a.Kind], a.Op)
	if a.Kind == Subscribe {
		g.name[a.Op] = a.Name
	}
	if l := g.live[a.Kind]; len(l) > 12 {
		g.live[a.Kind] = l[1:]
	}
	return a
}

// about makes an action about one of those that were begun.
func (g *gen) about(what, of Kind) (Action, bool) {
	l := g.live[of]
	if len(l) == 0 {
		return Action{}, false
	}
	i := g.r.IntN(len(l))
	a := Action{Kind: what, Of: l[i]}
	if what == Unsubscribe || what == Unregister || what == Cancel {
		g.live[of] = append(l[:i:i], l[i+1:]...)
	}
	return a, true
}

// answer fills in how a callee answers.
func (g *gen) answer(a Action) Action {
	a.End = EndResult
	switch g.r.IntN(8) {
	case 0:
		a.End = EndError
	case 1:
		a.End = EndNever
	}
	if a.Kind == Call && g.r.IntN(60) == 0 {
		a.End = EndKills
	}
	a.After = g.r.IntN(300)
	if a.Progressive() {
		a.Steps = g.r.IntN(6)
	}
	return a
}

func makeCall(g *gen) (Action, bool) {
	hows := []string{"", "", Progressive, Progressive, Both, Idempotent, Kill, Skip, Timeout, Chunks, Chunks}
	a := g.answer(Action{Kind: Call, Name: g.r.IntN(procedures), How: hows[g.r.IntN(len(hows))]})
	if g.r.IntN(12) == 0 && a.How != Chunks {
		if of, ok := g.about(Unregister, Register); ok {
			a.Of = of.Of
		}
	}
	a = g.begin(a)
	if a.How == Chunks {
		if g.live[Chunk] = append(g.live[Chunk], a.Op); len(g.live[Chunk]) > 12 {
			g.live[Chunk] = g.live[Chunk][1:]
		}
	}
	return a, true
}

func makeChunk(g *gen) (Action, bool) {
	a, ok := g.about(Chunk, Chunk)
	if ok && g.r.IntN(4) == 0 {
		a.How = Last
		g.live[Chunk] = slices.DeleteFunc(g.live[Chunk], func(op int) bool { return op == a.Of })
	}
	return a, ok
}

func makeInvoke(g *gen) (Action, bool) {
	a, ok := g.about(Invoke, Register)
	if ok {
		a = g.invocation(a)
	}
	return a, ok
}

// invocation fills in how a peer calls and how the session answers.
func (g *gen) invocation(a Action) Action {
	switch g.r.IntN(4) {
	case 0, 1:
		a.How = Progressive
	case 2:
		a.How, a.N = Chunks, 1+g.r.IntN(4)
	}
	a = g.begin(g.answer(a))
	if g.r.IntN(6) == 0 {
		a.End, a.Steps = g.one(EndDecline, EndDecline, EndPanic, EndGoexit, EndStuck), 0
	}
	return a
}

// makeRegister makes a registration: of a procedure of its own, or of one that
// others share; with slots, or without.
func makeRegister(g *gen) (Action, bool) {
	a := Action{Kind: Register}
	switch {
	case g.shared && g.r.IntN(2) == 0:
		a.Name = 1 + g.r.IntN(2)
	case g.r.IntN(3) == 0:
		a.Steps = 1 + g.r.IntN(2)
	}
	if g.r.IntN(60) == 0 {
		a.End = EndKills
	}
	return g.begin(a), true
}

// makeMute has the router not acknowledge something.
func makeMute(g *gen) (Action, bool) {
	of := []Kind{Register, Subscribe, Publish}
	a, ok := g.about(Mute, of[g.r.IntN(len(of))])
	if a.N = 1 + g.r.IntN(3); g.r.IntN(2) == 0 {
		a.After = 10_200 + g.r.IntN(5000)
	}
	return a, ok
}

func makeCancel(g *gen) (Action, bool) {
	of := []Kind{Call, Call, Call, Publish, Subscribe, Register, Will, Unwill, Stream, Numbers, Numbers, Follow, States}
	return g.about(Cancel, of[g.r.IntN(len(of))])
}

func makeSlow(g *gen) (Action, bool) {
	of := []Kind{Call, Subscribe, Subscribe, Register, Numbers}
	return g.about(Slow, of[g.r.IntN(len(of))])
}

func makeCut(g *gen) (Action, bool) {
	a := Action{Kind: Cut, Up: g.r.IntN(600), Down: g.r.IntN(600)}
	switch g.r.IntN(4) {
	case 0:
		a.Up = 0
	case 1:
		a.Down = 0
	}
	if g.r.IntN(4) == 0 { // the router holds the dead session for a while
		a.After = g.r.IntN(4000)
		if g.r.IntN(8) == 0 {
			a.After = 70_000
		}
	}
	return a, true
}
