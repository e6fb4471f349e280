package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Session is one WAMP session: a handle on the actor, safe for concurrent use.
type Session struct {
	cfg   *settings
	door  doorbell
	box   mailbox
	dials *connector // of the one attempt at a time

	ctx    context.Context // root of everything the session starts
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the session is over
	gone   chan struct{} // closed when actor and link are gone
	hurry  chan struct{} // closed when a Close waits for nobody any more
	hasten sync.Once

	feeders   crew         // goroutines of streams that deliver a backlog
	handlers  crew         // goroutines that run users' code
	links     crew         // attempts to dial, and old links on their way out
	leavers   atomic.Int64 // of handlers: those in which a Close is called
	producers *Tally       // of handlers: those that produce for a stream
	details   atomic.Pointer[Details]
	maxSend   atomic.Int64 // of the link, or the last one
	codec     codec.Codec
	stats     atomic.Pointer[Stats]
	rtt       roundTrips
	stuck     atomic.Bool // the last connection does not end
	letting   atomic.Bool // the end does not wait for consumers who hold the link back

	// Actor only.
	core  *core
	link  *link           // nil while there is none
	msgs  []proto.Message // taken from the link's inbox
	pos   int             // msgs[:pos] have been received
	data  post            // taken from the mailbox; empty between two turns
	ctl   []op            // so are these
	later []op            // control operations that wait while the core is behind
	late  []op            // those that came when the session was over
	timer *time.Timer
	armed time.Time // when timer fires, zero if it is not set
	busy  time.Time // until then it does not yield
	slow  int       // for how many times as long as the last turn that took long it does not
}

// Connect dials, joins and starts the session. ctx bounds that and owns
// nothing afterwards.
func Connect(ctx context.Context, cfg Config) (*Session, error) {
	dials := &connector{cfg: newSettings(cfg), protocols: cfg.Protocols}
	j, err := dials.first(ctx)
	if err != nil {
		return nil, err
	}
	// Payloads that are encoded already must fit the next link too.
	dials.protocols = []transport.Protocol{j.protocol}
	s := &Session{cfg: dials.cfg, dials: dials, done: make(chan struct{}), gone: make(chan struct{}), hurry: make(chan struct{}), codec: j.codec}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.door.bell = make(chan struct{}, 1)
	s.box.door, s.box.limit = &s.door, s.cfg.Outbound
	s.box.failFast = s.cfg.Reconnect != nil && s.cfg.Reconnect.FailFast
	s.producers = s.NewTally("producer still runs", "producers still run")
	s.core = newCore(s.cfg, s)
	s.core.linkUp(j)
	go s.run() // the actor; ends with the session, Close waits for it
	return s, nil
}

// Windows are those of the requests that the router has to acknowledge.
func (s *Session) Windows() Windows { return s.cfg.Windows }

// Codec is the serializer agreed on.
func (s *Session) Codec() codec.Codec { return s.codec }

// Details are what is known of the session.
func (s *Session) Details() *Details { return s.details.Load() }

// Agreed is what the Handshake has returned at the last join.
func (s *Session) Agreed() any { return s.details.Load().agreed }

// Context ends with the session; its cause is the session's error.
func (s *Session) Context() context.Context { return s.ctx }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil while the session lives, then a *ClosedError: from the moment that its
// context ends.
func (s *Session) Err() error { return context.Cause(s.ctx) }

// Undelivered is the end of a stream that Close has cut: n values were lost.
func (s *Session) Undelivered(n int) error {
	e := &ClosedError{Undelivered: n}
	if was, is := Find[*ClosedError](s.Err()); is {
		e.Reason = was.Reason
	}
	return e
}

// Call hands a call over. While there is no outbound room it waits under the
// call's context. An error means that the sink will never be ended.
func (s *Session) Call(call *Call) error {
	if call.Timeout > 0 && call.Begun.IsZero() {
		call.Begun = time.Now()
	}
	return s.box.put(call.Ctx, call, call.size())
}

