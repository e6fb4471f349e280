package wamptest

import "github.com/connectanum/connectanum-go/wamp/proto"

// WithCallTrust gives each call a trust level, which callees that announced
// call_trustlevels see. f runs inside of the router; a negative level is none.
// Default: no call has one.
func WithCallTrust(f func(caller SessionInfo, procedure string) int) Option {
	return optionFunc(func(c *config) { c.callTrust = f })
}

// trust returns INVOCATION.Details.trustlevel, and whether there is one.
func (d *dealer) trust(c *call, to *session) (level int, ok bool) {
	f := d.router.cfg.callTrust
	if f == nil || !d.has(proto.CallTrustlevels) || !to.has(proto.Callee, proto.CallTrustlevels) {
		return 0, false
	}
	level = f(c.caller.info(), c.procedure)
	return level, level >= 0
}

// info says who the session is.
func (s *session) info() SessionInfo {
	return SessionInfo{ID: s.id, Realm: s.realm.name, AuthID: s.grant.AuthID, AuthRole: s.grant.AuthRole, AuthMethod: s.method,
		Protocol: s.link.conn.Protocol()}
}

// WithPublicationTrust gives each publication a trust level, which subscribers
// that announced publication_trustlevels see. f runs inside of the router; a
// negative level is none. Default: no publication has one.
func WithPublicationTrust(f func(publisher SessionInfo, topic string) int) Option {
	return optionFunc(func(c *config) { c.publicationTrust = f })
}

// trust returns EVENT.Details.trustlevel, and whether there is one.
func (b *broker) trust(publisher *session, topic string) (level int, ok bool) {
	f := b.router.cfg.publicationTrust
	if f == nil || !b.router.cfg.brokerHas(proto.PublicationTrustlevels) {
		return 0, false
	}
	level = f(publisher.info(), topic)
	return level, level >= 0
}
