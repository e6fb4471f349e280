package wamp

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Call calls a procedure, waits for its final result and decodes that into a T: its
// one argument, or its keyword arguments where there are no arguments and T is a
// struct or a map. T may be [Payload], which takes whatever comes. An empty result is
// an error unless T is struct{}; so is more than one argument.
//
// It costs less than [Session.Call], since it has no stream. ctx and options are those of
// [Session.Call]; progressive results are discarded. The error is that of the call, or a
// [ScanError] in an [OpError].
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
	if p, err = p.Encoded(); err != nil {
		return err
	}
	n, raw := p.NArgs(), p.RawKwargs()
	if n > 1 {
		return moreError(fmt.Sprintf("the %s has %d arguments, one is wanted", what, n))
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
		return moreError("the " + what + " has arguments and keyword arguments")
	case n == 1:
		return p.Scan(v)
	case len(keywords) == 0:
		return emptyError{what}
	}
	to := reflect.ValueOf(v)
	for range mostPointers {
		if to.Elem().Kind() != reflect.Pointer {
			break
		}
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
	return fmt.Errorf("the %s has only keyword arguments, which do not fit into %v", what, reflect.TypeOf(v).Elem())
}

// moreError says that a payload has more than its one value.
type moreError string

func (e moreError) Error() string { return string(e) }

// mostPointers is how many pointers there may be in front of a type: one may be a pointer
// to itself.
const mostPointers = 8

// emptyError says that there is nothing to decode.
type emptyError struct{ what string }

func (e emptyError) Error() string { return "the " + e.what + " is empty" }

// nothing reports whether a payload is empty: clients in some languages send an empty
// list and an empty dict.
func nothing(p Payload) bool {
	p, err := p.Encoded()
	if err != nil || p.NArgs() > 0 {
		return false
	}
	if p.RawKwargs() == nil {
		return true
	}
	keywords, err := codec.Entries(p.Codec(), p.RawKwargs())
	return err == nil && len(keywords) == 0
}

// Stream calls a procedure and returns an iterator that decodes each result into a T: its
// first argument, whatever else it has, or its keyword arguments where there are no
// arguments and T is a struct or a map. [Progressive] is set.
//
// A progressive result that does not decode, or is empty where T is not struct{}, is
// yielded as an error, a [ScanError] in an [OpError], and the loop goes on. So is the
// error of one callee where [All] are called. The final result is the last element,
// unless it is empty: then the sequence ends without it. The error of the call is the
// last pair. [OpenStream] is for a final result of another type, and tells the errors of
// elements from that of the call.
//
// The call is made when the loop begins, and each loop makes one. ctx governs it, as
// in [Session.Call]; leaving the loop cancels it.
func Stream[T any](ctx context.Context, s *Session, procedure string, payload Payload, options ...CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		v := new(T)
		s.eachResult(ctx, procedure, payload, options, func(r *Result) bool {
			err := r.Err
			if *v = *new(T); err == nil {
				err = element(v, procedure, r)
			}
			if !r.Progress && r.Err == nil && empties(v, r, err) {
				return false
			}
			return yield(*v, err)
		})
	}
}

// element decodes a result of a stream into what v points to, which is zero. It is used
// for all of them: what is yielded is a copy.
func element[T any](v *T, procedure string, r *Result) error {
	err := r.CalleeErr()
	if err == nil {
		err = into(v, r.Payload, "result")
		if _, more := err.(moreError); more { //nolint:errorlint // it is ours
			err = r.Scan(v)
		}
	}
	if err != nil {
		*v = *new(T)
	}
	return opError("call", procedure, err)
}

// empties reports whether a final result, which decoded into v or did not, is empty. A null
// is where v cannot be one: callees in some languages send it where they return nothing.
func empties(v any, r *Result, err error) bool {
	switch v.(type) {
	case *Payload, *struct{}:
		return nothing(r.Payload)
	}
	if err != nil {
		_, is := session.Find[emptyError](err)
		return is
	}
	to := reflect.ValueOf(v).Elem()
	if !to.IsZero() || to.Kind() == reflect.Pointer || to.Kind() == reflect.Interface {
		return false
	}
	p, err := r.Payload.Encoded()
	return err == nil && codec.OnlyNull(p)
}
