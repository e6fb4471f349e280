package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CallTimeout is the limit of calls in manner Timeout.
const CallTimeout = 2 * time.Second

// AppError is the error with which a callee fails a call that ends so.
const AppError = "sim.error.planned"

// RevokeReason is why the router takes things away.
const RevokeReason = "sim.revoked"

// Tag is what every payload carries: the operation that it belongs to, the run
// of a callee or the link of an event, and a count within it.
type Tag struct{ Op, Run, N int }

// Outcome is how an operation ended for its user.
type Outcome string

// The outcomes.
const (
	Result   Outcome = "result" // also the acknowledgement of a publish
	Error    Outcome = "error"  // what a peer or the router said
	Canceled Outcome = "canceled"
	Unknown  Outcome = "unknown"
	Closed   Outcome = "closed"
	TooSlow  Outcome = "slow"
	TimedOut Outcome = "timeout"
	Left     Outcome = "left" // by Unsubscribe or Unregister
	Drained  Outcome = "drained"
	Revoked  Outcome = "revoked"
	// NotConnected: there was no link, and it was not to wait for one.
	NotConnected Outcome = "notconnected"
	// Silent: the router has not acknowledged it in time.
	Silent Outcome = "silent"
	// OddAnswer: the answer could not be understood.
	OddAnswer Outcome = "odd"
)

// End is the end of an operation as its user saw it.
type End struct {
	How       Outcome
	URI       string // with Error
	Tag       Tag    // of the last payload
	Delivered int    // with Unknown: what it says of progressive results
	Links     int    // and of links that ended with it
	Silence   bool   // and whether it is for want of an acknowledgement
	Over      bool   // or because the session is over
	Text      string // for the log
}

// Tables are the entries of a session's tables.
type Tables struct {
	Requests, Subscriptions, Registrations, Invocations int
	Handles, Procedures, Watches, Timers, Parked        int
	Queued                                              int
}

// run is one execution of a call by a callee.
type run struct{ id, link int }

// op is what the model knows of an operation.
type op struct {
	Action
	began     time.Duration
	cancelled bool // its context has ended
	leaving   bool // Unsubscribe or Unregister was asked for
	slow      bool
	stuck     bool // its consumer does not read any more
	lingers   bool // it has a handler
	late      int  // events that it was given behind an end that drops them
	writes    []write
	wrote     time.Duration
	waits     [2]bool // for a window, perhaps
	suspect   bool    // it was sent alone, and so perhaps late, also on the links that followed
	lapsed    bool    // a testament that may have been given up
	leaves    bool    // behind it the same goroutine leaves Of
	odd       bool    // a message for it was odd
	denied    bool    // the router has refused it
	runs      []run
	delivered int // progressive results, of the last run
	lastRun   int
	news      time.Duration // when the last result came
	acked     bool
	ended     int
	endedOn   int // the link that was up then
	upAt      int // the link that was up when it reached the session, 0 if none was
	beganAt   int // moments in the order of all that the model was told of
	endedAt   int
	outcome   Outcome

	// of a progressive call
	chunks   int // that its caller has sent, behind the first
	complete bool
	came     chunksCame // to its callee

	// of a subscription or a registration
	revoked   bool
	reached   bool // it has reached the session
	applied   int  // the link on which it did, or the next one; 0 if none yet
	ackedLink int  // the last one on which it was acknowledged
	silences  int  // links that were given up for it since then, at least
	givenUp   int  // and at most
	subscribed
	streamed
	// of an invocation
	asked    int // the link on which the router has interrupted it
	askedAt  time.Duration
	stopped  bool // the callee was told so
	running  int  // the link on which it runs, 0 if it does not
	given    int  // the link on which it was given
	handled  bool // its handler has begun
	answered bool
	cut      bool
	cutAt    time.Duration // when that was
}

// chunksCame are those that a callee was given in one run.
type chunksCame struct {
	run, n int
	last   bool
}

