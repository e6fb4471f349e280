package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Invariant names a rule that every run keeps.
type Invariant string

// The invariants.
const (
	// EndsOnce: each operation ends exactly once, and nothing comes after.
	EndsOnce Invariant = "ends once"
	// TrueOutcome: what the user is told is what happened.
	TrueOutcome Invariant = "true outcome"
	// OwnAnswer: no result is given to the wrong call, no answer of an old
	// link is taken for one of a new link, no answer of ours reaches a call
	// that it is not for.
	OwnAnswer Invariant = "own answer"
	// OnlyWritten: an outcome is unknown only if the operation was written;
	// one that was not is sent on the next link.
	OnlyWritten Invariant = "only written"
	// AtMostOnce: what is not idempotent is written and carried out at most
	// once.
	AtMostOnce Invariant = "at most once"
	// Order: operations leave, results and events come in their order; the
	// restore is in the order in which things were made.
	Order Invariant = "order"
	// NothingLost: what the router has sent on a link that holds arrives;
	// what was acknowledged was taken; a hole is marked.
	NothingLost Invariant = "nothing lost"
	// Restored: all live subscriptions and registrations are back after a
	// rejoin, and no others.
	Restored Invariant = "restored"
	// NothingLeft: no table has an entry that it should not have.
	NothingLeft Invariant = "nothing left"
	// Protocol: the router has no reason to complain.
	Protocol Invariant = "protocol"
	// OneLink: there is at most one link and one attempt at a time.
	OneLink Invariant = "one link"
	// Final: the session ends when it must, and only then.
	Final Invariant = "final"
	// DrainWaits: a drain lets finish what is under way and lets nothing new
	// in, and it ends.
	DrainWaits Invariant = "drain waits"
	// Windowed: no more requests than allowed wait for the router's
	// acknowledgement; a publish stream stops at an error.
	Windowed Invariant = "windowed"
	// Blame: what seems to end links is tried three times, from the third on
	// alone, and then it ends, and not the session.
	Blame Invariant = "blame"
	// Calm: what takes no time comes to an end.
	Calm Invariant = "calm"
	// LastWords: nothing is written to a link behind its GOODBYE or ABORT.
	LastWords Invariant = "last words"
	// CutsInvocations: the invocations of a lost link are interrupted.
	CutsInvocations Invariant = "cuts invocations"
)

// truths says for each operation which ends are possible, and what must be
// true then: "" or what is wrong.
var truths = map[Kind]map[Outcome]func(m *Model, o *op, e End) string{
	Call: {
		Result: resultTrue, Error: errorTrue, Canceled: canceledTrue, Closed: closedTrue, OddAnswer: oddTrue,
		Unknown: unknownTrue, TooSlow: slowTrue, TimedOut: timeoutTrue, NotConnected: failFastTrue,
	},
	Publish: {Result: takenTrue, Error: deniedTrue, Canceled: canceledTrue, Closed: closedTrue, Unknown: unknownTrue, NotConnected: failFastTrue},
	Stream:  {Canceled: canceledTrue, Closed: closedTrue, Unknown: unknownStream, NotConnected: failFastTrue},
	Numbers: {Result: numbersTrue, Error: numbersCanceled, Canceled: canceledTrue, Closed: closedTrue, Unknown: numbersCut, NotConnected: failFastTrue},
	Follow: {Canceled: canceledTrue, Closed: closedTrue, Unknown: blameTrue, NotConnected: func(m *Model, o *op, e End) string {
		if o.acked {
			return "it was there already"
		}
		return failFastTrue(m, o, e)
	}},
	Will:   {Result: takenTrue, Error: deniedTrue, Canceled: canceledTrue, Closed: closedTrue, Unknown: blameTrue, NotConnected: failFastTrue},
	Unwill: {Result: flushedTrue, Canceled: canceledTrue, Closed: closedTrue, Unknown: blameTrue, NotConnected: failFastTrue},
	Subscribe: {Error: deniedTrue, Canceled: canceledTrue, Closed: closedTrue, Left: leftTrue, Drained: drainedTrue, TooSlow: slowTrue, Revoked: goneTrue,
		Unknown: blameTrue, Silent: silentTrue, NotConnected: failFastTrue},
	Register: {Error: deniedTrue, Canceled: canceledTrue, Closed: closedTrue, Left: leftTrue, Drained: drainedTrue, Revoked: revokedTrue,
		Unknown: blameTrue, Silent: silentTrue, NotConnected: failFastTrue},
	Invoke: {Result: resultTrue, Error: errorTrue, Canceled: func(m *Model, o *op, _ End) string {
		return unless(!m.Exact && o.asked > 0, "its caller has not cancelled it")
	}, Unknown: func(m *Model, _ *op, _ End) string { return unless(!m.Exact, "peers are not cut") }},
	States: {Canceled: canceledTrue, Closed: closedTrue},
}

