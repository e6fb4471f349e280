package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Handler answers one invocation. ctx is the context of the invocation. A
// handler that returns nil without having answered sends an empty result; an
// error that it returns is sent as by [Invocation.Fail].
type Handler func(ctx context.Context, inv *Invocation) error

// Handle registers a procedure, as [Session.Register] does, and runs h for each
// invocation, each time on a goroutine of its own. Up to [Concurrency]
// invocations run at once, 64 by default; others wait in the registration's
// [Buffer].
//
// A handler that panics, or calls [runtime.Goexit], is answered for with
// wamp.error.runtime_error and logged with its stack. One that goes on for 10 s
// after its context was interrupted is answered for with wamp.error.canceled, or
// wamp.error.timeout after a time limit, is logged, and still counts as running.
//
// ctx governs the registration as in [Session.Register], and the errors are the
// same. Handlers that run when the registration ends go on.
func (s *Session) Handle(ctx context.Context, procedure string, h Handler, options ...RegisterOption) (*Service, error) {
	if h == nil {
		return nil, opError("register", procedure, errNilHandler)
	}
	r, err := s.register(ctx, procedure, options, true)
	v := &Service{r}
	if err == nil {
		r.what = "the handler of " + procedure
		tally := s.eng.NewTally("invocation of "+procedure+" still runs", "invocations of "+procedure+" still run")
		if err = s.eng.Go(func() { r.serve(h, tally) }); err != nil {
			tally.Close()
			for range r.stream.Each { // what came before the session was over goes to nobody
			}
		}
	}
	if err != nil {
		return nil, opError("register", procedure, err)
	}
	return v, nil
}

// Service is a registered procedure whose invocations go to a [Handler], made
// by [Session.Handle].
type Service struct{ r *Registration }

// Done returns a channel that is closed when the registration is over;
// [Service.Err] then returns why. Invocations that have arrived by then may still
// be handled.
func (v *Service) Done() <-chan struct{} { return v.r.done }

// Procedure returns the procedure or pattern that was registered.
func (v *Service) Procedure() string { return v.r.Procedure() }

// ID returns the dealer's id of the registration. It changes with a reconnect.
func (v *Service) ID() ID { return v.r.ID() }

// Err returns why the registration is over, nil while it lives:
// [ErrUnregistered], [ErrDraining], a [CanceledError] after the end of ctx, a
// [RevokedError] or a [ClosedError].
func (v *Service) Err() error { return v.r.Err() }

// Refused returns how many invocations were answered with
// wamp.error.unavailable because they found no room.
func (v *Service) Refused() uint64 { return v.r.Refused() }

// Unregister ends the registration at once. UNREGISTER is sent after everything
// that this goroutine has begun before. ctx, and [AckTimeout], bound only the
// wait for the dealer's acknowledgement; the registration is over in any case.
// Handlers that are running go on; invocations that wait for one are answered
// with wamp.error.unavailable.
func (v *Service) Unregister(ctx context.Context) error { return v.r.Unregister(ctx) }

// serve takes the invocations until the registration is over. Those that have
// not begun when it is are refused, or where the session has ended, whose
// answers would go nowhere, dropped.
func (r *Registration) serve(h Handler, tally *session.Tally) {
	defer tally.Close()
	slots := make(chan struct{}, r.concurrency)
	for next := range r.stream.Each {
		inv := *next
		select {
		case <-r.over:
			_ = inv.Decline()
			continue
		default:
		}
		select {
		case slots <- struct{}{}:
		case <-r.over:
			_ = inv.Decline()
			continue
		case <-r.s.eng.Done():
			continue
		}
		inv.invocation.Run.Begin()
		tally.Go(func() {
			defer func() { <-slots }()
			defer inv.invocation.Run.End(r.s.eng)
			inv.run(h)
		})
	}
}

func (inv *Invocation) run(h Handler) {
	answered := false
	defer func() {
		if !answered { // it panicked, or called runtime.Goexit
			_ = inv.end(proto.ErrURIRuntimeError, Payload{}, errHandler)
		}
	}()
	answered = inv.reg.s.eng.Guard(inv.reg.what, func() {
		if inv.reg.s.interceptors != nil {
			if !inv.see(onUsers, true) {
				return
			}
			defer inv.seePanic()
		}
		if err := h(inv.Context(), inv); err != nil {
			_, _ = inv.fail(err) // its methods are the user's too
		} else {
			_ = inv.answer(Payload{})
		}
	})
}
