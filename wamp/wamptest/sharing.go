package wamptest

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// With WithSharedIDs a session knows its registrations and subscriptions by ids
// that may stand for several of them. The tables go by ids of their own; what a
// session knows is translated here.

// handle is a registration or a subscription.
type handle interface {
	comparable
	ownID() proto.ID
	ownPattern() pattern
	// known is the id by which a session knows it, 0 if it does not have it.
	known(s *session) proto.ID
}

func (sub *subscription) ownID() proto.ID     { return sub.id }
func (sub *subscription) ownPattern() pattern { return sub.pattern }

func (sub *subscription) known(s *session) proto.ID {
	if id := sub.ids[s]; id != 0 {
		return id
	}
	return sub.id
}

func (reg *registration) ownID() proto.ID     { return reg.id }
func (reg *registration) ownPattern() pattern { return reg.pattern }

func (reg *registration) known(s *session) proto.ID {
	if i := reg.index(s); i >= 0 {
		return reg.callees[i].id
	}
	return reg.id
}

// shareID returns the id by which a session is to know a handle that it gets,
// given those of the kind that it has.
func shareID[H handle](how Sharing, s *session, h H, has map[proto.ID]H) proto.ID {
	if how&(SameURI|AnyURI) == 0 {
		return h.ownID()
	}
	for _, other := range sorted(has) {
		if other == h || how&AnyURI != 0 || other.ownPattern().uri == h.ownPattern().uri {
			return other.known(s)
		}
	}
	return h.ownID()
}

// behind returns the handles that an id of a session stands for.
func behind[H handle](how Sharing, s *session, id proto.ID, has map[proto.ID]H) []H {
	if how&(SameURI|AnyURI) == 0 {
		if h, ok := has[id]; ok {
			return []H{h}
		}
		return nil
	}
	return slices.DeleteFunc(sorted(has), func(h H) bool { return h.known(s) != id })
}

// namesURI reports whether a message has to name the URI that it is for.
func (r *Router) namesURI(match proto.MatchPolicy, shared bool) bool {
	switch r.cfg.uris {
	case Always:
		return true
	case Never:
		return false
	case WhereNeeded:
	}
	return match != proto.Exact || shared
}

// isShared reports whether the id of a handle stands for others of the session
// too.
func isShared[H handle](how Sharing, s *session, h H, has map[proto.ID]H) bool {
	return how&(SameURI|AnyURI) != 0 && len(behind(how, s, h.known(s), has)) > 1
}