// Model is told by a world what happens and judges it. Its methods may be
// called from any goroutine.
type Model struct {
	// Exact: the world reports every write and every step of a link in their
	// order, so that order can be judged across operations.
	Exact bool

	mu     sync.Mutex
	now    func() time.Duration
	log    strings.Builder
	faults []string

	ops       []*op // by number; 0 is nobody's
	link      int   // the last one
	up        bool
	links     map[int]*linkLife
	falls     []*linkLife // the links that ended, and the logins that were refused for a breach, in their order
	cut       int         // the last one that was cut
	runs      int
	sent      map[[2]int][]int // events by link and subscription
	keptSent  map[[2]int][]int // retained ones
	store     map[int]int      // the retained event of each topic
	storeAt   map[int]int      // when the link came
	epoch     int              // restarts of the router
	wills     map[int][]int    // testaments that the router has taken, by link
	published map[int][]int    // and published
	history   []logged
	logAt     map[int]int       // where it has an operation
	streams   map[uint64][2]int // publications of streams
	moment    int

	open        map[proto.ID]*request // on the present link
	windows     [2]int
	oneID       bool
	sequential  bool
	topicWrites map[int][]write // SUBSCRIBEs
	topicSince  map[int]int     // how many there were when a topic was last nobody's
	topicAcked  map[int]int     // the link on which one was acknowledged last
	topicFrom   map[[2]int]int  // how many events were sent on a link before the router acknowledged a topic, where that was late
	topicDenied map[int]int     // the link on which one was refused last
	silences    map[int]int     // links that were given up for a topic since then, at least
	topicGiven  map[int]int     // and at most
	lastPublish map[int]int     // the last one to a topic that was first written to this link
	leaves      int             // handles that end, and of which nothing was written yet
	closing     int             // how many operations there were when Close was called

	killed    bool // by the router
	refusals  int  // in a row
	refusedAt time.Duration

	failFast  bool
	downAt    time.Duration // when the link was lost
	restarted time.Duration // when the router was last restarted
	restarts  time.Duration // when that began
	apart     map[int]bool  // links that ended while the peers were not back from it
	upAt      time.Duration // when the link came
	leaving   int           // the link that the router has said GOODBYE on
	asked     map[int]int   // the link on which a topic was last asked for
	lastSent  [2]int        // the last call or publish, and the last handle, first written to this link
	ending    string        // how its user has ended it
	over      bool
	draining  bool
	resting   bool

	// Counts are the figures of a run.
	Counts Counts
}

// Counts are figures.
type Counts struct {
	// Numbered are streams of numbers that came to their end, Resumed how often one was resumed.
	Numbered, Resumed                                                                          int
	Cuts, Links, Operations, Events, Retained, Testaments, Historic, Streamed, Resent, Unknown int
	// Breaches of the protocol, operations that the router has hung up on,
	// acknowledgements that it has left out, requests that it has refused, odd
	// messages, and invocations of the session.
	Breaches, Kills, Muted, Denied, Odd, Invoked int
}

// NewModel returns a model. now is the time since the start.
func NewModel(now func() time.Duration) *Model {
	return &Model{now: now, ops: []*op{nil}, sent: map[[2]int][]int{}, keptSent: map[[2]int][]int{}, store: map[int]int{}, asked: map[int]int{},
		logAt: map[int]int{}, streams: map[uint64][2]int{}, apart: map[int]bool{}, wills: map[int][]int{}, published: map[int][]int{},
		links: map[int]*linkLife{}, open: map[proto.ID]*request{}, windows: defaultWindows, topicWrites: map[int][]write{}, topicSince: map[int]int{}, topicDenied: map[int]int{}, topicFrom: map[[2]int]int{}, topicAcked: map[int]int{},
		silences: map[int]int{}, topicGiven: map[int]int{}, lastPublish: map[int]int{}}
}

// Faults are the invariants that were broken, in their order.
func (m *Model) Faults() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.faults)
}

// Log is what happened: the plan's actions behind a plus, and what came of
// them.
func (m *Model) Log() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.String()
}

func (m *Model) note(format string, args ...any) {
	fmt.Fprintf(&m.log, "  %8.3f ", m.now().Seconds())
	fmt.Fprintf(&m.log, format, args...)
	m.log.WriteByte('\n')
}

