package session

import (
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Verdict is what a Sink says of a message that it was given.
type Verdict = flow.Verdict

// The verdicts of a Sink. Gate holds the link back until Session.Ungate is called,
// once for each. A Sink that says Dropped is a Lossy.
const (
	Taken    = flow.Taken
	Overflow = flow.Overflow
	Gate     = flow.Gate
	Dropped  = flow.Dropped
)

// Sink takes what arrives for one operation. Its methods run on the actor, so
// they must not block; End is called exactly once, as the last one.
//
// A Sink may also be a [Lossy], a [Hoarder], a [Gapped] or a [Restorable], and an
// [InvocationSink] or a [ChunkSink] the first two of these.
type Sink interface {
	// Deliver takes a progressive RESULT or an EVENT. The message is only
	// lent; its Args, Kwargs and Options may be kept.
	Deliver(m *proto.Message) Verdict
	// End says how the operation ended.
	End(e End)
}

// Lossy is a Sink whose policy may drop messages.
type Lossy interface {
	// Lost returns how many were dropped since it was last asked.
	Lost() uint64
}

// Hoarder is a Sink that keeps what its consumer has not read.
type Hoarder interface {
	// Held returns how many bytes it keeps.
	Held() int
	// Shed applies its policy, to give back so many bytes.
	Shed(bytes int) Verdict
}

// Gapped is a Sink that is told that the link was lost since its last message.
type Gapped interface{ Gap() }

// Restorable is a Sink that is told that its subscription is there again on
// another link.
type Restorable interface{ Restored() Verdict }

// End is the end of an operation.
type End struct {
	// Message is the final RESULT of a call or PUBLISHED, nil otherwise.
	Message *proto.Message
	// Err is why it ended without one.
	Err error
	// Peer is the ERROR by which a call has ended. Nil: there was none, and what
	// is in Err may be of another operation, or the user's own.
	Peer *Error
	// Now: the end does not wait behind what has not been read yet.
	Now bool
}

// InvocationSink takes what arrives for a registration. Its methods run on the
// actor and must not block.
type InvocationSink interface {
	// Invoke takes an INVOCATION. It returns the engine's part of what it
	// made of it, with the id of the request set. With the verdict Overflow it has no room, and has not taken it.
	Invoke(m *proto.Message) (*Invocation, Verdict)
	// End is called exactly once, as the last one.
	End(e End)
}

// ChunkSink takes the further chunks of a progressive call at the callee. Its
// methods run on the actor and must not block.
type ChunkSink interface {
	// Chunk takes an INVOCATION. The message is only lent; its Args, Kwargs and
	// Options may be kept. An empty last one says only that it is the last.
	Chunk(m *proto.Message, last bool) Verdict
	// End says that no more chunk comes, because the invocation is over. It may
	// be called more than once.
	End()
}

// Overhead is what a value costs that a Sink keeps, in bytes, beside what it holds.
const Overhead = 256

// Cost is what a message costs that a Sink keeps: its payload, its details, and the
// value that is made of it.
func Cost(m *proto.Message) int { return len(m.Args) + len(m.Kwargs) + m.Options.Size() + Overhead }
