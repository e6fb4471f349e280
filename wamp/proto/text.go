package proto

import "unicode/utf8"

// MaxText is how many bytes the text of an error of this library has at most.
const MaxText = 200

// Short returns s, with its middle left out where it is longer than MaxText.
func Short(s string) string {
	if len(s) <= MaxText {
		return s
	}
	const gap = "..."
	head, tail := MaxText/2, len(s)-(MaxText-MaxText/2-len(gap))
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + gap + s[tail:]
}
