package session

import (
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Details are what is known of a joined session. They do not change.
type Details struct {
	// Session is the session's id.
	Session proto.ID
	// Realm that was joined.
	Realm string
	// AuthID, AuthRole, AuthMethod and AuthProvider are what the router said
	// of the login.
	AuthID, AuthRole, AuthMethod, AuthProvider string
	// AuthExtra is what the router said beside it.
	AuthExtra map[string]any
	// Agent is the router's name for itself, "" if it did not say.
	Agent string
	// Roles are the router's roles with their features.
	Roles proto.Roles
	// Protocol is the serialization agreed on, such as "wamp.2.cbor".
	Protocol string
	// Welcome is WELCOME.Details as it came. It must not be changed.
	Welcome proto.Dict
}

func newDetails(cfg *settings, m *proto.Message, p transport.Protocol) *Details {
	o := m.Options
	d := &Details{
		Session: m.ID, Realm: cfg.Realm,
		AuthID: o.Str("authid"), AuthRole: o.Str("authrole"),
		AuthMethod: o.Str("authmethod"), AuthProvider: o.Str("authprovider"),
		AuthExtra: o.Dict("authextra"), Agent: o.Str("agent"),
		Roles: proto.ParseRoles(o), Protocol: p.Name, Welcome: o,
	}
	if realm := o.Str("realm"); realm != "" {
		d.Realm = realm
	}
	return d
}
