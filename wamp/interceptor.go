package wamp

import (
	"context"
	"errors"
	"time"
)

// Interceptor sees the operations of a session: calls and invocations, publishes and
// events, subscriptions, registrations, and the connection itself. It may change or
// refuse them. Logs, metrics, traces, authorization and validation can be built on it;
// see [WithInterceptors]. [InterceptorFuncs] makes one from functions, any of which may
// be left out.
//
// An interceptor must not close or drain the session: that waits for it.
//
// Its methods run on the goroutine of the user who began the operation, on that of
// the loop, handler or producer that belongs to it, or on one of the stream's, and never
// on those that the session itself needs. So a method that waits holds up its operation,
// and nothing else. A panic in Begin or Progress is the error of the operation, a
// [PanicError]; one in End is logged. Different operations call the methods at the same
// time.
type Interceptor interface {
	// Begin is called before anything of the operation is sent, or for an
	// invocation or event before the user's code gets it. The context that it
	// returns must derive from ctx, or be ctx; nil stands for ctx. It governs a call, a publish or the
	// connection, is that of the handler of an invocation, and that of Event.Context.
	//
	// Begin may replace op.Payload, and op.Options of what is sent. An error refuses the
	// operation: nothing is sent, or the caller of an invocation gets the error as if
	// the handler had returned it, or the event is dropped. An interceptor that has
	// refused gets no End.
	Begin(ctx context.Context, op *Op) (context.Context, error)
	// Progress is called for each part of a call or invocation: each result,
	// progressive or final, each chunk after the first, and the payload with which Resume
	// goes on, as the first. It may replace part.Payload. An error takes the place of the
	// part: it ends a call, which is then cancelled, and is the error of
	// Invocation.Progress, Invocation.Return or the chunks. ctx is what Begin has
	// returned.
	Progress(ctx context.Context, op *Op, part *Part) error
	// End is called exactly once for each Begin that has returned no error. err is
	// the outcome, see OpKind. ctx is what Begin has returned; it may have ended.
	End(ctx context.Context, op *Op, err error)
}

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations, and what End is told.
const (
	// OpConnect is Connect, up to the end of the login. Reconnects are no
	// operations: see Session.States. The outcome is the error of Connect.
	OpConnect OpKind = iota + 1
	// OpCall is a call, over all that Retry and Resume make of it. The outcome is
	// the error of its last result: a CanceledError if its own ctx has ended, an Error
	// with wamp.error.canceled if somebody else has cancelled it, an OutcomeUnknown
	// after the loss of the connection, ErrSlowConsumer, and so on.
	OpCall
	// OpInvocation is an invocation at the callee. The outcome is what it was answered
	// with: nil, or the error of the handler as it was returned. Where it was not
	// answered before its context ended, it is the cause of that: an Interrupt, an
	// OutcomeUnknown after the loss of the connection, a ClosedError. A handler that
	// panics is a PanicError.
	OpInvocation
	// OpPublish is a publish, one of a publish stream too. The outcome is the error of
	// its Ack; without an acknowledgement it is nil when the event is on its way.
	OpPublish
	// OpEvent is an event. It ends when it has been handed over, with the error of the
	// handler where it has one (Session.SubscribeFunc), and with ErrEventDropped where
	// its consumer did not take it any more.
	OpEvent
	// OpSubscribe and OpRegister are the making of a subscription or registration, up to
	// its acknowledgement.
	OpSubscribe
	OpRegister
)

// String returns the name of the kind in lower case.
func (k OpKind) String() string {
	if int(k) < len(opKinds) {
		return opKinds[k]
	}
	return "unknown"
}

var opKinds = [...]string{"unknown", "connect", "call", "invocation", "publish", "event", "subscribe", "register"}

// ErrEventDropped is the outcome of an event that an interceptor has seen and that its
// consumer has not: the subscription was over.
var ErrEventDropped = errors.New("the event was dropped: its subscription is over")

