package wamp

import (
	"errors"
	"time"
)

// Delivered is what has entered the stream of a call before its connection was lost. See
// [Resume].
type Delivered struct {
	// Count is how many progressive results there were, over all attempts.
	Count int
	// Last is the last of them, as interceptors have left it.
	Last Result
}

// Resume lets the stream of a call go on when the loss of its connection has cut it. Once
// the session has joined again, next is asked for the payload with which the call is to be
// made anew, such as "from number 18 on", and the results of that call follow in the same
// stream. The first of them has its Resumed field set. The callee must be able to begin
// where next says: then no result comes twice and none is missing, since what next is told
// is what has entered the stream. Where next returns false, the call ends with the
// [OutcomeUnknown] that it would have without Resume.
//
// While nothing of the new call has been delivered it is made again after
// [ErrNoSuchProcedure], [ErrNoAvailableCallee] and [ErrUnavailable], since callees come back
// too: as the policy of [Retry] says, which begins anew, or without that for one minute. An error with
// wamp.error.canceled from the other side ends the call, as does a call that has ended three
// connections in a row, and the end of the session.
//
// next runs on a goroutine of the library's. Its panic ends the call. The ctx of the call
// governs the whole stream, and [Timeout] bounds the time between two results over a loss
// too. Resume sets [Progressive], excludes [Idempotent], and is refused for
// progressive calls ([Session.CallStream], [Session.CallFunc]). It needs [WithReconnect].
func Resume(next func(Delivered) (Payload, bool)) CallOption {
	return callOption(func(s *callStream) error {
		if next == nil {
			return errors.New("Resume: the function is nil")
		}
		s.extra().resume = next
		s.call.Progressive = true
		return nil
	})
}

// resumeRetry is for calls that are made again by Resume and have no Retry.
var resumeRetry = RetryPolicy{Min: 100 * time.Millisecond, Max: 5 * time.Second, Time: time.Minute}

var (
	errResume     = errors.New("the function of Resume panicked or called runtime.Goexit")
	errResumeOnce = errors.New("Resume and Idempotent exclude each other")
	errChunksGone = errors.New("Retry and Resume are not for progressive calls, whose chunks cannot be sent again")
)
