package wamp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

const (
	invocationChannel = 16
	invocationCount   = 4096
	invocationBytes   = 64 << 20
	handlers          = 64
)

// Registration is a registered procedure and the channel of its invocations,
// made by [Session.Register].
type Registration struct {
	stream      flow.Stream[*Invocation]
	eng         session.Registration
	s           *Session
	base        context.Context // values of Register's ctx, without its end
	concurrency int
	timeouts    bool          // ForwardTimeout: this callee keeps them
	chunkBytes  int           // bound of the chunks of one invocation
	chunkIdle   time.Duration // ChunkIdle
	err         atomic.Pointer[error]
	refused     atomic.Uint64
	done        chan struct{} // closed when it has ended
	over        chan struct{} // closed when what waits for a handler is to be refused
	what        string        // its handler, for the log
}

// Register registers a procedure, or with [Match] a pattern, and waits for the
// dealer's acknowledgement, for at most [AckTimeout]. Most callees use
// [Session.Handle] instead, which runs a function for each invocation.
//
// ctx governs the registration for its whole life. When ctx ends, the channel
// is closed and UNREGISTER is sent. Invocations that have been read from the
// channel go on; others are answered with wamp.error.unavailable.
//
// The receiver must answer every [Invocation] from the channel once, by
// [Invocation.Return], [Invocation.Fail] or [Invocation.Decline]. One that is
// not answered within 10 s after its context was interrupted is answered in its
// place, with wamp.error.canceled, or wamp.error.timeout after a time limit.
//
// The session closes the channel of [Registration.Invocations] when ctx ends,
// after [Registration.Unregister], when the router revokes the registration,
// and when the session ends; [Registration.Err] then returns why. An invocation
// that finds no room ([Buffer]) is answered with wamp.error.unavailable, so
// that the router may try another callee.
//
// The error wraps an [Error] if the dealer refused, a [FeatureError] if it
// lacks what an option needs, [ErrAckTimeout], a [CanceledError] if ctx ended,
// or a [ClosedError].
//
// See the WAMP specification, "Registering and Unregistering".
func (s *Session) Register(ctx context.Context, procedure string, options ...RegisterOption) (*Registration, error) {
	r, err := s.register(ctx, procedure, options)
	if err != nil {
		return nil, opError("register", procedure, err)
	}
	return r, nil
}

