package wamp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

const (
	invocationChannel = 16
	invocationCount   = 4096
	invocationOctets  = 64 << 20
	handlers          = 64
)

// Registration is a registered procedure and the channel of its invocations.
type Registration struct {
	stream      stream[*Invocation]
	eng         session.Registration
	s           *Session
	base        context.Context // values of Register's ctx, without its end
	concurrency int
	timeouts    bool // ForwardTimeout: this callee keeps them
	chunkOctets int  // bound of the chunks of one invocation
	err         atomic.Pointer[error]
	refused     atomic.Uint64
}

// Register registers a procedure and waits for the dealer's acknowledgement,
// no longer than AckTimeout. ctx owns the registration: when it ends, the
// channel is closed and UNREGISTER goes out; invocations that are running go
// on, and later ones are answered wamp.error.unavailable.
//
// Every Invocation that comes out of the channel must be ended by Return or
// Fail. The channel is closed by the session, on the end of ctx, Unregister,
// revocation by the router, or the end of the session; Err then says why.
// An invocation that finds no room (Buffer) is answered with
// wamp.error.unavailable, so that the router may try another callee.
//
// The error is an *Error if the dealer refused, a *FeatureError if it lacks
// what an option needs, ErrAckTimeout, or ctx's.
//
// See WAMP, "Registering".
func (s *Session) Register(ctx context.Context, procedure string, options ...RegisterOption) (*Registration, error) {
	r := &Registration{s: s, base: context.WithoutCancel(ctx), concurrency: handlers, chunkOctets: chunkOctets}
	e := &r.eng
	e.Ctx, e.URI, e.Match, e.Sink = ctx, procedure, Exact, (*invocationSink)(r)
	e.AckTimeout, e.Ready = s.ackTimeout, make(chan error, 1)
	st := &r.stream
	st.ch, st.eng, st.ctx = make(chan *Invocation, invocationChannel), s.eng, ctx
	st.policy, st.count, st.octets = Fail, invocationCount, invocationOctets
	st.cut = func(_ *stream[*Invocation], n int) (*Invocation, bool) {
		err := undelivered(s.eng, n)
		r.err.Store(&err)
		return nil, false
	}
	for _, o := range options {
		if err := o.applyRegister(r); err != nil {
			return nil, err
		}
	}
	if err := proto.CheckPattern(procedure, e.Match); err != nil {
		return nil, err
	}
	if err := s.eng.Register(e); err != nil {
		return nil, err
	}
	if err := <-e.Ready; err != nil {
		return nil, err
	}
	return r, nil
}

// Invocations is the channel of the invocations. It is closed when the
// registration is over; Err then says why.
func (r *Registration) Invocations() <-chan *Invocation { return r.stream.ch }

// Procedure is the procedure or pattern that was registered.
func (r *Registration) Procedure() string { return r.eng.URI }

// ID is the dealer's id of the registration.
func (r *Registration) ID() ID { return r.eng.ID() }

// Err says why the channel was closed, nil while the registration lives:
// ErrUnregistered, ctx's error, a *RevokedError or a *ClosedError.
func (r *Registration) Err() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

// setErr says why the channel will be closed. A Close that has cut the stream
// already knows better.
func (r *Registration) setErr(err error) { r.err.CompareAndSwap(nil, &err) }

// Refused counts the invocations that found no room.
func (r *Registration) Refused() uint64 { return r.refused.Load() }

// Unregister ends the registration and closes its channel at once. ctx bounds
// the wait for the dealer's acknowledgement only; the registration is over in
// any case. Running invocations go on.
func (r *Registration) Unregister(ctx context.Context) error {
	return r.s.eng.Unregister(ctx, &r.eng)
}

// invocationSink is a Registration as the engine sees it. Its methods run on
// the actor.
type invocationSink Registration

func (is *invocationSink) Invoke(m *proto.Message) (*session.Invocation, session.Verdict) {
	inv := &Invocation{Details: m.Options, reg: (*Registration)(is)}
	inv.Payload = inv.received(m)
	ctx, cancel := context.WithCancelCause(is.base)
	inv.ctx, inv.eng.Cancel = ctx, cancel
	if len(m.Options) > 0 {
		inv.special(cancel)
	}
	verdict := is.stream.put(inv, len(m.Args)+len(m.Kwargs)+overhead)
	if verdict == session.Overflow {
		is.refused.Add(1)
		inv.eng.Cancel(nil)
	}
	return &inv.eng, verdict
}

