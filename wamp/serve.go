package wamp

import (
	"context"
	"reflect"
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
			return Errorf(ErrInvalidArgument, "%v", err)
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
	p, err := p.Open()
	if err != nil {
		return err
	}
	_, none := v.(*struct{})
	if none {
		v = new(any)
	}
	err = into(v, p, "request")
	_, empty := err.(emptyError) //nolint:errorlint // it is ours
	switch {
	case empty && (none || named(reflect.TypeOf(v).Elem())):
		return nil
	case none:
		return errUnwanted
	}
	return err
}

// named reports whether a type is filled from keyword arguments.
func named(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
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
