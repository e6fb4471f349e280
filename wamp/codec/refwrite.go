package codec

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// pooledSize is how big a buffer may have grown to go back to its pool.
const pooledSize = 1 << 20

// refWriter writes values as the JSON library does, with our functions in front.
// They are made once for each writer, since they note marks in it.
type refWriter struct {
	out   bytes.Buffer
	enc   *jsontext.Encoder // which writes to out; what others write, with our options, is not marked
	marks []mark
	floor int  // the marks before this one have been written into another text
	text  bool // for JSON itself: bytes are in WAMP's form, and no float is a mark
	tags  bool // there may be fields with the option string
	// The options for types that the writer knows by heart, and for those where
	// each value has to be looked at.
	narrow, wide json.Options
}

var refWriters = sync.Pool{New: func() any { return newRefWriter() }}

func newRefWriter() *refWriter {
	w := new(refWriter)
	w.enc = jsontext.NewEncoder(&w.out)
	w.narrow = json.JoinOptions(jsonForm, json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(w.bytes), json.MarshalToFunc(w.float64), json.MarshalToFunc(w.big), json.MarshalToFunc(w.number),
		json.MarshalToFunc(w.rawMessage), json.MarshalToFunc(w.rawValue), json.MarshalToFunc(w.url))))
	w.wide = json.JoinOptions(jsonForm, json.WithMarshalers(json.MarshalToFunc(w.any)))
	return w
}

// write writes v, as text and marks.
func (w *refWriter) write(v any, traits typeTraits, text bool) error {
	w.out.Reset()
	w.marks, w.floor = w.marks[:0], 0
	w.text, w.tags = text, traits&(hasAny|hasQuoted) != 0
	options := w.narrow
	if traits&(hasAny|isWide) != 0 {
		options = w.wide
	}
	w.enc.Reset(&w.out)
	return json.MarshalEncode(w.enc, v, options)
}

// written returns the text of what was written, without the newline behind it.
func (w *refWriter) written() []byte { return bytes.TrimSuffix(w.out.Bytes(), []byte{'\n'}) }

// release puts w back, unless it has grown.
func (w *refWriter) release() {
	clear(w.marks)
	if w.out.Cap() <= pooledSize && cap(w.marks) <= pooledSize/64 {
		refWriters.Put(w)
	}
}

// appendText appends what has been written for JSON, if it is what can be sent.
func (w *refWriter) appendText(dst []byte, traits typeTraits, depth int) ([]byte, error) {
	text := w.written()
	if at := strayNUL(text, w.marks); at >= 0 {
		bad := errNUL
		if end, _ := jsonStringEnd(text, at); end < len(text) && text[end] == ':' {
			bad = errKey
		}
		return dst, writtenFault(jsonFormat{}, text, at, string(bad))
	}
	if traits&(hasAny|hasLoop|hasJSON) != 0 {
		s := valueScan(text, valueDepth)
		if end, bad := (jsonFormat{}).skip(&s, 0, depth); bad != "" {
			return dst, writtenFault(jsonFormat{}, text, end, bad)
		}
	}
	return append(dst, text...), nil
}

// mark notes that the value just written, which has size bytes, stands for v.
func (w *refWriter) mark(e *jsontext.Encoder, size int, v any) {
	start := int(e.OutputOffset()) - size
	if e.StackDepth() == 0 {
		start = 0 // there is a newline behind it already
	}
	for len(w.marks) > w.floor && w.marks[len(w.marks)-1].start >= start {
		w.marks = w.marks[:len(w.marks)-1] // of what has been taken back
	}
	w.marks = append(w.marks, mark{start, v})
}

// placeholder writes something in the place of v.
func (w *refWriter) placeholder(e *jsontext.Encoder, v any) error {
	if err := e.WriteToken(jsontext.Null); err != nil {
		return err
	}
	w.mark(e, len("null"), v)
	return nil
}

// isName reports whether the name of a member comes next.
func isName(kind jsontext.Kind, n int64) bool { return kind == '{' && n&1 == 0 }

func (w *refWriter) bytes(e *jsontext.Encoder, v []byte) error {
	switch {
	case e != w.enc:
		return errors.ErrUnsupported
	case isName(e.StackIndex(e.StackDepth())):
		return errKey
	case v == nil:
		return e.WriteToken(jsontext.Null)
	case !w.text:
		return w.placeholder(e, v)
	}
	b := jsonFormat{}.appendBytes(e.AvailableBuffer(), v)
	if err := e.WriteValue(b); err != nil {
		return err
	}
	w.mark(e, len(b), nil)
	return nil
}

func (w *refWriter) float64(e *jsontext.Encoder, v float64) error { return w.float(e, v, 64) }