func (is *invocationSink) End(e session.End) {
	(*Registration)(is).setErr(e.Err)
	is.stream.finish(nil, false, e.Now)
}

// Invocation is one call of a registered procedure. Exactly one of Return,
// Fail and Decline ends it; its methods may be called from any goroutine.
type Invocation struct {
	// Payload is what the caller sent.
	Payload
	// Details are INVOCATION.Details. They may be nil and must not be changed.
	Details Dict

	eng    session.Invocation
	reg    *Registration
	ctx    context.Context // ends with the invocation: it belongs to it
	ended  atomic.Bool
	final  session.Answer
	chunks *chunkStream // nil unless it is a progressive call
	limit  *limit       // nil unless the callee keeps the timeout
	once   sync.Once    // makes only
	only   chan Payload // the chunks of a call that is not progressive
}

// Context ends when the dealer interrupts the invocation, when the session is
// lost, or when the invocation has been ended; its cause says which: an
// *Interrupt, a *ClosedError, or nothing of ours. It has the values of
// Register's ctx, but does not end with it.
func (inv *Invocation) Context() context.Context { return inv.ctx }

// Procedure is the procedure that was called: with pattern-based registration
// the caller's, otherwise the registered one.
func (inv *Invocation) Procedure() string {
	if p := inv.Details.Str("procedure"); p != "" {
		return p
	}
	return inv.reg.eng.URI
}

// Caller is who calls, as far as the dealer disclosed it.
func (inv *Invocation) Caller() Peer {
	return Peer{Session: inv.Details.ID("caller"), AuthID: inv.Details.Str("caller_authid"),
		AuthRole: inv.Details.Str("caller_authrole")}
}

// TrustLevel is the trust level that the dealer gave the call, and whether it
// gave one.
func (inv *Invocation) TrustLevel() (level int, ok bool) {
	n, ok := inv.Details.Int("trustlevel")
	return int(n), ok
}

// Progressive reports whether the caller asked for progressive results.
func (inv *Invocation) Progressive() bool { return inv.Details.Bool("receive_progress") }

// Progress sends a progressive result. It waits for outbound room while the
// invocation's context lives. Where the caller did not ask for progressive
// results nothing is sent.
func (inv *Invocation) Progress(payload Payload) error {
	if inv.ended.Load() {
		return ErrAnswered
	}
	if err := context.Cause(inv.ctx); err != nil {
		return err
	}
	if !inv.Progressive() {
		return nil
	}
	if inv.limit != nil {
		inv.limit.rearm()
	}
	a := answers.Get().(*session.Answer)
	a.Inv, a.Progress, a.Done = &inv.eng, true, putAnswer
	var err error
	if err = inv.seal(a, ResultPayload, payload); err != nil {
		return err
	}
	return inv.reg.s.eng.Answer(inv.ctx, a)
}

// answers of progressive results are reused: nobody holds one after it has
// been appended to the outbound batch.
var answers = sync.Pool{New: func() any { return new(session.Answer) }}

func putAnswer(a *session.Answer) {
	*a = session.Answer{}
	answers.Put(a)
}

// received is the payload of an INVOCATION, the first of a call or another.
func (inv *Invocation) received(m *proto.Message) Payload {
	if inv.reg.s.payloads == nil {
		return codec.Received(inv.codec(), m)
	}
	details := m.Options
	if opaqueOf(details) == nil {
		details = inv.Details // what was said of the first chunk holds for all
	}
	return inv.reg.s.open(About{Kind: CallPayload, URI: inv.place()}, details, codec.Received(inv.codec(), m))
}

// place is the procedure that the payloads of the invocation belong to.
func (inv *Invocation) place() string {
	return place(inv.reg.eng.URI, inv.reg.eng.Match, inv.Procedure())
}

// seal encodes what an invocation is answered with. An error without a payload
// has nothing to seal.
func (inv *Invocation) seal(a *session.Answer, kind Kind, p Payload) (err error) {
	s := inv.reg.s
	if s.payloads == nil || kind == ErrorPayload && p.Empty() {
		a.Args, a.Kwargs, err = encode(p, inv.codec(), a.Scratch[:0])
		return err
	}
	var feature proto.Feature
	a.Args, a.Kwargs, a.Options, feature, err = s.seal(About{Kind: kind, URI: inv.place(), Error: a.URI}, p, a.Scratch[:0])
	if err == nil && a.Options != nil && !s.eng.Has(proto.Dealer, feature) {
		err = &FeatureError{Role: proto.Dealer, Feature: feature}
	}
	return err
}

