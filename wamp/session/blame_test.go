package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

func idempotent(r *rig, uri string) (*Call, *tape) {
	s := &tape{}
	call := newCall(r.t.Context(), s)
	call.URI, call.Idempotent, call.Progressive = uri, true, false
	return call, s
}

// uris are the procedures and topics of what was sent, by request.
func (r *rig) uris() map[string]proto.ID {
	r.t.Helper()
	out := map[string]proto.ID{}
	for _, m := range r.sent() {
		out[m.URI] = m.Request
	}
	return out
}

// A call on which the router hangs up each time ends after three links; those
// that were sent beside it do not.
func TestStepKillingCall(t *testing.T) {
	r := newLifeRig(t)
	bad, badEnd := idempotent(r, "com.example.bad")
	var good []*tape
	for i := range 5 {
		call, end := idempotent(r, fmt.Sprint("com.example.good", i))
		good = append(good, end)
		if r.do(call); i == 2 {
			r.do(bad)
		}
	}
	sent := r.uris()
	links := 1
	for answered := 0; answered < len(good); {
		if _, kills := sent["com.example.bad"]; kills {
			if links++; links > 10 {
				t.Fatal("it goes on and on")
			}
			r.lose()
			r.rejoin(routerRoles())
			if sent = r.uris(); links > 2 && len(badEnd.ends) == 0 && len(sent) != 1 {
				t.Fatalf("%d are sent together on link %d: the blame is not certain", len(sent), links)
			}
			continue
		}
		for _, id := range sent {
			r.feed(proto.Message{Type: proto.Result, Request: id})
			answered++
		}
		sent = r.uris()
	}
	var unknown *OutcomeUnknown
	if err := badEnd.err(t); !errors.As(err, &unknown) || unknown.Links != 3 {
		t.Errorf("the bad one: %v", err)
	}
	for _, s := range good {
		if err := s.err(t); err != nil {
			t.Error(err)
		}
	}
	if r.downs != 3 {
		t.Errorf("%d links were lost", r.downs)
	}
	r.clean()
}

// Not every loss counts: not one that comes late, that was said in order, or
// behind a sign of life, nor three that are not in a row.
func TestStepDeathsThatAreNone(t *testing.T) {
	for name, end := range map[string]func(r *rig, id proto.ID){
		"late": func(r *rig, _ proto.ID) { r.pass(deathTime + time.Second); r.lose() },
		"goodbye": func(r *rig, _ proto.ID) {
			r.feed(proto.Message{Type: proto.Goodbye, URI: proto.CloseURISystemShutdown})
		},
		"our own":  func(r *rig, _ proto.ID) { r.core.lose(&LinkError{Err: ErrAckTimeout}); r.settle() },
		"not sent": func(r *rig, _ proto.ID) {},
	} {
		r := newLifeRig(t)
		call, s := idempotent(r, "com.example.proc")
		r.do(call)
		for i := range 10 {
			if name == "not sent" {
				r.core.linkLost(errors.New("cut"))
			} else {
				end(r, r.want(proto.Call)[0].Request)
			}
			if len(s.ends) > 0 {
				t.Fatalf("%s: it ended after %d links: %v", name, i+1, s.ends[0].Err)
			}
			r.rejoin(routerRoles())
		}
	}
	r := newLifeRig(t)
	call, s := idempotent(r, "com.example.proc")
	r.do(call)
	for i := range 10 {
		r.want(proto.Call)
		if i%3 == 2 {
			r.pass(deathTime + time.Second)
		}
		r.lose()
		r.rejoin(routerRoles())
	}
	if len(s.ends) > 0 {
		t.Errorf("deaths that are not in a row: %v", s.ends[0].Err)
	}
}

// Handles and testaments are repeated too.
func TestStepKillingHandles(t *testing.T) {
	r := newLifeRig(t)
	sub, reg := newSub(t.Context(), "com.example.bad", &tape{}), regOf(t.Context(), "com.example.worse")
	good := newSub(t.Context(), "com.example.good", &tape{})
	r.do(sub)
	r.do(reg)
	r.do(good)
	r.uris()
	links := 0
	for links < 20 {
		sent := r.uris()
		_, bad := sent["com.example.bad"]
		_, worse := sent["com.example.worse"]
		if bad || worse || links == 0 {
			links++
			r.lose()
			r.rejoin(routerRoles())
			continue
		}
		if id, ok := sent["com.example.good"]; ok {
			r.feed(proto.Message{Type: proto.Subscribed, Request: id, ID: 7})
			continue
		}
		break
	}
	var unknown *OutcomeUnknown
	for _, err := range []error{<-sub.Ready, <-reg.Ready} {
		if !errors.As(err, &unknown) || unknown.Links != 3 {
			t.Error(err)
		}
	}
	if err := <-good.Ready; err != nil || links > 5 {
		t.Errorf("the good one: %v, %d links", err, links)
	}
}

func TestStepKillingTestament(t *testing.T) {
	r := newLifeRig(t)
	call, s := idempotent(r, "wamp.session.add_testament")
	r.do(&Testament{Call: call, Scope: "destroyed"})
	r.feed(proto.Message{Type: proto.Result, Request: r.want(proto.Call)[0].Request})
	if s.err(t) != nil {
		t.Fatal(s.ends[0].Err)
	}
	r.lose()
	for range 3 {
		r.rejoin(routerRoles())
		r.want(proto.Call)
		r.lose()
	}
	r.rejoin(routerRoles())
	r.want()
	if n := r.core.testaments.all.len(); n != 0 {
		t.Errorf("%d testaments are left", n)
	}
}