func (s *Session) register(ctx context.Context, procedure string, options []RegisterOption) (*Registration, error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return nil, err
	}
	r := &Registration{s: s, base: context.WithoutCancel(ctx), concurrency: handlers, chunkBytes: chunkBytes, done: make(chan struct{}), over: make(chan struct{})}
	e := &r.eng
	e.Ctx, e.URI, e.Match, e.Sink, e.Ready = ctx, procedure, Exact, (*invocationSink)(r), make(chan error, 1)
	st := &r.stream
	st.Open(ctx, s.eng, invocationChannel)
	st.Policy, st.Count, st.Bytes = flow.Fail, invocationCount, invocationBytes
	st.Discard = func(inv *Invocation) { _ = inv.Decline() }
	st.Cut = func(_ *flow.Stream[*Invocation], n int) (*Invocation, bool) {
		err := s.eng.Undelivered(n)
		r.err.Store(&err)
		return nil, false
	}
	for _, o := range options {
		if o == nil {
			return nil, errNilOption
		}
		if err := o.applyRegister(r); err != nil {
			return nil, s.noted(err)
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

// Invocations returns the channel of the invocations. The session closes it
// when the registration is over; [Registration.Err] then returns why.
func (r *Registration) Invocations() <-chan *Invocation { return r.stream.Ch() }

// Procedure returns the procedure or pattern that was registered.
func (r *Registration) Procedure() string { return r.eng.URI }

// ID returns the dealer's id of the registration. It changes with a reconnect.
func (r *Registration) ID() ID { return r.eng.ID() }

// Err returns why the registration is over, nil while it lives:
// [ErrUnregistered], [ErrDraining], a [CanceledError] after the end of ctx, a
// [RevokedError] or a [ClosedError].
func (r *Registration) Err() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

// setErr says why the channel will be closed. A Close that has cut the stream
// already knows better.
func (r *Registration) setErr(err error) {
	if err != ErrUnregistered && err != ErrDraining { // what its user has asked for is no failure
		err = opError("registration", r.eng.URI, err)
	}
	r.err.CompareAndSwap(nil, &err)
}

// Refused returns how many invocations were answered with
// wamp.error.unavailable because they found no room.
func (r *Registration) Refused() uint64 { return r.refused.Load() }

// Unregister ends the registration and closes its channel at once. UNREGISTER
// is sent after everything that this goroutine has begun before. ctx, and
// [AckTimeout], bound only the wait for the dealer's acknowledgement; the
// registration is over in any case. Invocations that are running go on; those
// that wait are answered with wamp.error.unavailable.
func (r *Registration) Unregister(ctx context.Context) error {
	ctx, err := session.Own(ctx)
	if err != nil {
		return opError("unregister", r.eng.URI, err)
	}
	return opError("unregister", r.eng.URI, r.s.eng.Unregister(ctx, &r.eng))
}

// invocationSink is a Registration as the engine sees it. Its methods run on
// the actor.
type invocationSink Registration

var (
	_ session.InvocationSink = (*invocationSink)(nil)
	_ session.Lossy          = (*invocationSink)(nil)
	_ session.Hoarder        = (*invocationSink)(nil)
)

func (is *invocationSink) Invoke(m *proto.Message) (*session.Invocation, session.Verdict) {
	inv := &Invocation{Details: m.Options, reg: (*Registration)(is)}
	inv.Payload = inv.received(m)
	ctx, cancel := context.WithCancelCause(is.base)
	inv.own = session.InsideContext{Context: ctx, Invocation: inv}
	inv.ctx, inv.eng.Cancel = &inv.own, cancel
	if len(m.Options) > 0 {
		inv.special(cancel)
	}
	verdict := is.stream.Put(inv, session.Cost(m))
	if verdict == session.Overflow {
		is.refused.Add(1)
		inv.eng.Cancel(nil)
	}
	return &inv.eng, verdict
}

func (is *invocationSink) Held() int                  { return is.stream.Held() }
func (is *invocationSink) Shed(n int) session.Verdict { return is.stream.Shed(n) }

func (is *invocationSink) Lost() uint64 {
	n := is.stream.Lost()
	is.refused.Add(n)
	return n
}

func (is *invocationSink) End(e session.End) {
	(*Registration)(is).setErr(e.Err)
	close(is.done)
	if e.Now {
		close(is.over)
	}
	is.stream.Finish(nil, false, e.Now)
}

// inside returns the invocation of this session in whose handler ctx was made,
// nil if there is none.
func (s *Session) inside(ctx context.Context) *Invocation {
	inv, _ := ctx.Value(session.InsideKey{}).(*Invocation)
	if inv == nil || inv.reg.s != s {
		return nil
	}
	return inv
}

// Invocation is one call of a registered procedure. [Invocation.Return],
// [Invocation.Fail] or [Invocation.Decline] answers it, once; in a [Handler]
// the return value does so too. The methods may be called from any goroutine.
type Invocation struct {
	// Payload is what the caller sent; the first chunk of a progressive call.
	Payload
	// Details are the details of the INVOCATION message. They may be nil and
	// must not be changed.
	Details Dict

	eng    session.Invocation
	reg    *Registration
	ctx    context.Context // ends with the invocation: it belongs to it
	own    session.InsideContext
	ended  atomic.Bool
	final  session.Answer
	chunks *chunkStream   // nil unless it is a progressive call
	limit  *limit         // nil unless the callee keeps the timeout
	once   sync.Once      // makes only
	only   <-chan Payload // the chunks of a call that is not progressive
}

// Scan decodes the positional arguments of the call into the values that the
// targets point to; a nil target skips its argument. The error is a
// [ScanError]. See [codec.Payload.Scan].
func (inv *Invocation) Scan(targets ...any) error { return inv.Payload.Scan(targets...) }

// ScanKw decodes the keyword arguments of the call into the struct or map that
// v points to. The error is a [ScanError]. See [codec.Payload.ScanKw].
func (inv *Invocation) ScanKw(v any) error { return inv.Payload.ScanKw(v) }

// Args returns the positional arguments of the call as plain values. See
// [codec.Payload.Args].
func (inv *Invocation) Args() ([]any, error) { return inv.Payload.Args() }

// Kwargs returns the keyword arguments of the call as plain values. See
// [codec.Payload.Kwargs].
func (inv *Invocation) Kwargs() (map[string]any, error) { return inv.Payload.Kwargs() }

// NArgs returns the number of positional arguments of the call.
func (inv *Invocation) NArgs() int { return inv.Payload.NArgs() }

// Context returns the context of the invocation. It ends when the dealer
// interrupts the invocation, with an [Interrupt] as its cause; when the
// connection or the session is lost, with the reason as its cause; by the time
// limits of [ForwardTimeout] and [ChunkIdle]; and when the invocation has been
// answered. It has the values of the context given to [Session.Register], but
// does not end with it.
func (inv *Invocation) Context() context.Context { return inv.ctx }

// Procedure returns the procedure that was called. With a pattern it is the one
// that the caller named.
func (inv *Invocation) Procedure() string {
	if p := inv.Details.Str(proto.KeyProcedure); p != "" {
		return p
	}
	return inv.reg.eng.URI
}

// Caller returns who called, as far as the dealer disclosed it. See
// [DiscloseMe] and [DiscloseCaller].
func (inv *Invocation) Caller() Peer {
	return Peer{Session: inv.Details.ID(proto.KeyCaller), AuthID: inv.Details.Str(proto.KeyCallerAuthID),
		AuthRole: inv.Details.Str(proto.KeyCallerAuthRole)}
}

// TrustLevel returns the trust level that the dealer assigned to the call, and
// whether it assigned one.
func (inv *Invocation) TrustLevel() (level int, ok bool) {
	n, ok := inv.Details.Int(proto.KeyTrustLevel)
	return int(n), ok
}

// Progressive reports whether the caller asked for progressive results.
func (inv *Invocation) Progressive() bool { return inv.Details.Bool(proto.KeyReceiveProgress) }

// Progress sends a progressive result. If the caller did not ask for
// progressive results, nothing is sent. Progress waits for outbound room while
// the context of the invocation lives. Its error is an [EncodeError] for a
// payload that cannot be sent, [ErrAnswered], or the cause of the context.
func (inv *Invocation) Progress(payload Payload) error {
	return opError("progress", inv.reg.eng.URI, inv.progress(payload))
}

func (inv *Invocation) progress(payload Payload) error {
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
	a := answers.Get()
	a.Inv, a.Progress, a.Done = &inv.eng, true, answers.Put
	var err error
	if err = inv.seal(a, ResultPayload, payload); err != nil {
		return err
	}
	return inv.reg.s.eng.Answer(inv.ctx, a)
}

// answers of progressive results are reused: nobody holds one after it has
// been appended to the outbound batch.
var answers = session.NewPool[session.Answer]()

// received is the payload of an INVOCATION, the first of a call or another.
func (inv *Invocation) received(m *proto.Message) Payload {
	s := inv.reg.s
	if s.plain(m) {
		return codec.Received(inv.codec(), m)
	}
	details := m.Options
	if opaqueOf(details) == nil {
		details = inv.Details // what was said of the first chunk holds for all
	}
	return s.open(About{Kind: CallPayload, URI: inv.place()}, m, details)
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
		return s.encode(&a.Body, p)
	}
	var feature proto.Feature
	a.Options, feature, err = s.seal(&a.Body, About{Kind: kind, URI: inv.place(), Error: a.URI}, p)
	if err == nil && a.Options != nil && !s.eng.Has(proto.Dealer, feature) {
		err = &FeatureError{Role: proto.Dealer, Feature: feature}
	}
	return err
}

func (inv *Invocation) codec() codec.Codec { return inv.reg.s.eng.Codec() }

// Return answers the invocation with its final result, which is empty if no
// payload is given. Return never waits, and works after an interrupt too. Its
// error is [ErrAnswered] if the invocation has been answered before, or an
// [EncodeError] for a payload that cannot be sent; the caller then gets
// wamp.error.invalid_payload.
func (inv *Invocation) Return(payload ...Payload) error {
	var p Payload
	if len(payload) > 0 {
		p = payload[0]
	}
	return opError("return", inv.reg.eng.URI, inv.end("", p))
}

// Fail answers the invocation with an error. It never waits. What the caller
// gets depends on err:
//
//   - An [Error], see [NewError], is sent with its URI and payload.
//   - A constant such as [ErrInvalidArgument] is sent with its URI.
//   - [context.DeadlineExceeded] is sent as wamp.error.timeout.
//   - The end of the invocation's context is sent as wamp.error.canceled, or as
//     wamp.error.timeout if a time limit was its cause.
//   - Other errors, nil too, are sent as wamp.error.runtime_error; their text
//     is not disclosed but logged.
//
// An [Error] with a URI that is not valid is sent as wamp.error.runtime_error,
// and Fail returns a [URIError]. Otherwise the error of Fail is that of
// [Invocation.Return].
func (inv *Invocation) Fail(err error) error {
	bad, masked := inv.fail(err)
	if _, is := masked.(*URIError); is && bad == nil { //nolint:errorlint // it is ours
		bad = masked
	}
	return opError("fail", inv.reg.eng.URI, bad)
}

// fail answers with an error. bad is why that was not sent as it should be, masked
// why the caller got another one.
func (inv *Invocation) fail(err error) (bad, masked error) {
	s := inv.reg.s
	uri, payload, looked := proto.ErrURIRuntimeError, Payload{}, false
	defer func() {
		if !looked { // only runtime.Goexit gets here
			_ = inv.end(proto.ErrURIRuntimeError, Payload{})
		}
	}()
	if !s.guarded("the error of a handler", func() { uri, payload, masked = inv.answerOf(err) }) {
		masked = errPanics
	}
	looked = true
	bad = inv.end(uri, payload)
	if masked != nil && bad == nil {
		s.eng.Faults().Warn("wamp: an error was masked for the caller", "procedure", inv.Procedure(), "caller",
			uint64(inv.Caller().Session), "error", errorText(err), "because", errorText(masked))
	}
	return bad, masked
}

// errorText is the text of a user's error, which may panic.
func errorText(err error) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("%T, whose Error panics", err)
		}
	}()
	if err == nil {
		return "nil"
	}
	return err.Error()
}

