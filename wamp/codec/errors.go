package codec

import (
	"errors"
	"fmt"
)

var errUTF8 = errors.New(badUTF8)

// mismatch says that a raw value does not fit the Go value it was to go into.
type mismatch struct {
	codec  string
	kind   kind
	target any
}

var kindNames = [...]string{"number, boolean or extension", "null", "string", "binary", "list", "dict"}

func (e *mismatch) Error() string {
	return fmt.Sprintf("%s: cannot decode a %s into %T", e.codec, kindNames[e.kind], e.target)
}
