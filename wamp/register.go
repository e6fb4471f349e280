package wamp

import (
	"context"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

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
	stream       flow.Stream[*Invocation]
	registration session.Registration
	s            *Session
	base         context.Context // values of Register's ctx, without its end
	concurrency  int
	handled      bool          // by Handle
	timeouts     bool          // ForwardTimeout: this callee keeps them
	chunkBytes   int           // bound of the chunks of one invocation
	chunkIdle    time.Duration // ChunkIdle
	end          ending
	refused      atomic.Uint64
	done         chan struct{} // closed when it has ended
	over         chan struct{} // closed when what waits for a handler is to be refused
	what         string        // its handler, for the log
	reader       reader
	relay        *handleRelay[*Invocation] // its channel, where the session has interceptors
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
	r, err := s.register(ctx, procedure, options, false)
	if err != nil {
		return nil, opError("register", procedure, err)
	}
	return r, nil
}

func (s *Session) register(ctx context.Context, procedure string, options []RegisterOption, handled bool) (_ *Registration, err error) {
	ctx, err = session.Own(ctx)
	if err != nil {
		return nil, err
	}
	r := &Registration{s: s, handled: handled, base: context.WithoutCancel(ctx), concurrency: handlers, chunkBytes: chunkBytes, done: make(chan struct{}), over: make(chan struct{})}
	e := &r.registration
	e.Ctx, e.URI, e.Match, e.Sink, e.Ready = ctx, procedure, Exact, (*invocationSink)(r), make(chan error, 1)
	st := &r.stream
	st.OpenBlocks(ctx, s.eng, invocationChannel)
	st.Policy, st.Count, st.Bytes, st.Pool = flow.Fail, invocationCount, invocationBytes, &invocationBlocks
	st.Discard = func(inv *Invocation) { _ = inv.Decline() }
	st.Cut = func(_ *flow.Stream[*Invocation], n int) (*Invocation, bool) {
		r.end.cut(s, "registration", procedure, n)
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
	if s.interceptors != nil {
		r.relay = &handleRelay[*Invocation]{}
		over, bad := s.seeHandle(ctx, OpRegister, procedure, e.Match, &e.Options)
		if bad != nil {
			return nil, bad
		}
		defer func() { over(err) }()
	}
	if err = s.eng.Register(e); err == nil {
		err = <-e.Ready
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Invocations returns the channel of the invocations, the same each time. The
// session closes it when the registration is over; [Registration.Err] then
// returns why.
//
// A registration is read by its channel or by [Registration.All]. Where All came
// first, Invocations returns a closed channel, although the registration lives and
// Err returns nil; that is logged.
func (r *Registration) Invocations() <-chan *Invocation {
	if !r.reader.byChannel() {
		r.s.eng.Note(session.RecordTwoReaders, slog.String("procedure", r.registration.URI))
		return flow.Of[*Invocation]()
	}
	if r.relay != nil {
		return r.relay.channel(r.registration.Ctx, r.s, r.feed, r.each)
	}
	return r.stream.Ch()
}

// All returns an iterator over the invocations, which costs less for each of them
// than the channel of [Registration.Invocations] and is like it in all else. The
// error is nil but for the last pair, which has no invocation and says why the
// registration is over, as [Registration.Err] does. After
// [Registration.Unregister] and [Session.Drain] there is no such pair.
//
// Leaving the loop does not end the registration: invocations that come wait, and
// another loop goes on where this one was left. Only one loop can read at a time, and
// none after Invocations was called: such a loop yields a single pair, with an error.
func (r *Registration) All() iter.Seq2[*Invocation, error] {
	if r == nil {
		return noLoop[*Invocation]("registration")
	}
	each := r.stream.Each
	if r.relay != nil {
		each = r.each
	}
	return loop(&r.reader, &r.end, "registration", r.registration.URI, each)
}

// Procedure returns the procedure or pattern that was registered.
func (r *Registration) Procedure() string { return r.registration.URI }

// ID returns the dealer's id of the registration. It changes with a reconnect.
func (r *Registration) ID() ID { return r.registration.ID() }

// Err returns why the registration is over, nil while it lives:
// [ErrUnregistered], [ErrDraining], a [CanceledError] after the end of ctx, a
// [RevokedError] or a [ClosedError].
func (r *Registration) Err() error { return r.end.why() }

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
		return opError("unregister", r.registration.URI, err)
	}
	return opError("unregister", r.registration.URI, r.s.eng.Unregister(ctx, &r.registration))
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
	inv.own.Of = (*insideOf)(inv)
	inv.invocation.Context, inv.invocation.Request = &inv.own, m.Request
	if len(m.Options) > 0 {
		inv.special()
	}
	verdict := is.stream.Put(inv, session.Cost(m))
	if verdict == session.Overflow {
		is.refused.Add(1)
		inv.invocation.Context.Cancel(nil)
	}
	return &inv.invocation, verdict
}

func (is *invocationSink) Held() int                  { return is.stream.Held() }
func (is *invocationSink) Shed(n int) session.Verdict { return is.stream.Shed(n) }

func (is *invocationSink) Lost() uint64 {
	n := is.stream.Lost()
	is.refused.Add(n)
	return n
}

func (is *invocationSink) End(e session.End) {
	is.end.over("registration", is.registration.URI, e.Err)
	close(is.done)
	if e.Now {
		close(is.over)
	}
	is.relay.cancel(e.Now)
	is.stream.Finish(nil, false, e.Now)
}
