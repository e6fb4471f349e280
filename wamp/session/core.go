package session

import (
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/ring"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// core is the actor's state and its step function. Only the actor touches it
// (in tests: the one goroutine that drives it). It never blocks: it appends to
// the outbound batch, calls Sinks, and leaves wishes for its host.
type core struct {
	cfg  *settings
	host host
	log  *journal

	// what the current session is; set by joined.
	codec   codec.Codec
	details *Details
	broker  proto.FeatureSet
	dealer  proto.FeatureSet
	maxSend int
	gen     uint64 // of the link

	state  proto.State
	reason error // why the session ended; valid once ended
	ended  bool

	// outbound: messages not yet handed to the link.
	out     *transport.Batch
	outCost int // bytes of the mailbox bound that are in out
	outSeq  uint64
	msg     proto.Message // the message being sent: one for all, so that sending allocates nothing
	head    []byte        // of a large message, what stands in front of its payload
	sentSeq uint64        // batches up to this one were handed to the link
	lastID  proto.ID      // the last request id that was issued

	// timers that start when the outbound batch is handed to the link.
	onWritten []*timer

	requests      ring.Table[proto.ID, request] // what waits for an answer, by request id
	subscriptions ordered[*Subscription]
	topics        map[topicKey]*topic
	topicsByID    map[proto.ID]*topic // the first of those that share the id
	registrations ordered[*Registration]
	procedures    map[proto.ID]*procedure
	invocations   ring.Table[proto.ID, *Invocation]
	unfinished    ring.Set[proto.ID] // progressive invocations that ended before their last chunk: what still comes is dropped

	handleWindow handleWindow
	ackWindow    ackWindow
	acks         int // publishes that wait for their acknowledgement

	watches watchers
	timers  timers
	gates   int // streams under policy Block that are full

	testaments testaments
	life       life
	blame      blame
	notes      notes
	health     health
	memory     memory
	order      uint64 // of handles, one after the other
	drains     []*drainOp
	consumers  map[*Subscription]struct{} // whose handlers run, or will
	draining   bool                       // Drain was called: nothing is registered any more
	closing    bool                       // Close was called: GOODBYE goes out after the operations before it
	closeNow   bool                       // and it is out of time: nothing is waited for
	goodbye    bool                       // the router has answered our GOODBYE
	finished   bool                       // the link is to be shut: out goes out, then the link closes
	stats      Stats
}

// host is what the core asks of the goroutine that drives it.
type host interface {
	// now is the current time.
	now() time.Time
	// watch arranges for ctxDone to be applied when the group's ctx ends.
	watch(g *ctxGroup)
	// linkDown is called when the link is lost or given up, with the reason;
	// what is in the outbound batch is still sent if last is set.
	linkDown(last bool, cause error)
	// dial starts an attempt; linkUpOp or dialFailedOp is its outcome.
	dial(attempt int)
	// linkUp is called when an attempt has joined, before anything is sent on the
	// new link.
	linkUp(j *joiner)
	// consult runs a user's code off the actor; what it returns is applied, or
	// where it does not return, otherwise.
	consult(f func() op, otherwise op)
	// crowded is how many operations wait to be handed over, and since when.
	crowded() (n int, since time.Time)
	// mistake takes note of something that the engine must not do.
	mistake(what string)
	// sessionEnded is called once, when core.ended has become true.
	sessionEnded()
}

// request is an entry of the pending table.
type request interface {
	// requestType is the message that was sent.
	requestType() proto.MessageType
	// reply takes the acknowledgement (Traits.Reply) and reports whether the
	// entry stays.
	reply(c *core, m *proto.Message) (stays bool)
	// fail takes the ERROR.
	fail(c *core, err *Error)
	// lost is called when the session is over.
	lost(c *core, err error)
	// suspend is called when the link is lost and there will be another. The
	// request has been taken out of the table; what it returns is to be done
	// again on the next link, nil if nothing is.
	suspend(c *core, reason error) parked
	// written is the batch it was written in, and its size in bytes.
	written() (seq uint64, size int)
	// users reports whether an answer to it is one to an operation of the
	// user's, and not to a login, a restore or a probe.
	users() bool
}

func newCore(cfg *settings, h host) *core {
	c := &core{
		cfg: cfg, host: h, log: cfg.log, state: proto.StateClosed,
		out:        new(transport.Batch),
		outSeq:     1,
		topics:     map[topicKey]*topic{},
		topicsByID: map[proto.ID]*topic{},
		procedures: map[proto.ID]*procedure{},
	}
	c.timers.epoch = h.now()
	c.watches.init()
	c.handleWindow.init(cfg.Windows.Handles)
	c.ackWindow.init(cfg.Windows.Publishes)
	c.life.policy, c.life.route = cfg.Reconnect, cfg.Rotation
	c.memory.limit = cfg.Memory
	return c
}

// linkUp goes on with the link of an attempt that has joined.
func (c *core) linkUp(j *joiner) {
	c.host.linkUp(j)
	c.joined(j.details, j.codec, j.maxSend)
	for _, o := range j.odds {
		c.odd(o)
	}
}

// joined starts the session on a fresh link.
func (c *core) joined(d *Details, cd codec.Codec, maxSend int) {
	c.gen++
	c.details, c.codec, c.maxSend = d, cd, maxSend
	c.broker = c.cfg.features(d, proto.Broker)
	c.dealer = c.cfg.features(d, proto.Dealer)
	c.state = proto.StateEstablished
	c.lastID, c.unfinished = 0, ring.Set[proto.ID]{}
	again := c.life.waiting
	c.life.joined(c.host.now())
	c.blame.linkUp()
	c.notes.linkUp(c)
	c.setState(State{Phase: Joined, Details: d})
	if again {
		c.restore()
	}
	c.isUp()
}

// need reports the error of a missing feature, nil if the router has it.
func (c *core) need(n Need) error {
	if n.in(c.broker, c.dealer) {
		return nil
	}
	return n.missing()
}

// needRole reports the error of a missing role.
func (c *core) needRole(role proto.Role) error {
	if c.details.Roles.Has(role) {
		return nil
	}
	return &FeatureError{Role: role, NoRole: true}
}

func (c *core) needAll(needs []Need) error {
	for _, n := range needs {
		if err := c.need(n); err != nil {
			return err
		}
	}
	return nil
}

// send appends a request with a fresh id to the outbound batch. Where the
// message cannot be encoded or is too big, no id is used up.
func (c *core) send(m *proto.Message) (proto.ID, error) {
	m.Request = c.lastID.Next()
	if err := c.emit(m); err != nil {
		return 0, err
	}
	c.lastID = m.Request
	return m.Request, nil
}

// sendRest is send of a message that is encoded but for its id. n is the first byte of
// what codec.AppendRest has made, and rest is what stands behind that.
func (c *core) sendRest(t proto.MessageType, n byte, rest []byte) (proto.ID, error) {
	id := c.lastID.Next()
	c.out.Begin()
	c.out.Buf = codec.AppendRequestHead(c.codec, c.out.Buf, t, id, n)
	c.out.Buf = codec.AppendEnd(c.codec, append(c.out.Buf, rest...))
	if err := c.finishMessage(t); err != nil {
		return 0, err
	}
	c.lastID = id
	return id, nil
}

// adoptRest is sendRest of what begins at an offset of RestRoom, and is not copied.
func (c *core) adoptRest(t proto.MessageType, n byte, whole []byte, again bool) (proto.ID, error) {
	id := c.lastID.Next()
	c.head = codec.AppendRequestHead(c.codec, c.head[:0], t, id, n)
	if err := c.adopt(t, codec.AppendEnd(c.codec, whole), RestRoom+1, again); err != nil {
		return 0, err
	}
	c.lastID = id
	return id, nil
}

// emit appends a message to the outbound batch.
func (c *core) emit(m *proto.Message) error {
	c.out.Begin()
	buf, err := c.codec.AppendMessage(c.out.Buf, m)
	if err != nil {
		c.out.Discard()
		return err
	}
	c.out.Buf = buf
	return c.finishMessage(m.Type)
}

// finishMessage ends the message at the end of the batch, or takes it out where the
// peer would not take it.
func (c *core) finishMessage(t proto.MessageType) error {
	n := c.out.Size()
	if n > c.maxSend {
		c.out.Discard()
		return tooBig(t, n, c.maxSend)
	}
	c.out.End()
	c.stats.Sent++
	c.stats.BytesSent += uint64(n)
	return nil
}

func tooBig(t proto.MessageType, size, limit int) error {
	return fmt.Errorf("%w: %s of %d bytes, the peer takes %d", ErrPayloadTooBig, t, size, limit)
}

// emitControl appends a small message of our own making; it always encodes.
func (c *core) emitControl(m *proto.Message) {
	if err := c.emit(m); err != nil {
		c.host.mistake("cannot encode " + m.Type.String() + ": " + err.Error())
	}
}

// handed notes that the outbound batch goes to the link now: from here on its
// messages count as written.
func (c *core) handed() {
	c.sentSeq = c.outSeq
	c.outSeq++
	now := c.host.now()
	c.blame.wrote(c.sentSeq, now)
	for i, t := range c.onWritten {
		if t.wanted {
			c.timers.start(t, now.Add(t.after))
		}
		c.onWritten[i] = nil
	}
	c.onWritten = c.onWritten[:0]
}

// violation gives the link up because the router broke the protocol. What has
// not been written stays unwritten: nothing goes out behind an ABORT, nor just
// in front of it.
func (c *core) violation(t proto.MessageType, reason string, cause error) {
	err := &ProtocolError{Message: t, Reason: reason, Err: cause}
	text := reason
	if t != 0 {
		text = t.String() + ": " + reason
	}
	c.lastWords(&proto.Message{
		Type: proto.Abort, URI: proto.ErrURIProtocolViolation,
		Options: proto.Dict{{Key: proto.KeyMessage, Value: text}},
	})
	c.lose(err)
}

// lastWords puts a message in the place of all that waits to be written: it is
// the last one of its link.
func (c *core) lastWords(m *proto.Message) {
	c.out.Reset(keepBatch)
	if m != nil {
		c.emitControl(m)
	}
	c.finished = true
}

// receive takes one message from the link.
func (c *core) receive(m *proto.Message) {
	c.stats.Received++
	if m.Odd != nil {
		c.odd(m.Odd)
	}
	if c.state == proto.StateClosing && m.Type != proto.Goodbye && m.Type != proto.Abort {
		if tr := m.Type.Traits(); tr != nil && tr.FromRouter&proto.StateClosing != 0 {
			c.stats.Dropped++
			return
		}
	}
	tr := m.Type.Traits()
	if tr == nil || tr.FromRouter&c.state == 0 {
		c.violation(m.Type, "must not come from a router while the session is "+c.state.String(), nil)
		return
	}
	switch m.Type {
	case proto.Result:
		c.onResult(m)
	case proto.Event:
		c.stats.Events++
		c.onEvent(m)
	case proto.Invocation:
		c.onInvocation(m)
	case proto.Interrupt:
		c.onInterrupt(m)
	case proto.Unsubscribed:
		if m.Request == 0 {
			if !odd(m, proto.OddID) {
				c.onSubscriptionRevoked(m)
			}
			return
		}
		c.onReply(m)
	case proto.Unregistered:
		if m.Request == 0 {
			if !odd(m, proto.OddID) {
				c.onRegistrationRevoked(m)
			}
			return
		}
		c.onReply(m)
	case proto.Error:
		c.onError(m)
	case proto.Goodbye:
		c.onGoodbye(m)
	case proto.Abort:
		c.lastWords(nil)
		c.lose(newAbortError(c.codec, m))
	default:
		if m.Type.Answers() != 0 {
			c.onReply(m)
			return
		}
		c.violation(m.Type, "unexpected while the session is "+c.state.String(), nil)
	}
}

// answered finds the pending request that m answers. A request that was never
// issued is a violation; one that is over already is dropped and counted.
func (c *core) answered(m *proto.Message, want proto.MessageType) request {
	r := c.requests.Get(m.Request)
	if r == nil {
		if m.Request == 0 || m.Request > c.lastID {
			c.violation(m.Type, fmt.Sprintf("answers request %d, which was never sent", m.Request), nil)
			return nil
		}
		c.stats.Late++
		return nil
	}
	if t := r.requestType(); t != want {
		c.violation(m.Type, fmt.Sprintf("answers request %d, which is a %s", m.Request, t), nil)
		return nil
	}
	return r
}

// onReply takes the acknowledgement of a request (Traits.Reply).
func (c *core) onReply(m *proto.Message) {
	if m.ID == 0 && (m.Type == proto.Subscribed || m.Type == proto.Registered) {
		c.violation(m.Type, "its id is 0", nil)
		return
	}
	if r := c.answered(m, m.Type.Answers()); r != nil {
		c.life.heard(r)
		if !r.reply(c, m) {
			c.requests.Delete(m.Request)
		}
	}
}

func (c *core) onError(m *proto.Message) {
	tr := m.RequestType.Traits()
	if tr == nil || !tr.ErrorTo || m.RequestType == proto.Invocation {
		if m.RequestType == proto.Cancel || m.RequestType == proto.Yield { // nexus answers those it does not like
			c.stats.Late++
			return
		}
		c.violation(proto.Error, fmt.Sprintf("names request type %d, which a client does not send", m.RequestType), nil)
		return
	}
	if r := c.answered(m, m.RequestType); r != nil {
		c.life.heard(r)
		if r.users() {
			c.stats.Errors++
		}
		c.requests.Delete(m.Request)
		r.fail(c, newError(c.codec, m))
	}
}

func (c *core) onGoodbye(m *proto.Message) {
	if c.state == proto.StateClosing {
		c.goodbye = true
		c.finished = true
		c.end(nil)
		return
	}
	// What waits to be sent would come too late, and has not been written yet.
	c.lastWords(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
	c.lose(&GoodbyeError{Reason: m.URI, Message: m.Options.Str(proto.KeyMessage)})
}

// linkLost is the end of the link without a GOODBYE.
func (c *core) linkLost(err error) {
	if c.ended {
		return
	}
	if c.state == proto.StateClosing { // the router hung up instead of answering
		c.finished = true
		c.end(nil)
		return
	}
	c.lose(&LinkError{Err: err})
}

// end is the one path that closes a session. reason is nil after Close.
func (c *core) end(reason error) {
	if c.ended {
		return
	}
	c.ended = true
	c.reason = reason
	c.state = proto.StateClosed
	closed := &ClosedError{Reason: reason}
	c.watches.close()
	c.endRequests(closed)
	for _, waiting := range []*list[parked]{&c.blame.suspects, &c.life.behind, &c.life.parked} {
		for _, p := range waiting.take() {
			p.refuse(closed)
		}
	}
	c.life.waiting = false
	c.ackWindow.refuse(closed)
	c.cutInvocations(closed)
	for _, s := range c.subscriptions.all() {
		s.drop(c, closed, false)
	}
	for _, r := range c.registrations.all() {
		r.drop(c, closed, false)
	}
	c.handleWindow.refuse(c, closed)
	clear(c.topics)
	clear(c.topicsByID)
	clear(c.procedures)
	c.timers.clear()
	for _, o := range c.drains {
		o.refuse(closed)
	}
	c.drains = nil
	c.isLeft(Closed, closed)
	c.setState(State{Phase: Closed, Cause: reason})
	c.host.sessionEnded()
}

// endRequests ends what waits for an answer, in the order it was sent.
func (c *core) endRequests(err error) {
	for _, id := range c.requests.IDs() {
		r := c.requests.Get(id)
		c.requests.Delete(id)
		r.lost(c, err)
	}
}

// settle does what is left for the end of a turn in which everything that had come
// has been applied.
func (c *core) settle() {
	if c.ended {
		return
	}
	if c.closing || c.closeNow {
		c.sayGoodbye()
	}
	if c.blame.probing != nil {
		c.nextSuspect()
	}
	if c.memory.held.Load() > c.memory.limit {
		c.relieve()
	}
	if len(c.drains) > 0 {
		c.drained()
	}
}

// tick fires what is due.
func (c *core) tick(now time.Time) {
	for {
		t := c.timers.due(now)
		if t == nil {
			return
		}
		t.owner.expire(c)
	}
}
