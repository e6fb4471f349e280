package wamp

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Call calls a procedure, waits for its final result and decodes that into a T: its
// one argument, or its keyword arguments where there are no arguments and T is a
// struct or a map. T may be [Payload], which takes whatever comes. A result that has
// nothing is an error unless T is struct{}; arguments beyond the first are one too.
//
// It is the fastest call there is: it has no stream. ctx and options are those of
// [Session.Call]; progressive results are discarded. The error is that of the call,
// or a [ScanError] in an [OpError].
//
// See the WAMP specification, "Calling and Invocations".
func Call[T any](ctx context.Context, s *Session, procedure string, payload Payload, options ...CallOption) (T, error) {
	var v T
	r, err := s.callOne(ctx, procedure, payload, options)
	if err != nil {
		return v, err
	}
	if err := into(&v, r.Payload); err != nil {
		return *new(T), opError("call", procedure, err)
	}
	return v, nil
}

var (
	errNoResult   = errors.New("the result is empty")
	errBothParts  = errors.New("the result has arguments and keyword arguments")
	errNoKeywords = errors.New("the result has only keyword arguments")
)

// into decodes a payload into the one value that v points to.
func into(v any, p Payload) (err error) {
	switch v := v.(type) {
	case *Payload:
		*v = p
		return nil
	case *struct{}:
		return nil
	}
	if p, err = p.Open(); err != nil {
		return err
	}
	n, raw := p.NArgs(), p.RawKwargs()
	if n > 1 {
		return fmt.Errorf("the result has %d arguments, one is wanted", n)
	}
	if raw == nil {
		if n == 0 {
			return errNoResult
		}
		return p.Scan(v)
	}
	switch keywords, err := codec.Entries(p.Codec(), raw); {
	case err != nil:
		return err
	case n == 1 && len(keywords) > 0:
		return errBothParts
	case n == 1:
		return p.Scan(v)
	case len(keywords) == 0:
		return errNoResult
	}
	to := reflect.ValueOf(v)
	for to.Elem().Kind() == reflect.Pointer {
		to.Elem().Set(reflect.New(to.Elem().Type().Elem()))
		to = to.Elem()
	}
	switch to.Elem().Kind() {
	case reflect.Struct, reflect.Map:
		return p.ScanKw(to.Interface())
	case reflect.Interface:
		if to.Elem().NumMethod() == 0 {
			all, err := p.Kwargs()
			to.Elem().Set(reflect.ValueOf(all))
			return err
		}
	}
	return errNoKeywords
}

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

// Deliver implements session.Sink. Progressive results are not wanted.
func (*oneCall) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End implements session.Sink.
func (oc *oneCall) End(e session.End) {
	oc.result = oc.cs.outcome(e)
	oc.done <- struct{}{}
}
