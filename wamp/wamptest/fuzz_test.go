package wamptest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The walk over a payload ends, whatever the bytes are, and agrees with those
// who decode it: what it lets pass has strings and keys that can be read.
func FuzzPayload(f *testing.F) {
	codecs := codec.All()
	for _, tt := range badPayloads {
		f.Add(byte(0), unhex(f, tt.raw))
	}
	for _, tt := range goodPayloads {
		f.Add(byte(0), unhex(f, tt.raw))
	}
	for i := range codecs {
		f.Add(byte(i), []byte{0x81, 0xa1, 0x61, 0x61, 0x01})
		f.Add(byte(i), []byte{0x9f, 0xbf, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		c := codecs[int(which)%len(codecs)]
		if c == codec.JSON && !json.Valid(raw) {
			return // the parser has seen to that
		}
		fault := wamptest.PayloadFault(c, &proto.Message{Args: raw})
		_, err := c.Plain(raw)
		switch {
		case fault == "" && err != nil && (strings.Contains(err.Error(), "UTF-8") || strings.Contains(err.Error(), "key is not a string")):
			// Half a surrogate pair is no UTF-8 to who decodes it, and nothing in it is wrong as text.
			if c == codec.JSON && strings.Contains(string(raw), `\u`) {
				return
			}
			t.Errorf("%s: % x passes, but %v", c.Name(), raw, err)
		case fault == "malformed value" && err == nil:
			t.Errorf("%s: % x is %s, but can be decoded", c.Name(), raw, fault)
		}
	})
}
