package session

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Interrupt is the cause of an invocation's context after the dealer sent
// INTERRUPT.
type Interrupt struct {
	// Mode is "kill" or "killnowait", "" if the dealer did not say.
	Mode string
	// Reason is the error URI that the dealer gave, "" if it gave none.
	Reason string
}

func (e *Interrupt) Error() string {
	s := prefix + "interrupted"
	if e.Mode != "" {
		s += ": mode " + proto.Short(e.Mode)
	}
	return joinText(s, e.Reason)
}

// Is reports whether target is [ErrCanceled] or the constant of the reason.
func (e *Interrupt) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && (s == ErrCanceled || string(s) == e.Reason)
}

// OutcomeUnknown ends an operation that was written when the connection was
// lost or the session ended, or that the router did not acknowledge in time. The
// operation may or may not have been carried out.
type OutcomeUnknown struct {
	// Delivered counts the progressive results that had arrived.
	Delivered int
	// Links counts the connections in a row that ended soon after the operation
	// was written, if that is why it is not sent again.
	Links int
	// Reason is how the connection ended.
	Reason error
}

func (e *OutcomeUnknown) Error() string {
	s := prefix + "outcome unknown: "
	if e.Links > 0 {
		s += fmt.Sprintf("%d connections in a row ended when it had been sent, it is not tried again: ", e.Links)
	}
	return s + bare(e.Reason)
}

// Unwrap returns the reason.
func (e *OutcomeUnknown) Unwrap() error { return e.Reason }

// unknownAtEnd is the error of an operation that was written, where err is why it
// ends. If that is the end of the session, nobody knows what became of it.
func unknownAtEnd(err error, delivered int) error {
	if closed, is := err.(*ClosedError); is { //nolint:errorlint // the engine's own, not wrapped yet
		return &OutcomeUnknown{Delivered: delivered, Reason: closed}
	}
	return err
}

// CanceledError ends an operation whose context has ended. It matches the error
// of the context, its cause, and [ErrCanceled] or, after a deadline,
// [ErrTimeout].
type CanceledError struct {
	// Err is context.Canceled or context.DeadlineExceeded.
	Err error
	// Cause is the cause of the context.
	Cause error
	// Peer is what the callee answered in mode kill, nil if it did not answer.
	Peer *Error
	// Offline is why there was no connection, nil if there was one: how the
	// last one was lost, or how the last attempt failed.
	Offline error
	// Attempt says how far an attempt to connect had come: a
	// *transport.DialError, or the login. It is nil if the operation was not
	// one.
	Attempt error
}

func newCanceled(ctx context.Context) *CanceledError {
	return &CanceledError{Err: ctx.Err(), Cause: causeOf(ctx)}
}

// canceledOffline is newCanceled for what waited for a link; offline is nil if
// it did not.
func canceledOffline(ctx context.Context, offline error) *CanceledError {
	e := newCanceled(ctx)
	e.Offline = offline
	return e
}

// Canceled returns the error of an operation whose ctx has ended.
func Canceled(ctx context.Context) error { return newCanceled(ctx) }

// CanceledOffline is Canceled for what waited for a link, which was lost, or was not to be
// had, because of offline.
func CanceledOffline(ctx context.Context, offline error) error { return canceledOffline(ctx, offline) }

func (e *CanceledError) Error() string {
	s := prefix + bare(e.Err)
	if e.Attempt != nil {
		s = prefix + e.Attempt.Error()
	}
	if e.Cause != nil && !same(e.Cause, e.Err) {
		s += ": " + bare(e.Cause)
	}
	return s + whileOffline(e.Offline)
}

func whileOffline(why error) string {
	if why == nil {
		return ""
	}
	return " while not connected: " + bare(why)
}

// notConnected is ErrNotConnected with the reason.
func notConnected(why error) error {
	if why == nil {
		return ErrNotConnected
	}
	return wrapf("%w: %w", ErrNotConnected, why)
}

// Is reports whether target is [ErrCanceled], or after a deadline [ErrTimeout].
func (e *CanceledError) Is(target error) bool {
	if same(e.Err, context.DeadlineExceeded) {
		return target == ErrTimeout
	}
	return target == ErrCanceled
}

// Unwrap returns the error of the context, its cause, and what else is known.
func (e *CanceledError) Unwrap() []error {
	errs := []error{e.Err}
	if e.Cause != nil && !same(e.Cause, e.Err) {
		errs = append(errs, e.Cause)
	}
	if e.Peer != nil {
		errs = append(errs, e.Peer)
	}
	if e.Offline != nil {
		errs = append(errs, e.Offline)
	}
	if e.Attempt != nil {
		errs = append(errs, e.Attempt)
	}
	return errs
}

// TimeoutError ends a call whose own time limit (wamp.Timeout) ran out.
type TimeoutError struct {
	// After is the limit.
	After time.Duration
	// Offline is why there was no connection, nil if there was one.
	Offline error
}

func (e *TimeoutError) Error() string {
	return prefix + "no result within " + e.After.String() + whileOffline(e.Offline)
}

// Unwrap returns why there was no connection, nil if there was one.
func (e *TimeoutError) Unwrap() error { return e.Offline }

// Is reports whether target is [ErrTimeout] or [context.DeadlineExceeded].
func (e *TimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Timeout reports true, as for a net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// ChunkTimeoutError is the cause of an invocation's context after the next
// chunk of a progressive call did not come in time (wamp.ChunkIdle).
type ChunkTimeoutError struct {
	// After is the limit.
	After time.Duration
}

func (e *ChunkTimeoutError) Error() string { return prefix + "no chunk within " + e.After.String() }

// Is reports whether target is [ErrTimeout] or [context.DeadlineExceeded].
func (e *ChunkTimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Timeout reports true, as for a net.Error.
func (e *ChunkTimeoutError) Timeout() bool { return true }

// RetryError is the error of a call that was made more than once.
type RetryError struct {
	// Attempts is how many attempts were made.
	Attempts int
	// Err is the error of the last attempt that has failed by itself.
	Err error
	// Ended is why there was not another one where that is not the policy; nil otherwise.
	Ended error
}

func (e *RetryError) Error() string {
	times := count(e.Attempts, "attempt", "attempts")
	if e.Ended != nil {
		return fmt.Sprintf("%s%s, after %s, the last of which failed: %s", prefix, bare(e.Ended), times, bare(e.Err))
	}
	return fmt.Sprintf("%s%s, after %s", prefix, bare(e.Err), times)
}

// Unwrap returns both errors.
func (e *RetryError) Unwrap() []error {
	if e.Ended != nil {
		return []error{e.Ended, e.Err}
	}
	return []error{e.Err}
}
