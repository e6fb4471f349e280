package session

import (
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
	// Welcome are the details of the WELCOME message. They must not be changed.
	Welcome proto.Dict
}

func newDetails(cfg *settings, m *proto.Message, p transport.Protocol) *Details {
	o := m.Options
	d := &Details{
		Session: m.ID, Realm: cfg.Realm,
		AuthID: o.Str(proto.KeyAuthID), AuthRole: o.Str(proto.KeyAuthRole),
		AuthMethod: o.Str(proto.KeyAuthMethod), AuthProvider: o.Str(proto.KeyAuthProvider),
		AuthExtra: o.Dict(proto.KeyAuthExtra), Agent: o.Str(proto.KeyAgent),
		Roles: proto.ParseRoles(o), Protocol: p.Name, Welcome: o,
	}
	if realm := o.Str(proto.KeyRealm); realm != "" {
		d.Realm = realm
	}
	return d
}
