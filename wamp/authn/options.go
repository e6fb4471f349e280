package authn

import "maps"

// config is what the options of all methods set.
type config struct {
	role      string
	extra     map[string]any
	plaintext bool
}

// TicketOption is an option of Ticket.
type TicketOption interface{ ticket(*config) }

// PlainOption is an option of the methods without a secret: Anonymous, TLS,
// Cookie.
type PlainOption interface{ plain(*config) }

// Option is an option of every method.
type Option interface {
	PlainOption
	TicketOption
}

type anyOption func(*config)

func (o anyOption) plain(c *config)  { o(c) }
func (o anyOption) ticket(c *config) { o(c) }

// WithRole asks for a role: HELLO.Details.authrole.
func WithRole(role string) Option { return anyOption(func(c *config) { c.role = role }) }

// WithExtra adds keys to HELLO.Details.authextra, for routers that look at
// them. Keys that the method itself uses win.
func WithExtra(extra map[string]any) Option {
	extra = maps.Clone(extra)
	return anyOption(func(c *config) { c.extra = extra })
}

// AllowPlaintext sends a secret in the clear over a connection that anybody on
// the way can read. Without it that is a PlaintextError.
func AllowPlaintext() TicketOption { return anyOption(func(c *config) { c.plaintext = true }) }

func (c *config) fill(h *Hello, authid string, method string) {
	h.Methods = []string{method}
	h.AuthID, h.AuthRole = authid, c.role
	h.Extra = maps.Clone(c.extra)
}
