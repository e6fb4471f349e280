package wamptest

import (
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// match returns the registration that serves a procedure: an exact one, then
// the longest prefix, then the wildcard that is the most exact from the left.
// Patterns do not reach what is reserved.
func (g *registry) match(procedure string) *registration {
	if reg := g.byPattern[pattern{proto.Exact, procedure}]; reg != nil {
		return reg
	}
	if reserved(procedure) {
		return nil
	}
	var best *registration
	for _, reg := range g.patterns {
		if proto.MatchURI(reg.uri, reg.match, procedure) && (best == nil || reg.beats(best)) {
			best = reg
		}
	}
	return best
}

// beats compares two patterns that match the same procedure.
func (reg *registration) beats(other *registration) bool {
	if reg.match != other.match {
		return reg.match == proto.Prefix
	}
	if reg.match == proto.Prefix {
		return len(reg.uri) > len(other.uri)
	}
	// Where both have a component it is the same one, so the first place where
	// only one of them has one decides.
	a, b := strings.Split(reg.uri, "."), strings.Split(other.uri, ".")
	for i := range a {
		if (a[i] == "") != (b[i] == "") {
			return b[i] == ""
		}
	}
	return false
}
