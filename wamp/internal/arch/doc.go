// Package arch holds no code, only tests that read the project's own sources: which
// package may import which, where a lock may stand, that keys and URIs of WAMP's own
// stand in package proto, and what doc comments link. They fail when a line of code is
// in the wrong room; docs/design.md says why the rooms are so.
package arch
