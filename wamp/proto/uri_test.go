package proto_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestCheckPattern(t *testing.T) {
	for _, tt := range []struct {
		uri                     string
		exact, prefix, wildcard bool
	}{
		{"com.example.topic", true, true, true}, {"a", true, true, true}, {"com.höhe.A-b_c!", true, true, true},
		{"", false, true, true}, {".", false, false, true}, {"com.", false, true, true}, {"com..topic", false, false, true},
		{".com", false, false, true}, {"a b", false, false, false}, {"a\tb", false, false, false}, {"a#b", false, false, false},
		{"a\u00a0b", false, false, false}, {"a\u2028b", false, false, false}, {"a\x85b", false, false, false}, {"a\xff", false, false, false},
		{"a\u0085b", false, false, false}, {"a\x1cb", false, false, false}, {"a\x01b", true, true, true}, {"日本.語", true, true, true},
	} {
		for match, want := range map[proto.MatchPolicy]bool{"": tt.exact, proto.Exact: tt.exact, proto.Prefix: tt.prefix, proto.Wildcard: tt.wildcard} {
			err := proto.CheckPattern(tt.uri, match)
			var uriErr *proto.URIError
			if (err == nil) != want || err != nil && (!errors.As(err, &uriErr) || uriErr.URI != tt.uri) {
				t.Errorf("CheckPattern(%q, %q) = %v, want ok: %v", tt.uri, match, err, want)
			}
		}
		if err := proto.CheckURI(tt.uri); (err == nil) != tt.exact {
			t.Errorf("CheckURI(%q) = %v", tt.uri, err)
		}
	}
	if err := proto.CheckPattern("a", "regex"); err == nil {
		t.Error("the policy regex is known")
	}
}

func TestMatchURI(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		match   proto.MatchPolicy
		uri     string
		want    bool
	}{
		{"com.a", proto.Exact, "com.a", true}, {"com.a", "", "com.ab", false}, {"com.a", proto.Prefix, "com.ab", true},
		{"com.myapp.topic.emergency", proto.Prefix, "com.myapp.topic.emergency-low", true}, {"com.a", proto.Prefix, "com", false},
		{"", proto.Prefix, "com", true}, {"com..b", proto.Wildcard, "com.a.b", true}, {"com..b", proto.Wildcard, "com.a.c.b", false},
		{"com..b", proto.Wildcard, "com.b", false}, {"com.", proto.Wildcard, "com.a", true}, {"com.", proto.Wildcard, "com.a.b", false},
		{".", proto.Wildcard, "a.b", true}, {"..b", proto.Wildcard, "x.y.b", true}, {"a.b", proto.Wildcard, "a.b", true},
	} {
		if got := proto.MatchURI(tt.pattern, tt.match, tt.uri); got != tt.want {
			t.Errorf("MatchURI(%q, %q, %q) = %v", tt.pattern, tt.match, tt.uri, got)
		}
	}
}

// What is right exactly is right by every policy, and every right URI matches
// itself.
func FuzzCheckURI(f *testing.F) {
	for _, s := range []string{"com.example", "", ".", "a..b", "a b", "a#", "\u2028", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		exact := proto.CheckURI(uri) == nil
		prefix := proto.CheckPattern(uri, proto.Prefix) == nil
		wildcard := proto.CheckPattern(uri, proto.Wildcard) == nil
		if exact && !prefix || prefix && !wildcard {
			t.Errorf("%q: exact %v, prefix %v, wildcard %v", uri, exact, prefix, wildcard)
		}
		if wildcard && !utf8.ValidString(uri) {
			t.Errorf("%q is not valid UTF-8", uri)
		}
		for _, match := range []proto.MatchPolicy{proto.Exact, proto.Prefix, proto.Wildcard} {
			if exact && !proto.MatchURI(uri, match, uri) {
				t.Errorf("%q does not match itself by %s", uri, match)
			}
		}
	})
}