// Close code 1009 says whose fault it was: the only one, or the largest.
func TestStepTooBigForTheRouter(t *testing.T) {
	tooBig := &transport.CloseError{Code: 1009}
	for _, others := range []int{0, 3} {
		for _, again := range []bool{false, true} {
			r := newLifeRig(t)
			var small []*tape
			for range others {
				call, end := idempotent(r, "com.example.small")
				small = append(small, end)
				r.do(call)
			}
			big, end := idempotent(r, "com.example.big")
			big.Idempotent = again
			big.Args, _ = r.codec.AppendList(nil, []any{make([]byte, 1000)})
			r.do(big)
			r.uris()
			r.core.linkLost(tooBig)
			r.settle()
			var unknown *OutcomeUnknown
			if err := end.err(t); !errors.Is(err, ErrPayloadTooBig) || !errors.As(err, &unknown) || !errors.Is(err, tooBig) {
				t.Errorf("beside %d others: %v", others, err)
			}
			r.rejoin(routerRoles())
			if sent := r.sent(); len(sent) != others {
				t.Errorf("%d are sent again, want %d", len(sent), others)
			}
			for _, s := range small {
				if len(s.ends) > 0 {
					t.Error(s.ends[0].Err)
				}
			}
		}
	}
	// A publish that nobody waits for may have been larger than all that wait.
	r := newLifeRig(t)
	small, end := idempotent(r, "com.example.small")
	r.do(small)
	p := &Publish{Ctx: t.Context(), URI: "com.example.big"}
	written(r.codec, p, nil, make([]byte, 1000))
	r.do(p)
	r.uris()
	r.core.linkLost(tooBig)
	r.settle()
	if len(end.ends) > 0 {
		t.Error(end.ends[0].Err)
	}
}

// Five links in a row that end by a breach of the protocol, none of which has
// answered anything of the user's, end the session; one more good one and they
// do not.
func TestStepBreaches(t *testing.T) {
	breach := map[string]func(r *rig){
		"ours":       func(r *rig) { r.feed(proto.Message{Type: proto.Welcome, ID: 1}) },
		"never sent": func(r *rig) { r.feed(proto.Message{Type: proto.Result, Request: 1000}) },
		"the router": func(r *rig) { r.feed(proto.Message{Type: proto.Abort, URI: proto.ErrURIProtocolViolation}) },
	}
	for name, end := range breach {
		r := newLifeRig(t)
		sub := newSub(t.Context(), "com.example", &tape{})
		r.do(sub)
		r.want(proto.Subscribe)
		r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7}) // an answer to the user's
		for i := range 5 {
			if r.core.ended {
				t.Fatalf("%s: ended after %d links", name, i)
			}
			end(r)
			if !r.core.ended {
				r.rejoin(routerRoles())
				r.want(proto.Subscribe)
				r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7}) // the restore does not count
			}
		}
		// The first link had answered.
		if r.core.ended {
			t.Fatalf("%s: the link that had answered was counted", name)
		}
		end(r)
		if !r.core.ended || !errors.Is(r.core.reason, ErrProtocolViolation) {
			t.Errorf("%s: after five: ended %v, %v", name, r.core.ended, r.core.reason)
		}
		r = newLifeRig(t)
		for range 20 {
			s := &tape{}
			r.do(newCall(t.Context(), s))
			r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: r.want(proto.Call)[0].Request, URI: "com.example.no"})
			end(r)
			if r.core.ended {
				t.Fatalf("%s: links that answered were counted", name)
			}
			r.rejoin(routerRoles())
		}
		for range 20 { // one of another kind between them
			for range 4 {
				end(r)
				r.rejoin(routerRoles())
			}
			r.lose()
			if r.core.ended {
				t.Fatalf("%s: they were not in a row", name)
			}
			r.rejoin(routerRoles())
		}
	}
	r := newLifeRig(t) // the link of Connect counts
	for range 5 {
		breach["ours"](r)
		if !r.core.ended {
			r.rejoin(routerRoles())
		}
	}
	if !r.core.ended {
		t.Error("the first link was not counted")
	}
	// Where an operation is to blame for certain, it pays, and not the session.
	r = newLifeRig(t)
	for range 2 {
		call, s := idempotent(r, "com.example.bad")
		r.do(call)
		for len(s.ends) == 0 && !r.core.ended {
			r.uris()
			breach["the router"](r)
			if !r.core.ended {
				r.rejoin(routerRoles())
			}
		}
	}
	if r.core.ended {
		t.Errorf("two bad operations have ended the session: %v", r.core.reason)
	}
}

// Behind an ABORT nothing is written to its link, and what had not been written
// goes to the next one, once.
func TestStepNothingBehindAbort(t *testing.T) {
	for _, ours := range []bool{false, true} {
		r := newLifeRig(t)
		handed := &tape{}
		r.do(newCall(t.Context(), handed))
		r.want(proto.Call) // the writer has it, and is stuck
		var waiting []*tape
		for range 3 {
			s := &tape{}
			waiting = append(waiting, s)
			r.do(newCall(t.Context(), s))
		}
		r.do(&Publish{Ctx: t.Context(), URI: "com.example.topic"})
		if ours {
			r.feed(proto.Message{Type: proto.Welcome, ID: 1})
		} else {
			r.feed(proto.Message{Type: proto.Abort, URI: proto.ErrURIProtocolViolation})
		}
		want := map[bool]string{true: "[ABORT]", false: "[]"}[ours]
		if got := fmt.Sprint(r.last); got != want {
			t.Errorf("the last words were %s, want %s", got, want)
		}
		var unknown *OutcomeUnknown
		if err := handed.err(t); !errors.As(err, &unknown) {
			t.Error(err)
		}
		r.rejoin(routerRoles())
		r.want(proto.Call, proto.Call, proto.Call)
		for _, s := range waiting {
			if len(s.ends) > 0 {
				t.Error(s.ends[0].Err)
			}
		}
	}
}
