package session

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

// world is the engine's surroundings in the step simulation: the host of a
// core, a link of bytes, and the model router at its other end.
type world struct {
	m      *sim.Model
	core   *core
	router *sim.Router
	parser codec.Parser
	clock  time.Duration
	later  agenda
	steps  int

	data, ctl []op // that wait for the actor, as in a mailbox
	gather    int  // so many operations are to come before its next turn

	link     int // 0: none
	up, down pipe
	stalled  bool
	stuckUp  bool // what the session writes does not pass
	broken   bool // the session is being told that its link is lost
	dialing  bool
	noDial   int
	refuse   int
	reason   string

	ops       map[int]*simOp
	waiting   []*simOp // for Ready
	leaving   []simLeave
	listeners []*simOp
	drain     *drainOp
}

// simLeave is an Unsubscribe or Unregister that waits for its end.
type simLeave struct {
	of   int
	done chan error
}

// simOp is an operation with its context.
type simOp struct {
	w      *world
	n      int
	ctx    context.Context
	cancel context.CancelFunc
	slow   bool
	policy string // of a subscription
	lying  int    // events that its slow consumer has not read
	gated  bool   // it holds the link back
	gap    bool
	sub    *Subscription
	reg    *Registration
	call   *Call
	states *stateWatcher
	phase  Phase // the last one that its user was told of
	chunks int
	ready  chan error

	slots   int // invocations that it runs at once, 0: all
	running int
	queue   []*simInvocation // those that wait for a slot
}

// pipe is one direction of a link: bytes on their way, of which some have
// passed.
type pipe struct {
	bytes  []byte
	passed int
}

// agenda is what is to be done when, in order.
type agenda []*entry

type entry struct {
	at  time.Duration
	seq int
	do  func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*entry)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newWorld(setup sim.Action) *world {
	w := &world{ops: map[int]*simOp{}, parser: codec.JSON.NewParser(codec.Limits{})}
	w.m = sim.NewModel(func() time.Duration { return w.clock })
	w.m.Exact = true
	w.router = sim.NewRouter(w.m, w.toClient, w.at, func(int) { w.lose(errors.New("the router hangs up"), 0) })
	cfg := Config{Auth: noAuth{}, Logger: slog.New(slog.DiscardHandler), Reconnect: &Reconnect{Max: time.Second, Random: func() float64 { return 0.5 }}}
	windows := setup.Windows()
	cfg.Windows = Windows{Handles: windows[0], Publishes: windows[1]}
	w.router.OneID = setup.Kind == sim.Setup && setup.To == sim.OneID
	w.router.Queue = windows[0] + windows[1] + 8 // as 64 is to 32 and 24
	w.core = newCore(newSettings(cfg), w)
	w.joined()
	return w
}

func (w *world) at(after time.Duration, f func()) {
	w.steps++
	heap.Push(&w.later, &entry{w.clock + after, w.steps, f})
}

// control hands a control operation over, put one of data.
func (w *world) control(o op) { w.ctl = append(w.ctl, o) }
func (w *world) put(o op)     { w.data = append(w.data, o) }

// turn is what the actor does on each of its turns, but for the flush.
func (w *world) turn() {
	c := w.core
	var late []op
	for again := true; again; again = len(w.ctl)+len(w.data) > 0 {
		ctl, data := w.ctl, w.data
		w.ctl, w.data = nil, nil
		late = c.applyAll(ctl, late)
		late = c.applyAll(data, late)
		if !c.ended {
			c.tick(w.now())
		}
		c.settle()
	}
	for _, o := range late {
		o.refuse(&ClosedError{Reason: c.reason})
	}
	if c.ended && w.link != 0 { // the shell sends the last words and hangs up
		if c.finished {
			w.lastWords()
		}
		w.router.Gone(w.link)
		w.hangUp()
	}
	w.acks()
	w.listen()
	if w.drain != nil {
		select {
		case <-w.drain.done:
			if !c.ended {
				w.m.JudgeDrain(true)
				w.put(&closeOp{})
			}
			w.drain = nil
			w.turn()
		default:
		}
	}
}