func (w *refWriter) float(e *jsontext.Encoder, v float64, bits int) error {
	if e != w.enc {
		return errors.ErrUnsupported
	}
	if isName(e.StackIndex(e.StackDepth())) {
		return errKey
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		if w.text {
			return errNumber
		}
		return w.placeholder(e, v)
	}
	return e.WriteValue(appendJSONFloat(e.AvailableBuffer(), v, bits))
}

func (w *refWriter) big(e *jsontext.Encoder, v *big.Int) error {
	name := isName(e.StackIndex(e.StackDepth()))
	switch {
	case e != w.enc:
		return errors.ErrUnsupported
	case v == nil:
		return e.WriteToken(jsontext.Null)
	case !name && !w.text && !v.IsInt64() && !v.IsUint64():
		return w.placeholder(e, new(big.Int).Set(v)) // the library moves values of maps about
	case v.BitLen() > maxBits:
		return fault(badDigits)
	case name || !v.IsInt64() && !v.IsUint64():
		return e.WriteToken(jsontext.String(v.String()))
	}
	return e.WriteValue(v.Append(e.AvailableBuffer(), 10))
}

func (w *refWriter) number(e *jsontext.Encoder, v stdjson.Number) error {
	if isName(e.StackIndex(e.StackDepth())) {
		return e.WriteToken(jsontext.String(string(v)))
	}
	b := append(e.AvailableBuffer(), v...)
	if end, _, ok := jsonSkipNumber(b, 0); !ok || end != len(b) {
		return errNoNumber
	}
	return w.raw(e, b)
}

func (w *refWriter) rawMessage(e *jsontext.Encoder, v stdjson.RawMessage) error { return w.raw(e, v) }
func (w *refWriter) rawValue(e *jsontext.Encoder, v jsontext.Value) error       { return w.raw(e, v) }

// raw writes the value that a text stands for.
func (w *refWriter) raw(e *jsontext.Encoder, v []byte) error {
	if e != w.enc {
		return errors.ErrUnsupported
	}
	if v == nil {
		return e.WriteToken(jsontext.Null)
	}
	v = jsonTrim(v)
	s := valueScan(v, valueDepth)
	s.keys = true
	if err := check(jsonFormat{}, &s); err != nil {
		return fault(err.(*SyntaxError).Reason) //nolint:errorlint // that is what check returns
	}
	v = mendSurrogates(v)
	if !bytes.Contains(v, jsonNUL) {
		return e.WriteValue(v)
	}
	plain, _, bad := jsonFormat{}.plain(v, 0)
	if bad != "" {
		return fault(bad)
	}
	if !w.text {
		return w.placeholder(e, plain)
	}
	// What is binary in it is marked like any other.
	return json.MarshalEncode(e, &plain, w.wide)
}

var errPassword = errors.New("a URL with a password is not sent")