func unless(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}

func unknownStream(*Model, *op, End) string { return "" } // judged as OnlyWritten when all is quiet

func takenTrue(_ *Model, o *op, _ End) string {
	return unless(len(o.runs) > 0, "acknowledged, and the router has not taken it")
}

func flushedTrue(m *Model, o *op, e End) string {
	if !m.Exact { // the router does not know whose flush it is
		return ""
	}
	return takenTrue(m, o, e)
}

func failFastTrue(m *Model, o *op, _ End) string {
	switch {
	case !m.failFast:
		return "it is to wait for a link"
	case len(o.writes) > 0:
		return "it was written"
	case m.up && o.upAt == m.link && m.leaving != m.link && !m.linkOf(m.link).breach && o.began > m.upAt:
		return "there is a link"
	}
	return ""
}

func canceledTrue(_ *Model, o *op, _ End) string { return unless(o.cancelled, "nobody cancelled it") }
func leftTrue(_ *Model, o *op, _ End) string     { return unless(o.leaving, "nobody asked for it") }

// Room is how many events a subscription under policy Fail has room for.
const Room = 20

func slowTrue(m *Model, o *op, _ End) string {
	if o.Kind == Subscribe && (o.Policy == Block || o.Policy != Fail && !m.Exact) {
		return "it does not fail for that"
	}
	return unless(o.slow || o.Kind == Subscribe && len(m.sent[[2]int{m.link, o.Name}]) >= Room, "its consumer is not slow")
}

// deniedTrue judges what the router has refused. A shared procedure may still be
// held by the session's last life, but one that has been there is tried again for
// ever.
func deniedTrue(m *Model, o *op, e End) string {
	if o.Kind == Register && e.URI == proto.ErrURIProcedureAlreadyExists {
		return unless(o.Name > 0 && !o.acked, "nobody else has it")
	}
	denied := o.denied || o.Kind == Subscribe && m.topicDenied[o.Name] > 0 && (m.topicDenied[o.Name] == m.link || !m.Exact)
	return unless(denied && (e.URI == AppError || e.URI == proto.ErrURIInvalidURI && !m.Exact), "the router has not refused it")
}

func oddTrue(_ *Model, o *op, _ End) string { return unless(o.odd, "its answer was not odd") }

func blameTrue(m *Model, o *op, e End) string {
	if e.Over {
		return closedTrue(m, o, e)
	}
	return m.deathsTrue(o, e)
}

// writesOf are those of an operation; subscriptions to a topic share theirs.
func (m *Model) writesOf(o *op) []write {
	if o.Kind == Subscribe {
		return m.topicWrites[o.Name]
	}
	return o.writes
}

// silentTrue: it was asked for long enough ago, and where it had been there
// before two links were given up for it.
func silentTrue(m *Model, o *op, _ End) string {
	givenUp := o.givenUp
	var asked *request
	for _, r := range m.open {
		switch {
		case o.Kind == Register && r.op == o, o.Kind == Subscribe && r.kind == proto.Subscribe && r.name == o.Name:
			if asked == nil || r.at < asked.at {
				asked = r
			}
		}
	}
	if o.Kind == Subscribe {
		givenUp = m.topicGiven[o.Name]
	}
	switch {
	case !m.Exact:
		return ""
	case asked == nil:
		return "the router was not asked, or has answered"
	case m.now()-asked.at < AckTimeout:
		return "it was asked for " + (m.now() - asked.at).String() + " ago"
	case o.acked && givenUp < mostSilences:
		return "no two links were given up for it"
	}
	return ""
}

