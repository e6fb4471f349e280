package authn

// SASLprep is for the tests of the profile.
func SASLprep(s string) (string, bool) { return saslprep(s) }
