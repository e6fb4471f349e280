package wamp

import "log/slog"

// WithLogger sets the logger of the session. The page docs/logs.md has a table of
// all records with their levels, attributes and rates; messages and attributes
// are fixed, so that they can be searched for. Payloads and secrets are never
// logged, and an address is logged without user, password and query. What the
// user's code says is logged as it is: the values of panics, and the texts of
// errors that handlers return.
//
// The logger is called from a goroutine of its own, behind a bounded queue: one
// that blocks or panics loses records, and holds nothing up. A record whose
// attribute left_out is set tells how many of its kind were left out before it.
//
// Default: only what goes wrong in the user's code is logged, to
// [slog.Default]: panics with their stacks, handlers that do not end, answers
// that could not be sent, and errors of handlers that were not passed on, with
// their text.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) error { c.Logger = l; return nil })
}
