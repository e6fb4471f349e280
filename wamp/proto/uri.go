package proto

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MatchPolicy says how a subscription or registration matches URIs.
type MatchPolicy string

// The match policies.
const (
	Exact    MatchPolicy = "exact"
	Prefix   MatchPolicy = "prefix"
	Wildcard MatchPolicy = "wildcard"
)

// InvokePolicy says which of several callees of one procedure is invoked.
type InvokePolicy string

// The invocation policies.
const (
	Single     InvokePolicy = "single"
	RoundRobin InvokePolicy = "roundrobin"
	Random     InvokePolicy = "random"
	First      InvokePolicy = "first"
	Last       InvokePolicy = "last"
)

// URIError says why a URI is not one.
type URIError struct {
	URI    string
	Reason string
}

func (e *URIError) Error() string {
	return Short(fmt.Sprintf("invalid URI %q: %s", Short(e.URI), e.Reason))
}

// CheckURI checks uri against the loose rules of WAMP: components separated by
// dots, none of them empty, no white space and no '#'.
func CheckURI(uri string) error { return checkURI(uri, false, false) }

// CheckError checks the URI of an error, by the rules of CheckURI: routers cut
// the link of a callee whose error has another one.
func CheckError(uri string) error { return checkURI(uri, false, false) }

// CheckPattern checks the URI of a subscription or registration that matches
// by policy: a wildcard may have empty components, a prefix an empty last one.
// A policy that is not known is an error.
func CheckPattern(uri string, match MatchPolicy) error {
	switch match {
	case "", Exact:
		return checkURI(uri, false, false)
	case Prefix:
		return checkURI(uri, false, true)
	case Wildcard:
		return checkURI(uri, true, true)
	}
	return &URIError{uri, "unknown match policy " + string(match)}
}

func checkURI(uri string, emptyInner, emptyLast bool) error {
	if uri == "" && !emptyLast {
		return &URIError{uri, "it is empty"}
	}
	start := 0
	for i := 0; i < len(uri); i++ {
		switch c := uri[i]; {
		case c == '.':
			if i == start && !emptyInner {
				return &URIError{uri, "it has an empty component"}
			}
			start = i + 1
		case c == '#':
			return &URIError{uri, "'#' is reserved"}
		case c <= ' ' && (c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f):
			return &URIError{uri, "it has white space"}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(uri[i:])
			if r == utf8.RuneError && n == 1 {
				return &URIError{uri, "it is not valid UTF-8"}
			}
			if unicode.IsSpace(r) {
				return &URIError{uri, "it has white space"}
			}
			i += n - 1
		}
	}
	if start == len(uri) && !emptyLast {
		return &URIError{uri, "it has an empty component"}
	}
	return nil
}

// MatchURI reports whether uri is matched by pattern under the policy. Prefix
// compares strings; a wildcard's empty component matches exactly one component.
func MatchURI(pattern string, match MatchPolicy, uri string) bool {
	switch match {
	case Prefix:
		return len(uri) >= len(pattern) && uri[:len(pattern)] == pattern
	case Wildcard:
		return matchWildcard(pattern, uri)
	}
	return pattern == uri
}

func matchWildcard(pattern, uri string) bool {
	for {
		p, pRest, pMore := cut(pattern)
		u, uRest, uMore := cut(uri)
		if p != "" && p != u || pMore != uMore {
			return false
		}
		if !pMore {
			return true
		}
		pattern, uri = pRest, uRest
	}
}

func cut(s string) (head, rest string, more bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