// CancelCall cancels a call that was handed over; err ends its stream. A call
// that is over is left alone.
func (s *Session) CancelCall(call *Call, err error) {
	// Behind the call itself and its chunks.
	_ = s.box.force(&cancelOp{call, err}, 0)
}

// Chunk hands a chunk of a progressive call over. It waits for outbound room
// under ctx.
func (s *Session) Chunk(ctx context.Context, k *Chunk) error { return s.box.put(ctx, k, k.size()) }

// Publish hands an acknowledged publish over, as Call does.
func (s *Session) Publish(p *Publish) error { return s.PublishWithin(p.Ctx, p) }

// PublishWithin is Publish that waits for outbound room under ctx, which may end
// before the publish's own.
func (s *Session) PublishWithin(ctx context.Context, p *Publish) error {
	return s.box.put(ctx, p, p.size())
}

// Subscribe hands a subscription over, as Call does. Its outcome comes on
// Ready.
func (s *Session) Subscribe(sub *Subscription) error { return s.box.put(sub.Ctx, sub, sub.size()) }

// Register hands a registration over, as Call does. Its outcome comes on
// Ready.
func (s *Session) Register(r *Registration) error { return s.box.put(r.Ctx, r, r.size()) }

// MostCopied is how large a message is at most that is copied when it is handed over.
// A larger one is the engine's from then on.
const MostCopied = 16 << 10

// Answer hands a callee's answer over, with its message (see MostCopied). A
// progressive one waits for outbound room under ctx, an end never waits.
func (s *Session) Answer(ctx context.Context, a Answer) error {
	if cap(a.Message) <= MostCopied {
		if done, err := s.box.answer(a); done || err != nil {
			return err
		}
		a.Message = slices.Clone(a.Message)
	}
	o := answerOp(a)
	if !a.Progress {
		return s.box.force(&o, a.cost())
	}
	return s.box.put(ctx, &o, a.cost())
}

// Unsubscribe ends a subscription and waits for the router's answer under ctx.
func (s *Session) Unsubscribe(ctx context.Context, sub *Subscription) error { return s.drop(ctx, sub) }

// Unregister ends a registration and waits for the router's answer under ctx.
func (s *Session) Unregister(ctx context.Context, r *Registration) error { return s.drop(ctx, r) }

func (s *Session) drop(ctx context.Context, h handled) error {
	o := &leaveOp{h: h, done: make(chan error, 1)}
	if s.box.forced(o) {
		return wait(ctx, o.done)
	}
	return nil
}

func wait(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		if Is(err, ErrSessionClosed) {
			return nil // it is gone with the session
		}
		return err
	case <-ctx.Done():
		learn(ctx)
		return newCanceled(ctx)
	}
}

// Ungate takes back one Gate verdict: the sink has room again.
func (s *Session) Ungate() { s.box.control(ungateOp{}) }

type ungateOp struct{}

func (ungateOp) apply(c *core) { c.ungate() }
func (ungateOp) refuse(error)  {}

// Feed starts a stream's feeder goroutine. Close waits for it, and closes the
// channel it is given when it waits for nobody any more.
func (s *Session) Feed(feeder func(hurry <-chan struct{})) {
	s.feeders.start(func() { feeder(s.hurry) }) // owned by the stream; ends when its backlog is read, or hurried
}

// Go runs f in a goroutine that Close waits for. f must return when the session ends,
// which Context tells. When the session is over it does nothing and returns the session's
// error.
func (s *Session) Go(f func()) error {
	if s.box.spawn(&s.feeders, f) {
		return nil
	}
	return s.closedErr()
}

// GoFeeder is Go for a goroutine that delivers to a consumer. The channel that f
// is given is closed when Close waits for nobody any more.
func (s *Session) GoFeeder(f func(hurry <-chan struct{})) error {
	return s.Go(func() { f(s.hurry) })
}

