package wamp

import (
	"context"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// seen is an operation that the interceptors of its session have seen begin.
type seen struct {
	Op
	s     *Session // nil while connecting
	list  []Interceptor
	ctxs  []context.Context // what each Begin has returned
	turn  chan struct{}     // capacity 1, full while one of its interceptors is called
	ended bool
}

// where is the goroutine on which an interceptor is called.
type where bool

const (
	onUsers  where = false // one of a user's, or one that runs users' code
	onFeeder where = true  // one of a stream
)

// sees returns an operation that the session's interceptors are to see.
func (s *Session) sees(op Op) *seen {
	op.Session, op.Realm, op.Router = s, s.eng.Details().Realm, s.address()
	return newSeen(s, op, s.interceptors)
}

func newSeen(s *Session, op Op, list []Interceptor) *seen {
	return &seen{Op: op, s: s, list: list, turn: make(chan struct{}, 1)}
}

// alone waits until no interceptor of the operation is called, and returns what ends that.
// It is no lock, since who waits for a user's code may have to wait long.
func (e *seen) alone() (done func()) {
	e.turn <- struct{}{}
	return func() { <-e.turn }
}

// begin lets the interceptors see the beginning of the operation. It returns the context
// that the last of them has returned.
func (e *seen) begin(ctx context.Context, at where) (context.Context, error) {
	defer e.alone()()
	e.Began, e.ctxs = time.Now(), make([]context.Context, 0, len(e.list))
	if e.Pattern == "" {
		e.Pattern, e.Match = e.URI, Exact
	}
	switch e.Kind {
	case OpCall, OpPublish:
		e.Sent, e.Attempts = 1, 1
	case OpInvocation, OpEvent:
		e.Received, e.ReceivedBytes = 1, e.Payload.Size()
	}
	first, returned := ctx, false
	defer func() {
		if !returned { // runtime.Goexit
			e.end(errInterceptor, at)
		}
	}()
	for _, i := range e.list {
		next := ctx
		err := e.call(at, func() (err error) { next, err = i.Begin(ctx, &e.Op); return err }) //nolint:fatcontext // each derives from the one before
		if err == nil && next != nil {
			_, err = session.Own(next)
		}
		if err != nil {
			e.end(err, at)
			returned = true
			return first, err
		}
		if next != nil {
			ctx = next //nolint:fatcontext // as above
		}
		e.ctxs = append(e.ctxs, ctx)
	}
	switch e.Kind {
	case OpCall, OpPublish:
		e.Options = slices.DeleteFunc(slices.Clone(e.Options), ownOption)
	default:
	}
	own, err := session.Own(ctx)
	if err != nil {
		own = first
		e.end(err, at)
	}
	returned = true
	return own, err
}

// ownOption reports whether an option is the operation's own affair.
func ownOption(e proto.Entry) bool {
	return e.Key == proto.KeyAcknowledge || e.Key == proto.KeyProgress || e.Key == proto.KeyReceiveProgress
}

// call calls a method of an interceptor.
func (e *seen) call(at where, f func() error) (err error) {
	run := func() {
		defer func() {
			if p := recover(); p != nil {
				err = e.panicked(codec.NewPanicError(p))
			}
		}()
		err = errInterceptor // where it calls runtime.Goexit
		err = f()
	}
	if at == onFeeder {
		e.s.seeing.Outside(run)
	} else {
		run()
	}
	return err
}

func (e *seen) panicked(err *PanicError) error {
	if e.s != nil {
		e.s.eng.Panicked("an interceptor", err.Value, err.Stack)
	}
	return err
}

// progress lets the interceptors see a part of the operation, which they may replace.
// What goes to the user comes from the innermost on, what comes from it goes to there.
func (e *seen) progress(p *Part, at where) error {
	defer e.alone()()
	if e.ended {
		return nil
	}
	if p.Sent {
		e.Sent++
		p.N = e.Sent
	} else {
		e.Received++
		p.N = e.Received
		e.ReceivedBytes += p.Size()
		if e.Kind == OpCall {
			e.Peer = Result{Details: p.Details}.Callee()
		}
	}
	n := len(e.list)
	for k := range n {
		if p.Sent == (e.Kind == OpInvocation) {
			k = n - 1 - k
		}
		if err := e.call(at, func() error { return e.list[k].Progress(e.ctxs[k], &e.Op, p) }); err != nil {
			return err
		}
	}
	return nil
}

// over tells the outcome, once.
func (e *seen) over(err error, at where) {
	defer e.alone()()
	e.end(err, at)
}

func (e *seen) end(err error, at where) {
	if e.ended {
		return
	}
	e.ended = true
	e.tell(len(e.ctxs)-1, err, at)
}

// tell tells the outcome to the interceptors from the one with index k on outward, whatever
// one of them does.
func (e *seen) tell(k int, err error, at where) {
	if k < 0 {
		return
	}
	defer e.tell(k-1, err, at) // also behind runtime.Goexit
	_ = e.call(at, func() error { e.list[k].End(e.ctxs[k], &e.Op, err); return nil })
}

// again notes that the operation is made once more.
func (e *seen) again(resumed bool) {
	defer e.alone()()
	if e.Attempts++; resumed {
		e.Sent = 0
	}
}

// sized notes how many bytes a payload that is sent takes.
func (e *seen) sized(n int) {
	defer e.alone()()
	e.SentBytes += n
}

// frozen is a payload as it is sent, which may be sent more than once, whatever becomes of
// the values that it was made of.
func (s *Session) frozen(uri string, p Payload) (Payload, error) {
	if p.Empty() {
		return p, nil
	}
	c := s.eng.Codec()
	if !s.ours(uri) { // what is sealed need not be what the router's serializer can say
		c = codec.CBOR
	}
	buf, n, err := p.Encode(c, nil)
	if err != nil {
		return p, s.noted(err)
	}
	q := Raw(c, buf[:n:n], buf[n:])
	if p.IsLast() {
		q = q.Last()
	}
	return q, nil
}