func drainedTrue(m *Model, _ *op, _ End) string {
	return unless(m.draining, "the session is not drained")
}

func revokedTrue(_ *Model, o *op, _ End) string { return unless(o.revoked, "nobody took it away") }

func goneTrue(m *Model, o *op, e End) string {
	if e.URI != RevokeReason {
		return "the router has not said so, but " + RevokeReason
	}
	return revokedTrue(m, o, e)
}

func closedTrue(m *Model, o *op, e End) string {
	if m.Exact && e.How == Closed && (o.Kind == Call || o.Kind == Publish && o.How == Ack) && len(o.writes) > 0 {
		return "it was written, so that nobody knows what became of it"
	}
	return unless(m.over || m.mayEnd(), "the session has no reason to be over")
}

func resultTrue(_ *Model, o *op, e End) string {
	if o.Action.End != EndResult {
		return "the callee does not end it with a result"
	}
	if e.Tag.Op != o.Op {
		return "" // judged as OwnAnswer
	}
	if o.Progressive() && !o.cancelled && o.delivered != o.Steps {
		return fmt.Sprintf("%d progressive results before its end, the callee sent %d", o.delivered, o.Steps)
	}
	if o.How == Chunks && (!o.came.last || o.Kind == Invoke && o.came.n != o.N) {
		return fmt.Sprintf("the callee was given %d chunks, the last one: %v", o.came.n, o.came.last)
	}
	return ""
}

// routerErrors are ends that a router makes up itself, where a peer or its
// procedure is not there.
var routerErrors = []string{proto.ErrURINoSuchProcedure, proto.ErrURIUnavailable, proto.ErrURINoAvailableCallee}

func errorTrue(m *Model, o *op, e End) string {
	switch {
	case e.URI == AppError:
		return unless(o.Action.End == EndError, "the callee does not end it with an error")
	case o.Kind == Invoke:
		return invokeErrorTrue(m, o, e)
	case e.URI == proto.ErrURICanceled:
		return unless(!m.Exact, "the router does not cancel it by itself")
	case e.URI == proto.ErrURITimeout:
		return unless(o.How == Timeout, "it has no limit")
	case slices.Contains(routerErrors, e.URI):
		return unless(!m.Exact, "every procedure is there")
	}
	return "nobody says so"
}

// invokeErrorTrue judges an error by which a call to the session has ended.
func invokeErrorTrue(m *Model, o *op, e End) string {
	r := m.op(o.Of)
	switch e.URI {
	case proto.ErrURICanceled:
		return "" // the session that ran it was lost; where the session says so it is judged there
	case proto.ErrURIRuntimeError:
		return unless(o.Action.End == EndPanic || o.Action.End == EndGoexit, "its handler neither panics nor exits")
	case proto.ErrURIInvalidArgument:
		return unless(o.odd, "it was not odd")
	case proto.ErrURIUnavailable:
		over := r.ended > 0 || r.leaving || r.cancelled || r.revoked || !r.acked || m.draining || m.over || m.ending != ""
		full := r.slow || !m.Exact && r.Steps == 0
		return unless(o.Action.End == EndDecline || over || full || r.Name > 0 || m.apartNow(r), "its registration is there and has room")
	}
	return unless(slices.Contains(routerErrors, e.URI), "nobody says so")
}

// apartNow reports whether a registration is not there for the moment.
func (m *Model) apartNow(r *op) bool { return r.ackedLink != m.link || !m.up }