// Rest ends the judging: the world is taken down.
func (m *Model) Rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resting = true
}

// broken notes a broken invariant.
func (m *Model) broken(invariant Invariant, format string, args ...any) {
	if m.resting {
		return
	}
	text := string(invariant) + ": " + fmt.Sprintf(format, args...)
	m.faults = append(m.faults, text)
	m.note("BROKEN %s", text)
}

// Broken notes an invariant that the world has found broken.
func (m *Model) Broken(invariant Invariant, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken(invariant, format, args...)
}

// Note writes a line to the log.
func (m *Model) Note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(format, args...)
}

// Act notes an action of the plan, before the world carries it out. It reports
// false where the action is about an operation that never was, or comes after
// the end of the session.
func (m *Model) Act(a Action) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log.WriteString("+ " + a.String() + "\n")
	if m.Exact && (a.Kind == Stream || a.Kind == Numbers || a.Kind == Follow || a.Kind == Guest) {
		return false // the engine has no part in it
	}
	of := m.op(a.Of)
	if a.Op > 0 {
		m.begin(a, of)
	}
	if a.Of > 0 && of == nil && a.Kind != Call && a.Kind != Publish {
		return false
	}
	switch a.Kind {
	case Cancel:
		of.cancelled = true
		m.ends(of)
	case Unsubscribe, Unregister:
		if !of.acked {
			return false // its user does not have it yet
		}
		of.leaving = true
		m.ends(of)
	case Chunk:
		if of.complete {
			return false
		}
		of.chunks++
		of.complete = a.How == Last
	case Slow:
		of.slow = true
		of.stuck = of.stuck || a.How == Dead
	case Setup:
		m.setup(a)
	case Close, Drain:
		m.ending, m.closing = string(a.Kind), len(m.ops)
		m.draining = m.draining || a.Kind == Drain
	default:
	}
	return true
}

// begin notes an operation that begins. of is the one that it is about.
func (m *Model) begin(a Action, of *op) {
	for len(m.ops) <= a.Op {
		m.ops = append(m.ops, nil)
	}
	o := &op{Action: a, began: m.now()}
	if a.Kind == Register && !m.Exact {
		o.Name = 0 // there no router shares
	}
	if o.lastIx = -1; a.How == Retained {
		o.due = maps.Clone(m.store)
	}
	m.moment++
	o.beganAt = m.moment
	m.ops[a.Op] = o
	if of != nil && (a.Kind == Publish || a.Kind == Call) && of.acked && of.ended == 0 {
		o.leaves, of.leaving = true, true
		m.ends(of)
	}
	if !m.Exact {
		m.applied(o)
	}
	m.Counts.Operations++
}

// ends notes that a handle ends: the router will be told.
func (m *Model) ends(of *op) {
	if of.Kind == Subscribe || of.Kind == Register || of.Kind == Follow {
		m.leaves++
	}
}

// setup notes what holds for the whole life.
func (m *Model) setup(a Action) {
	m.failFast, m.oneID, m.sequential = a.How == FailFast, a.To == OneID && m.Exact, a.After > 0
	m.windows = a.Windows()
}

// Windows are those of a Setup, or the defaults.
func (a Action) Windows() [2]int {
	w := defaultWindows
	if a.Kind == Setup && a.Steps > 0 && a.N > 0 {
		w = [2]int{a.Steps, a.N}
	}
	return w
}

// Applied says that an operation reaches the session.
func (m *Model) Applied(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied(m.ops[n])
}

func (m *Model) applied(o *op) {
	o.reached = true
	if m.up {
		o.applied, o.upAt = m.link, m.link
	}
	m.alone(o)
	m.crowd(o)
}

// alone notes that a subscription which begins or ends has the topic to itself:
// what has happened to the topic before is forgotten.
func (m *Model) alone(o *op) {
	if o.Kind == Subscribe && m.siblings(o) == 0 {
		m.topicSince[o.Name] = len(m.topicWrites[o.Name])
	}
}