func (w *refWriter) url(e *jsontext.Encoder, v *url.URL) error {
	switch {
	case isName(e.StackIndex(e.StackDepth())):
		return errKey
	case v == nil:
		return e.WriteToken(jsontext.Null)
	case hasPassword(v):
		return errPassword
	}
	return e.WriteToken(jsontext.String(v.String()))
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

var (
	errNoNumber = fault("the json.Number is no number")
	errIsError  = fault("an error cannot be sent, its text can")
	errIsTag    = fault("a Tag cannot be sent, its content can")
	errOddKind  = fault("a function, a channel or a complex number cannot be sent")
)

// any stands in front of the library for every value. v points to it.
func (w *refWriter) any(e *jsontext.Encoder, v any) error {
	if e != w.enc {
		return errors.ErrUnsupported
	}
	r := reflect.ValueOf(v).Elem()
	t := r.Type()
	role := rolesOf(t).write
	if w.tags {
		if done, err := w.quoted(e, v, role); done {
			return err
		}
	}
	switch role {
	case roleFloat:
		return w.float(e, r.Float(), t.Bits())
	case roleBytes:
		if t.Kind() == reflect.Slice {
			return w.bytes(e, r.Bytes())
		}
		b := make([]byte, r.Len())
		reflect.Copy(reflect.ValueOf(b), r)
		return w.bytes(e, b)
	case roleNumber:
		return w.number(e, *v.(*stdjson.Number))
	case roleRaw:
		return w.raw(e, r.Bytes())
	case roleBig:
		return w.big(e, v.(*big.Int))
	case roleURL:
		return w.url(e, v.(*url.URL))
	case roleTag:
		return errIsTag.of(t)
	case roleInline:
		return errInline
	case roleError:
		return errIsError.of(t)
	case roleOdd:
		return errOddKind.of(t)
	case roleBool, roleList, roleMap, roleStruct, roleJSON:
		if isName(e.StackIndex(e.StackDepth())) && (role != roleJSON || !isKeyType(t)) {
			return errKey
		}
	}
	return errors.ErrUnsupported
}

// isKeyType reports whether a type may be the key of a map, whatever its methods.
func isKeyType(t reflect.Type) bool {
	switch r := kindRole(t); r {
	case roleString, roleInt, roleUint:
		return true
	default:
		return implements(t, textWriters)
	}
}

// quoted writes the value of a field with the option string. That is for numbers; for
// others the library would refuse it.
func (w *refWriter) quoted(e *jsontext.Encoder, v any, r role) (done bool, err error) {
	if on, _ := json.GetOption(e.Options(), json.StringifyNumbers); !on {
		return false, nil
	}
	switch r {
	case roleInt, roleUint, rolePointer:
		return true, errors.ErrUnsupported // the library does it
	case roleFloat:
		x := reflect.ValueOf(v).Elem()
		if math.IsNaN(x.Float()) || math.IsInf(x.Float(), 0) {
			return true, errNumber
		}
		return true, errors.ErrUnsupported
	case roleJSON, roleText, roleNumber, roleRaw, roleBig, roleURL, roleTag, roleInline, roleError, roleOdd:
		if reflect.TypeOf(v).Elem() != timeType {
			return false, nil
		}
	}
	// By itself, where it is no field.
	n, floor := len(w.marks), w.floor
	var out bytes.Buffer
	w.floor, w.enc = n, jsontext.NewEncoder(&out)
	err = json.MarshalEncode(w.enc, v, w.wide)
	w.floor, w.enc = floor, e
	if err != nil {
		return true, err
	}
	text := bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
	if err := e.WriteValue(text); err != nil {
		return true, err
	}
	start := int(e.OutputOffset()) - len(text)
	for i := range w.marks[n:] {
		w.marks[n+i].start += start
	}
	return true, nil
}

// appendJSONFloat writes a float so that it comes back as one: 1 is "1.0". One of 32
// bits has the digits that it needs, so that 0.1 stays 0.1; one that is an integer has
// all of its digits, so that it is no other integer where one is asked for.
func appendJSONFloat(dst []byte, v float64, bits int) []byte {
	start := len(dst)
	form, digits := byte('f'), -1
	switch x := math.Abs(v); {
	case x != 0 && (x < 1e-6 || x >= 1e21):
		form = 'e'
	case x >= 1<<53 && bits == 64:
		digits = 0
	}
	dst = strconv.AppendFloat(dst, v, form, digits, bits)
	if !bytes.ContainsAny(dst[start:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// float32Value is the float that has the same digits.
func float32Value(v float32) float64 {
	if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) || x == math.Trunc(x) && math.Abs(x) < 1<<24 {
		return x
	}
	var room [32]byte
	x, _ := strconv.ParseFloat(string(strconv.AppendFloat(room[:0], float64(v), 'g', -1, 32)), 64)
	return x
}

// strayNUL finds a string in what the library has written for JSON that would be read
// as binary though it is none, -1 if there is none.
func strayNUL(text []byte, marks []mark) int {
	if bytes.IndexByte(text, '\\') < 0 {
		return -1
	}
	for pos := 0; ; {
		n := indexQuotedNUL(text[pos:])
		if n < 0 {
			return -1
		}
		pos += n
		for len(marks) > 0 && marks[0].start < pos {
			marks = marks[1:]
		}
		if len(marks) == 0 || marks[0].start != pos {
			return pos
		}
		pos += len(quotedNUL)
	}
}

// indexQuotedNUL finds a string that begins with U+0000, -1 if there is none. text
// begins outside of a string.
func indexQuotedNUL(text []byte) int {
	for pos := 0; ; {
		n := bytes.Index(text[pos:], quotedNUL)
		if n < 0 {
			return -1
		}
		at := pos + n
		slashes := 0
		for slashes < n && text[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes&1 == 0 {
			return at
		}
		pos = at + len(quotedNUL) // it was inside of a string
	}
}

// quotedNUL begins the form of binary, and nothing else in JSON.
var quotedNUL = []byte(`"\u0000`)

// mendSurrogates replaces halves of surrogate pairs by U+FFFD, which has as many bytes.
// raw is well-formed and not changed.
func mendSurrogates(raw []byte) []byte {
	mended := raw
	for pos := 0; ; {
		at := jsonSurrogate(raw[pos:])
		if at < 0 {
			return mended
		}
		if pos == 0 && &mended[0] == &raw[0] {
			mended = bytes.Clone(raw)
		}
		pos += at
		copy(mended[pos:], `\ufffd`)
		pos += len(`\ufffd`)
	}
}
