package session

import (
	"context"
	"log/slog"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Testament is the call that adds a testament, or flushes those of a scope. A
// testament that the router has taken is remembered, and set again on each new
// link, since the router has published it when the old one was lost.
type Testament struct {
	// Call is the call itself. Its Sink is told its outcome.
	Call *Call
	// Scope is the testament's, Flush whether all of that scope are taken back.
	Scope proto.Scope
	Flush bool

	// Actor only, from here on.
	core         *core
	sink         Sink
	args, kwargs []byte
	deaths       uint8 // links in a row that ended with it
	at           *node[*Testament]
}

// testaments are those that the router has, in their order. Actor only.
type testaments struct{ all list[*Testament] }

// AddTestament hands a testament over, as Call does.
func (s *Session) AddTestament(w *Testament) error { return s.box.put(w.Call.Ctx, w, w.Call.size()) }

func (w *Testament) refuse(err error) { w.Call.refuse(err) }

func (w *Testament) apply(c *core) {
	w.core, w.sink = c, w.Call.Sink
	args, kwargs := w.Call.parts()
	w.args, w.kwargs = slices.Clone(args), slices.Clone(kwargs)
	w.Call.Sink = w
	w.Call.apply(c)
}

// Deliver is never called: the call is not progressive.
func (w *Testament) Deliver(*proto.Message) Verdict { return Taken }

// End takes the router's answer.
func (w *Testament) End(e End) {
	if e.Err == nil {
		all := &w.core.testaments.all
		if w.Flush {
			for at := all.first(); at != nil; {
				next := at.next
				if at.value.Scope == w.Scope {
					all.remove(at)
				}
				at = next
			}
		} else {
			w.at = all.push(w)
		}
	}
	w.sink.End(e)
}

// again sets the testaments on a new link.
func (w *testaments) again(c *core) {
	for at := w.all.first(); at != nil; {
		o := at.value
		at = at.next // where the router refuses it now it is taken out
		call := &Call{Ctx: context.WithoutCancel(o.Call.Ctx), URI: o.Call.URI, Body: Body{Args: o.args, Kwargs: o.kwargs}, Needs: o.Call.Needs,
			oneLink: true, engines: true, deaths: o.deaths}
		call.Sink = &againSink{c: c, testament: o, call: call}
		call.send(c)
	}
}

// againSink takes the answer to a testament that is set again. One that the
// router refuses now is forgotten, and the log says so; where the link is lost
// before the answer, the next one gets it anyway.
type againSink struct {
	c         *core
	testament *Testament
	call      *Call
}

func (a *againSink) Deliver(*proto.Message) Verdict { return Taken }

func (a *againSink) End(e End) {
	if e.Err == nil {
		a.testament.deaths = 0
		return
	}
	a.testament.deaths = a.call.deaths
	lost, is := Find[*OutcomeUnknown](e.Err)
	if a.c.ended || is && lost.Links == 0 {
		return
	}
	a.c.log.write(RecordTestament, slog.String("scope", string(a.testament.Scope)), failed(e.Err))
	a.c.testaments.all.remove(a.testament.at)
}
