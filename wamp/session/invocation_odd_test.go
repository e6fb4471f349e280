package session

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// oddInvocation is an INVOCATION of registration 66. progress: "" is none, "odd" one
// that cannot be understood.
func oddInvocation(request proto.ID, progress string) proto.Message {
	m := proto.Message{Type: proto.Invocation, Request: request, ID: 66}
	switch progress {
	case "odd":
		m.Odd = &proto.Oddity{What: proto.OddProgress, Reason: "progress is 1"}
	case "more":
		m.Options = proto.Dict{{Key: "progress", Value: true}}
	}
	return m
}

// Of a progressive call whose first INVOCATION was odd, the chunks that follow
// are no new calls; one that is odd too need not be the last.
func TestStepOddInvocationHasChunks(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(oddInvocation(1, "odd"))
	if m := r.want(proto.Error)[0]; m.Request != 1 || m.URI != proto.ErrURIInvalidArgument {
		t.Errorf("answered %+v", m)
	}
	for _, progress := range []string{"more", "odd", "more", ""} {
		r.feed(oddInvocation(1, progress))
	}
	r.want()
	gone := oddInvocation(3, "odd") // of a registration that is not there
	gone.ID = 67
	r.feed(gone)
	r.want(proto.Error)
	gone = oddInvocation(3, "")
	gone.ID = 67
	r.feed(gone)
	r.want()
	r.feed(oddInvocation(2, ""))
	if len(s.invs) != 1 || s.log[len(s.log)-1] != "invoke 2" {
		t.Errorf("the callee has %v", s.log)
	}
}
