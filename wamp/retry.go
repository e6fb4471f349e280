package wamp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// RetryPolicy says how often and for how long [Retry] makes a call again. Before each
// further attempt it waits for a random time between Min and a ceiling that starts at twice
// Min and doubles with each attempt, up to Max. The zero value has the defaults.
type RetryPolicy struct {
	// Min and Max bound the wait before an attempt. Defaults: 100 ms and 10 s.
	Min, Max time.Duration
	// Attempts limits how many attempts are made, the first included. Zero means no
	// limit.
	Attempts int
	// Time limits how long after the first attempt another one is begun. Zero means no
	// limit.
	Time time.Duration
}

func (p *RetryPolicy) check() error {
	if p.Min < 0 || p.Max < 0 || p.Attempts < 0 || p.Time < 0 {
		return errors.New("a number or a duration of the policy is negative")
	}
	if p.Min == 0 {
		p.Min = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = 10 * time.Second
	}
	p.Max = max(p.Max, p.Min)
	return nil
}

// delay is the wait behind so many attempts, and whether there is another one. began is
// when the first was made.
func (p *RetryPolicy) delay(attempts int, began time.Time) (time.Duration, bool) {
	if p.Attempts > 0 && attempts >= p.Attempts {
		return 0, false
	}
	d := session.Jitter(p.Min, p.Max, attempts, rand.Float64())
	return d, p.Time == 0 || time.Since(began)+d <= p.Time
}

// Retry makes a call again when it ends with one of errs, by default with
// [ErrNoSuchProcedure], [ErrNoAvailableCallee] or [ErrUnavailable], so that a program may
// start before those that it calls. Errors are compared by [errors.Is]. A call of which a
// result has been delivered, a progressive one too, is not made again.
//
// The ctx of the call, its [Timeout] and the policy bound all attempts and the waits
// between them. With neither a deadline nor a limit a call of a procedure that nobody
// registers goes on until the session ends. The error then is a [RetryError] that counts
// the attempts.
//
// Retry cannot tell whether such an error was made before the procedure ran. Routers make
// them themselves, and this library as a callee does not pass them on from calls within a
// handler; another callee may have done its work before it answers with one. The outcome of
// a call that was cut by the loss of the connection is not known, and is none of the
// default errors: see [Idempotent] and [Resume].
//
// A progressive call ([Session.CallStream], [Session.CallFunc]) cannot have it: its chunks
// are gone.
func Retry(policy RetryPolicy, errs ...error) CallOption {
	bad := policy.check()
	return callOption(func(s *callStream) error {
		if bad != nil {
			return fmt.Errorf("Retry: %w", bad)
		}
		for _, err := range errs {
			if err == nil {
				return errors.New("Retry: one of the errors is nil")
			}
		}
		more := s.extra()
		if more.retry, more.on = &policy, errs; len(errs) == 0 {
			more.on = retryable
		}
		return nil
	})
}

// retryable are the errors of calls that nobody has carried out.
var retryable = []error{ErrNoSuchProcedure, ErrNoAvailableCallee, ErrUnavailable}