// siblings counts the other subscriptions to the topic of one that have been
// asked for.
func (m *Model) siblings(o *op) (n int) {
	for _, p := range m.ops {
		if p != nil && p != o && p.Kind == Subscribe && p.Name == o.Name && p.ended == 0 && p.applied > 0 {
			n++
		}
	}
	return n
}

// Leaves reports whether the goroutine that begins an operation leaves another
// one behind it, and which.
func (m *Model) Leaves(n int) (of int, leaves bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	return o.Of, o.leaves
}

func (m *Model) op(n int) *op {
	if n <= 0 || n >= len(m.ops) {
		return nil
	}
	return m.ops[n]
}

// LinkUp says that the session has joined on a new link, before it uses it.
func (m *Model) LinkUp() (link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.linkOf(m.link); !m.Exact && (l.breach || l.gentle != no) {
		m.linkLost(m.link) // the last words may still be on their way
	}
	m.link++
	m.Counts.Links++
	m.note("link %d is up", m.link)
	if m.up {
		m.broken(OneLink, "link %d while the last one is up", m.link)
	}
	m.up = true
	m.upAt = m.now()
	m.refusals = 0
	m.leaves = 0
	clear(m.open)
	clear(m.lastPublish)
	m.lastSent = [2]int{}
	m.storeAt = maps.Clone(m.store)
	var waiting []*op
	for _, o := range m.ops {
		if o != nil && o.ended == 0 && o.reached && o.Kind != Invoke && o.Kind != Event {
			if waiting = append(waiting, o); o.applied == 0 {
				m.alone(o)
				o.applied = m.link
			}
		}
	}
	for _, o := range waiting {
		m.crowd(o)
	}
	return m.link
}

// LinkLost says that the session has noticed the loss of a link. It may be said
// more than once.
func (m *Model) LinkLost(link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.linkLost(link)
}

func (m *Model) linkLost(link int) {
	if !m.up || link != m.link {
		return
	}
	m.fallen(link)
	m.up, m.downAt = false, m.now()
	m.apart[m.link] = m.epoch > 0 && m.now()-m.restarted < peersBack
	m.note("link %d is lost", m.link)
	for _, o := range m.ops {
		if o != nil {
			o.flight = nil
		}
		if o != nil && o.Kind == Subscribe && o.ended == 0 && o.applied > 0 {
			o.gap = true
			o.gone = o.gone && m.Exact // elsewhere the message may have gone with the link
		}
	}
}

// CutsDone counts a cut of the link that is up; a link is cut once.
func (m *Model) CutsDone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.up && m.cut < m.link {
		m.cut = m.link
		m.Counts.Cuts++
	}
}

// Link is the link that is up, 0 if none is.
func (m *Model) Link() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.up {
		return 0
	}
	return m.link
}

// Over reports whether the session has ended.
func (m *Model) Over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over
}

// Executed says that a peer carries out an operation: a callee runs a call, the
// router takes a publish. It returns the number of that run.
func (m *Model) Executed(n, link int) (runID int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs++
	o := m.op(n)
	if o == nil {
		m.broken(OwnAnswer, "a peer carries out operation %d, which never was", n)
		return m.runs
	}
	m.note("executed op=%d run=%d", n, m.runs)
	o.runs = append(o.runs, run{m.runs, link})
	m.judgeRun(o)
	return m.runs
}

// Progress says that the user of a call got a progressive result.
func (m *Model) Progress(n int, got Tag) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	m.note("progress op=%d %v", n, got)
	m.judgeOwner(o, got)
	if got.Run != o.lastRun {
		if o.delivered > 0 {
			m.broken(AtMostOnce, "progressive results of runs %d and %d of operation %d", o.lastRun, got.Run, n)
		}
		o.lastRun = got.Run
	}
	m.judgeLimit(o)
	if o.delivered++; got.N != o.delivered {
		m.broken(Order, "progressive result %d of operation %d came as number %d", got.N, n, o.delivered)
	}
	if o.ended > 0 {
		m.broken(EndsOnce, "operation %d got a result after its end", n)
	}
	o.news = m.now()
}

