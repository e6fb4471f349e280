package session

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"
)

// A context of a user's own type is a user's code: its methods may panic, block,
// or tell something else each time. The actor asks each operation's context, so it
// gets one that it can ask: see Own.

// ErrNilContext refuses an operation without a context.
var ErrNilContext = errors.New("the context is nil")

// Own returns ctx as a context whose methods are not a user's: itself if it is
// made of those of package context, else one that ends with it. It fails if ctx
// is nil, or panics. It is called on the goroutine of whoever gave ctx.
func Own(ctx context.Context) (own context.Context, err error) {
	if ctx == nil {
		return nil, ErrNilContext
	}
	if simple(ctx) {
		return ctx, nil
	}
	defer panicked(&err)
	c := &userContext{user: ctx, done: ctx.Done()}
	c.deadline, c.has = ctx.Deadline()
	if ctx.Err() != nil {
		c.learn()
		if c.done == nil {
			c.done = closedChan
		}
	}
	_ = ctx.Value(c) // where that panics, it does so here
	return c, nil
}

// OwnCall is [Own] for an operation that is asked only how its context ends, which
// is answered without asking those that it derives from. Where bounded is set, its
// Deadline can be called on the actor too.
func OwnCall(ctx context.Context) (own context.Context, bounded bool, err error) {
	if ctx == nil {
		return nil, false, ErrNilContext
	}
	switch reflect.TypeOf(ctx) {
	case cancelType: // needs no search
	case timerType:
		return ctx, true, nil
	default:
		own, err = Own(ctx)
		return own, err == nil, err
	}
	defer panicked(&err)
	until, bounded := ctx.Deadline()
	if bounded {
		ctx = &boundedContext{ctx, until}
	}
	return ctx, bounded, nil
}

// boundedContext knows the deadline of a context that would ask another for it.
type boundedContext struct {
	context.Context //nolint:containedctx // it is one
	until           time.Time
}

// Deadline implements context.Context.
func (c *boundedContext) Deadline() (time.Time, bool) { return c.until, true }

// panicked is deferred by who calls a user's context: where that panics, there is an
// error, and no context yet.
func panicked(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the context panicked: %v", p)
	}
}

// The types of package context. Those of the first line have no parent that is
// asked for more than values.
var (
	backgroundType = reflect.TypeOf(context.Background())
	todoType       = reflect.TypeOf(context.TODO()) //nolint:forbidigo // only its type
	withoutType    = reflect.TypeOf(context.WithoutCancel(context.Background()))

	timerType  = made(context.WithTimeout(context.Background(), 0))
	cancelType = made(context.WithCancel(context.Background()))
	valueType  = reflect.TypeOf(context.WithValue(context.Background(), parentKey{}, nil))
)

type parentKey struct{}

func made(ctx context.Context, cancel context.CancelFunc) reflect.Type {
	cancel()
	return reflect.TypeOf(ctx)
}

// simple reports whether all that ctx is asked for is answered by package context.
func simple(ctx context.Context) bool {
	switch ctx.(type) {
	case *userContext, *boundedContext, *InsideContext, *RunContext:
		return true
	}
	t := reflect.TypeOf(ctx)
	switch {
	case t == backgroundType, t == timerType, t == todoType, t == withoutType:
		return true
	case t != cancelType && t != valueType && (t.Kind() != reflect.Pointer || t.Elem().PkgPath() != "os/signal"):
		return false
	}
	v := reflect.ValueOf(ctx)
	if v.IsNil() || v.Elem().Kind() != reflect.Struct || v.Elem().NumField() == 0 || !v.Elem().Field(0).CanInterface() {
		return false
	}
	parent, ok := v.Elem().Field(0).Interface().(context.Context) // it is embedded
	return ok && simple(parent)
}

// InsideContext is the context of an invocation. It knows which one, so that a Close
// that is called in a handler does not wait for that.
//
// What most handlers never ask for, its Done, is made when it is asked for. Its
// methods may be called from any goroutine.
type InsideContext struct {
	// Of is the invocation.
	Of Inside

	made atomic.Pointer[insideDone] // once somebody wants to wait
	end  atomic.Pointer[insideEnd]  // once it has ended
}

// Inside is an invocation, as its context sees it.
type Inside interface {
	// Base has the values of the context. It does not end.
	Base() context.Context
}

type insideDone struct {
	context.Context //nolint:containedctx // the cancel is its
	cancel          context.CancelCauseFunc
}

type insideEnd struct{ cause error }

// InsideKey is the key of the invocation in a context that is derived from its
// own.
type InsideKey struct{}

// endedPlainly is the end of nearly all invocations.
var endedPlainly = &insideEnd{context.Canceled}

// Cancel ends the context. Only the first call counts.
func (c *InsideContext) Cancel(cause error) {
	end := endedPlainly
	if cause != nil {
		end = &insideEnd{cause}
	}
	if c.end.CompareAndSwap(nil, end) {
		if m := c.made.Load(); m != nil {
			m.cancel(end.cause)
		}
	}
}

