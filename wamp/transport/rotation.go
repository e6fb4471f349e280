package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The cool-down of an address that has failed: it doubles with each failure in a row.
const (
	coolFloor   = 10 * time.Second
	coolCeiling = 5 * time.Minute
)

// Rotation finds a way to one router that has several addresses, or to one of several
// routers that stand for each other.
//
// Each round of attempts takes every address once. Within it they come in this
// order: the preferred address, if there is one ([Rotation.Prefer]); the one that
// worked last; the others in their order; and after them those that have failed, the one
// whose failure is the longest ago first. A rotation that shuffles has both in a random
// order that is drawn anew for each round. An address counts as one that has failed for a
// cool-down of 10 s, which doubles with each failure in a row, up to 5 min.
//
// As a [Dialer], by its method Dial, it knows only which sockets could be opened.
// A caller that knows more asks for the address by Turn, and reports by Worked or Failed
// what became of it. Its methods may be called by several goroutines at once.
type Rotation struct {
	shuffle bool
	first   *stop // in the order that was given

	mu        sync.Mutex    // guards the rest, never held across a dial
	all       []*stop       // in the order of this round
	preferred *stop         // nil if there is none
	after     time.Duration // its cool-down
	current   *stop         // worked last, nil if none has
	last      *stop         // taken last, nil before the first turn
	turns     uint64        // taken
	failed    []*stop       // since Begin, in the order of their last failures
}

// stop is one address of a rotation.
type stop struct {
	address string
	dial    Dialer

	tried    bool      // in this round
	failures int       // in a row
	at       time.Time // of the last of them
	err      error     // of it
}

// NewRotation returns the rotation of the addresses, see [ParseAddress], in their
// order, or if shuffle in a random order that is drawn anew for each round. At least
// one is needed. One that is given twice counts once.
func NewRotation(shuffle bool, opts DialOptions, addresses ...string) (*Rotation, error) {
	if len(addresses) == 0 {
		return nil, errNoAddress
	}
	r := &Rotation{shuffle: shuffle}
	known := map[string]bool{}
	for i, rawURL := range addresses {
		a, err := ParseAddress(rawURL)
		if err == nil && inBrowser {
			err = refuse(notThere(a, &opts))
		}
		if err != nil {
			if len(addresses) > 1 { // which may have a password in it
				err = fmt.Errorf("address %d of %d: %w", i+1, len(addresses), err)
			}
			return nil, err
		}
		if key := a.key(); !known[key] {
			known[key] = true
			r.all = append(r.all, &stop{address: a.String(), dial: a.Dialer(opts)})
		}
	}
	r.first = r.all[0]
	r.round()
	return r, nil
}

// Prefer makes the first address the preferred one, whose cool-down is after. It is
// called before the first turn.
func (r *Rotation) Prefer(after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.preferred, r.after = r.first, after
}

// Dial is a [Dialer]. It dials the next address.
func (r *Rotation) Dial(ctx context.Context, protocols []Protocol) (Conn, error) {
	dial, turn := r.take()
	conn, err := dial(ctx, protocols)
	if err != nil {
		r.fail(turn, err)
	}
	return conn, err
}

// Turn takes the next address and returns its dialer, which may dial it several
// times.
func (r *Rotation) Turn() Dialer {
	dial, _ := r.take()
	return dial
}

func (r *Rotation) take() (Dialer, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.all, (*stop).isFresh) {
		r.round()
	}
	now := time.Now()
	var next *stop
	for _, s := range r.all {
		if s.isFresh() && (next == nil || r.before(now, s, next)) {
			next = s
		}
	}
	next.tried = true
	r.last = next
	r.turns++
	return next.dial, r.turns
}

func (s *stop) isFresh() bool { return !s.tried }

// round begins a round.
func (r *Rotation) round() {
	for _, s := range r.all {
		s.tried = false
	}
	if r.shuffle {
		rand.Shuffle(len(r.all), func(i, k int) { r.all[i], r.all[k] = r.all[k], r.all[i] })
	}
}

// before reports whether a comes before b, which stands in front of it.
func (r *Rotation) before(now time.Time, a, b *stop) bool {
	if x, y := r.rank(now, a), r.rank(now, b); x != y {
		return x < y
	}
	return !r.shuffle && r.cooling(now, a) && a.at.Before(b.at)
}

func (r *Rotation) rank(now time.Time, s *stop) int {
	switch {
	case r.cooling(now, s):
		return 3
	case s == r.preferred:
		return 0
	case s == r.current:
		return 1
	}
	return 2
}

// cooling reports whether an address counts as one that has failed.
func (r *Rotation) cooling(now time.Time, s *stop) bool {
	if s.failures == 0 {
		return false
	}
	cool := coolCeiling
	if s == r.preferred {
		cool = r.after
	} else if s.failures <= 5 {
		cool = min(coolFloor<<(s.failures-1), coolCeiling)
	}
	return now.Sub(s.at) < cool
}

// Worked says that what was taken last has worked: not only that a socket was
// opened, but that a session was joined.
func (r *Rotation) Worked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return
	}
	r.current = r.last
	r.last.failures = 0
}

// Failed says that what was taken last has failed, or that it works no more.
func (r *Rotation) Failed(err error) { r.fail(0, err) }

// fail notes the failure of a turn, 0 for the last one. Of one that others have
// followed nothing is noted.
func (r *Rotation) fail(turn uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil || turn != 0 && turn != r.turns {
		return
	}
	s := r.last
	s.failures++
	s.at, s.err = time.Now(), err
	if i := slices.Index(r.failed, s); i >= 0 {
		r.failed = slices.Delete(r.failed, i, i+1)
	}
	r.failed = append(r.failed, s)
}

// Begin begins a round, whether the last one has come to its end or not, and forgets
// what Failures tells.
func (r *Rotation) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round()
	r.failed = nil
}

// Fresh reports whether the next turn takes an address that the round, which has
// begun, has not tried.
func (r *Rotation) Fresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	tried, fresh := false, false
	for _, s := range r.all {
		tried, fresh = tried || s.tried, fresh || !s.tried
	}
	return tried && fresh
}

// Last returns the address that was taken last, as [Address.String] shows it, and
// "" before the first turn.
func (r *Rotation) Last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return ""
	}
	return r.last.address
}

// Len returns how many addresses there are.
func (r *Rotation) Len() int { return len(r.all) }

// Failure is how an address of a [Rotation] has failed.
type Failure struct {
	Address string
	Err     error
}

// Failures returns how each address that has failed since [Rotation.Begin] did so
// the last time, the latest first.
func (r *Rotation) Failures() []Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Failure
	for _, s := range slices.Backward(r.failed) {
		all = append(all, Failure{s.address, s.err})
	}
	return all
}
