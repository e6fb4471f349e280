package codec

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// pointerPath returns the path that a JSON pointer stands for. Where there is text, it
// says what is a list; else digits are taken for an index.
func pointerPath(text []byte, p jsontext.Pointer) string {
	var path strings.Builder
	pos := 0
	for token := range p.Tokens() {
		isIndex := token != "" && strings.Trim(token, "0123456789") == ""
		if pos >= 0 && pos < len(text) {
			isIndex = isIndex && text[pos] == '['
			pos = memberAt(text, pos, token)
		}
		if isIndex {
			path.WriteString("[" + token + "]")
		} else {
			path.WriteString(pathKey(token))
		}
		if path.Len() > proto.MaxText/2 {
			break
		}
	}
	return path.String()
}

// memberAt returns where an element or a member of the list or dict at pos begins, -1
// if it is not there.
func memberAt(text []byte, pos int, token string) int {
	dict := text[pos] == '{'
	if !dict && text[pos] != '[' {
		return -1
	}
	pos++
	found := false
	var st stack
	for i := 0; ; i++ {
		start, _, bad := jsonItem(text, pos, i, dict)
		if bad != "" || start < 0 {
			return -1
		}
		end, bad := (jsonFormat{}).end(text, start, &st)
		if bad != "" {
			return -1
		}
		switch {
		case dict && i&1 == 0:
			key, _ := jsonFormat{}.str(text[start:end])
			found = string(key) == token
		case found, !dict && strconv.Itoa(i) == token:
			return start
		}
		pos = end
	}
}

// pointerAt returns where the value of a pointer begins.
func pointerAt(text []byte, p jsontext.Pointer) int {
	pos := 0
	for token := range p.Tokens() {
		if pos < 0 || pos >= len(text) {
			return -1
		}
		pos = memberAt(text, pos, token)
	}
	return pos
}

// valueError is the error of a value somewhere inside of what was to be decoded.
type valueError struct {
	codec string
	path  string // as in EncodeError, without the first name
	what  string
	err   error
}

func (e *valueError) Error() string {
	if e.path == "" {
		return proto.Short(e.codec + ": " + e.what)
	}
	return proto.Short(e.codec + ": " + strings.TrimPrefix(e.path, ".") + ": " + e.what)
}

func (e *valueError) Unwrap() error { return e.err }

// misfit returns the error of the value at pos, which is marked as m.
func (r *refReader) misfit(pos int, m any, t reflect.Type, why string) error {
	return &misfit{describe(r.doc.text, pos, m), t, why}
}

// maxShown is how much of a value an error shows.
const maxShown = 40

// describe says what came.
func describe(text []byte, pos int, m any) string {
	switch m := m.(type) {
	case []byte:
		return "binary of " + strconv.Itoa(len(m)) + " bytes"
	case Tag:
		return m.String()
	case decimalText:
		return "the number " + cutText(string(m), maxShown)
	case float64:
		return strconv.FormatFloat(m, 'g', -1, 64)
	}
	if pos < 0 || pos >= len(text) {
		return "a value"
	}
	switch c := text[pos]; c {
	case '{':
		return "a dict"
	case '[':
		return "a list"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		s, _ := jsonFormat{}.head(text[pos:], maxShown)
		if m != nil { // it begins with U+0000
			return "a string"
		}
		shown := strconv.Quote(cutText(string(s), maxShown))
		if len(s) > maxShown {
			shown += "..."
		}
		return "the string " + shown
	}
	end, _, _ := jsonSkipNumber(text, pos)
	if end-pos > maxShown {
		return "a number of " + strconv.Itoa(end-pos) + " characters"
	}
	return "the number " + string(text[pos:end])
}

// fault makes of an error of the library one that says where it is and what came.
func (r *refReader) fault(f format, err error, v any) error {
	var e *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &e):
		out := &valueError{codec: f.name(), path: pointerPath(r.doc.text, e.JSONPointer), err: err}
		cause := e.Err
		var fit *misfit
		var bad fault
		t := e.GoType
		if t == nil {
			t = reflect.TypeOf(v).Elem()
		}
		switch {
		case errors.As(cause, &fit):
			out.what = fit.Error()
		case errors.As(cause, &bad):
			out.what = string(bad)
			out.err = &SyntaxError{Codec: f.name(), Offset: -1, Reason: out.what}
		case cause != nil && (errors.Is(cause, strconv.ErrRange) || errors.Is(cause, strconv.ErrSyntax)):
			out.what = r.describeAt(e).Error()
		case cause != nil:
			out.what = cutMiddle(cause.Error(), 120) + " (" + t.String() + ")"
		default:
			out.what = r.describeAt(e).Error()
		}
		return out
	case errors.As(err, &syntax):
		reason := proto.Short(syntax.Error())
		if syntax.Err == jsontext.ErrDuplicateName {
			reason = badDuplicate
		}
		bad := &SyntaxError{Codec: f.name(), Offset: -1, Reason: reason}
		return &valueError{f.name(), pointerPath(r.doc.text, syntax.JSONPointer), reason, bad}
	}
	return err
}

// describeAt says what came where the library has its own mind about it.
func (r *refReader) describeAt(e *json.SemanticError) *misfit {
	pos := pointerAt(r.doc.text, e.JSONPointer)
	m := &misfit{what: describe(r.doc.text, pos, nil), target: e.GoType}
	switch {
	case errors.Is(e.Err, strconv.ErrRange):
		m.why = whyRange
	case errors.Is(e.Err, strconv.ErrSyntax):
		m.why = whyInexact
		if pos >= 0 && pos < len(r.doc.text) {
			if _, integer, ok := jsonSkipNumber(r.doc.text, pos); ok && integer {
				m.why = whyRange // below zero
			}
		}
	}
	if m.target == nil {
		m.target = reflect.TypeFor[any]()
	}
	return m
}

// cutMiddle makes one line of a text, and shortens it in its middle.
func cutMiddle(s string, limit int) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	if len(s) <= limit {
		return s
	}
	half := (limit - 3) / 2
	return cutText(s, half) + "..." + strings.ToValidUTF8(s[len(s)-half:], "")
}