// Op is an operation, as an [Interceptor] sees it. The methods of an interceptor are
// called one after another for the same Op, so that it needs no lock; what Begin puts
// into the context is there in Progress and End.
type Op struct {
	// Kind is what the operation does.
	Kind OpKind
	// URI is the procedure or topic: of an invocation or event the one that the
	// other side named. It is "" for OpConnect.
	URI string
	// Pattern is the URI of the registration or subscription that an invocation or
	// event came for, and Match how it matches. Metrics use it, as there may be any
	// number of URIs. Elsewhere Pattern is URI.
	Pattern string
	Match   MatchPolicy
	// Session is the session, nil for OpConnect.
	Session *Session
	// Realm is the realm of the session.
	Realm string
	// Router is the address that was dialled last, without user, password and query, ""
	// where there is none (WithTransport).
	Router string
	// Peer is who has called or published, as far as the router disclosed it, of a call
	// the callee once there is a result.
	Peer Peer
	// Payload is what a call or publish sends, or what came with an invocation or event.
	// Begin may replace it.
	Payload Payload
	// Options are those of the message of a call, publish, subscribe or register, as far
	// as options of this library have set them. Begin may replace them; acknowledge,
	// progress and receive_progress, which the operation itself sets, are left out. For
	// an invocation or event they are the details that came, and are not changed.
	Options Dict
	// Progressive reports that progressive results were asked for.
	Progressive bool
	// Handled reports that a handler of the user's runs between Begin and End:
	// Session.Handle, Session.SubscribeFunc and what is made of them. Elsewhere an
	// invocation or event is handed over to a channel or loop.
	Handled bool
	// Began is when Begin was called.
	Began time.Time
	// Attempts counts how often the call was made, from 1: see Retry and Resume.
	Attempts int
	// Sent and Received count the parts: chunks and results. Publication is the id of a
	// publish or event, as far as it is known.
	Sent, Received int
	Publication    ID
	// SentBytes and ReceivedBytes are the sizes of payloads that were sent and
	// received, encoded, as far as they are known.
	SentBytes, ReceivedBytes int
}

// Part is one part of a call or invocation.
type Part struct {
	// Payload is what it carries.
	Payload
	// N counts the parts of one direction, from 1.
	N int
	// Sent reports that this side sends it: a chunk of a call, or a result of an
	// invocation.
	Sent bool
	// Last reports that it is the last of its direction: the final result, or the last
	// chunk of those that are sent.
	Last bool
	// Details are those of a result that was received. They may be nil and must not be
	// changed.
	Details Dict
}

// InterceptorFuncs is an [Interceptor] made of functions. A function that is nil does
// nothing.
type InterceptorFuncs struct {
	// BeginFunc is Begin.
	BeginFunc func(ctx context.Context, op *Op) (context.Context, error)
	// ProgressFunc is Progress.
	ProgressFunc func(ctx context.Context, op *Op, part *Part) error
	// EndFunc is End.
	EndFunc func(ctx context.Context, op *Op, err error)
}

var _ Interceptor = InterceptorFuncs{}

// Begin implements [Interceptor].
func (f InterceptorFuncs) Begin(ctx context.Context, op *Op) (context.Context, error) {
	if f.BeginFunc == nil {
		return ctx, nil
	}
	return f.BeginFunc(ctx, op)
}

// Progress implements [Interceptor].
func (f InterceptorFuncs) Progress(ctx context.Context, op *Op, part *Part) error {
	if f.ProgressFunc == nil {
		return nil
	}
	return f.ProgressFunc(ctx, op, part)
}

// End implements [Interceptor].
func (f InterceptorFuncs) End(ctx context.Context, op *Op, err error) {
	if f.EndFunc != nil {
		f.EndFunc(ctx, op, err)
	}
}

// WithInterceptors adds interceptors to the session. The first one is the outermost: its
// Begin comes first and its End last, and what is received comes to its Progress last,
// or for an invocation or event first. Without any, operations cost nothing more.
//
// Each channel of results, events, invocations or acknowledgements then has a goroutine
// for as long as it lives, on which they run. The channel of a subscription or
// registration is unbuffered: what its consumer has not taken when it ends was not handed
// over. Of package meta, interceptors see only the calls.
func WithInterceptors(interceptors ...Interceptor) Option {
	return optionFunc(func(c *config) error {
		for _, i := range interceptors {
			if i == nil {
				return errors.New("WithInterceptors: an interceptor is nil")
			}
		}
		c.interceptors = append(c.interceptors, interceptors...)
		return nil
	})
}