// Chunked says that a callee was given a further chunk in one run of a
// progressive call.
func (m *Model) Chunked(op, run, n int, last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("chunk op=%d run=%d n=%d last=%v", op, run, n, last)
	o := m.op(op)
	if o == nil || o.How != Chunks {
		m.broken(OwnAnswer, "a chunk of operation %d, which is no progressive call", op)
		return
	}
	if o.came.run != run {
		o.came = chunksCame{run: run}
	}
	if o.came.last || n != o.came.n+1 || o.Kind == Call && n > o.chunks {
		m.broken(Order, "chunk %d of operation %d came behind %d, last: %v", n, op, o.came.n, o.came.last)
	}
	o.came.n, o.came.last = n, last
}

// Revoked says that the router takes a registration away and says so.
func (m *Model) Revoked(op int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("revoked op=%d", op)
	m.ops[op].revoked = true
}

// Kills reports whether the router cannot stand an operation.
func (m *Model) Kills(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	return o != nil && o.Action.End == EndKills
}

// Killed says that the router hangs up because of an operation, or where n is 0
// of a topic.
func (m *Model) Killed(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("the router hangs up on op=%d", n)
	m.Counts.Kills++
}

// Denied says that the router refuses a SUBSCRIBE of a topic, or what an
// operation asks for.
func (m *Model) Denied(kind Kind, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("%s %d is refused", kind, n)
	m.Counts.Denied++
	if kind == Subscribe {
		m.topicDenied[n] = m.link
		return
	}
	o := m.op(n)
	o.denied = true
	o.lapsed = kind == Will // set again, it is forgotten then
}

// Muted says that the router does not acknowledge what an operation asks for.
func (m *Model) Muted(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("op=%d is not acknowledged", n)
	m.Counts.Muted++
}

// MutedTopic returns the operation by which a SUBSCRIBE of a topic is not to be
// acknowledged, 0 if there is none.
func (m *Model) MutedTopic(name int, muted func(op int) bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, o := range m.ops {
		if o != nil && o.Kind == Subscribe && o.Name == name && muted(n) {
			return n
		}
	}
	return 0
}

// URIOf is the procedure of a registration.
func (m *Model) URIOf(n int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.op(n); o != nil && o.Name > 0 {
		return SharedURI(o.Name)
	}
	return RegistrationURI(n)
}

// Acked says that a subscription or registration stands.
func (m *Model) Acked(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("acked op=%d", n)
	o := m.ops[n]
	o.acked, o.ackedOn, o.from = true, m.link, len(m.sent[[2]int{m.link, o.Name}])
	if o.N > 0 {
		o.firstLog = len(m.history)
	}
}

// Ended says that an operation has ended for its user.
func (m *Model) Ended(n int, e End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	m.note("ended op=%d %s %s %v %s", n, e.How, e.URI, e.Tag, e.Text)
	if o.ended++; o.ended > 1 {
		m.broken(EndsOnce, "operation %d ended %d times", n, o.ended)
		return
	}
	m.alone(o)
	m.moment++
	o.endedAt = m.moment
	if o.outcome = e.How; m.up {
		o.endedOn = m.link
	}
	if e.How == Unknown {
		m.Counts.Unknown++
	}
	m.judgeEnd(o, e)
}

// Add adds the figures of another run.
func (c *Counts) Add(o Counts) {
	c.Cuts += o.Cuts
	c.Links += o.Links
	c.Operations += o.Operations
	c.Events += o.Events
	c.Retained += o.Retained
	c.Testaments += o.Testaments
	c.Historic += o.Historic
	c.Streamed += o.Streamed
	c.Numbered += o.Numbered
	c.Resumed += o.Resumed
	c.Resent += o.Resent
	c.Unknown += o.Unknown
	c.Breaches += o.Breaches
	c.Kills += o.Kills
	c.Muted += o.Muted
	c.Denied += o.Denied
	c.Odd += o.Odd
	c.Invoked += o.Invoked
}
