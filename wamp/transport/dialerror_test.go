package transport_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

func TestWithoutUserInfo(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"no URL, but a@b":                    "no URL, but a@b",
		"ws://h/ws":                          "ws://h/ws",
		"ws://joe:secret@h/ws":               "ws://h/ws",
		`dial "ws://joe:se@cret@h/ws": no`:   `dial "ws://h/ws": no`,
		"ws://a:b@h and tcp://c:d@i, a@b":    "ws://h and tcp://i, a@b",
		"ws://a:b@h,ws://c:d@i more":         "ws://i more",
		"parse ws://joe:secret@h\n: no port": "parse ws://h\n: no port",
		"://":                                "://",
	} {
		if got := transport.WithoutUserInfo(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
