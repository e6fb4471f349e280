package accept

import "errors"

// ErrProof is the error for a wrong password, signature or key.
var ErrProof = errors.New("the proof is wrong")

// HelloError reports a HELLO that lacks what the method needs, or has it in a
// wrong form.
type HelloError struct {
	// Method is the name of the method.
	Method string
	// Field is the detail of HELLO at fault, such as "authextra.nonce".
	Field   string
	Problem string
}

func (e *HelloError) Error() string { return e.Method + ": " + e.Field + " " + e.Problem }
