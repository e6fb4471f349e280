// Package serialize has the names that nexus.go uses.
package serialize

type Serialization int

const (
	JSON Serialization = iota
	MSGPACK
	CBOR
)
