package accept

import (
	"encoding/hex"
	"strconv"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What a text of HELLO.Details.authextra may have in bytes.
const (
	mostField = 1024
	mostNonce = 8192 // what clients take of a challenge by default
)

// hello reads authextra of a HELLO and keeps the first thing that is wrong with
// it, so that a method reads top to bottom.
type hello struct {
	method string
	extra  map[string]any
	err    error
}

func (h *hello) fail(field, problem string) {
	if h.err == nil {
		h.err = &HelloError{h.method, "authextra." + field, problem}
	}
}

// text returns a text that may be absent.
func (h *hello) text(field string, most int) string {
	v := h.extra[field]
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		h.fail(field, "is no string")
		return ""
	case len(s) > most:
		h.fail(field, "has more than "+strconv.Itoa(most)+" bytes")
		return ""
	}
	return s
}

// bytes returns the n bytes that a text has in hex, nil if it is absent.
func (h *hello) bytes(field string, n int) []byte {
	s := h.text(field, mostField)
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != n {
		h.fail(field, "is not "+strconv.Itoa(n)+" bytes in hex")
		return nil
	}
	return b
}

// bind returns what data says of a channel binding that a client asks for.
func bind(method string, b authn.Binding, data func(authn.Binding) ([]byte, error)) ([]byte, error) {
	if data == nil {
		return nil, &authn.BindingError{Method: method, Binding: authn.Binding(proto.Short(string(b))), Problem: "it is not known here"}
	}
	return data(b)
}
