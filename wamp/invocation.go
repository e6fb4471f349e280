package wamp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Invocation is one call of a registered procedure. [Invocation.Return],
// [Invocation.Fail] or [Invocation.Decline] answers it, once; in a [Handler]
// the return value does so too. The methods may be called from any goroutine.
type Invocation struct {
	// Payload is what the caller sent; the first chunk of a progressive call.
	Payload
	// Details are the details of the INVOCATION message. They may be nil and
	// must not be changed.
	Details Dict

	invocation session.Invocation
	reg        *Registration
	own        session.InsideContext
	more       *invocationMore                // nil for most
	only       atomic.Pointer[<-chan Payload] // the chunks of a call that is not progressive, once they were asked for
	ended      atomic.Bool
}

// invocationMore is what few invocations have.
type invocationMore struct {
	limit  *limit          // nil unless the callee keeps the timeout
	seen   *seen           // nil without interceptors
	ctx    context.Context // what they have made of the invocation's context; it is that
	watch  atomic.Pointer[watch]
	chunks seenChunks // which they see, of a progressive call
}

// insideOf is an Invocation as its context sees it.
type insideOf Invocation

func (i *insideOf) Base() context.Context { return i.reg.base }

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
// connection is lost, with an [OutcomeUnknown] that wraps the reason as its
// cause; when the session ends, with a [ClosedError]; by the time limits of
// [ForwardTimeout] and [ChunkIdle]; and when the invocation has been answered. It
// has the values of the context given to [Session.Register], but does not end with
// it.
func (inv *Invocation) Context() context.Context {
	switch more := inv.more; {
	case more == nil:
	case more.ctx != nil:
		return more.ctx
	case more.limit != nil:
		return more.limit.ctx
	}
	return &inv.own
}

// Procedure returns the procedure that was called. With a pattern it is the one
// that the caller named.
func (inv *Invocation) Procedure() string {
	if p := inv.Details.Str(proto.KeyProcedure); p != "" {
		return p
	}
	return inv.reg.registration.URI
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
	return opError("progress", inv.reg.registration.URI, inv.progress(payload))
}

func (inv *Invocation) progress(payload Payload) (err error) {
	if inv.ended.Load() {
		return ErrAnswered
	}
	if err := inv.over(); err != nil {
		return err
	}
	if !inv.Progressive() {
		return nil
	}
	if inv.more != nil {
		if inv.more.limit != nil {
			inv.more.limit.rearm()
		}
		if payload, err = inv.sees(payload, false); err != nil {
			return err
		}
	}
	m := proto.Message{Type: proto.Yield, Options: yieldProgress}
	buf := buffers.Get().(*buffer)
	defer buf.free()
	if err := inv.encode(buf, &m, payload); err != nil {
		return err
	}
	return inv.reg.s.eng.Answer(inv.Context(), session.Answer{Inv: &inv.invocation, Progress: true, Message: buf.data, Roomy: buf.roomy})
}

var yieldProgress = Dict{{Key: proto.KeyProgress, Value: true}}

// received is the payload of an INVOCATION, the first of a call or another.
func (inv *Invocation) received(m *proto.Message) Payload {
	s := inv.reg.s
	if s.plain(m) {
		return codec.Received(inv.codec(), m)
	}
	details := m.Options
	if passthru.Described(details) == nil {
		details = inv.Details // what was said of the first chunk holds for all
	}
	return s.open(seal.About{Kind: seal.KindCall, URI: inv.place()}, m, details)
}

// place is the procedure that the payloads of the invocation belong to.
func (inv *Invocation) place() string {
	return passthru.Place(inv.reg.registration.URI, inv.reg.registration.Match, inv.Procedure())
}

