package wamp

import (
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// CallOption is an option of a call: of [Session.Call], [Session.CallStream],
// [Session.CallFunc], [Call], [Stream], [OpenStream] and [OpenCall].
type CallOption interface{ applyCall(*callStream) error }

type callOption func(*callStream) error

func (o callOption) applyCall(s *callStream) error { return o(s) }

// Mode is how a call is cancelled: [KillNoWait], [Kill] or [Skip]. See
// [CancelMode]. [proto.CancelMode.String] returns its name on the wire.
type Mode = proto.CancelMode

// The cancel modes.
const (
	// KillNoWait interrupts the callee and ends the call at once. The default.
	KillNoWait = proto.KillNoWait
	// Kill interrupts the callee and ends the call with its answer, but no
	// later than the grace period (KillGrace).
	Kill = proto.Kill
	// Skip leaves the callee alone and ends the call at once.
	Skip = proto.Skip
)

// Progressive asks the callee for progressive results. Where the dealer did not
// announce progressive_call_results, the call has a final result only.
//
// See the WAMP specification, "Progressive Call Results".
func Progressive() CallOption {
	return callOption(func(s *callStream) error { s.call.Progressive = true; return nil })
}

// CancelMode sets how the call is cancelled when its context ends. Default:
// [KillNoWait]. Where the dealer did not announce call_canceling, the call only
// ends on this side. For a progressive call whose last chunk was not sent yet,
// [Skip] works as KillNoWait: otherwise the callee would wait for the next
// chunk for ever.
//
// See the WAMP specification, "Call Canceling".
func CancelMode(m Mode) CallOption {
	return callOption(func(s *callStream) error {
		if m > Skip {
			return fmt.Errorf("CancelMode: unknown mode %d", m)
		}
		s.call.Mode = m
		return nil
	})
}

// KillGrace sets how long a call that is cancelled in mode [Kill] waits for the
// callee's answer. Default: 10 s.
func KillGrace(d time.Duration) CallOption {
	return callOption(func(s *callStream) error {
		if d < 0 {
			return errors.New("KillGrace: the time is negative")
		}
		s.call.Grace = d
		return nil
	})
}

// Timeout ends the call with a [TimeoutError] when no result, progressive or
// final, has come for d, with or without a connection. It needs no feature of
// the router. Default: none.
//
// The limit is also sent to a dealer that announced call_timeout, unless the call is
// progressive in either direction: not every dealer starts its timer anew with each
// result. PassDeadline(true) sends it then too. If the dealer ends the call first, the
// error is an [Error]. Both match [ErrTimeout] and [context.DeadlineExceeded].
//
// See the WAMP specification, "Call Timeouts".
func Timeout(d time.Duration) CallOption {
	return callOption(func(s *callStream) error {
		s.call.Timeout = d
		return positive("Timeout", d)
	})
}

// PassDeadline sets which time limits of the call are sent to a dealer that
// announced call_timeout, and through it to a callee that asked for them by
// [ForwardTimeout].
//
// Without it the deadline of ctx is sent, unless [CancelMode] is [Kill] or [Skip],
// and the [Timeout], unless the call is progressive. PassDeadline(true) also sends
// the Timeout of a progressive call. PassDeadline(false) does not send the
// deadline.
func PassDeadline(on bool) CallOption {
	return callOption(func(s *callStream) error {
		s.call.Deadline = session.PassTimeout
		if on {
			s.call.Deadline = session.PassAll
		}
		return nil
	})
}

// CallRunMode says which callees of a shared registration are called.
type CallRunMode = proto.RunMode

// RunMode selects which callees of a shared registration are called: with [All]
// all of them, with [Partition] the one that the [RoutingKey] selects, which
// sets this mode by itself. All sets [Progressive]. It needs the dealer's
// sharded_registration.
func RunMode(m CallRunMode) CallOption {
	return callOption(func(s *callStream) error {
		switch m {
		case Partition:
		case All:
			s.call.Progressive = true
		default:
			return fmt.Errorf("RunMode: unknown mode %q", proto.Short(string(m)))
		}
		s.call.Options = s.call.Options.With(proto.KeyRunMode, string(m))
		need := runModeNeed
		need.Option = "RunMode(" + string(m) + ")"
		s.call.Needs = append(s.call.Needs, need)
		return nil
	})
}

// The run modes.
const (
	// Partition calls the callee that the routing key picks.
	Partition = proto.RunPartition
	// All calls every callee. The result of each comes as a progressive result
	// that says whose it is (Result.Callee), then an empty final one.
	All = proto.RunAll
)