// make returns what Done is of. It and Cancel look at what the other has stored
// after they have stored their own, so that one of them ends it. Nobody sees it open
// who has seen the end: it is ended by whoever asks.
func (c *InsideContext) make() context.Context {
	m := c.made.Load()
	if m == nil {
		ctx, cancel := context.WithCancelCause(c.Of.Base())
		m = &insideDone{ctx, cancel}
		if !c.made.CompareAndSwap(nil, m) {
			cancel(nil)
			m = c.made.Load()
		}
	}
	if end := c.end.Load(); end != nil {
		m.cancel(end.cause)
	}
	return m.Context
}

// Deadline implements context.Context.
func (c *InsideContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *InsideContext) Done() <-chan struct{} { return c.make().Done() }

// Err implements context.Context.
func (c *InsideContext) Err() error {
	switch {
	case c.end.Load() == nil:
		return nil
	case c.made.Load() != nil:
		return c.make().Err()
	}
	return context.Canceled
}

// Cause is context.Cause, without making a Done for it.
func (c *InsideContext) Cause() error {
	if end := c.end.Load(); end != nil {
		return end.cause
	}
	return nil
}

// Value implements context.Context.
func (c *InsideContext) Value(key any) any {
	switch key {
	case InsideKey{}:
		return c.Of
	case causeKey:
		return c.make().Value(key)
	}
	return c.Of.Base().Value(key)
}

// userContext is a context that ends with one of a user's type.
type userContext struct {
	user     context.Context //nolint:containedctx // it is one
	done     <-chan struct{}
	deadline time.Time
	has      bool
	end      atomic.Pointer[ctxEnd] // once it is known
}

// ctxEnd is how a context has ended, and one of package context that has ended so.
type ctxEnd struct {
	err, cause error
	same       context.Context //nolint:containedctx // it is one
}

// causeKey is the key by which package context asks for what it has made itself,
// when a context is derived, ended, or asked for its cause.
var causeKey = func() any {
	spy := &keySpy{Context: context.Background(), done: make(chan struct{})}
	_, cancel := context.WithCancel(spy)
	cancel()
	return spy.key
}()

type keySpy struct {
	context.Context //nolint:containedctx // it is one
	done            chan struct{}
	key             any
}

func (s *keySpy) Done() <-chan struct{} { return s.done }
func (s *keySpy) Value(key any) any     { s.key = key; return nil }

// Deadline implements context.Context.
func (c *userContext) Deadline() (time.Time, bool) { return c.deadline, c.has }

// Done implements context.Context.
func (c *userContext) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *userContext) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if end := c.end.Load(); end != nil {
		return end.err
	}
	if c.has && !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// Value implements context.Context. The user's is not asked on the actor: package
// context, which asks wherever a context that derives from this one ends, learns
// here how it has ended, and no more.
func (c *userContext) Value(key any) (v any) {
	if key == causeKey {
		if end := c.end.Load(); end != nil {
			return end.same.Value(key)
		}
		return nil
	}
	defer func() {
		if recover() != nil {
			v = nil
		}
	}()
	return c.user.Value(key)
}

// AfterFunc is for package context: by it, contexts that derive from this one are
// ended, also on the actor, without asking the user's for a value.
func (c *userContext) AfterFunc(f func()) (stop func() bool) { return afterFunc(c, f) }

// learn asks the user's context how it has ended. It is not called on the actor.
func (c *userContext) learn() {
	defer func() { _ = recover() }()
	end := &ctxEnd{err: c.user.Err()}
	if end.err == nil {
		return
	}
	if end.cause = context.Cause(c.user); end.cause == nil {
		end.cause = end.err
	}
	var cancel context.CancelCauseFunc
	end.same, cancel = context.WithCancelCause(context.Background())
	cancel(end.cause)
	c.end.CompareAndSwap(nil, end)
}

// learn is for whoever has waited for ctx, off the actor.
func learn(ctx context.Context) {
	if c, is := ctx.(*userContext); is {
		c.learn()
	}
}

// causeOf is context.Cause, which can be called on the actor.
func causeOf(ctx context.Context) error {
	c, is := ctx.(*userContext)
	if !is {
		return context.Cause(ctx)
	}
	err := c.Err()
	if end := c.end.Load(); err != nil && end != nil {
		return end.cause
	}
	return err
}

// afterFunc is context.AfterFunc, which can be called on the actor.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	c, is := ctx.(*userContext)
	if !is {
		return context.AfterFunc(ctx, f)
	}
	var once atomic.Bool
	over := make(chan struct{})
	go func() { // ends with the context, or by stop
		select {
		case <-c.done:
		case <-over:
			return
		}
		if once.CompareAndSwap(false, true) {
			defer f() // also behind a runtime.Goexit
			c.learn()
		}
	}()
	return func() bool {
		if !once.CompareAndSwap(false, true) {
			return false
		}
		close(over)
		return true
	}
}