var errPanics = errors.New("one of its methods has panicked")

var errMasked = errors.New("it is none that was made for callers")

// answerOf is what the caller gets of an error. masked is why it gets something
// else than that error, nil if it does not.
func (inv *Invocation) answerOf(err error) (uri string, payload Payload, masked error) {
	if peer, is := session.Seek[*Error](err); is && peer != nil {
		if bad := proto.CheckURI(peer.URI); bad != nil {
			return proto.ErrURIRuntimeError, Payload{}, bad
		}
		return peer.URI, peer.Payload, nil
	}
	uri = ErrorURI(err)
	switch {
	case uri != "":
		return uri, Payload{}, nil
	case err == nil:
		return proto.ErrURIRuntimeError, Payload{}, errNilError
	case session.Matches(err, context.DeadlineExceeded):
		return proto.ErrURITimeout, Payload{}, nil
	}
	cause := context.Cause(inv.ctx)
	if session.Matches(err, context.Canceled) || session.Matches(err, ErrCanceled) || cause != nil && session.Matches(err, cause) {
		if session.Is(cause, ErrTimeout) {
			return proto.ErrURITimeout, Payload{}, nil
		}
		return proto.ErrURICanceled, Payload{}, nil
	}
	return proto.ErrURIRuntimeError, Payload{}, errMasked
}

