package wamp

import (
	"context"
	"encoding"
	"encoding/json"
	"reflect"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// Serve registers a procedure, as [Session.Handle] does, whose handler takes a request
// and returns a response. It is the callee's side of [Call].
//
// Req is the one argument of the call, or its keyword arguments where there are no
// arguments and Req is a struct or a map, which an empty request leaves zero. Req may be
// [Payload], which takes whatever comes, and struct{}, for a request that has nothing.
// A request that does not fit, has more arguments, or has both parts, does not reach h:
// the caller gets wamp.error.invalid_argument with the place and the reason.
//
// Res becomes the one argument of the result: struct{} sends none, and a [Payload] is
// sent as it is. An error of h is sent as by [Invocation.Fail]; [Errorf] makes one with
// a text for the caller.
//
// ctx governs the registration as in [Session.Register]; the ctx of h is that of the
// invocation. The options and errors are those of [Session.Handle].
//
// See the WAMP specification, "Calling and Invocations".
func Serve[Req, Res any](ctx context.Context, s *Session, procedure string, h func(ctx context.Context, req Req) (Res, error), options ...RegisterOption) (*Service, error) {
	if h == nil {
		return nil, opError("register", procedure, errNilHandler)
	}
	return s.Handle(ctx, procedure, func(ctx context.Context, inv *Invocation) error {
		var req Req
		if err := request(&req, inv.Payload); err != nil {
			return inv.refuse(err)
		}
		res, err := h(ctx, req)
		if err != nil {
			return err
		}
		return inv.Return(response(res))
	}, options...)
}

// request decodes what a caller sent into the one value that v points to.
func request(v any, p Payload) error {
	p, err := p.Encoded()
	if err != nil {
		return unopened{err}
	}
	_, none := v.(*struct{})
	if none {
		v = new(any)
	}
	err = into(v, p, "request")
	_, empty := err.(emptyError) //nolint:errorlint // it is ours
	switch {
	case none && (empty || err == nil && *v.(*any) == nil): // a null is as good as nothing
		return nil
	case none:
		return errUnwanted
	case empty && named(reflect.TypeOf(v).Elem()):
		for to := reflect.ValueOf(v).Elem(); to.Kind() == reflect.Pointer; to = to.Elem() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		return nil
	}
	return err
}

// unopened is the error of a payload that could not be opened, which is none of the
// caller's business.
type unopened struct{ err error }

func (e unopened) Error() string { return e.err.Error() }
func (e unopened) Unwrap() error { return e.err }

// refuse is how an invocation is answered whose request does not fit. What a user's code
// has panicked with is not the caller's business either.
func (inv *Invocation) refuse(err error) error {
	if _, is := err.(unopened); is { //nolint:errorlint // it is ours
		return err
	}
	if _, is := session.Find[*PanicError](err); is {
		return inv.reg.s.noted(err)
	}
	return Errorf(ErrInvalidArgument, "%v", err)
}

// The types that read JSON or text by themselves: they are not filled from keyword
// arguments, whatever they are made of.
var (
	readsJSON = reflect.TypeFor[json.Unmarshaler]()
	readsText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// named reports whether a type is filled from keyword arguments.
func named(t reflect.Type) bool {
	for range mostPointers {
		if t.Kind() != reflect.Pointer {
			break
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		return false
	}
	to := reflect.PointerTo(t)
	return !to.Implements(readsJSON) && !to.Implements(readsText)
}

// response is the payload of what a handler returned.
func response(v any) Payload {
	switch v := v.(type) {
	case struct{}:
		return Payload{}
	case Payload:
		return v
	}
	return Args(v)
}
