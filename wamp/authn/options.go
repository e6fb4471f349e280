package authn

import (
	"maps"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// config is what the options of all methods set.
type config struct {
	role      string
	extra     map[string]any
	plaintext bool
	limits    Limits
	bindings  []Binding

	salted bool // WAMP-CRA

	dialect proof.Dialect // SCRAM
	kdfs    []string

	routerKey  RouterKeyFunc // cryptosign
	passphrase source

	rounds  int // Custom
	welcome func(Welcome) error
}

// TicketOption is an option of [Ticket].
type TicketOption interface{ ticket(*config) }

// PlainOption is an option of the methods without a challenge: [Anonymous],
// [TLS] and [Cookie].
type PlainOption interface{ plain(*config) }

// CRAOption is an option of [CRA].
type CRAOption interface{ cra(*config) }

// SCRAMOption is an option of [SCRAM].
type SCRAMOption interface{ scram(*config) }

// CryptosignOption is an option of [Cryptosign], [CryptosignFunc],
// [CryptosignHex] and [CryptosignFile].
type CryptosignOption interface{ cryptosign(*config) }

// CustomOption is an option of [Custom].
type CustomOption interface{ custom(*config) }

// Option is an option of every method.
type Option interface {
	PlainOption
	TicketOption
	CRAOption
	SCRAMOption
	CryptosignOption
	CustomOption
}

// PlaintextOption is an option of the methods that may send a secret as it is:
// [Ticket] and [Custom].
type PlaintextOption interface {
	TicketOption
	CustomOption
}

// HashOption is an option of the methods that hash a password: [CRA] and
// [SCRAM].
type HashOption interface {
	CRAOption
	SCRAMOption
}

// BindingOption is an option of the methods that know channel binding: [SCRAM]
// and [Cryptosign] with its variants.
type BindingOption interface {
	SCRAMOption
	CryptosignOption
}

type anyOption func(*config)

func (o anyOption) plain(c *config)      { o(c) }
func (o anyOption) ticket(c *config)     { o(c) }
func (o anyOption) cra(c *config)        { o(c) }
func (o anyOption) scram(c *config)      { o(c) }
func (o anyOption) cryptosign(c *config) { o(c) }
func (o anyOption) custom(c *config)     { o(c) }

// WithRole asks for a role, in HELLO.Details.authrole.
func WithRole(role string) Option { return anyOption(func(c *config) { c.role = role }) }

// WithExtra adds keys to HELLO.Details.authextra, for routers that look at
// them. Keys that the method itself uses take precedence.
func WithExtra(extra map[string]any) Option {
	extra = maps.Clone(extra)
	return anyOption(func(c *config) { c.extra = extra })
}

// AllowPlaintext allows a secret to be sent in the clear over a connection that
// anybody on the way can read. Without it such a login fails with a
// [PlaintextError].
func AllowPlaintext() PlaintextOption { return anyOption(func(c *config) { c.plaintext = true }) }

// WithLimits changes what a router may ask for.
func WithLimits(l Limits) HashOption { return anyOption(func(c *config) { c.limits = l }) }

// BindChannel binds the login to the TLS connection, so that nobody in the
// middle can pass it on. The first binding of the list that the connection has
// is asked for. If it has none, the login fails with a [BindingError] before
// HELLO; if the router does not take part, before an answer is sent.
// [NoBinding] at the end of the list allows a login without a binding.
func BindChannel(preferred ...Binding) BindingOption {
	preferred = append([]Binding(nil), preferred...)
	return anyOption(func(c *config) { c.bindings = preferred })
}

func (c *config) fill(h *Hello, authid string, method string) {
	h.Methods = []string{method}
	h.AuthID, h.AuthRole = authid, c.role
	h.Extra = maps.Clone(c.extra)
}

// put sets keys of authextra.
func (h *Hello) put(key string, value any) {
	if h.Extra == nil {
		h.Extra = map[string]any{}
	}
	h.Extra[key] = value
}
