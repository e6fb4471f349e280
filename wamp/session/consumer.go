package session

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// Consumer runs a user's code for each event of a subscription.
type Consumer interface {
	// Busy reports whether events wait for a handler, or handlers run, beside so many
	// that wait for the answer themselves. Actor only.
	Busy(inside int) bool
	// Running is how many handlers run. Actor only.
	Running() int
}

// Consume begins to run a user's code for the events of a subscription: f, in a goroutine
// of the tally. Consumed is called when it is over. When the session is over, Consume
// does nothing and returns the session's error.
func (s *Session) Consume(sub *Subscription, t *Tally, f func()) error {
	s.box.control(&consumeOp{sub})
	if s.box.spawn(&s.handlers, func() {
		t.n.Add(1)
		defer t.left()
		f()
	}) {
		return nil
	}
	return s.closedErr()
}

// Consumed says that no handler of a subscription runs any more, nor will.
func (s *Session) Consumed(sub *Subscription) {
	o := &consumedOp{s, sub}
	if !s.box.control(o) {
		o.refuse(nil)
	}
}

// Relieved says that fewer handlers of a subscription that has ended run: a Drain may be
// waiting for that.
func (s *Session) Relieved() { s.door.ring() }

type consumeOp struct{ sub *Subscription }

func (o *consumeOp) refuse(error) {}

func (o *consumeOp) apply(c *core) {
	if c.consumers == nil {
		c.consumers = map[*Subscription]struct{}{}
	}
	c.consumers[o.sub] = struct{}{}
}

type consumedOp struct {
	s   *Session
	sub *Subscription
}

func (o *consumedOp) refuse(error) { o.sub.failed.log(o.s.cfg.log, o.sub.URI) }

func (o *consumedOp) apply(c *core) {
	delete(c.consumers, o.sub)
	o.sub.failed.tellLast(c, o.sub)
}

// consuming reports whether a drain has to wait for handlers of events.
func (c *core) consuming() bool {
	for sub := range c.consumers {
		inside := 0
		for i, o := range c.drains {
			if o.inside != nil && o.inside.Subscription == sub && o.inside.Run.Runs() && !c.countedBefore(i) {
				inside++
			}
		}
		if sub.Consumer.Busy(inside) {
			return true
		}
	}
	return false
}

// handlersLeft says which handlers of events still run.
func (c *core) handlersLeft() (out []string) {
	for sub := range c.consumers {
		if n := sub.Consumer.Running(); n > 0 {
			out = append(out, count(n, HandlerRuns(sub.URI), HandlersRun(sub.URI)))
		}
	}
	return out
}

// HandlerRuns and HandlersRun are what is said of handlers that a Close or Drain has left
// behind.
func HandlerRuns(topic string) string { return "handler of events of " + topic + " still runs" }

// HandlersRun is the plural of HandlerRuns.
func HandlersRun(topic string) string { return "handlers of events of " + topic + " still run" }

// failedEvery is how often errors of one subscription's handlers are logged.
const failedEvery = time.Second

// eventErrors are what the handlers of a subscription have returned.
type eventErrors struct {
	n    atomic.Uint64          // since the last record
	text atomic.Pointer[string] // of the last one
	told atomic.Bool            // the actor knows that there are some

	timer *timer // actor only
}

// Failed logs what a handler of events has returned: at once, then no more than once a
// second, with how many there were.
func (s *Session) Failed(sub *Subscription, text string) {
	f := &sub.failed
	f.text.Store(&text)
	f.n.Add(1)
	if f.told.CompareAndSwap(false, true) {
		if o := (&failedOp{s, sub}); !s.box.control(o) {
			o.refuse(nil)
		}
	}
}

type failedOp struct {
	s   *Session
	sub *Subscription
}

func (o *failedOp) refuse(error) {
	o.sub.failed.log(o.s.cfg.log, o.sub.URI)
	o.sub.failed.told.Store(false)
}

func (o *failedOp) apply(c *core) { o.sub.failed.tell(c, o.sub) }

// tell logs what there is, and waits for more.
func (f *eventErrors) tell(c *core, sub *Subscription) {
	f.timer = nil
	for !f.log(c.log, sub.URI) {
		f.told.Store(false)
		if f.n.Load() == 0 || !f.told.CompareAndSwap(false, true) {
			return
		}
	}
	f.timer = c.timerNow(failedEvery, func(c *core) { f.tell(c, sub) })
}

// tellLast logs what there is where nothing more comes.
func (f *eventErrors) tellLast(c *core, sub *Subscription) {
	f.log(c.log, sub.URI)
	if f.timer != nil {
		c.timers.stop(f.timer)
		f.timer = nil
	}
}

// log reports whether there was something to log.
func (f *eventErrors) log(to *journal, topic string) bool {
	n := f.n.Swap(0)
	if n == 0 {
		return false
	}
	to.write(RecordEventError, slog.String("topic", topic), slog.Uint64("events", n), slog.String("error", *f.text.Load()))
	return true
}
