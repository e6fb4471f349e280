package session

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

const (
	// graceTime is how long Close waits for consumers to read what has arrived,
	// and for handlers to end.
	graceTime = time.Second
	// lingerTime is how long a connection that is torn down may still take to say
	// why, and users' code to hear of what was cut.
	lingerTime = 100 * time.Millisecond
)

// moment lets goroutines end that have been told to, and need not wait for
// anybody, where there is no time left. It reports whether they have.
func moment(ended func(stop <-chan struct{}) bool) bool {
	for range 1000 {
		if ended(closedChan) {
			return true
		}
		runtime.Gosched()
	}
	return ended(closedChan)
}

var closedChan = func() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// aStream is left where a stream's goroutine does not end.
const aStream = "a stream does not end"

// errCloseTime is the cause of the end of a Close whose context has no deadline.
var errCloseTime = errors.New("CloseTimeout has passed")

// bounded gives a context without a deadline the one of CloseTimeout.
func (s *Session) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, s.cfg.CloseTimeout, errCloseTime)
}

// Close says GOODBYE behind what was begun before, waits for the router's, and
// returns when every goroutine of the session is gone, or has been told to go and
// does not. ctx bounds all of it, or CloseTimeout where it has no deadline; when
// it ends the link is torn down. What consumers do not read within a second is
// dropped. Handlers see their context end, and have a second to end too; the
// error names those that do not. inside is the handler in which it is called, nil if
// in none: that one is not waited for.
func (s *Session) Close(ctx context.Context, inside *Within) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.shutDown(ctx, inside, nil)
}

// shutDown is Close. left is what a Drain before it has not waited for any more.
func (s *Session) shutDown(ctx context.Context, inside *Within, left []string) error {
	if inside != nil {
		defer s.leaves(inside.Run)()
	}
	err := s.leave(ctx)
	if err != nil && left == nil {
		left = append(left, "the router has not answered GOODBYE")
	}
	grace, cancel := context.WithTimeout(ctx, graceTime)
	defer cancel()
	within := func(first context.Context, ended func(stop <-chan struct{}) bool) bool {
		return ended(first.Done()) || moment(ended)
	}
	second := grace.Done()
	feeders := func(stop <-chan struct{}) bool { return s.feeders.wait(nobody, stop) }
	waiting := second
	if s.letting.Load() { // they had their time
		waiting = closedChan
	}
	if !feeders(waiting) {
		s.hasten.Do(func() { close(s.hurry) })
		if !within(ctx, feeders) {
			left = append(left, aStream)
		}
		// What they tell of it is users' code, which has had no time yet: see Outside.
		if grace.Err() != nil {
			var done context.CancelFunc
			grace, done = context.WithTimeout(ctx, lingerTime)
			defer done()
		}
	}
	if !within(grace, func(stop <-chan struct{}) bool { return s.handlers.wait(&s.leavers, stop) }) {
		for _, what := range s.box.running() {
			if !slices.Contains(left, what) { // a Drain has waited for them, too
				left = append(left, what)
			}
		}
	}
	if !slices.Contains(left, aStream) && !feeders(second) { // who was in a user's code, see Tally.Outside
		s.hasten.Do(func() { close(s.hurry) })
		if !within(ctx, feeders) {
			left = append(left, aStream)
		}
	}
	gone := func(stop <-chan struct{}) bool { return closedWithin(s.gone, stop) }
	if !gone(ctx.Done()) {
		s.hasten.Do(func() { close(s.hurry) })
		moment(gone)
	}
	if !closedWithin(s.gone, closedChan) || s.stuck.Load() {
		left = append(left, "the connection does not end")
	}
	s.cfg.log.crew.wait(nobody, second)
	if err == nil && left != nil && ctx.Err() != nil {
		err = newCanceled(ctx)
	}
	what := strings.Join(left, ", ")
	switch {
	case what == "":
		return err
	case err == nil:
		return errors.New(what)
	}
	return fmt.Errorf("%w: %s", err, what)
}

// leave ends the session: by GOODBYE within ctx, or else at once. It returns
// ctx's error if it has come to that.
func (s *Session) leave(ctx context.Context) error {
	if ctx.Err() == nil {
		defer s.letGo()()
		s.box.behind(&closeOp{})
		if closedWithin(s.done, ctx.Done()) {
			return nil
		}
	}
	over := !s.box.control(&closeOp{now: true})
	<-s.done // the actor waits for nobody
	if over {
		return nil // it was over before
	}
	return newCanceled(ctx)
}

// letGo begins the second that consumers have who hold the link back: behind it the
// end is heard whatever they do. It returns what is to be called when that is no
// more needed.
func (s *Session) letGo() (stop func()) {
	t := time.AfterFunc(graceTime, func() {
		s.letting.Store(true)
		s.door.ring()
	})
	return func() { t.Stop() }
}

// Letting reports whether a stream that holds the link back is not waited for any
// more: what finds no room there is dropped.
func (s *Session) Letting() bool { return s.letting.Load() }

func closedWithin(ch, stop <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
	}
	select {
	case <-ch:
		return true
	case <-stop:
		return false
	}
}

// closeOp is Close: GOODBYE goes out after the data operations that were there
// before it; with now set, the session ends without waiting for anything.
type closeOp struct{ now bool }

func (o *closeOp) refuse(error) {}

func (o *closeOp) apply(c *core) {
	c.closing = true
	c.isLeft(Closed, &ClosedError{})
	c.closeNow = c.closeNow || o.now
}

// sayGoodbye sends GOODBYE when the operations that came before Close have been
// sent, and ends the session if there is no time to wait for the router's.
func (c *core) sayGoodbye() {
	if c.life.waiting {
		c.end(nil)
		return
	}
	if c.state == proto.StateEstablished {
		if c.ackWindow.queue.len() > 0 && !c.closeNow {
			return // these were begun before
		}
		c.emitControl(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		c.state = proto.StateClosing
		c.closing = false
	}
	if c.closeNow {
		c.finished = true // what was begun goes out if it can at once
		c.end(nil)
	}
}

// closedError is the error of an operation that comes too late.
func (c *core) closedError() error { return &ClosedError{Reason: c.reason} }

// leftOp asks what a Drain still waits for.
type leftOp struct{ done chan []string }

func (o *leftOp) refuse(error) { o.done <- nil }

func (o *leftOp) apply(c *core) {
	running := map[string]int{}
	for _, inv := range c.invocations.All() {
		running[inv.reg.URI]++
	}
	var out []string
	for uri, n := range running {
		out = append(out, count(n, "invocation of "+uri+" still runs", "invocations of "+uri+" still run"))
	}
	out = append(out, c.handlersLeft()...)
	slices.Sort(out)
	if n := c.acks + c.ackWindow.queue.len() + c.life.publishes; n > 0 {
		out = append(out, count(n, "publish waits for its acknowledgement", "publishes wait for their acknowledgements"))
	}
	if n := c.handleWindow.open + c.handleWindow.queue.len(); n > 0 {
		out = append(out, count(n, "registration or subscription waits for the router", "registrations and subscriptions wait for the router"))
	}
	if n, _ := c.host.crowded(); n > 0 {
		out = append(out, count(n, "operation waits to be sent", "operations wait to be sent"))
	}
	o.done <- out
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// whatIsLeft says what a Drain still waits for.
func (s *Session) whatIsLeft() []string {
	o := &leftOp{done: make(chan []string, 1)}
	if !s.box.control(o) {
		return nil
	}
	return <-o.done
}