func unknownTrue(m *Model, o *op, e End) string {
	switch {
	case e.Links > 0:
		return m.deathsTrue(o, e)
	case len(o.writes) == 0:
		return "" // judged as OnlyWritten
	case e.Over:
		return closedTrue(m, o, e)
	case e.Silence:
		waited := m.now() - o.wrote
		return unless(o.Kind == Publish && waited >= AckTimeout, "the router has had "+waited.String())
	case o.Idempotent() && o.delivered == 0:
		return "it is idempotent"
	case e.Delivered != o.delivered:
		return fmt.Sprintf("it says %d results were delivered, not %d", e.Delivered, o.delivered)
	case m.Exact && m.up && o.writes[len(o.writes)-1].link == m.link:
		return "its link is up"
	}
	return ""
}

func timeoutTrue(m *Model, o *op, _ End) string {
	if o.How != Timeout {
		return "it has no limit"
	}
	waited := m.now() - max(o.began, o.news)
	return unless(waited >= CallTimeout, "its time is not over: "+waited.String())
}

// judgeLimit judges that a call with a limit of its own does not outlive it.
func (m *Model) judgeLimit(o *op) {
	if waited := m.now() - max(o.began, o.news); m.Exact && o.How == Timeout && waited > CallTimeout {
		m.broken(TrueOutcome, "%s goes on after %v", o.Action, waited)
	}
}

// judgeOwner judges whom an answer is for.
func (m *Model) judgeOwner(o *op, got Tag) {
	if got.Op != o.Op {
		m.broken(OwnAnswer, "operation %d got an answer to %d", o.Op, got.Op)
		return
	}
	i := slices.IndexFunc(o.runs, func(r run) bool { return r.id == got.Run })
	if i < 0 {
		m.broken(OwnAnswer, "operation %d got an answer of run %d, which was not its", o.Op, got.Run)
		return
	}
	if link := o.runs[i].link; m.Exact && o.Kind == Call && link != m.link {
		m.broken(OwnAnswer, "operation %d got on link %d an answer of link %d", o.Op, m.link, link)
	}
}

// judgeEnd judges the end of an operation.
func (m *Model) judgeEnd(o *op, e End) {
	if (o.Kind == Call || o.Kind == Invoke) && (e.How == Result || e.How == Error && e.URI == AppError) {
		m.judgeOwner(o, e.Tag)
	}
	if e.How == Unknown && m.Exact && len(m.writesOf(o)) == 0 { // else judged when all is quiet
		m.broken(OnlyWritten, "the outcome of %s is unknown, but it was never written", o.Action)
	}
	if o.Kind == Call {
		m.judgeLimit(o)
	}
	rule := truths[o.Kind][e.How]
	if rule == nil {
		m.broken(TrueOutcome, "%s ended with %s %s %s", o.Action, e.How, e.URI, e.Text)
		return
	}
	if wrong := rule(m, o, e); wrong != "" {
		m.broken(TrueOutcome, "%s ended with %s %s %s: %s", o.Action, e.How, e.URI, e.Text, wrong)
	}
}

// judgeRun judges that an operation is carried out.
func (m *Model) judgeRun(o *op) {
	if len(o.runs) > 1 && !o.Idempotent() && o.Kind != Invoke {
		m.broken(AtMostOnce, "%s is carried out %d times", o.Action, len(o.runs))
	}
}

// JudgeLoss judges, when the session has dealt with the loss of its link, that
// no invocation of it goes on.
func (m *Model) JudgeLoss() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, o := range m.ops {
		if o != nil && o.Kind == Invoke && o.running > 0 && !o.answered && !o.cut && !o.stopped && (!m.up || o.running < m.link) {
			m.broken(CutsInvocations, "invocation %d goes on after the loss of link %d", n, o.running)
		}
	}
}

// JudgeDrain judges, when a drain has let go, what it waited for. patient:
// it was not its context that ended the wait.
func (m *Model) JudgeDrain(patient bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("drain ends, patient=%v", patient)
	waits := 0
	for _, n := range m.running() {
		waits++
		if patient {
			m.broken(DrainWaits, "the drain ended while invocation %d ran", n)
		}
	}
	for n, o := range m.ops {
		if o != nil && o.Kind == Invoke && o.cut && o.cutAt == m.now() {
			waits++ // by the end of the drain itself, which has let go of its handler
		}
		if o != nil && o.Kind == Publish && o.How != "" && o.ended == 0 {
			waits++
			if patient && m.Exact { // elsewhere its user may not have been told yet
				m.broken(DrainWaits, "the drain ended while publish %d was not acknowledged", n)
			}
		}
	}
	if !patient && waits == 0 && m.up {
		m.broken(DrainWaits, "the drain did not end though nothing was left to wait for")
	}
}

