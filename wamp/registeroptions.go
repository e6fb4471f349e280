package wamp

import (
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// RegisterOption is an option of [Session.Register], [Session.Handle], [Serve],
// [ServeStream] and [ServeChunks].
type RegisterOption interface{ applyRegister(*Registration) error }

type registerOption func(*Registration) error

func (o registerOption) applyRegister(r *Registration) error { return o(r) }

// InvokePolicy is how the dealer chooses one of several callees of a procedure:
// [Single], [RoundRobin], [Random], [First] or [Last].
type InvokePolicy = proto.InvokePolicy

// The invocation policies. All but [Single] need the dealer's shared_registration.
const (
	// Single allows one callee only. It is the default.
	Single = proto.Single
	// RoundRobin takes the callees in turn.
	RoundRobin = proto.RoundRobin
	// Random takes any of the callees.
	Random = proto.Random
	// First takes the callee that registered first.
	First = proto.First
	// Last takes the callee that registered last.
	Last = proto.Last
)

// Invoke shares the procedure with other callees, of which the dealer chooses
// one for each call. Default: [Single], which shares nothing. It needs the
// dealer's shared_registration.
//
// See the WAMP specification, "Shared Registration".
func Invoke(p InvokePolicy) RegisterOption {
	return registerOption(func(r *Registration) error {
		switch p {
		case Single:
			return nil
		case RoundRobin, Random, First, Last:
			r.operation().set(proto.KeyInvoke, string(p), "Invoke("+string(p)+")")
			return nil
		}
		return fmt.Errorf("Invoke: unknown policy %q", proto.Short(string(p)))
	})
}

// DiscloseCaller asks the dealer to disclose all callers to this callee, see
// [Invocation.Caller].
func DiscloseCaller() RegisterOption {
	return registerOption(func(r *Registration) error {
		r.operation().set(proto.KeyDiscloseCaller, true, "DiscloseCaller")
		return nil
	})
}

// ForwardTimeout asks the dealer to pass the time limit of a call on instead of
// enforcing it. The context of the invocation then ends by that limit, with a
// [TimeoutError] as its cause. The limit is the deadline of the context, unless
// the caller asked for progressive results: then it bounds the time between
// them. It needs the dealer's call_timeout.
//
// See the WAMP specification, "Call Timeouts".
func ForwardTimeout() RegisterOption {
	return registerOption(func(r *Registration) error {
		r.timeouts = true
		r.operation().set(proto.KeyForwardTimeout, true, "ForwardTimeout")
		return nil
	})
}

// ChunkIdle ends a progressive call whose next chunk does not come within d.
// The context of the invocation ends with a [ChunkTimeoutError] as its cause;
// the handler may still answer, within 10 s. Use it behind routers that do
// not tell a callee that its caller has vanished, where such calls would occupy
// one handler after the other. Default: no limit.
func ChunkIdle(d time.Duration) RegisterOption {
	return registerOption(func(r *Registration) error {
		r.chunkIdle = d
		return positive("ChunkIdle", d)
	})
}
