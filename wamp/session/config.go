package session

import (
	"log/slog"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Config says how a session joins and how it is bounded.
type Config struct {
	// Dial opens a connection.
	Dial transport.Dialer
	// Rotation has the addresses to dial, in the place of Dial and Address, and is
	// told what becomes of each attempt. It belongs to the session.
	Rotation *transport.Rotation
	// Realm is joined.
	Realm string
	// Protocols are offered in this order.
	Protocols []transport.Protocol
	// Auth logs in. Nil: anonymous.
	Auth authn.Authenticator
	// Handshake is what else is agreed on at each join. Nil: nothing.
	Handshake Handshake
	// Agent is HELLO.Details.agent.
	Agent string
	// Assume are features that count as announced, Without such that do not.
	Assume, Without []proto.Feature
	// Outbound bounds the bytes that wait to be written. Default 8 MiB.
	Outbound int
	// Memory bounds the bytes that all streams together keep for consumers that do
	// not read. Default 256 MiB.
	Memory int64
	// Windows bound what the router has to acknowledge at once.
	Windows Windows
	// Limits bound what a parser accepts.
	Limits codec.Limits
	// Reconnect says when a lost link is dialled again. Nil: never.
	Reconnect *Reconnect
	// Keepalive says how a dead link is noticed.
	Keepalive Keepalive
	// DialTimeout bounds an attempt to open a connection, with all its
	// handshakes. Default 20 s.
	DialTimeout time.Duration
	// LoginTimeout bounds a login from the moment that the connection is there:
	// HELLO, challenges, providers, WELCOME. Default 15 s.
	LoginTimeout time.Duration
	// AckTimeout bounds the wait for the router's acknowledgements, from the
	// moment that the request was written. Default 10 s.
	AckTimeout time.Duration
	// CloseTimeout bounds Close and Drain where their context has no deadline,
	// and how long a connection is waited for that does not end. Default 10 s.
	CloseTimeout time.Duration
	// Address is the address that was dialled last, for the log. It may be nil.
	Address func() string
	// Logger gets what happens to the session. Nil: nothing is logged but what
	// goes wrong in users' code, which goes to slog.Default.
	Logger *slog.Logger
}

// Handshake is what HELLO and WELCOME have in authextra beside the login. Its
// methods run during a login, under its time, one join after the other; one that
// is late is left behind, and may still run beside the next.
type Handshake interface {
	// Extra returns what is added to HELLO.Details.authextra. Its keys take
	// precedence over those of the login.
	Extra() map[string]any
	// Welcome judges WELCOME.Details.authextra, nil if there is none, when the
	// login has been accepted. It returns what Session.Agreed gives until the next
	// join. An error ends the join as a LoginError.
	Welcome(extra map[string]any) (agreed any, err error)
}

// settings are the Config of a session with what is missing filled in. They do not
// change.
type settings struct {
	Config
	log *journal
}

func newSettings(cfg Config) *settings {
	cfg.setDefaults()
	return &settings{Config: cfg, log: newJournal(cfg.Logger)}
}

func (cfg *Config) setDefaults() {
	if cfg.Auth == nil {
		cfg.Auth = authn.Anonymous()
	}
	if cfg.Rotation != nil {
		cfg.Dial, cfg.Address = cfg.Rotation.Dial, cfg.Rotation.Last
	}
	if cfg.Outbound <= 0 {
		cfg.Outbound = 8 << 20
	}
	if cfg.Memory <= 0 {
		cfg.Memory = 256 << 20
	}
	cfg.Windows.setDefaults()
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{{&cfg.DialTimeout, 20 * time.Second}, {&cfg.LoginTimeout, 15 * time.Second}, {&cfg.AckTimeout, 10 * time.Second},
		{&cfg.CloseTimeout, 10 * time.Second}} {
		if *d.at <= 0 {
			*d.at = d.to
		}
	}
	if cfg.Reconnect != nil {
		policy := *cfg.Reconnect
		policy.setDefaults()
		cfg.Reconnect = &policy
	}
	if cfg.Keepalive.Interval > 0 && cfg.Keepalive.Timeout <= 0 {
		cfg.Keepalive.Timeout = cfg.Keepalive.Interval
	}
}

// features are those of a role that count as announced.
func (cfg *Config) features(d *Details, role proto.Role) proto.FeatureSet {
	var without proto.FeatureSet
	return (d.Roles.Features(role).Add(cfg.Assume...)) &^ without.Add(cfg.Without...)
}

// address is where the session is, or tries to be, for the log.
func (cfg *Config) address() string {
	if cfg.Address == nil {
		return ""
	}
	return cfg.Address()
}