// SessionOver says that the session has ended.
func (m *Model) SessionOver(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("over: %s", reason)
	if m.over {
		m.broken(EndsOnce, "the session ended twice")
	}
	if m.up {
		m.fallen(m.link)
	}
	m.over, m.up = true, false
	if !m.mayEnd() {
		m.broken(Final, "the session ended by itself: %s", reason)
	}
}

// Quiet is what a world sees when all is quiet: what the router holds for the
// session, and the session's tables.
type Quiet struct {
	Topics        []int
	Registrations []int
	// Calls are those that the router holds for it.
	Calls []int
	// Uncancelled are those that have ended before their last chunk, and for
	// which no CANCEL has come.
	Uncancelled []int
	// Bytes are those that count against the outbound bound.
	Bytes  int
	Tables Tables

	follows []string
}

// JudgeQuiet judges what is left when all is quiet.
func (m *Model) JudgeQuiet(q Quiet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if why := m.mustEnd(); why != "" && !m.over {
		m.broken(Final, "the session goes on: %s", why)
	}
	var want Quiet
	for _, o := range m.ops {
		if o != nil {
			m.judgeLeft(o, &want)
		}
	}
	if m.over {
		want.Tables = Tables{}
	} else if !m.up {
		m.broken(Restored, "there is no link")
		return
	}
	if !m.over {
		m.judgeWills()
	}
	if !m.over {
		m.judgeHeld(&q, &want)
	}
	for _, n := range q.Calls {
		if m.ops[n].ended > 0 {
			m.broken(NothingLeft, "the router still has %s, which has ended", m.ops[n].Action)
		}
	}
	for _, n := range q.Uncancelled {
		m.broken(NothingLeft, "%s ended before its last chunk, and was not cancelled: a chunk under way would be a new call", m.ops[n].Action)
	}
	if q.Bytes != 0 {
		m.broken(NothingLeft, "%d bytes count as queued", q.Bytes)
	}
	if q.Tables != want.Tables {
		m.broken(NothingLeft, "tables %+v, not %+v", q.Tables, want.Tables)
	}
}

// judgeHeld judges what the router holds for the session. What it has not
// acknowledged it may hold all the same.
func (m *Model) judgeHeld(q, want *Quiet) {
	half := map[Kind][]int{}
	for _, r := range m.open {
		switch r.kind {
		case proto.Subscribe:
			half[Subscribe] = append(half[Subscribe], m.idOf(Subscribe, r.name))
			want.Tables.Requests++
		case proto.Register:
			half[Register] = append(half[Register], m.idOf(Register, r.op.Op))
			want.Tables.Requests++
		default:
		}
	}
	judge := func(kind Kind, holds, wanted []int) (ids []int) {
		of := func(all []int) (ids []int) {
			for _, n := range all {
				ids = append(ids, m.idOf(kind, n))
			}
			slices.Sort(ids)
			return slices.Compact(ids)
		}
		ids = of(wanted)
		got := slices.DeleteFunc(of(holds), func(id int) bool { return slices.Contains(half[kind], id) && !slices.Contains(ids, id) })
		if !slices.Equal(got, ids) {
			m.broken(Restored, "the router holds %ss %v, not %v", kind, got, ids)
		}
		return ids
	}
	topics := judge(Subscribe, q.Topics, want.Topics)
	regs := judge(Register, q.Registrations, want.Registrations)
	slices.Sort(want.follows)
	want.Tables.Subscriptions = len(topics) + 2*len(slices.Compact(want.follows))
	want.Tables.Registrations = len(regs)
}