var (
	errNilError   = errors.New("the error is nil")
	errNotEncoded = errors.New("the payload was not encoded")
)

// Decline answers the invocation with wamp.error.unavailable, so that a dealer
// with call re-routing tries the next callee. Its error is [ErrAnswered] if the
// invocation has been answered before.
//
// See the WAMP specification, "Call Rerouting".
func (inv *Invocation) Decline() error {
	return opError("decline", inv.reg.eng.URI, inv.end(proto.ErrURIUnavailable, Payload{}))
}

// end answers. A payload that cannot be encoded, or whose marshaler panics or
// calls runtime.Goexit, leaves the caller an error, and is logged: the caller is
// not told what was wrong with it.
func (inv *Invocation) end(uri string, p Payload) error {
	if !inv.ended.CompareAndSwap(false, true) {
		return ErrAnswered
	}
	a := &inv.final
	a.Inv, a.URI = &inv.eng, uri
	bad := errNotEncoded
	answer := func() error {
		if bad != nil {
			a.URI, a.Args, a.Kwargs, a.Options = proto.ErrURIInvalidPayload, nil, nil, nil
		}
		err := inv.reg.s.eng.Answer(inv.ctx, a)
		inv.eng.Cancel(nil)
		return err
	}
	sealed := false
	defer func() {
		if !sealed { // only runtime.Goexit gets here
			_ = answer()
		}
	}()
	kind := ResultPayload
	if uri != "" {
		kind = ErrorPayload
	}
	bad = inv.seal(a, kind, p)
	sealed = true
	if err := answer(); bad == nil {
		return err
	}
	inv.reg.s.eng.Faults().Error("wamp: an answer was not sent", "procedure", inv.Procedure(), "error", errorText(bad))
	return bad
}