// encode writes into a buffer what an invocation is answered with. An error without a
// payload has nothing to seal.
func (inv *Invocation) encode(buf *buffer, m *proto.Message, p Payload) (err error) {
	s := inv.reg.s
	m.Request = inv.invocation.Request
	kind := seal.KindResult
	if m.Type == proto.Error {
		m.RequestType, kind = proto.Invocation, seal.KindError
	}
	var o *seal.Opaque
	if s.payloads != nil && (kind == seal.KindResult || !p.Empty()) {
		var keys Dict
		var feature proto.Feature
		if o, keys, feature, err = s.opaque(s.sealer(), seal.About{Kind: kind, URI: inv.place(), Error: m.URI}, p); err != nil {
			return err
		}
		if o != nil && !s.eng.Has(proto.Dealer, feature) {
			return &FeatureError{Role: proto.Dealer, Feature: feature}
		}
		m.Options, _ = with(m.Options, nil, proto.Dealer, keys, feature)
	}
	if m.Args, p, err = s.form(p, o); err != nil {
		return err
	}
	if n := codec.Bulk(s.eng.Codec(), &p); n > session.MostCopied {
		buf.data, buf.roomy = session.Roomy(transport.Headroom, n), true
	}
	buf.data, err = codec.AppendWith(s.eng.Codec(), buf.data, m, p)
	return s.noted(err)
}

func (inv *Invocation) codec() codec.Codec { return inv.reg.s.eng.Codec() }

// Return answers the invocation with its final result, which is empty if no
// payload is given. Return never waits, and works after an interrupt too; nil does
// not mean that the caller gets it, since the connection may be lost. Its
// error is [ErrAnswered] if the invocation has been answered before, or an
// [EncodeError] for a payload that cannot be sent; the caller then gets
// wamp.error.invalid_payload.
func (inv *Invocation) Return(payload ...Payload) error {
	var p Payload
	if len(payload) > 0 {
		p = payload[0]
	}
	return opError("return", inv.reg.registration.URI, inv.answer(p))
}

// Fail answers the invocation with an error. It never waits. What the caller
// gets depends on err:
//
//   - An [Error] that was made here, see [NewError] and [Errorf], is sent with its
//     URI and payload.
//   - A constant such as [ErrInvalidArgument] is sent with its URI.
//   - An Error that was received, from another call or any other operation, is sent
//     as it is if its URI is one of an application. A URI that begins with "wamp."
//     would say something of the call that is answered: it is sent as
//     wamp.error.runtime_error, and logged. NewError with its URI passes it on.
//   - [context.DeadlineExceeded], and the time limit of another call whoever kept it,
//     is sent as wamp.error.timeout.
//   - [context.Canceled] and the end of the invocation's context are sent as
//     wamp.error.canceled, or as wamp.error.timeout if a time limit was its cause. The
//     end of another context, by which a nested operation was cancelled, is not.
//   - What cannot be encoded, or opened, is sent as wamp.error.invalid_payload, and logged.
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
	return opError("fail", inv.reg.registration.URI, bad)
}

