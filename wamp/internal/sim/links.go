package sim

import (
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the model knows of links and their ends: which operation may be blamed
// for them, and when they are the end of the session.

const (
	// AckTimeout is how long the router may take for an acknowledgement.
	AckTimeout = 10 * time.Second
	// deathTime is how soon behind a write the link must end for what was
	// written to be blamed. mostDeaths links in a row are too many, and from
	// suspectedFrom on it is sent alone. inexact is what the session knows of it
	// less exactly than the model.
	deathTime     = 10 * time.Second
	inexact       = 20 * time.Millisecond
	mostDeaths    = 3
	suspectedFrom = 2
	// mostBreaches links in a row that end because somebody broke the protocol
	// are the end of the session, and so are mostRefused refused logins over
	// refusedTime.
	mostBreaches = 5
	mostRefused  = 5
	refusedTime  = time.Minute
)

// certainty is how sure the model is that something was so.
type certainty int

const (
	no certainty = iota
	perhaps
	surely
)

// linkLife is what is known of one link, or of a login that was refused.
type linkLife struct {
	end      time.Duration
	over     bool
	gentle   certainty // by a GOODBYE, or the session gave it up: nothing that was written is to blame
	breach   bool      // somebody has broken the protocol
	answered certainty // an operation of the user's was answered on it
	probed   bool      // something that seemed to kill links may have been alone under way when it ended
}

// write is one time that something was handed to a link.
type write struct {
	link     int
	at       time.Duration
	answered bool
}

func (m *Model) linkOf(link int) *linkLife {
	l := m.links[link]
	if l == nil {
		l = &linkLife{}
		m.links[link] = l
	}
	return l
}

// deaths is how many of the last links in a row that something was written to
// ended soon behind that, with nothing come for it: at most, or at least. On one
// link it may have been written more than once.
func (m *Model) deaths(all []write, most bool) (n int) {
	limit := deathTime - inexact
	if most {
		limit = deathTime + inexact
	}
	for len(all) > 0 {
		link := all[len(all)-1].link
		l := m.linkOf(link)
		answered, silent, soon := false, false, false
		for len(all) > 0 && all[len(all)-1].link == link {
			w := all[len(all)-1]
			all = all[:len(all)-1]
			answered = answered || w.answered
			silent = silent || !w.answered
			soon = soon || !w.answered && l.end-w.at <= limit
		}
		switch {
		case answered && (!most || !silent):
			return n
		case !l.over: // so far
		case l.gentle == surely || l.gentle == perhaps && !most || !soon:
			return n
		default:
			n++
		}
	}
	return n
}

// suspected reports whether something is to be sent alone.
func (m *Model) suspected(all []write) certainty {
	switch {
	case m.deaths(all, false) >= suspectedFrom:
		return surely
	case m.deaths(all, true) >= suspectedFrom:
		return perhaps
	}
	return no
}

// judgeAgain judges that something is written that may be written again and
// again: not once more where it has ended three links, and alone, unless r is
// nil, where it seems to end them.
func (m *Model) judgeAgain(what any, all []write, r *request) {
	if n := m.deaths(all, false); n >= mostDeaths {
		m.broken(Blame, "%v is written again, and %d links have ended with it", what, n)
	}
	if r == nil || m.suspected(all) != surely || !m.Exact {
		return
	}
	r.suspect = true
	for _, o := range m.open {
		if o != r && o.suspect && !o.came && m.now()-o.at < deathTime && !o.over() {
			m.broken(Blame, "%v is written while something else that seems to end links is under way", what)
		}
	}
}

// deathsTrue judges that an operation has ended because of the links that ended
// with it. In fake time what was handed to the writer of a link that breaks is not
// seen.
func (m *Model) deathsTrue(o *op, e End) string {
	n := 0
	if m.Exact {
		n = m.deaths(m.writesOf(o), true)
	} else {
		n = m.linksSince(o)
	}
	if e.Links != mostDeaths {
		return "it says that it was the end of links, but not of three"
	}
	return unless(n >= mostDeaths, "three links in a row did not end with it")
}

// linksSince counts the links, the present one too, that an operation was there
// for and may be blamed for. Others may have asked for a topic before.
func (m *Model) linksSince(o *op) (n int) {
	for link := m.link; link > 0; link-- {
		if l := m.linkOf(link); (!l.over || l.end >= o.began || o.Kind == Subscribe || o.Kind == Follow) && l.gentle != surely {
			n++
		}
	}
	return n
}

// mayBeAlone reports whether an operation may have been sent alone, now or on an
// earlier link, and so be late.
func (m *Model) mayBeAlone(o *op) bool {
	if m.Exact {
		return o.suspect
	}
	return (o.Idempotent() || o.Kind == Will || o.Kind == Unwill) && m.linksSince(o) > suspectedFrom
}

// Heard says that the session was told by GOODBYE a reason why its link ends.
func (m *Model) Heard(link int, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("heard %s", reason)
	if m.linkOf(link).breach { // it does not listen any more
		return
	}
	m.leaving = link
	m.linkOf(link).gentle = surely
	if reason == proto.CloseURIKilled {
		m.killed = true
	}
}

// Aborts says that the session says ABORT on a link.
func (m *Model) Aborts(link int, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.linkOf(link).breach {
		m.broken(Protocol, "the session aborts: %s", why)
	}
}

// HeardBreach says that the session is about to be given what breaks the
// protocol, or an ABORT that says that it has broken it.
func (m *Model) HeardBreach(link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("the protocol is broken on link %d", link)
	if m.linkOf(link).gentle == surely { // it does not listen any more
		return
	}
	m.linkOf(link).breach = true
	m.Counts.Breaches++
}

// GaveUp says that the session gives its link up, because of a handle that the
// router does not acknowledge again.
func (m *Model) GaveUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("link %d is given up", m.link)
	m.linkOf(m.link).gentle = surely
	var late []*request
	for _, r := range m.open {
		if r.restores && m.now()-r.at >= AckTimeout {
			late = append(late, r)
		}
	}
	if len(late) == 0 {
		m.broken(Final, "link %d is given up, and no handle waits for the router", m.link)
	}
	for _, r := range late {
		if r.op != nil {
			r.op.givenUp++
		} else {
			m.topicGiven[r.name]++
		}
		switch {
		case len(late) > 1: // it was for one of them
		case r.op != nil:
			r.op.silences++
		default:
			m.silences[r.name]++
		}
	}
}

