package codec

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// EncodeError says why a value cannot be sent. Nothing of it was written.
type EncodeError struct {
	// Codec is the serializer's name.
	Codec string
	// Path says where in the payload the value stands, as far as that is known:
	// "args[1]", "args[1].name[3]", "kwargs.name".
	Path string
	// Reason says what is wrong with it.
	Reason string
	// Err is what a library, or a marshaler of the user's, has said; a
	// *PanicError if that has panicked. Nil where Reason says it all.
	Err error
}

// Error names the serializer, the place and the reason.
func (e *EncodeError) Error() string {
	s := e.Codec + ": "
	if e.Path != "" {
		s += e.Path + ": "
	}
	return proto.Short(s + e.Reason)
}

// Unwrap returns the cause.
func (e *EncodeError) Unwrap() error { return e.Err }

// fault is the reason of an EncodeError that has no other cause.
type fault string

func (f fault) Error() string { return string(f) }

// of returns the reason with the type that it is about.
func (f fault) of(t reflect.Type) fault {
	return fault(proto.Short(string(f) + " (" + t.String() + ")"))
}

const (
	errUTF8    = fault(badUTF8)
	errKey     = fault(badKey)
	errTooDeep = fault("value is nested too deeply, or contains itself")
	errEndless = fault("a pointer to its own type has no encoding")
)

// encodeError returns err as an EncodeError of the serializer f, with what stands
// before its path.
func encodeError(f format, err error, path string) *EncodeError {
	var e *EncodeError
	switch x := err.(type) { //nolint:errorlint // one that a marshaler has wrapped is not ours
	case *EncodeError:
		e = x
	case fault:
		e = &EncodeError{Reason: string(x)}
	default:
		e = &EncodeError{Reason: textOf(err), Err: err}
	}
	e.Codec = f.name()
	// Of one that contains itself the path says nothing.
	if e.Reason != string(errTooDeep) && len(e.Path)+len(path) <= proto.MaxText/2 {
		e.Path = path + e.Path
	}
	return e
}

// textOf is the text of an error that may be a user's: of one whose Error panics it
// is the type.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = proto.Short(fmt.Sprintf("an error of type %T, whose Error panics", err))
		}
	}()
	return proto.Short(err.Error())
}

// PanicError says that code of the user's has panicked: a marshaler, an
// unmarshaler, or what was to open a sealed payload.
type PanicError struct {
	// Value is what it panicked with.
	Value any
	// Stack is the stack at that moment, the first 16 KiB of it.
	Stack []byte
}

// maxStack bounds PanicError.Stack.
const maxStack = 16 << 10

// NewPanicError returns the error of a panic. It is called by the function that has
// recovered from that.
func NewPanicError(v any) *PanicError {
	stack := debug.Stack()
	return &PanicError{Value: v, Stack: stack[:min(len(stack), maxStack)]}
}

// Error says what it panicked with.
func (e *PanicError) Error() string { return proto.Short(fmt.Sprintf("panic: %v", e.Value)) }

// Unwrap returns the error that it panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// mismatch says that a raw value does not fit the Go value it was to go into.
type mismatch struct {
	codec  string
	what   string
	target any
}

var kindNames = [...]string{"number, boolean or extension", "null", "string", "binary", "list", "dict"}

func newMismatch(f format, raw []byte, target any) *mismatch {
	return &mismatch{f.name(), kindNames[f.kind(raw)], target}
}

func (e *mismatch) Error() string {
	return proto.Short(fmt.Sprintf("%s: cannot decode a %s into %v", e.codec, e.what, reflect.TypeOf(e.target).Elem()))
}

var (
	errNoPointer  = errors.New("the target is no pointer")
	errNilPointer = errors.New("the target is a nil pointer")

	errEndlessTarget = errors.New("the target is a pointer to its own type, which holds nothing")
)

// libraryError is an error of a library, or of an unmarshaler of the user's, with
// a text that is not too long.
type libraryError struct {
	text string
	err  error
}

func (e *libraryError) Error() string { return e.text }
func (e *libraryError) Unwrap() error { return e.err }

// decodeError bounds the text of an error that is none of ours.
func decodeError(err error) error {
	switch err.(type) { //nolint:errorlint // one that an unmarshaler has wrapped may be long
	case nil, *SyntaxError, *mismatch, *valueError, *PanicError, *libraryError:
		return err
	}
	return &libraryError{textOf(err), err}
}