// fail answers with an error. bad is why that was not sent as it should be, masked
// why the caller got another one.
func (inv *Invocation) fail(err error) (bad, masked error) {
	s := inv.reg.s
	uri, payload, looked := proto.ErrURIRuntimeError, Payload{}, false
	defer func() {
		if !looked { // only runtime.Goexit gets here
			_ = inv.end(proto.ErrURIRuntimeError, Payload{}, err)
		}
	}()
	if !s.guarded("the error of a handler", func() { uri, payload, masked = inv.answerOf(err) }) {
		masked = errPanics
	}
	looked = true
	bad = inv.end(uri, payload, err)
	if masked != nil && bad == nil {
		s.eng.Note(session.RecordMasked, slog.String("procedure", inv.Procedure()), slog.Uint64("caller", uint64(inv.Caller().Session)),
			slog.String("error", errorText(err)), slog.String("because", errorText(masked)))
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
	return session.Redact(err)
}

var errPanics = errors.New("one of its methods has panicked")

var (
	errMasked  = errors.New("only an Error or an Err constant is passed on")
	errForeign = errors.New("it was received, and is about another operation than this call")
)

// answerOf is what the caller gets of an error. masked is why it gets something
// else than that error, nil if it does not.
func (inv *Invocation) answerOf(err error) (uri string, payload Payload, masked error) {
	told := session.Tell(err)
	said := told.Made
	if said == nil && told.Constant == "" {
		said = told.Received
	}
	switch {
	case said != nil:
		if bad := proto.CheckURI(said.URI); bad != nil {
			return proto.ErrURIRuntimeError, Payload{}, bad
		}
		return said.URI, said.Payload, nil
	case told.Constant != "":
		return told.Constant, Payload{}, nil
	case err == nil:
		return proto.ErrURIRuntimeError, Payload{}, errNilError
	case session.MatchesHere(err, context.DeadlineExceeded):
		return proto.ErrURITimeout, Payload{}, nil
	}
	cause := inv.over()
	_, other := session.Find[*CanceledError](err) // an operation, by a context that may be another
	if (cause != nil || !other) && (session.MatchesHere(err, context.Canceled) || session.MatchesHere(err, ErrCanceled)) || cause != nil && endedBy(err, cause) {
		if session.Is(cause, ErrTimeout) {
			return proto.ErrURITimeout, Payload{}, nil
		}
		return proto.ErrURICanceled, Payload{}, nil
	}
	switch {
	case session.Matches(err, context.DeadlineExceeded): // the router has kept the limit of another call
		return proto.ErrURITimeout, Payload{}, nil
	case told.Standard != nil:
		return proto.ErrURIRuntimeError, Payload{}, errForeign
	}
	_, shut := session.Find[unopened](err)
	_, unsent := session.Find[*EncodeError](err)
	_, panics := session.Find[*PanicError](err)
	if shut || unsent && !panics {
		return proto.ErrURIInvalidPayload, Payload{}, errMasked
	}
	return proto.ErrURIRuntimeError, Payload{}, errMasked
}

// endedBy reports whether an error is the end of the invocation's context, or what the
// callee of another call has said when that was cancelled by it.
func endedBy(err, cause error) bool {
	return session.Matches(err, cause) || session.Matches(err, ErrCanceled) || session.Matches(err, ErrTimeout)
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
	return opError("decline", inv.reg.registration.URI, inv.end(proto.ErrURIUnavailable, Payload{}, ErrUnavailable))
}

// answer answers with a result, which the interceptors may replace.
func (inv *Invocation) answer(p Payload) error {
	if inv.more == nil || inv.more.seen == nil {
		return inv.end("", p, nil)
	}
	if inv.ended.Load() {
		return ErrAnswered
	}
	p, err := inv.sees(p, true)
	if err != nil {
		_, _ = inv.fail(err)
		return err
	}
	return inv.end("", p, nil)
}

// end answers, which outcome is for the interceptors. A payload that cannot be encoded, or whose marshaler panics or
// calls runtime.Goexit, leaves the caller an error, and is logged: the caller is
// not told what was wrong with it.
func (inv *Invocation) end(uri string, p Payload, outcome error) error {
	if !inv.ended.CompareAndSwap(false, true) {
		return ErrAnswered
	}
	if inv.more != nil && inv.more.seen != nil {
		cause := inv.cause() // before the answer ends it
		defer func() { inv.seenOver(cause, outcome) }()
	}
	buf := buffers.Get().(*buffer)
	defer buf.free()
	bad := errNotEncoded
	answer := func() error {
		if bad != nil {
			buf.data, buf.roomy = buf.data[:0], false
			_ = inv.encode(buf, &proto.Message{Type: proto.Error, URI: proto.ErrURIInvalidPayload}, Payload{})
		}
		err := inv.reg.s.eng.Answer(inv.Context(), session.Answer{Inv: &inv.invocation, Message: buf.data, Roomy: buf.roomy})
		inv.invocation.Context.Cancel(nil)
		return err
	}
	encoded := false
	defer func() {
		if !encoded { // only runtime.Goexit gets here
			_ = answer()
		}
	}()
	m := proto.Message{Type: proto.Yield}
	if uri != "" {
		m.Type, m.URI = proto.Error, uri
	}
	bad = inv.encode(buf, &m, p)
	encoded = true
	if err := answer(); bad == nil {
		return err
	}
	inv.reg.s.eng.Note(session.RecordUnsent, slog.String("procedure", inv.Procedure()), slog.String("error", errorText(bad)))
	return bad
}

// special prepares an invocation for what few have: chunks, and a timeout that
// the callee keeps.
func (inv *Invocation) special() {
	reg := inv.reg
	if reg.timeouts {
		if ms, ok := inv.Details.Int(proto.KeyTimeout); ok && ms > 0 {
			inv.keep(time.Duration(min(ms, maxTimeout)) * time.Millisecond)
		}
	}
	if !inv.Details.Bool(proto.KeyProgress) {
		return
	}
	k := &chunkStream{inv: inv}
	st := &k.stream
	st.Open(inv.Context(), reg.s.eng, chunkChannel)
	st.Policy, st.Bytes = reg.stream.Policy, reg.chunkBytes
	st.Cut = func(*flow.Stream[Payload], int) (Payload, bool) { return Payload{}, false }
	inv.invocation.Chunks = k
	inv.invocation.Idle = reg.chunkIdle
	k.stream.Put(inv.Payload, 0) // finds room: the channel is empty
}

// maxTimeout is what a time.Duration can hold, in milliseconds.
const maxTimeout = int64(1<<63-1) / int64(time.Millisecond)

// limit is a timeout that the callee keeps. It bounds the time to the first
// result and between results, or where only one result can come is the deadline of
// the invocation's context.
type limit struct {
	own   *session.InsideContext
	ctx   context.Context //nolint:containedctx // that of the invocation
	after time.Duration
	timer *time.Timer // nil where it is a deadline
	stop  context.CancelFunc
	late  func() bool
}

// Cancel implements session.Canceler.
func (l *limit) Cancel(cause error) {
	if l.timer != nil {
		l.timer.Stop()
	} else {
		l.late()
	}
	l.own.Cancel(cause)
	if l.stop != nil {
		l.stop()
	}
}

// cause is why the invocation's context has ended, nil if it has not.
func (inv *Invocation) cause() error {
	if inv.more == nil || inv.more.limit == nil {
		return inv.own.Cause()
	}
	return context.Cause(inv.more.limit.ctx)
}

// over is why the context that the user's code has was ended, nil if it was not: an
// interceptor may have ended it, too.
func (inv *Invocation) over() error {
	if inv.more == nil || inv.more.ctx == nil {
		return inv.cause()
	}
	return context.Cause(inv.more.ctx)
}

// keep makes the invocation's context end by its timeout. Where only one result
// can come that is the context's deadline, which everything called under it
// then sees.
func (inv *Invocation) keep(after time.Duration) {
	cause := &TimeoutError{After: after}
	l := &limit{own: &inv.own, ctx: &inv.own, after: after}
	inv.more, inv.invocation.Context = &invocationMore{limit: l}, l
	if inv.Progressive() {
		l.timer = time.AfterFunc(after, func() {
			inv.own.Cancel(cause)
			inv.reg.s.eng.Overdue(&inv.invocation, cause)
		})
		return
	}
	l.ctx, l.stop = context.WithTimeoutCause(l.ctx, after, cause)
	l.late = context.AfterFunc(l.ctx, func() { inv.reg.s.eng.Overdue(&inv.invocation, cause) })
}

// rearm starts the time anew, unless it is up.
func (l *limit) rearm() {
	if l.timer != nil && l.timer.Stop() {
		l.timer.Reset(l.after)
	}
}

// inside returns the handler of this session in which ctx was made, nil if there is
// none.
func (s *Session) inside(ctx context.Context) *session.Within {
	switch i := ctx.Value(session.InsideKey{}).(type) {
	case *insideOf:
		if i.reg.s == s {
			inv := &(*Invocation)(i).invocation
			return &session.Within{Invocation: inv, Run: &inv.Run}
		}
	case *session.RunContext:
		if v, is := i.Of.(*Consumer); is && v.sub.s == s {
			return &session.Within{Subscription: &v.sub.subscription, Run: &i.Run}
		}
	}
	return nil
}