// Refused says that the session's login was refused.
func (m *Model) Refused(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("refused: %s", reason)
	switch reason {
	case proto.ErrURIProtocolViolation:
		m.falls = append(m.falls, &linkLife{over: true, breach: true})
		m.Counts.Breaches++
	case proto.ErrURINotAuthorized:
		if m.refusals++; m.refusals == 1 {
			m.refusedAt = m.now()
		}
	}
}

// fallen notes the end of a link.
func (m *Model) fallen(link int) {
	l := m.linkOf(link)
	if l.over {
		return
	}
	l.over, l.end = true, m.now()
	for _, r := range m.open {
		if !m.Exact && r.restores && l.end-r.at >= AckTimeout {
			l.gentle = max(l.gentle, perhaps) // the session does not say that it has given it up
		}
		l.probed = l.probed || r.suspect || r.op != nil && m.suspected(r.op.writes) != no
	}
	m.falls = append(m.falls, l)
	for _, o := range m.ops {
		if o != nil && o.Kind == Will && o.outcome == Result && m.deaths(o.writes, true) >= mostDeaths {
			o.lapsed = true
		}
	}
}

// breaches counts the links in a row that ended by a breach, on none of which an
// operation was answered: at least, or at most.
func (m *Model) breaches(most bool) (n int) {
	falls := m.falls
	if l := m.linkOf(m.link); most && m.up && l.breach {
		falls = append(slices.Clone(falls), l)
	}
	for _, l := range slices.Backward(falls) {
		switch {
		case !l.breach || l.answered == surely || !most && l.answered != no:
			return n
		case !most && l.probed: // an operation is to blame
		default:
			n++
		}
	}
	return n
}

// mayEnd reports whether the session has a reason to be over.
func (m *Model) mayEnd() bool {
	return m.ending != "" || m.killed || m.refusedOut() || m.breaches(true) >= mostBreaches
}

// mustEnd is why the session must be over, "" if it need not be.
func (m *Model) mustEnd() string {
	switch {
	case m.killed:
		return "it was killed"
	case m.refusedOut():
		return "its logins were refused for too long"
	case m.Exact && m.breaches(false) >= mostBreaches:
		return "the protocol was broken on too many links"
	}
	return ""
}

func (m *Model) refusedOut() bool {
	return m.refusals >= mostRefused && m.now()-m.refusedAt >= refusedTime
}