// Handler answers one invocation. ctx is the context of the invocation. A
// handler that returns nil without having answered sends an empty result; an
// error that it returns is sent as by [Invocation.Fail].
type Handler func(ctx context.Context, inv *Invocation) error

// Handle registers a procedure, as [Session.Register] does, and runs h for each
// invocation, each time on a goroutine of its own. Up to [Concurrency]
// invocations run at once, 64 by default; others wait in the registration's
// [Buffer].
//
// A handler that panics, or calls [runtime.Goexit], is answered for with
// wamp.error.runtime_error and logged with its stack. One that goes on for 10 s
// after its context was interrupted is answered for with wamp.error.canceled, or
// wamp.error.timeout after a time limit, is logged, and still counts as running.
//
// ctx governs the registration as in [Session.Register], and the errors are the
// same. Handlers that run when the registration ends go on.
func (s *Session) Handle(ctx context.Context, procedure string, h Handler, options ...RegisterOption) (*Service, error) {
	if h == nil {
		return nil, opError("register", procedure, errors.New("the handler is nil"))
	}
	r, err := s.register(ctx, procedure, options)
	v := &Service{r}
	if err == nil {
		r.what = "the handler of " + procedure
		tally := s.eng.NewTally("invocation of "+procedure+" still runs", "invocations of "+procedure+" still run")
		if err = s.eng.Go(func() { r.serve(h, tally) }); err != nil {
			tally.Close()
			for range r.stream.Ch() { // what came before the session was over goes to nobody
			}
		}
	}
	if err != nil {
		return nil, opError("register", procedure, err)
	}
	return v, nil
}

// Service is a registered procedure whose invocations go to a [Handler], made
// by [Session.Handle].
type Service struct{ r *Registration }

// Done returns a channel that is closed when the registration is over;
// [Service.Err] then returns why. Invocations that have arrived by then may still
// be handled.
func (v *Service) Done() <-chan struct{} { return v.r.done }

// Procedure returns the procedure or pattern that was registered.
func (v *Service) Procedure() string { return v.r.Procedure() }

// ID returns the dealer's id of the registration. It changes with a reconnect.
func (v *Service) ID() ID { return v.r.ID() }

// Err returns why the registration is over, nil while it lives:
// [ErrUnregistered], [ErrDraining], a [CanceledError] after the end of ctx, a
// [RevokedError] or a [ClosedError].
func (v *Service) Err() error { return v.r.Err() }

// Refused returns how many invocations were answered with
// wamp.error.unavailable because they found no room.
func (v *Service) Refused() uint64 { return v.r.Refused() }

// Unregister ends the registration at once. UNREGISTER is sent after everything
// that this goroutine has begun before. ctx, and [AckTimeout], bound only the
// wait for the dealer's acknowledgement; the registration is over in any case.
// Handlers that are running go on; invocations that wait for one are answered
// with wamp.error.unavailable.
func (v *Service) Unregister(ctx context.Context) error { return v.r.Unregister(ctx) }

// serve takes the invocations until the registration is over. Those that have
// not begun when it is are refused, or where the session has ended, whose
// answers would go nowhere, dropped.
func (r *Registration) serve(h Handler, tally *session.Tally) {
	defer tally.Close()
	slots := make(chan struct{}, r.concurrency)
	for inv := range r.stream.Ch() {
		select {
		case <-r.over:
			_ = inv.Decline()
			continue
		default:
		}
		select {
		case slots <- struct{}{}:
		case <-r.over:
			_ = inv.Decline()
			continue
		case <-r.s.eng.Done():
			continue
		}
		inv.eng.Handled = true
		tally.Go(func() {
			defer func() { <-slots }()
			inv.run(h)
		})
	}
}

func (inv *Invocation) run(h Handler) {
	answered := false
	defer func() {
		if !answered { // it panicked, or called runtime.Goexit
			_ = inv.end(proto.ErrURIRuntimeError, Payload{})
		}
	}()
	answered = inv.reg.s.eng.Guard(inv.reg.what, func() {
		if err := h(inv.ctx, inv); err != nil {
			_, _ = inv.fail(err) // its methods are the user's too
		} else {
			_ = inv.end("", Payload{})
		}
	})
}