// idOf stands for the id that the router gives a topic, or the registration of
// an operation: several may have the same.
func (m *Model) idOf(kind Kind, n int) int {
	if kind == Register {
		if o := m.op(n); o != nil && o.Name > 0 {
			return -1
		}
		return n
	}
	if m.oneID {
		return SameTopic(n)
	}
	return n
}

// judgeLeft judges an operation when all is quiet, and counts what it is to
// leave in the tables.
func (m *Model) judgeLeft(o *op, want *Quiet) {
	hidden := o.Kind == Invoke || o.Kind == Follow || o.Kind == Unwill // what is written does not say whose it is
	if !m.Exact && o.outcome == Unknown && !hidden && len(m.writesOf(o)) == 0 {
		m.broken(OnlyWritten, "the outcome of %s is unknown, but it was never written", o.Action)
	}
	m.judgeUnknown(o)
	if o.ended > 0 || o.Kind == Event || o.Kind == Guest || o.Kind == Publish && o.How == "" {
		return
	}
	pending := "is still under way"
	switch {
	case o.Kind == Invoke:
		if !m.over && o.running == m.link && !o.answered && !o.cut {
			want.Tables.Invocations++
			if m.Exact && o.asked == o.running && !o.stopped {
				m.broken(NothingLost, "invocation %d was not told of its interrupt", o.Op)
			}
		}
		if (o.Action.End == EndNever || o.Action.End == EndStuck) && (!m.over || !m.Exact) && o.running > 0 &&
			(o.Action.End == EndNever || o.asked != o.running) {
			return
		}
		if m.behindNever(o) {
			if o.running == 0 {
				want.Tables.Invocations++
			}
			return
		}
	case o.Kind == States && !m.over && !o.cancelled:
		return
	case m.over && o.stuck && !m.Exact: // its user will never know
		return
	case m.over:
		pending = "has not ended with the session"
	case o.cancelled || o.leaving:
	case o.Kind == Call && (o.Action.End == EndNever && o.How != Timeout || o.How == Chunks && !o.complete && o.Action.End == EndResult):
		want.Tables.Requests++
		want.Tables.Watches++
		if len(o.writes) == 0 {
			m.broken(OnlyWritten, "%s was never written", o.Action)
		}
		return
	case o.Kind == Subscribe && o.acked:
		want.Topics = append(want.Topics, o.Name)
		want.Tables.Handles++
		want.Tables.Watches++
		if !o.stuck {
			m.judgeSubscription(o)
		}
		return
	case o.Kind == Follow && o.acked:
		want.Tables.Handles += 2
		want.Tables.Watches += 2
		want.follows = append(want.follows, o.How)
		return
	case o.Kind == Register && o.acked:
		want.Registrations = append(want.Registrations, o.Op)
		want.Tables.Procedures++
		want.Tables.Watches++
		return
	}
	m.broken(EndsOnce, "%s %s", o.Action, pending)
}

// behindNever reports whether an invocation waits for handlers that never end.
func (m *Model) behindNever(o *op) bool {
	r := m.op(o.Of)
	if r.Steps == 0 || m.over || r.ended > 0 && r.outcome != Drained {
		return false
	}
	n := 0
	for _, p := range m.ops {
		if p == nil || p == o || p.Kind != Invoke || p.Of != o.Of || !p.handled {
			continue
		}
		runs := p.running == m.link && !p.answered && !p.cut
		switch p.Action.End {
		case EndNever:
			if runs {
				n++
			}
		case EndStuck:
			if runs || !m.Exact { // it keeps its slot whatever becomes of its link
				n++
			}
		}
	}
	return n >= r.Steps
}

// ProcedureURI is the procedure of a peer.
func ProcedureURI(n int) string { return "sim.proc" + strconv.Itoa(n) }

// RegistrationURI is the procedure of the session's registration of that
// number, SharedURI one that several registrations share.
func RegistrationURI(op int) string { return "sim.reg" + strconv.Itoa(op) }

// SharedURI is a procedure that several registrations share.
func SharedURI(name int) string { return "sim.shared" + strconv.Itoa(name) }

// QuietTime is how long a check waits: longer than any delay, retry or grace
// period of the library.
const QuietTime = 3 * time.Minute