// gathers reports whether the next operations are to come before the actor has
// another turn.
func (w *world) gathers(a sim.Action) bool {
	switch {
	case a.Kind == sim.Together:
		w.gather = a.N
	case a.Kind == sim.Goodbye, a.Kind == sim.Breach, a.Kind == sim.Pump: // they come before it
	case w.gather > 0 && (a.Op > 0 || a.Of > 0 || a.Kind == sim.Close || a.Kind == sim.Drain):
		w.gather--
	default:
		w.gather = 0
	}
	return w.gather > 0
}

// acks tells the model of subscriptions and registrations that stand.
func (w *world) acks() {
	w.waiting = slices.DeleteFunc(w.waiting, func(o *simOp) bool {
		select {
		case err := <-o.ready:
			if err == nil {
				w.m.Acked(o.n)
			}
			return true
		default:
			return false
		}
	})
	w.leaving = slices.DeleteFunc(w.leaving, func(l simLeave) bool { return len(l.done) > 0 })
}

// listen tells the model of what listeners are told.
func (w *world) listen() {
	w.listeners = slices.DeleteFunc(w.listeners, func(o *simOp) bool {
		for {
			select {
			case s, more := <-o.states.Ch():
				if more {
					o.phase = s.Phase
					continue
				}
				how := sim.Canceled
				if o.phase == Closed {
					how = sim.Closed
				}
				w.m.Ended(o.n, sim.End{How: how})
				return true
			default:
				return false
			}
		}
	})
}

// tooBusy is more turns than anything needs that takes no time.
const tooBusy = 2000

// settle lets happen what takes no time.
func (w *world) settle() {
	for n := 0; ; n++ {
		if n == tooBusy {
			w.m.Broken(sim.Calm, "the session and the router keep each other busy")
			return
		}
		w.turn()
		w.flush()
		if !w.pump(1<<30, 1<<30) && (w.core.out.Len() == 0 || w.link == 0 || w.busy()) && len(w.ctl)+len(w.data) == 0 {
			return
		}
	}
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.clock + d
	for len(w.m.Faults()) == 0 {
		w.settle()
		next := end + 1
		if len(w.later) > 0 {
			next = w.later[0].at
		}
		if t := w.core.timers.next(); !t.IsZero() && !w.core.ended {
			next = min(next, t.Sub(simEpoch))
		}
		if next > end {
			break
		}
		w.clock = max(w.clock, next)
		for len(w.later) > 0 && w.later[0].at <= w.clock {
			heap.Pop(&w.later).(*entry).do()
		}
	}
	w.clock = end
	w.settle()
}

// act carries out an action of the plan.
func (w *world) act(a sim.Action) {
	switch a.Kind {
	case sim.Flush:
		w.flush()
	case sim.Pump:
		w.pump(a.Up, a.Down)
	case sim.Pass:
		w.pass(time.Duration(a.After) * time.Millisecond)
	case sim.Check:
		w.check()
	case sim.Revoke:
		w.router.Revoke(a.Of)
	case sim.Take:
		w.router.Take(w.link, w.m.NameOf(a.Of))
	case sim.Event:
		w.router.Event(a)
	case sim.Invoke:
		w.router.Invoke(a)
	case sim.Interrupt:
		w.router.Interrupt(a.Of)
	case sim.Setup, sim.Together: // done
	default:
		if !w.fault(a) {
			w.begin(a)
		}
	}
}

func (w *world) check() {
	w.pass(sim.QuietTime)
	var q sim.Quiet
	q.Topics, q.Registrations = w.router.Holds(w.link)
	q.Calls = w.router.Pending(w.link)
	q.Uncancelled = w.router.Uncancelled(w.link)
	q.Tables = sim.Tables(w.core.tables())
	if w.core.gates != 0 && !w.core.ended {
		w.m.Broken(sim.NothingLeft, "%d gates are shut", w.core.gates)
	}
	for _, l := range w.leaving {
		w.m.Broken(sim.EndsOnce, "the end of %d is not answered", l.of)
	}
	for _, o := range w.listeners {
		if up := w.link != 0; up != (o.phase == Joined) {
			w.m.Broken(sim.NothingLost, "listener %d was told last that the session is %s, there is a link: %v", o.n, o.phase, up)
		}
	}
	if w.drain != nil && w.core.ended {
		w.m.Broken(sim.EndsOnce, "the drain does not end with the session")
	}
	w.m.JudgeLoss()
	w.m.JudgeQuiet(q)
}
