package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// oneCall is a call of which only the last result is wanted. It is used again within
// its session, with its channel: only the caller and the actor ever see it, and End
// is the actor's last look at it.
type oneCall struct {
	cs     callStream // without a stream: options set it up
	result Result
	done   chan struct{} // capacity 1
}

var _ session.Sink = (*oneCall)(nil)

// callOne is Call(...).Final() without a stream.
func (s *Session) callOne(ctx context.Context, procedure string, payload Payload, options []CallOption) (Result, error) {
	oc, _ := s.ones.Get().(*oneCall)
	if oc == nil {
		oc = &oneCall{done: make(chan struct{}, 1)}
	}
	cs := &oc.cs
	cs.s = s
	err := cs.configure(ctx, procedure, options)
	cs.call.Sink = oc
	if err == nil && cs.long() {
		return s.callLong(cs, procedure, payload, options)
	}
	if err == nil {
		err = cs.begin(payload)
	}
	if err != nil {
		err = opError("call", procedure, err)
		return Result{Err: err}, err // oc is dropped: it may be anywhere
	}
	<-oc.done
	r := oc.result
	oc.result = Result{}
	if len(options) == 0 { // then nothing else has been set
		cs.call = session.Call{}
	} else {
		*cs = callStream{}
	}
	s.ones.Put(oc)
	return r, r.Err
}

// callLong is callOne for a call that takes more than that.
func (s *Session) callLong(cs *callStream, procedure string, payload Payload, options []CallOption) (last Result, err error) {
	s.openLong(cs, procedure, payload, options, onUsers).each(func(r *Result) bool {
		if !r.Progress {
			last = *r
		}
		return true
	})
	return last, last.Err
}

// Deliver implements session.Sink. Progressive results are not wanted.
func (*oneCall) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End implements session.Sink.
func (oc *oneCall) End(e session.End) {
	oc.result = oc.cs.outcome(e)
	oc.done <- struct{}{}
}
