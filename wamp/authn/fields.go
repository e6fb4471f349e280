package authn

import (
	"encoding/hex"
	"strconv"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// fields reads the Extra of a challenge and keeps the first thing that is
// wrong with it, so that a parser reads top to bottom.
type fields struct {
	method string
	extra  proto.Dict
	most   int // bytes of a text
	err    error
}

func (f *fields) fail(field, problem string) {
	if f.err == nil {
		f.err = &ChallengeError{Method: f.method, Field: field, Problem: problem}
	}
}

// text returns a text that may be absent.
func (f *fields) text(field string) string {
	v, _ := f.extra.Get(field)
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.fail(field, "is no string")
		return ""
	}
	if len(s) > f.most && f.err == nil {
		f.err = &LimitError{f.method, field, int64(len(s)), 0, int64(f.most)}
	}
	return s
}

// need returns a text that must be there.
func (f *fields) need(field string) string {
	s := f.text(field)
	if s == "" {
		f.fail(field, "is missing")
	}
	return s
}

// integer returns a number within limits; absent is the value if it is not
// there, and 0 means that it must be.
func (f *fields) integer(field string, absent int64, low, high int) int {
	n := absent
	if v, _ := f.extra.Get(field); v != nil {
		var ok bool
		if n, ok = f.extra.Int(field); !ok {
			f.fail(field, "is no integer")
			return 0
		}
	} else if absent == 0 {
		f.fail(field, "is missing")
		return 0
	}
	if err := within(f.method, field, n, low, high); err != nil {
		if f.err == nil {
			f.err = err
		}
		return 0
	}
	return int(n)
}

// bytes returns the n bytes that a text has in hex.
func (f *fields) bytes(field string, n int) []byte {
	s := f.need(field)
	if f.err != nil {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != n {
		f.fail(field, "is not "+strconv.Itoa(n)+" bytes in hex")
		return nil
	}
	return b
}
