package sim

import (
	"math/rand/v2"
	"slices"
)

// procedures is how many peers' procedures there are.
const procedures = 4

// gen makes a plan. It knows what it has begun, not what became of it: an
// action about an operation that is over does nothing.
type gen struct {
	r    *rand.Rand
	ops  int
	live map[Kind][]int
	name map[int]int // of a subscription: its topic
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
	Register:    {6, func(g *gen) (Action, bool) { return g.begin(Action{Kind: Register}), true }},
	Unregister:  {3, func(g *gen) (Action, bool) { return g.about(Unregister, Register) }},
	Cancel:      {8, makeCancel},
	Chunk:       {16, makeChunk},
	Revoke:      {2, func(g *gen) (Action, bool) { return g.about(Revoke, Register) }},
	Slow:        {2, makeSlow},
	Invoke:      {16, makeInvoke},
	Take:        {2, func(g *gen) (Action, bool) { return g.about(Take, Subscribe) }},
	Event:       {24, makeEvent},
	Stream:      {2, makeStream},
	Follow: {1, func(g *gen) (Action, bool) {
		return g.begin(Action{Kind: Follow, How: g.one("sessions", "registrations", "subscriptions")}), true
	}},
	Guest: {2, func(g *gen) (Action, bool) { return g.begin(Action{Kind: Guest, After: g.r.IntN(2000)}), true }},
	Will:  {3, func(g *gen) (Action, bool) { return g.begin(Action{Kind: Will, How: g.one(Detached, Destroyed)}), true }},
	Unwill: {1, func(g *gen) (Action, bool) {
		return g.begin(Action{Kind: Unwill, How: g.one(Detached, Destroyed)}), true
	}},
	Interrupt: {4, func(g *gen) (Action, bool) { return g.about(Interrupt, Invoke) }},
	Flush:     {20, func(*gen) (Action, bool) { return Action{Kind: Flush}, true }},
	Pump: {20, func(g *gen) (Action, bool) {
		return Action{Kind: Pump, Up: g.r.IntN(300), Down: g.r.IntN(300)}, true
	}},
	Pass: {14, func(g *gen) (Action, bool) { return Action{Kind: Pass, After: 1 + g.r.IntN(400)}, true }},
	Cut:  {10, makeCut},
	Stall: {2, func(g *gen) (Action, bool) {
		a := Action{Kind: Stall, After: 1 + g.r.IntN(5000)}
		if g.r.IntN(3) == 0 {
			a.How = Dead
		}
		return a, true
	}},
	Restart: {2, func(*gen) (Action, bool) { return Action{Kind: Restart}, true }},
	Goodbye: {2, func(g *gen) (Action, bool) {
		return Action{Kind: Goodbye, How: g.one("wamp.close.system_shutdown", "sim.maintenance"), N: g.r.IntN(2)}, true
	}},
	NoDial: {2, func(g *gen) (Action, bool) { return Action{Kind: NoDial, N: 1 + g.r.IntN(3)}, true }},
	Refuse: {2, func(g *gen) (Action, bool) { return Action{Kind: Refuse, N: 1, How: "wamp.error.unavailable"}, true }},
	Check:  {1, func(*gen) (Action, bool) { return Action{Kind: Check}, true }},
	Setup:  {0, nil},
	Drain:  {0, nil},
	Close:  {0, nil},
}

// order of kinds: a map has none, and a plan must follow from its seed.
var order = []Kind{Call, Publish, Subscribe, Unsubscribe, Register, Unregister, Cancel, Chunk, Revoke, Take, Slow, Invoke,
	Event, Stream, Follow, Guest, Will, Unwill, Interrupt, Flush, Pump, Pass, Cut, Stall, Restart, Goodbye, NoDial, Refuse, Check}

