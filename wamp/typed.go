package wamp

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Call calls a procedure, waits for its final result and decodes that into a T: its
// one argument, or its keyword arguments where there are no arguments and T is a
// struct or a map. T may be [Payload], which takes whatever comes. An empty result is
// an error unless T is struct{}; so is more than one argument.
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
	if err := into(&v, r.Payload, "result"); err != nil {
		return *new(T), opError("call", procedure, err)
	}
	return v, nil
}

// into decodes a payload, which is that of what, into the one value that v points to.
func into(v any, p Payload, what string) (err error) {
	if codec.Quick(&p, v) {
		return nil
	}
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
		return fmt.Errorf("the %s has %d arguments, one is wanted", what, n)
	}
	if raw == nil {
		if n == 0 {
			return emptyError{what}
		}
		return p.Scan(v)
	}
	switch keywords, err := codec.Entries(p.Codec(), raw); {
	case err != nil:
		return err
	case n == 1 && len(keywords) > 0:
		return fmt.Errorf("the %s has arguments and keyword arguments", what)
	case n == 1:
		return p.Scan(v)
	case len(keywords) == 0:
		return emptyError{what}
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
	return fmt.Errorf("the %s has only keyword arguments", what)
}

// emptyError says that there is nothing to decode.
type emptyError struct{ what string }

func (e emptyError) Error() string { return "the " + e.what + " is empty" }

// Stream calls a procedure and returns an iterator that decodes the first
// argument of each result into a T. [Progressive] is set. A final result
// without arguments ends the sequence without an element; an error, of the call
// or a [ScanError] in an [OpError], is the last pair. Leaving the loop cancels the
// call.
//
// ctx governs the call, as in [Session.Call].
func Stream[T any](ctx context.Context, s *Session, procedure string, payload Payload, options ...CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		s.eachResult(ctx, procedure, payload, options, func(r *Result) bool {
			var v T
			err := r.Err
			if err == nil && !r.Progress && r.NArgs() == 0 {
				return false
			}
			if err == nil {
				err = opError("call", procedure, r.Scan(&v))
			}
			return yield(v, err) && err == nil
		})
	}
}
