package simtest_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// simTicket is everybody's: lists of receivers go by the authid.
const simTicket = "open"

// simWorld is what surrounds the session in the simulation in fake time: the
// router, a peer that is caller, callee and publisher, and the link.
type simWorld struct {
	t      *testing.T
	m      *sim.Model
	codec  codec.Codec
	router *wamptest.Router
	s      *wamp.Session
	peer   *wamp.Session
	events chan sim.Action // of the peer, in their order
	over   chan struct{}   // closed when the world ends

	mu      sync.Mutex
	ops     map[int]*simOp
	present *linkSpy // the link
	held    map[proto.ID]*holding
	noDial  int
	refuse  int
	reason  string
	session atomic.Pointer[wamp.Session] // once it is there
	got     atomic.Uint64                // messages that the session was given, but for those of logins
	delay   time.Duration                // until the router notices the next loss
	drain   context.Context
	closing bool // Close was called
	mutes   map[int]*simMute
	deny    map[string]int
	odd     map[string]int

	queue      int           // acknowledgements that the router keeps for the session
	sequential bool          // operations are handed over one after the other
	seen       simSeen       // by the session's interceptor
	letGo      chan struct{} // closed when handlers that never end may

	sealed seal.Codec // of all sessions, nil for none

	gather   int          // so many operations are to reach the session in one turn
	gathered []sim.Action // those that have come; under the lock
}

// simMute is how often the router does not acknowledge something, or does it late.
type simMute struct {
	n    int
	late time.Duration
}

// holding is what the router holds for one session, as its messages say.
type holding struct {
	link   int
	asked  map[proto.ID]int      // SUBSCRIBE, REGISTER
	leaves map[proto.ID]proto.ID // UNSUBSCRIBE, UNREGISTER
	topics map[int]proto.ID
	names  map[proto.ID]int // of all topics that it ever had
	regs   map[int]proto.ID

	published map[proto.ID]int    // publishes that are acknowledged
	streamed  map[proto.ID][2]int // publishes of streams
	waiting   int                 // acknowledgements that the session has not read
	quiet     map[proto.ID]bool   // subscriptions that were not acknowledged: nothing retained is sent for them
}

// registered is a registration with a handler, or with a channel.
type registered interface {
	ID() wamp.ID
	Err() error
	Unregister(ctx context.Context) error
}

// subscribed is a subscription with a handler, or with a channel.
type subscribed interface {
	Err() error
	Unsubscribe(ctx context.Context) error
}

// simOp is an operation with its context.
type simOp struct {
	ctx    context.Context
	cancel context.CancelFunc
	sub    subscribed
	reg    registered
	chunks chan wamp.Payload // of a progressive call
	sent   int               // chunks behind the first
	policy string            // of a subscription
	view   *view             // of what is followed, nil if nothing is
	slow   chan struct{}     // closed when its consumer reads again, nil if it does
	dead   bool              // it never does
}

func newSimWorld(t *testing.T, seed uint64, setup sim.Action) *simWorld {
	t.Helper()
	start := time.Now()
	windows := setup.Windows()
	w := &simWorld{t: t, ops: map[int]*simOp{}, held: map[proto.ID]*holding{}, events: make(chan sim.Action, 1<<12), over: make(chan struct{}),
		mutes: map[int]*simMute{}, deny: map[string]int{}, odd: map[string]int{}, letGo: make(chan struct{}),
		queue: windows[0] + windows[1] + 8, sequential: setup.Kind == sim.Setup && setup.After > 0}
	w.codec = []codec.Codec{codec.CBOR, codec.JSON, codec.MsgPack}[seed%3]
	if seed%4 == 3 { // what is agreed on at each join, and payloads that only the ends open
		p, err := seal.NewProfile1([]seal.Key{{ID: "sim", Match: wamp.Prefix, Secret: make([]byte, 32)}}, seal.Required())
		if err != nil {
			t.Fatal(err)
		}
		w.sealed = p
	}
	w.m = sim.NewModel(func() time.Duration { return time.Since(start) })
	w.router = wamptest.NewRouter(t, wamptest.WithSeed(seed), wamptest.WithHistory(1<<20), wamptest.WithLogins(wamptest.Ticket(func(string, string) (string, string, bool) {
		return simTicket, "anybody", true
	})), wamptest.WithE2EE(wamptest.E2EE{Ciphers: []string{"aes256gcm"}}))
	policy := wamp.Backoff{Max: time.Second, Random: func() float64 { return 0.5 }}
	var err error
	w.peer, err = wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(w.router.Dial), wamp.WithReconnect(policy),
		wamp.WithAuth(authn.Ticket(sim.PeerID, simTicket, authn.AllowPlaintext())), wamp.WithPayloadCodec(w.sealed))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		sessiontest.Handle(t, w.peer, sim.ProcedureURI(n), w.callee, wamp.Concurrency(1<<20))
	}
	sessiontest.Handle(t, w.peer, sim.NumbersURI, countOn, wamp.Concurrency(1<<20))
	wills := sessiontest.Subscribe(t, w.peer, sim.TopicURI(sim.WillTopic)) // the hook sees what comes
	go func() {                                                            // ends with the peer
		for range wills.Events() {
		}
	}()
	go w.publishEvents() // ends with the world
	w.router.SetHook(w.hook)
	policy.FailFast = setup.How == sim.FailFast
	options := []wamp.Option{wamp.WithTransport(w.dial), wamp.WithReconnect(policy), wamp.WithSerializers(w.codec), wamp.WithOutbound(1000),
		wamp.WithAuth(authn.Ticket(sim.SelfID, simTicket, authn.AllowPlaintext())), wamp.WithWindow(windows[0], windows[1]), wamp.WithPayloadCodec(w.sealed),
		wamp.WithKeepalive(wamp.Keepalive{Interval: 3 * time.Second, Timeout: 2 * time.Second, RawSocket: true})}
	if setup.Kind == sim.Setup && setup.Up > 0 {
		options = append(options, wamp.WithInterceptors(&w.seen))
	}
	if setup.Policy != "" {
		options = append(options, wamp.WithLogger(slog.New(&simLogger{w: w, how: setup.Policy})))
	}
	w.s, err = wamp.Connect(t.Context(), "", "realm1", options...)
	if err != nil {
		t.Fatal(err)
	}
	w.session.Store(w.s)
	go func() { // ends with the session
		<-w.s.Done()
		w.m.SessionOver(w.s.Err().Error())
	}()
	return w
}

