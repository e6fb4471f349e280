package meta

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What follows reads what routers answer, whatever its shape.

// idsOf reads a list of ids, one id, null, or the 0 that nexus has for none.
func idsOf(v any) (ids []wamp.ID, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		ids = make([]wamp.ID, 0, len(v))
		for _, e := range v {
			id := proto.IDOf(e)
			if id == 0 {
				return nil, false
			}
			ids = append(ids, id)
		}
		return ids, true
	}
	if n, ok := countOf(v); ok && n == 0 {
		return nil, true
	}
	id := proto.IDOf(v)
	return []wamp.ID{id}, id != 0
}

// firstID reads an id, null, or a list of them.
func firstID(v any) (wamp.ID, bool) {
	ids, ok := idsOf(v)
	if !ok || len(ids) == 0 {
		return 0, ok
	}
	return ids[0], true
}

// countOf reads a number, or counts a list. Null is none.
func countOf(v any) (int, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case []any:
		return len(v), true
	}
	n, ok := proto.IntOf(v)
	return int(n), ok && n >= 0
}

// killedOf reads a number, or the ids of who was killed.
func killedOf(v any) (Killed, bool) {
	if _, list := v.([]any); list {
		ids, ok := idsOf(v)
		return Killed{Count: len(ids), IDs: ids}, ok
	}
	n, ok := countOf(v)
	return Killed{Count: n}, ok
}

// listsOf reads lists by match policy, or one list.
func listsOf(v any) (l IDs, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		l.Exact, ok = idsOf(v)
		return l, ok
	}
	for key, list := range map[string]*[]wamp.ID{"exact": &l.Exact, "prefix": &l.Prefix, "wildcard": &l.Wildcard} {
		if *list, ok = idsOf(m[key]); !ok {
			return IDs{}, false
		}
	}
	return l, true
}

// info reads the fields of a dict; what is absent or of another type is zero.
type info map[string]any

func (m info) str(key string) string { s, _ := m[key].(string); return s }

func (m info) time(key string) time.Time {
	t, _ := proto.TimeOf(m[key])
	return t
}

func sessionOf(v any) (SessionInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return SessionInfo{}, false
	}
	i := info(m)
	return SessionInfo{Session: proto.IDOf(m["session"]), AuthID: i.str(proto.KeyAuthID), AuthRole: i.str(proto.KeyAuthRole),
		AuthMethod: i.str(proto.KeyAuthMethod), AuthProvider: i.str(proto.KeyAuthProvider), Details: m}, true
}

func registrationOf(v any) (RegistrationInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return RegistrationInfo{}, false
	}
	i := info(m)
	r := RegistrationInfo{ID: proto.IDOf(m["id"]), URI: i.str("uri"), Match: wamp.MatchPolicy(i.str(proto.KeyMatch)), Invoke: wamp.InvokePolicy(i.str(proto.KeyInvoke)),
		Created: i.time("created"), Details: m}
	if r.Match == "" {
		r.Match = wamp.Exact
	}
	if r.Invoke == "" {
		r.Invoke = wamp.Single
	}
	return r, true
}

func subscriptionOf(v any) (SubscriptionInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return SubscriptionInfo{}, false
	}
	i := info(m)
	s := SubscriptionInfo{ID: proto.IDOf(m["id"]), URI: i.str("uri"), Match: wamp.MatchPolicy(i.str(proto.KeyMatch)), Created: i.time("created"), Details: m}
	if s.Match == "" {
		s.Match = wamp.Exact
	}
	return s, true
}