func (inv *Invocation) codec() codec.Codec { return inv.reg.s.eng.Codec() }

// Return ends the invocation with its final result, empty without a payload.
// It never waits, and works after an interrupt too. It returns ErrAnswered if
// the invocation has been ended already, or the error of a payload that cannot
// be encoded, which the caller then gets as wamp.error.invalid_payload.
func (inv *Invocation) Return(payload ...Payload) error {
	var p Payload
	if len(payload) > 0 {
		p = payload[0]
	}
	return inv.end("", p)
}

// Fail ends the invocation with an error. An *Error, or a sentinel such as
// ErrInvalidArgument, reaches the caller as it is; the end of the invocation's
// context as wamp.error.canceled, or wamp.error.timeout if that was its cause;
// anything else as wamp.error.runtime_error,
// without its text, which may be nobody else's business. It never waits.
func (inv *Invocation) Fail(err error) error {
	var peer *Error
	if errors.As(err, &peer) {
		return inv.end(peer.URI, peer.Payload)
	}
	uri := ErrorURI(err)
	switch {
	case uri != "":
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled) && errors.Is(context.Cause(inv.ctx), ErrTimeout):
		uri = proto.ErrURITimeout
	case errors.Is(err, context.Canceled):
		uri = proto.ErrURICanceled
	default:
		uri = proto.ErrURIRuntimeError
	}
	return inv.end(uri, Payload{})
}

// Decline ends the invocation with wamp.error.unavailable: a dealer that
// re-routes calls tries the next callee.
func (inv *Invocation) Decline() error { return inv.end(proto.ErrURIUnavailable, Payload{}) }

func (inv *Invocation) end(uri string, p Payload) error {
	if !inv.ended.CompareAndSwap(false, true) {
		return ErrAnswered
	}
	a := &inv.final
	a.Inv, a.URI = &inv.eng, uri
	var bad error
	kind := ResultPayload
	if uri != "" {
		kind = ErrorPayload
	}
	if bad = inv.seal(a, kind, p); bad != nil {
		a.URI, a.Args, a.Kwargs, a.Options = proto.ErrURIInvalidPayload, nil, nil, nil
	}
	err := inv.reg.s.eng.Answer(inv.ctx, a)
	inv.eng.Cancel(nil)
	if bad != nil {
		return bad
	}
	return err
}

// Handler answers one invocation. ctx is the invocation's context. Returning
// nil without Return sends an empty result; an error is sent as Fail does.
type Handler func(ctx context.Context, inv *Invocation) error

// Handle registers a procedure and runs the handler for each invocation, up to
// Concurrency at once (default 64); what comes beyond waits in the
// registration's buffer. A handler that panics answers
// wamp.error.runtime_error, and the panic is logged with its stack. ctx owns
// the registration as in Register.
func (s *Session) Handle(ctx context.Context, procedure string, h Handler, options ...RegisterOption) (*Registration, error) {
	r, err := s.Register(ctx, procedure, options...)
	if err != nil {
		return nil, err
	}
	if err := s.eng.Go(func() { r.serve(h) }); err != nil {
		for range r.stream.ch { // what came before the session was over goes to nobody
		}
		return nil, err
	}
	return r, nil
}

// serve takes the invocations until the registration is over. Those that have
// not begun when the session ends never do: their answers would go nowhere.
func (r *Registration) serve(h Handler) {
	slots := make(chan struct{}, r.concurrency)
	for inv := range r.stream.ch {
		select {
		case slots <- struct{}{}:
		case <-r.s.eng.Done():
			continue
		}
		r.s.eng.GoHandler(func() {
			defer func() { <-slots }()
			inv.run(h)
		})
	}
}

func (inv *Invocation) run(h Handler) {
	defer func() {
		if p := recover(); p != nil {
			inv.reg.s.logPanic(inv.Procedure(), p)
			_ = inv.end(proto.ErrURIRuntimeError, Payload{})
		}
	}()
	err := h(inv.ctx, inv)
	if err != nil {
		err = inv.Fail(err)
	} else {
		err = inv.Return()
	}
	if err != nil && err != ErrAnswered && !errors.Is(err, ErrSessionClosed) {
		inv.reg.s.logger.Error("wamp: an answer was not sent", "procedure", inv.Procedure(), "error", err)
	}
}