// end lets go of everything.
func (w *simWorld) end() {
	w.m.Rest()
	w.mu.Lock()
	for _, o := range w.ops {
		o.dead = false
	}
	w.mu.Unlock()
	w.read()
	close(w.letGo)
	w.router.SetHook(nil)
	sessiontest.Close(w.t, w.s)
	w.seen.judge(w)
	close(w.over)
	for _, o := range w.ops {
		o.cancel()
	}
	<-time.After(time.Second) // producers and guests see it
	sessiontest.Close(w.t, w.peer)
	w.router.Close()
}

func (w *simWorld) take(n *int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *n > 0 {
		*n--
		return true
	}
	return false
}

func (w *simWorld) notice() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.delay
	w.delay = 0
	return d
}

// linkIs says which link a session is on.
func (w *simWorld) linkIs(s *linkSpy, id proto.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.present = s
	w.held[id] = &holding{link: s.link, asked: map[proto.ID]int{}, leaves: map[proto.ID]proto.ID{}, topics: map[int]proto.ID{}, names: map[proto.ID]int{},
		regs: map[int]proto.ID{}, streamed: map[proto.ID][2]int{}, published: map[proto.ID]int{}, quiet: map[proto.ID]bool{}}
}

// up is the link, nil if there is none.
func (w *simWorld) up() *linkSpy {
	link := w.m.Link()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.present == nil || w.present.link != link {
		return nil
	}
	return w.present
}

// here is what the router holds for the session on the present link, nil if there
// is none. It is called with the lock.
func (w *simWorld) here(link int) *holding {
	for _, h := range w.held {
		if h.link == link {
			return h
		}
	}
	return nil
}

// goodbye judges a drain when the session says GOODBYE, unless a Close does.
func (w *simWorld) goodbye() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.drain != nil && !w.closing {
		w.m.JudgeDrain(w.drain.Err() == nil)
		w.drain = nil
	}
}

// payload is that of a message, opened if it is sealed.
func (w *simWorld) payload(c codec.Codec, m *proto.Message) wamp.Payload {
	d, came := m.Options, codec.Received(c, m)
	var data []byte
	if w.sealed == nil || came.Scan(&data) != nil { // the later chunks of a call do not say that they are sealed
		return came
	}
	return w.opened(cmp.Or(d.Str(proto.KeyPPTCipher), "aes256gcm"), cmp.Or(d.Str(proto.KeyPPTKeyID), "sim"), data)
}

// opened is what was sealed.
func (w *simWorld) opened(cipher, key string, data []byte) wamp.Payload {
	p, err := w.sealed.Open(seal.About{URI: "any"}, &seal.Opaque{Scheme: "wamp", Serializer: "cbor", Cipher: cipher, KeyID: key, Data: data})
	if err != nil {
		w.t.Errorf("a sealed payload: %v", err)
	}
	return p
}

// setPayload gives a message another payload, sealed as the one that it had.
func (w *simWorld) setPayload(x *wamptest.Exchange, p wamp.Payload) error {
	if w.sealed == nil {
		return x.SetPayload(p)
	}
	o, err := w.sealed.Seal(seal.About{URI: "any"}, p)
	if err != nil {
		return err
	}
	x.Message.Options = x.Message.Options.With(proto.KeyPPTCipher, o.Cipher)
	return x.SetPayload(wamp.Args(o.Data))
}