// GoProducer runs a user's code in a goroutine that Close waits for, but no
// longer than a second. When the session is over it does nothing and returns the
// session's error.
func (s *Session) GoProducer(f func()) error {
	if s.box.spawn(&s.handlers, func() {
		s.producers.n.Add(1)
		defer s.producers.left()
		f()
	}) {
		return nil
	}
	return s.closedErr()
}

// Guard runs a user's code and reports whether it has returned. A panic is
// logged and counted as one of what; so is a runtime.Goexit, behind which only
// deferred functions run.
func (s *Session) Guard(what string, f func()) (returned bool) {
	return guard(what, s.cfg.log.fault, f)
}

// Panicked logs and counts a panic of a user's code that was recovered elsewhere
// and became an error.
func (s *Session) Panicked(what string, p any, stack []byte) {
	s.cfg.log.panicked(what, p, string(stack))
}

// PublishOnce hands a publish over of which nobody is told more: what stands against
// it is said now, as far as it is known. While there is no outbound room it waits under
// ctx. rest is the message without its id, as that of a Publish (see MostCopied).
func (s *Session) PublishOnce(ctx context.Context, topic string, rest []byte, roomy bool, needs []Need) error {
	if !s.details.Load().Roles.Has(proto.Broker) {
		return &FeatureError{Role: proto.Broker, NoRole: true}
	}
	for _, n := range needs {
		if !s.Has(n.Role, n.Feature) {
			return n.missing()
		}
	}
	if limit := int(s.maxSend.Load()); len(rest) > limit/2 { // it is worth a closer look
		if n := mostBytes(s.codec, proto.Publish, rest, roomy); n > limit {
			return tooBig(proto.Publish, n, limit)
		}
	}
	if ctx.Err() != nil {
		return newCanceled(ctx)
	}
	if len(needs) == 0 && cap(rest) <= MostCopied {
		if done, err := s.box.post(topic, rest); done || err != nil {
			return err
		}
	}
	p := &Publish{Ctx: ctx, URI: topic, Needs: needs, Rest: rest, Roomy: roomy}
	if cap(rest) <= MostCopied {
		p.Rest = append(p.Scratch[:0], rest...)
	}
	return s.box.put(ctx, p, p.size())
}

// Has reports whether the router has a feature, as far as is known now.
func (s *Session) Has(role proto.Role, f proto.Feature) bool {
	return s.cfg.features(s.details.Load(), role).Has(f)
}

// Ping asks the peer for a pong and returns the round-trip time. Where a ping may
// end the link, or there is none, it makes a call instead, of which any answer
// counts. ctx bounds the wait; a missing pong does not end the session.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	o := &pingOp{s: s, link: make(chan *link, 1)}
	if !s.box.control(o) {
		return 0, s.closedErr()
	}
	l := <-o.link
	if l == nil {
		if s.ctx.Err() != nil {
			return 0, s.closedErr()
		}
		return 0, ErrNotConnected
	}
	start := time.Now()
	if err := l.ask(ctx, s); err != nil {
		return 0, ctxError(ctx, err, "")
	}
	d := time.Since(start)
	s.rtt.add(d)
	s.ponged()
	return d, nil
}

type pingOp struct {
	s    *Session
	link chan *link
}

func (o *pingOp) apply(*core)  { o.link <- o.s.link }
func (o *pingOp) refuse(error) { o.link <- nil }

func (s *Session) closedErr() error {
	<-s.done
	return context.Cause(s.ctx)
}

// States returns a channel of the session's states: the present one, and each
// that follows. A state that was not read when the next one came is folded
// into it. The channel is closed when ctx ends, and after the closed state.
func (s *Session) States(ctx context.Context) <-chan State {
	w := &stateWatcher{Latest: flow.NewLatest[State]()}
	o := &statesOp{w: w}
	// A context that has ended already may take the listener out before it is
	// in: it is marked then, and is not let in.
	w.stop = afterFunc(ctx, func() { s.box.control(&unlistenOp{w}) })
	if !s.box.control(o) {
		<-s.done
		o.refuse(context.Cause(s.ctx))
	}
	return w.Ch()
}
