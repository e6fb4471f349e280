package proof_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// The examples of RFC 4013 section 3, and what SCRAM needs beside them.
func TestSASLprep(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		ok             bool
	}{
		{"soft hyphen mapped to nothing", "I\u00adX", "IX", true},
		{"no transformation", "user", "user", true},
		{"case preserved", "USER", "USER", true},
		{"NFKC", "\u00aa", "a", true},
		{"NFKC of a number", "\u2168", "IX", true},
		{"prohibited character", "\u0007", "", false},
		{"bidirectional check", "\u0627\u0031", "", false},
		{"space that is not ASCII", "a\u00a0b", "a b", true},
		{"letters of latin-1", "Straße", "Straße", true},
		{"unassigned in Unicode 3.2", "a\U0001f600", "", false},
		{"not UTF-8", "a\xff", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := proof.SASLprep(tt.in); got != tt.want || ok != tt.ok {
				t.Errorf("%q, %v, want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzSASLprep(f *testing.F) {
	for _, s := range []string{"", "user", "I\u00adX", "\u2168", "\u0627\u0031", "a\xff", "\U0001f600", "Straße"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := proof.SASLprep(s)
		if !ok {
			return
		}
		if twice, ok := proof.SASLprep(once); !ok || twice != once {
			t.Errorf("%q becomes %q becomes %q (%v)", s, once, twice, ok)
		}
	})
}