// simNumbers are the arguments of a payload.
func simNumbers(p wamp.Payload) []int {
	v := make([]int, p.NArgs())
	to := make([]any, len(v))
	for i := range v {
		to[i] = &v[i]
	}
	if p.Scan(to...) != nil {
		return nil
	}
	return v
}

func simPayload(v []int) wamp.Payload {
	args := make([]any, len(v))
	for i, n := range v {
		args[i] = n
	}
	return wamp.Args(args...)
}

func (w *simWorld) action(m *proto.Message) sim.Action {
	a, _, ok := sim.FromValues(simNumbers(w.payload(w.codec, m)))
	if !ok {
		w.m.Broken(sim.Protocol, "%s with a payload that is none of the plan", m.Type)
	}
	return a
}

// revoke takes a registration away, where the router has it.
func (w *simWorld) revoke(op int) {
	s := w.up()
	if s == nil {
		return
	}
	w.mu.Lock()
	var id proto.ID
	if h := w.here(s.link); h != nil {
		id = h.regs[op]
	}
	w.mu.Unlock()
	if id == 0 {
		return
	}
	w.m.Revoked(op)
	w.router.RevokeRegistration(id, sim.RevokeReason, w.s.ID())
	synctest.Wait()
}

// check lets time pass and has judged what is left.
func (w *simWorld) check() {
	w.read()
	for range 5 {
		odd := w.s.Stats().Odd
		<-time.After(sim.QuietTime)
		synctest.Wait()
		if w.s.Stats().Odd == odd { // otherwise the log may still wait to tell of more
			break
		}
	}
	var q sim.Quiet
	if s := w.up(); s != nil {
		w.mu.Lock()
		if h := w.here(s.link); h != nil {
			q.Topics, q.Registrations = slices.Collect(maps.Keys(h.topics)), slices.Collect(maps.Keys(h.regs))
		}
		w.mu.Unlock()
	}
	st := w.s.Stats()
	w.judgeStats(st)
	q.Bytes, q.Tables = st.QueuedBytes, sim.Tables(st.Tables)
	w.judgeDead()
	w.m.JudgeLoss()
	w.m.JudgeQuiet(q)
	w.judgeViews()
}

// read lets slow consumers read again.
func (w *simWorld) read() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		if o.slow != nil && !o.dead {
			close(o.slow)
			o.slow = nil
		}
	}
}

// act carries out an action of the plan.
func (w *simWorld) act(a sim.Action) {
	if w.gathers(a) {
		return
	}
	switch a.Kind {
	case sim.Flush, sim.Pump:
		synctest.Wait()
	case sim.Pass:
		<-time.After(time.Duration(a.After) * time.Millisecond)
		synctest.Wait()
	case sim.Check:
		w.check()
	case sim.Setup: // done
	case sim.Together:
		if !w.sequential {
			w.gather = a.N
		}
	default:
		if !w.fault(a) {
			w.begin(a)
			if w.sequential && a.Op > 0 {
				synctest.Wait()
			}
		}
	}
}

// callee is the peer's: it answers as the call says.
func (w *simWorld) callee(ctx context.Context, inv *wamp.Invocation) error {
	a, _, ok := sim.FromValues(simNumbers(inv.Payload))
	if !ok {
		return errors.New("a payload that is none of the plan")
	}
	run := w.m.Executed(a.Op, 0)
	if inv.Details.Bool("progress") && a.End == sim.EndResult && !w.takeChunks(inv, run) {
		return context.Cause(ctx)
	}
	return simSteps(ctx, a, func(n int, last bool) error {
		p := simPayload(sim.Tag{Op: a.Op, Run: run, N: n}.Numbers())
		switch {
		case !last:
			return inv.Progress(p)
		case a.End == sim.EndError:
			return inv.Fail(&wamp.Error{URI: sim.AppError, Payload: p})
		}
		return inv.Return(p)
	})
}

// simSteps has a callee's answers said when they are due. A callee that never
// answers waits for the end of ctx.
func simSteps(ctx context.Context, a sim.Action, say func(n int, last bool) error) error {
	ms := time.Duration(a.After) * time.Millisecond
	for n := 1; n <= a.Steps; n++ {
		if err := simSleep(ctx, ms/time.Duration(a.Steps+1)); err != nil {
			return err
		}
		if err := say(n, false); err != nil {
			return err
		}
	}
	if a.End == sim.EndNever {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if err := simSleep(ctx, ms/time.Duration(a.Steps+1)); err != nil {
		return err
	}
	return say(0, true)
}

func simSleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// publishEvents is the peer's publisher.
func (w *simWorld) publishEvents() {
	for {
		select {
		case a := <-w.events:
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			var options []wamp.PublishOption
			if a.How == sim.Retain {
				options = append(options, wamp.Retain())
			}
			_, _ = w.peer.Publish(ctx, sim.TopicURI(a.Name), simPayload(sim.Tag{Op: a.Op}.Numbers()), options...).Wait()
			cancel()
		case <-w.over:
			return
		}
	}
}

func (w *simWorld) opOf(n int) *simOp {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ops[n]
}
