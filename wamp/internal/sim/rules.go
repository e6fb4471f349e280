package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"
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
	// Windowed: a publish stream keeps to its window, and stops at an error.
	Windowed Invariant = "windowed"
	// CutsInvocations: the invocations of a lost link are interrupted.
	CutsInvocations Invariant = "cuts invocations"
)

// truths says for each operation which ends are possible, and what must be
// true then: "" or what is wrong.
var truths = map[Kind]map[Outcome]func(m *Model, o *op, e End) string{
	Call: {
		Result: resultTrue, Error: errorTrue, Canceled: canceledTrue, Closed: closedTrue,
		Unknown: unknownTrue, TooSlow: slowTrue, TimedOut: timeoutTrue, NotConnected: failFastTrue,
	},
	Publish: {Result: takenTrue, Canceled: canceledTrue, Closed: closedTrue, Unknown: unknownTrue, NotConnected: failFastTrue},
	Stream:  {Canceled: canceledTrue, Closed: closedTrue, Unknown: unknownStream, NotConnected: failFastTrue},
	Follow: {Canceled: canceledTrue, Closed: closedTrue, NotConnected: func(m *Model, o *op, e End) string {
		if o.acked {
			return "it was there already"
		}
		return failFastTrue(m, o, e)
	}},
	Will:   {Result: takenTrue, Canceled: canceledTrue, Closed: closedTrue, NotConnected: failFastTrue},
	Unwill: {Result: flushedTrue, Canceled: canceledTrue, Closed: closedTrue, NotConnected: failFastTrue},
	Subscribe: {Canceled: canceledTrue, Closed: closedTrue, Left: leftTrue, TooSlow: slowTrue, Revoked: goneTrue,
		NotConnected: failFastTrue},
	Register: {Canceled: canceledTrue, Closed: closedTrue, Left: leftTrue, Drained: drainedTrue, Revoked: revokedTrue,
		NotConnected: failFastTrue},
	Invoke: {Result: resultTrue, Error: errorTrue,
		Unknown: func(m *Model, _ *op, _ End) string { return unless(!m.Exact, "peers are not cut") }},
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
	case m.up && o.upAt == m.link && m.leaving != m.link && o.began > m.upAt:
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

func closedTrue(m *Model, _ *op, _ End) string {
	return unless(m.ending != "", "the session has no reason to be over")
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
var routerErrors = []string{"wamp.error.no_such_procedure", "wamp.error.unavailable", "wamp.error.no_available_callee"}

func errorTrue(m *Model, o *op, e End) string {
	switch {
	case e.URI == AppError:
		return unless(o.Action.End == EndError, "the callee does not end it with an error")
	case e.URI == "wamp.error.canceled" && o.Kind == Invoke:
		return "" // the session that ran it was lost
	case e.URI == "wamp.error.canceled":
		return unless(!m.Exact, "the router does not cancel it by itself")
	case e.URI == "wamp.error.timeout":
		return unless(o.How == Timeout, "it has no limit")
	case slices.Contains(routerErrors, e.URI):
		if o.Kind == Call && m.Exact {
			return "every procedure is there"
		}
		return ""
	}
	return "nobody says so"
}

func unknownTrue(m *Model, o *op, e End) string {
	if len(o.writes) == 0 {
		return "" // judged as OnlyWritten
	}
	if o.Idempotent() && o.delivered == 0 {
		return "it is idempotent"
	}
	if e.Delivered != o.delivered {
		return fmt.Sprintf("it says %d results were delivered, not %d", e.Delivered, o.delivered)
	}
	if m.Exact && m.up && o.writes[len(o.writes)-1] == m.link {
		return "its link is up"
	}
	return ""
}

func timeoutTrue(m *Model, o *op, _ End) string {
	if o.How != Timeout {
		return "it has no limit"
	}
	if len(o.writes) == 0 {
		return "its time runs before it was written"
	}
	waited := m.now() - max(o.wrote, o.news)
	return unless(waited >= CallTimeout, "its time is not over: "+waited.String())
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
	if e.How == Result && (o.Kind == Call || o.Kind == Invoke) || e.How == Error && e.URI == AppError {
		m.judgeOwner(o, e.Tag)
	}
	if e.How == Unknown && m.Exact && len(o.writes) == 0 { // else judged when all is quiet
		m.broken(OnlyWritten, "the outcome of %s is unknown, but it was never written", o.Action)
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

// judgeWrite judges that an operation is written.
func (m *Model) judgeWrite(o *op) {
	again := slices.Contains(o.writes, m.link)
	if m.failFast && o.upAt == 0 && len(o.writes) == 0 && o.began > m.downAt && m.now() > o.began && m.link > 0 {
		m.judgeFailFast(o)
	}
	if o.Kind == Will || o.Kind == Unwill {
		m.judgeWillWrite(o)
		return
	}
	if o.Kind == Register {
		if !again {
			m.inOrder(1, o.Op)
			m.restoredFirst(o)
		}
		return
	}
	if o.ended > 0 && m.Exact && o.outcome != Canceled { // the CANCEL goes behind it
		m.broken(TrueOutcome, "%s is written after its end", o.Action)
	}
	if len(o.writes) > 0 {
		m.Counts.Resent++
		if !o.Idempotent() {
			m.broken(AtMostOnce, "%s is written again", o.Action)
		}
	}
	if again {
		m.broken(AtMostOnce, "%s is written twice to one link", o.Action)
		return
	}
	m.inOrder(0, o.Op)
}

// judgeFailFast: it was begun without a link, and has waited for one.
func (m *Model) judgeFailFast(o *op) {
	if !m.Exact { // there the part of the library that refuses it is missing
		m.broken(TrueOutcome, "%s has waited for a link", o.Action)
	}
}

// inOrder judges the order in which operations are first written to a link.
func (m *Model) inOrder(lane, n int) {
	if !m.Exact {
		return
	}
	if n < m.lastSent[lane] {
		m.broken(Order, "operation %d is written behind %d", n, m.lastSent[lane])
	}
	m.lastSent[lane] = max(n, m.lastSent[lane])
}

// restoredFirst judges that what the session had comes back before anything
// else is written to a link.
func (m *Model) restoredFirst(o *op) {
	if m.Exact && o.applied > 0 && o.applied < m.link && m.lastSent[0] > 0 {
		m.broken(Order, "%s is restored behind operation %d", o.Action, m.lastSent[0])
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
	m.over, m.up = true, false
	if m.ending == "" {
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
	// Octets are those that count against the outbound bound.
	Octets int
	Tables Tables

	follows []string
}

// JudgeQuiet judges what is left when all is quiet.
func (m *Model) JudgeQuiet(q Quiet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.final != "" && !m.over {
		m.broken(Final, "the session goes on after %s", m.final)
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
	slices.Sort(want.Topics)
	want.Topics = slices.Compact(want.Topics)
	if !m.over {
		slices.Sort(want.follows)
		want.Tables.Subscriptions = len(want.Topics) + 2*len(slices.Compact(want.follows))
		slices.Sort(q.Topics)
		slices.Sort(q.Registrations)
		if !slices.Equal(q.Topics, want.Topics) {
			m.broken(Restored, "the router holds subscriptions to topics %v, not %v", q.Topics, want.Topics)
		}
		if !slices.Equal(q.Registrations, want.Registrations) {
			m.broken(Restored, "the router holds registrations %v, not %v", q.Registrations, want.Registrations)
		}
	}
	for _, n := range q.Calls {
		if m.ops[n].ended > 0 {
			m.broken(NothingLeft, "the router still has %s, which has ended", m.ops[n].Action)
		}
	}
	if q.Octets != 0 {
		m.broken(NothingLeft, "%d octets count as queued", q.Octets)
	}
	if q.Tables != want.Tables {
		m.broken(NothingLeft, "tables %+v, not %+v", q.Tables, want.Tables)
	}
}

// judgeLeft judges an operation when all is quiet, and counts what it is to
// leave in the tables.
func (m *Model) judgeLeft(o *op, want *Quiet) {
	if !m.Exact && o.outcome == Unknown && o.Kind != Invoke && len(o.writes) == 0 {
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
		if o.Action.End == EndNever && (!m.over || !m.Exact) && o.running > 0 {
			return
		}
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
		m.judgeSubscription(o)
		return
	case o.Kind == Follow && o.acked:
		want.Tables.Handles += 2
		want.Tables.Watches += 2
		want.follows = append(want.follows, o.How)
		return
	case o.Kind == Register && o.acked:
		want.Registrations = append(want.Registrations, o.Op)
		want.Tables.Registrations++
		want.Tables.Procedures++
		want.Tables.Watches++
		return
	}
	m.broken(EndsOnce, "%s %s", o.Action, pending)
}

// ProcedureURI is the procedure of a peer.
func ProcedureURI(n int) string { return "sim.proc" + strconv.Itoa(n) }

// RegistrationURI is the procedure of the session's registration of that
// number.
func RegistrationURI(op int) string { return "sim.reg" + strconv.Itoa(op) }

// QuietTime is how long a check waits: longer than any delay, retry or grace
// period of the library.
const QuietTime = 3 * time.Minute