// Plan makes the life of one session from a seed: it breaks about cuts times,
// and in the end it is closed, drained, or refused for good.
func Plan(seed uint64, cuts int) []Action {
	g := &gen{r: rand.New(rand.NewPCG(seed, 0x5eed)), live: map[Kind][]int{}, name: map[int]int{}}
	total := 0
	for _, k := range order {
		total += kinds[k].weight
	}
	var plan []Action
	if g.r.IntN(4) == 0 {
		plan = append(plan, Action{Kind: Setup, How: FailFast})
	}
	for broken := 0; broken < cuts; {
		a, ok := g.next(total)
		if !ok {
			continue
		}
		plan = append(plan, a)
		switch a.Kind {
		case Cut, Restart:
			broken++
			if g.r.IntN(3) > 0 { // mostly it comes back before it breaks again
				plan = append(plan, Action{Kind: Pass, After: 200 + g.r.IntN(1500)})
			}
		case Subscribe, Register:
			if a.How == History { // something happens before it is answered
				plan = append(plan, g.begin(Action{Kind: Event, Name: logTopic}), g.begin(Action{Kind: Event, Name: logTopic + 1}))
			}
			if g.r.IntN(8) == 0 {
				plan = append(plan, g.regret(a)...)
			}
		case Stall: // the writer is busy with one, the other waits for it
			plan = append(plan, g.begin(g.answer(Action{Kind: Call})), Action{Kind: Flush},
				g.begin(g.answer(Action{Kind: Call, How: Timeout})), Action{Kind: Pass, After: 1 + g.r.IntN(3000)})
		case Slow:
			plan = append(plan, g.burst(a.Of)...)
		}
	}
	return append(plan, g.end()...)
}

// next makes an action that is not placed by hand.
func (g *gen) next(total int) (Action, bool) {
	n := g.r.IntN(total)
	for _, k := range order {
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
	switch g.r.IntN(8) {
	case 0:
		return []Action{closing, check}
	case 1:
		return append(g.busy(2000), closing, check)
	case 2: // at rest
		return []Action{check, {Kind: Drain}, check, closing, check}
	case 3: // while it is busy
		return append(g.busy(2000), Action{Kind: Drain}, Action{Kind: Pass, After: 50}, check, closing, check)
	case 4: // and while the link breaks
		return append(g.busy(2000), Action{Kind: Drain}, cut, check, closing, check)
	case 5: // and without a link
		return append(append([]Action{cut}, g.busy(1)...), Action{Kind: Drain}, check, closing, check)
	case 6:
		return []Action{{Kind: Goodbye, How: g.one("wamp.close.killed", "wamp.close.normal"), N: g.r.IntN(2)}, check, closing, check}
	}
	return []Action{{Kind: Refuse, N: 1, How: "wamp.error.not_authorized"}, cut, check, closing, check}
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
	a.After = g.r.IntN(300)
	if a.Progressive() {
		a.Steps = g.r.IntN(6)
	}
	return a
}

func makeCall(g *gen) (Action, bool) {
	hows := []string{"", "", Progressive, Progressive, Both, Idempotent, Kill, Skip, Timeout, Chunks, Chunks}
	a := g.begin(g.answer(Action{Kind: Call, Name: g.r.IntN(procedures), How: hows[g.r.IntN(len(hows))]}))
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
		switch g.r.IntN(4) {
		case 0, 1:
			a.How = Progressive
		case 2:
			a.How, a.N = Chunks, 1+g.r.IntN(4)
		}
		a = g.begin(g.answer(a))
		if g.r.IntN(8) == 0 {
			a.End, a.Steps = EndDecline, 0
		}
	}
	return a, ok
}

func makeCancel(g *gen) (Action, bool) {
	of := []Kind{Call, Call, Call, Publish, Subscribe, Register, Will, Unwill, Stream, Follow}
	return g.about(Cancel, of[g.r.IntN(len(of))])
}

func makeSlow(g *gen) (Action, bool) {
	of := []Kind{Call, Subscribe, Subscribe, Register}
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
	}
	return a, true
}
