package session

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// An error that came from a user's code is code of the user's itself: its Error,
// Unwrap, Is and As may panic, block, or end the goroutine. The actor, the reader
// and the writer call none of them. They look at an error by Find and Is, which
// go no further than types of this module, and of what it is made with; what an
// error of another type holds is looked up once, where it comes in (outside),
// and texts for the log are made by the goroutine that calls the logger.

// foreign is an error of a type that is not known, with what is known of it.
type foreign struct {
	err   error
	known []error // those in its tree whose types are known
}

func (e *foreign) Error() string { return textOf(e.err) }
func (e *foreign) Unwrap() error { return e.err }

// treeSize is how many errors of a tree are looked at: one may contain itself.
const treeSize = 100

// outside returns an error that a user's code has returned as one that the actor
// can look at.
func outside(err error) error {
	if err == nil {
		return nil
	}
	if allKnown(err) {
		return err
	}
	f := &foreign{err: err}
	apart(func() { // what was found when it slips counts
		every(err, func(e error) bool {
			if known(e) {
				f.known = append(f.known, e)
			}
			return false
		})
	})
	return f
}

// allKnown reports whether no method in an error's tree is a user's.
func allKnown(err error) bool {
	return !each(err, func(e error) bool { _, is := e.(*foreign); return is || !known(e) }) //nolint:errorlint // as it is
}

// apart runs methods of an error, which may panic or end their goroutine.
func apart(f func()) {
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		defer func() { _ = recover() }()
		f()
	}()
	<-done
}

// each calls f with an error and those that it wraps, until f returns true.
func each(err error, f func(error) bool) bool {
	n := treeSize
	return walk(err, &n, known, f)
}

// every is each that looks into errors of all types. It is not for the actor.
func every(err error, f func(error) bool) bool {
	n := treeSize
	return walk(err, &n, func(error) bool { return true }, f)
}

// walk goes through a tree of no more than n errors, and below those that open
// allows.
func walk(err error, n *int, open, f func(error) bool) bool {
	for err != nil && *n > 0 {
		*n--
		if nilPointer(err) {
			return false
		}
		if f(err) {
			return true
		}
		if e, is := err.(*foreign); is && !open(nil) { //nolint:errorlint // this is what errors.As would do
			for _, k := range e.known {
				if f(k) {
					return true
				}
			}
			return false
		}
		if !open(err) {
			return false
		}
		switch e := err.(type) { //nolint:errorlint // see above
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				if walk(inner, n, open, f) {
					return true
				}
			}
			return false
		default:
			return false
		}
	}
	return false
}

// Find returns the first error of type T in err's tree, as errors.As does, and
// calls no method of a type that is not known.
func Find[T error](err error) (found T, ok bool) {
	each(err, func(e error) bool {
		found, ok = e.(T) //nolint:errorlint // this is what errors.As would do
		return ok
	})
	return found, ok
}

// matcher and finder are errors that errors.Is and errors.As ask.
type (
	matcher interface{ Is(target error) bool }
	finder  interface{ As(target any) bool }
)

var _ matcher = (*Error)(nil)

// Is reports what errors.Is does, and calls no method of a type that is not known.
func Is(err, target error) bool {
	return each(err, func(e error) bool {
		if same(e, target) {
			return true
		}
		x, can := e.(matcher)
		return can && known(e) && x.Is(target)
	})
}

// Seek is Find, and Matches is Is, for goroutines that may run a user's code: they
// call the methods of all types, as package errors does, but end where an error
// wraps itself.
func Seek[T error](err error) (found T, ok bool) {
	every(err, func(e error) bool {
		if found, ok = e.(T); ok { //nolint:errorlint // this is what errors.As would do
			return true
		}
		x, can := e.(finder)
		ok = can && x.As(&found)
		return ok
	})
	return found, ok
}

// Matches reports what errors.Is does: see Seek.
func Matches(err, target error) bool {
	return every(err, func(e error) bool {
		if same(e, target) {
			return true
		}
		x, can := e.(matcher)
		return can && x.Is(target)
	})
}

// MatchesHere is Matches, but for errors that were received: what another operation's
// peer has said of that says nothing of this one.
func MatchesHere(err, target error) bool {
	return every(err, func(e error) bool {
		if peer, is := e.(*Error); is && peer.received { //nolint:errorlint // as it is
			return false
		}
		if same(e, target) {
			return true
		}
		x, can := e.(matcher)
		return can && x.Is(target)
	})
}

// same compares two errors, of which any may be of a type that has no comparison.
func same(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

func nilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// module is the path below which this module's packages are.
var module = strings.TrimSuffix(reflect.TypeFor[Session]().PkgPath(), "session")

// packages are those whose errors are met here, beside the module's.
var packages = map[string]bool{
	"bufio": true, "context": true, "crypto/tls": true, "crypto/x509": true, "encoding/json": true, "errors": true, "fmt": true,
	"internal/poll": true, "io": true, "io/fs": true, "net": true, "net/http": true, "net/textproto": true, "net/url": true,
	"os": true, "strconv": true, "syscall": true,
	"github.com/fxamacker/cbor/v2": true, "github.com/go-json-experiment/json": true, "github.com/ugorji/go/codec": true,
}

// known reports whether the methods of an error are not a user's.
func known(err error) bool {
	if err == nil {
		return false
	}
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	path := t.PkgPath()
	return packages[path] || strings.HasPrefix(path+"/", module) && !strings.HasSuffix(path, "_test")
}

// textOf is the text of an error whose Error may panic.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T, whose Error panics", err)
		}
	}()
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// logText is the text of an error in the log. It is made by the goroutine that
// calls the logger.
type logText struct{ err error }

// LogValue implements slog.LogValuer.
func (t logText) LogValue() slog.Value {
	if t.err == nil || allKnown(t.err) {
		return slog.StringValue(cut(bare(t.err)))
	}
	text := fmt.Sprintf("an error of type %T, whose Error ends its goroutine", t.err)
	apart(func() { text = bare(t.err) })
	return slog.StringValue(cut(text))
}

// Redact is the text of a user's error for the log, without what the errors of this
// library in it quote of a payload: the text of an Error, the value of a ScanError. It
// is for goroutines that may run a user's code.
func Redact(err error) string {
	text := err.Error()
	every(err, func(e error) bool {
		switch e := e.(type) { //nolint:errorlint // every looks into them
		case *Error:
			if e != nil {
				text = strings.ReplaceAll(text, bare(e), proto.Short(e.URI))
			}
		case *codec.ScanError:
			if e != nil {
				text = strings.ReplaceAll(text, e.Error(), e.Path+" does not fit "+e.Type)
			}
		}
		return false
	})
	return text
}

// cut bounds what others say in the log.
func cut(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// resolve returns a record with the texts of its errors.
func resolve(r slog.Record) slog.Record {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if _, is := a.Value.Any().(logText); is {
			a.Value = a.Value.Resolve()
		}
		out.AddAttrs(a)
		return true
	})
	return out
}
