package codec

import (
	"errors"
	"reflect"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// appendAny appends a value of a type of the user's by a library, or by the code
// that the type brings for it. It has been looked at before, and what was written
// is looked at behind. depth is how deep the value stands.
func appendAny(f format, dst []byte, v any, depth int) ([]byte, error) {
	if out, done, err := appendKind(f, dst, v); done {
		return out, err
	}
	start := len(dst)
	dst, err := write(f, dst, v, depth)
	if err != nil {
		return dst[:start], err
	}
	return dst, nil
}

// appendKind appends numbers, strings and booleans of named types.
func appendKind(f format, dst []byte, v any) (out []byte, done bool, err error) {
	r := reflect.ValueOf(v)
	if k := r.Kind(); !isBasic(k) {
		return dst, false, nil
	}
	switch rolesOf(r.Type()).write {
	case roleBool:
		return f.appendBool(dst, r.Bool()), true, nil
	case roleInt:
		return f.appendInt(dst, r.Int()), true, nil
	case roleUint:
		return f.appendUint(dst, r.Uint()), true, nil
	case roleFloat:
		x := r.Float()
		if r.Kind() == reflect.Float32 {
			x = float32Value(float32(x))
		}
		dst, err = f.appendFloat(dst, x)
		return dst, true, err
	case roleString:
		dst, err = f.appendString(dst, r.String())
		return dst, true, err
	}
	return dst, false, nil
}

// write calls the library, which may call code of the user's. Nothing of a library
// that a panic, or the end of the goroutine, has left half-way is used again.
func write(f format, dst []byte, v any, depth int) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = dst, NewPanicError(r)
		}
	}()
	traits := traitsOf(v)
	if traits.isPlain() {
		if out, ok := writePlain(f, dst, reflect.ValueOf(v), depth); ok {
			return out, nil
		}
	}
	if err := jsonGuard.check(v, traits, depth); err != nil {
		return dst, err
	}
	if out, err = writeRef(f, dst, v, traits, depth); err != nil {
		return dst, writeError(err)
	}
	return out, nil
}

// writeRef writes a value by the reference.
func writeRef(f format, dst []byte, v any, traits typeTraits, depth int) ([]byte, error) {
	w := refWriters.Get().(*refWriter)
	err := w.write(v, traits, f.text())
	if err == nil && f.text() {
		dst, err = w.appendText(dst, traits, depth)
	} else if err == nil {
		t := transcoder{f: f, text: w.written(), marks: w.marks, counts: counts(w.written())}
		var at int
		if dst, at, err = t.value(dst, 0, depth); err != nil {
			var bad fault
			if errors.As(err, &bad) {
				err = writtenFault(jsonFormat{}, t.text, at, string(bad))
			}
		}
	}
	w.release()
	return dst, err
}

// writeError takes apart what the JSON library says: where it is, and the reason.
func writeError(err error) error {
	var e *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &e):
		out := &EncodeError{Path: pointerPath(nil, e.JSONPointer), Err: err}
		cause := err
		if e.Err != nil {
			cause = e.Err
		}
		switch bad := fault(""); {
		case errors.As(cause, &bad):
			out.Reason, out.Err = string(bad), nil
		case errors.As(cause, &syntax) && syntax.Err == jsontext.ErrNonStringName:
			out.Reason = badKey
		case cause != err:
			out.Reason = proto.Short(cause.Error())
			var own *EncodeError
			if errors.As(cause, &own) {
				out.Err = cause
			}
		default:
			out.Reason = proto.Short(err.Error())
		}
		if e.GoType != nil && e.GoType != reflect.TypeFor[any]() && out.Reason != badKey { // any is that of refWriter.any, which says the type itself
			out.Reason = proto.Short(out.Reason + " (" + e.GoType.String() + ")")
		}
		if strings.Contains(out.Reason, "invalid UTF-8") {
			out.Reason = badUTF8
		}
		return out
	case errors.As(err, &syntax):
		out := &EncodeError{Path: pointerPath(nil, syntax.JSONPointer), Err: err, Reason: proto.Short(syntax.Error())}
		switch {
		case syntax.Err == jsontext.ErrDuplicateName:
			out.Reason = badDuplicate
		case syntax.Err == jsontext.ErrNonStringName:
			out.Reason = badKey
		case strings.Contains(out.Reason, "UTF-8"):
			out.Reason = badUTF8
		}
		return out
	}
	return err
}

// writtenFault is the error of a value that was written.
func writtenFault(f format, raw []byte, pos int, bad string) error {
	e := &EncodeError{Reason: bad, Path: pathTo(f, raw, pos)}
	if bad == badDepth {
		e.Reason, e.Path = string(errTooDeep), ""
	}
	return e
}

// pathTo returns the path to what stands at pos, as far as it can be found.
func pathTo(f format, raw []byte, pos int) string {
	path := ""
	for level := 0; level < 8 && pos > 0; level++ {
		k := f.kind(raw)
		if k != kindList && k != kindDict {
			break
		}
		step, start, end := child(f, raw, pos, k == kindDict)
		if start < 0 {
			break
		}
		path += step
		raw, pos = raw[start:end], pos-start
	}
	return path
}

// child returns the element of raw in which pos lies.
func child(f format, raw []byte, pos int, dict bool) (step string, start, end int) {
	at, _ := f.open(raw)
	for i := 0; ; i++ {
		start, end, bad := f.next(raw, at, i, dict)
		if bad != "" || start < 0 {
			return "", -1, 0
		}
		at = end
		switch {
		case dict && i&1 == 0:
			if pos < end {
				return "", -1, 0 // the key itself
			}
			key, _ := f.str(raw[start:end])
			step = pathKey(string(key))
		case !dict:
			step = pathIndex(i)
		}
		if pos < end && (!dict || i&1 == 1) {
			return step, start, end
		}
	}
}
