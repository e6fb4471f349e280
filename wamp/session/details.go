package session

import (
	"reflect"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Details describes a joined session. It does not change.
type Details struct {
	// Session is the id of the session.
	Session proto.ID
	// Realm is the realm that was joined.
	Realm string
	// AuthID, AuthRole, AuthMethod and AuthProvider are what the router said of
	// the login.
	AuthID, AuthRole, AuthMethod, AuthProvider string
	// AuthExtra is what else the router said of the login, nil if nothing.
	AuthExtra map[string]any
	// Agent is the router's name for itself, "" if it gave none.
	Agent string
	// Roles are the roles of the router with their features.
	Roles proto.Roles
	// Protocol is the subprotocol that was agreed on, such as "wamp.2.cbor".
	Protocol string
	// Router is the address of the router, without user, password and query, ""
	// where a dialer knows it alone.
	Router string
	// Welcome are the details of the WELCOME message. They must not be changed:
	// sessions share their memory.
	Welcome proto.Dict

	agreed any // by Config.Handshake
}

func newDetails(cfg *settings, m *proto.Message, p transport.Protocol) *Details {
	o := m.Options
	shareRoles(o)
	d := &Details{
		Session: m.ID, Realm: cfg.Realm,
		AuthID: o.Str(proto.KeyAuthID), AuthRole: o.Str(proto.KeyAuthRole),
		AuthMethod: o.Str(proto.KeyAuthMethod), AuthProvider: o.Str(proto.KeyAuthProvider),
		AuthExtra: o.Dict(proto.KeyAuthExtra), Agent: o.Str(proto.KeyAgent),
		Roles: proto.ParseRoles(o), Protocol: p.Name, Router: cfg.address(), Welcome: o,
	}
	if realm := o.Str(proto.KeyRealm); realm != "" {
		d.Realm = realm
	}
	return d
}

// lastRoles is what the WELCOME that came last says of the router's roles. Nearly all say
// the same, and those that do share it: it is a tenth of what an idle session takes.
var lastRoles atomic.Pointer[any]

const mostShared = 16 << 10 // bytes; what is kept when its session is gone

// shareRoles puts the roles that are known in the place of equal ones.
func shareRoles(welcome proto.Dict) {
	for i := range welcome {
		e := &welcome[i]
		if e.Key != proto.KeyRoles {
			continue
		}
		if last := lastRoles.Load(); last != nil && reflect.DeepEqual(*last, e.Value) {
			e.Value = *last
		} else if roles := e.Value; (proto.Dict{*e}).Size() <= mostShared {
			lastRoles.Store(&roles)
		}
	}
}
