// Package wamp has the names that nexus.go uses, so that it can be compiled
// without that client.
package wamp

type (
	List   []any
	Dict   map[string]any
	URI    string
	Event  struct{ Arguments List }
	Result struct{ Arguments List }

	Invocation struct{ Arguments List }
)

func AsInt64(any) (int64, bool) { panic("stub") }
