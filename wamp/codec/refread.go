package codec

import (
	"bytes"
	"encoding/base64"
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

// refReader reads a doc as the JSON library does, with our functions in front.
type refReader struct {
	doc  doc
	base int  // where what the library has in hand begins in the text
	at   int  // the marks before this one have been passed
	tags bool // there may be fields with the option string
	// The options for values in which nothing is marked, and for others.
	narrow, wide json.Options
}

var refReaders = sync.Pool{New: func() any { return newRefReader() }}

func newRefReader() *refReader {
	r := new(refReader)
	r.narrow = json.JoinOptions(jsonForm, json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *[]byte) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *big.Int) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *stdjson.Number) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *stdjson.RawMessage) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *jsontext.Value) error { return r.any(d, v) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *url.URL) error { return r.any(d, v) }))))
	r.wide = json.JoinOptions(jsonForm, json.WithUnmarshalers(json.UnmarshalFromFunc(r.any)))
	return r
}

// refRead reads what s has found to be well-formed into the value that v points to.
func refRead(f format, s *scan, v any, traits typeTraits) error {
	r := refReaders.Get().(*refReader)
	r.doc = doc{text: r.doc.text[:0], marks: r.doc.marks[:0]}
	r.base, r.at, r.tags = 0, 0, traits&hasQuoted != 0
	r.doc.blind = traits&hasJSON == 0
	text := r.doc.text
	end, bad := f.toText(&r.doc, s.data, 0)
	if bad != "" {
		return &SyntaxError{Codec: f.name(), Offset: end, Reason: bad}
	}
	options := r.narrow
	if len(r.doc.marks) > 0 || traits&isWide != 0 || (s.whole || r.doc.whole) && traits&hasInt != 0 {
		options = r.wide
	}
	err := json.Unmarshal(r.doc.text, v, options)
	if err != nil {
		err = r.fault(f, err, v)
	}
	if f.text() { // what was read is not ours
		r.doc.text = text
	}
	clear(r.doc.marks)
	if cap(r.doc.text) <= pooledSize && cap(r.doc.marks) <= pooledSize/64 {
		refReaders.Put(r)
	}
	return err
}

// here returns where the value that comes next begins in the text, and what is
// marked there. It is not ok where d reads something else, with our options.
func (r *refReader) here(d *jsontext.Decoder) (pos int, v any, ok bool) {
	text := r.doc.text
	pos = r.base + int(d.InputOffset())
	if rest := d.UnreadBuffer(); pos >= len(text) || len(rest) == 0 || &text[pos] != &rest[0] {
		return -1, nil, false
	}
	pos = jsonSpace(text, pos)
	if pos < len(text) && (text[pos] == ',' || text[pos] == ':') {
		pos = jsonSpace(text, pos+1)
	}
	marks := r.doc.marks
	for r.at < len(marks) && marks[r.at].start < pos {
		r.at++
	}
	if r.at < len(marks) && marks[r.at].start == pos {
		v = marks[r.at].v
	}
	return pos, v, true
}

// misfit is the error of a value that does not fit its target.
type misfit struct {
	what   string
	target reflect.Type
	why    string
}

func (e *misfit) Error() string {
	s := "cannot decode " + e.what + " into " + e.target.String()
	if e.why != "" {
		s += ": " + e.why
	}
	return s
}

const (
	whyInexact = "its value would change"
	whyRange   = "it is out of range"
)

// any stands in front of the library for every value. v points to where it goes.
func (r *refReader) any(d *jsontext.Decoder, v any) error {
	if isName(d.StackIndex(d.StackDepth())) {
		return errors.ErrUnsupported
	}
	target := reflect.ValueOf(v).Elem()
	t := target.Type()
	role := rolesOf(t).read
	pos, m, ok := r.here(d)
	if !ok {
		return r.elsewhere(d, target, role)
	}
	quoted := false
	if r.tags {
		if quoted, _ = json.GetOption(d.Options(), json.StringifyNumbers); quoted && !isQuotable(role, t) {
			return r.unquoted(d, v, pos)
		}
	}
	switch role {
	case rolePointer, roleFace:
		return errors.ErrUnsupported
	case roleInline:
		return errInline
	case roleJSON:
		if r.doc.odd && r.oddBefore(pos) {
			return r.misfit(pos, m, t, "")
		}
		return errors.ErrUnsupported
	case roleBool, roleText, roleList, roleMap, roleStruct, roleOdd, roleError:
		switch m.(type) {
		case nil, nulText:
			return errors.ErrUnsupported
		case decimalText:
			if role == roleText {
				return errors.ErrUnsupported
			}
		}
		return r.misfit(pos, m, t, "")
	}
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	if m == nil && raw[0] == 'n' {
		if role == roleRaw {
			target.SetBytes([]byte("null"))
		} else {
			target.SetZero()
		}
		return nil
	}
	return r.set(target, role, raw, m, pos, quoted)
}

// elsewhere reads bytes in WAMP's form, and plain values, from a text of which nothing
// else is known.
func (r *refReader) elsewhere(d *jsontext.Decoder, target reflect.Value, role role) error {
	if role != roleBytes && role != roleAny || d.PeekKind() == 'n' {
		return errors.ErrUnsupported
	}
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	v, err := plainValue(jsonFormat{}, raw)
	switch v := v.(type) {
	case string:
		if role == roleBytes {
			b, ok := plainBase64([]byte(v))
			if !ok {
				return fault(badBase64)
			}
			return r.setBytes(target, b, -1, nil)
		}
	case []byte:
		if role == roleBytes {
			return r.setBytes(target, v, -1, nil)
		}
	}
	switch {
	case err != nil:
		return fault(err.Error())
	case role == roleBytes:
		return fault("binary is not a string")
	}
	target.Set(reflect.ValueOf(v))
	return nil
}

// set sets a target to what raw is, and m where it is marked.
func (r *refReader) set(target reflect.Value, role role, raw []byte, m any, pos int, quoted bool) error {
	t := target.Type()
	number := raw
	isNumber := m == nil && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
	if s, ok := m.(decimalText); ok {
		isNumber, number = true, []byte(s)
	} else if quoted && m == nil && raw[0] == '"' {
		s, _ := jsonFormat{}.str(raw)
		if end, _, ok := jsonSkipNumber(s, 0); ok && end == len(s) {
			isNumber, number = true, s
		}
	}
	switch role {
	case roleInt, roleUint, roleFloat:
		if x, special := m.(float64); special && role == roleFloat {
			target.SetFloat(x)
			return nil
		}
		if isNumber {
			if why := setNumber(target, role, number); why != "" {
				return r.misfit(pos, m, t, why)
			}
			return nil
		}
	case roleNumber:
		if isNumber {
			target.SetString(string(number))
			return nil
		}
	case roleBig:
		if !isNumber && raw[0] == '"' && m == nil {
			number, _ = jsonFormat{}.str(raw)
			isNumber = len(number) > 0
			for i, c := range number {
				isNumber = isNumber && (c >= '0' && c <= '9' || c == '-' && i == 0 && len(number) > 1)
			}
		}
		if isNumber {
			n, ok := exactBig(number)
			if !ok {
				return r.misfit(pos, m, t, whyInexact)
			}
			target.Addr().Interface().(*big.Int).Set(n)
			return nil
		}
	case roleString, roleURL:
		if _, isText := m.(nulText); raw[0] == '"' && (m == nil || isText) {
			return setText(target, role, raw)
		}
		if s, ok := m.(decimalText); ok && role == roleString {
			target.SetString(string(s))
			return nil
		}
	case roleBytes:
		b, ok := m.([]byte)
		if m == nil && raw[0] == '"' {
			s, _ := jsonFormat{}.str(raw)
			b, ok = plainBase64(s)
		}
		if ok {
			return r.setBytes(target, b, pos, m)
		}
	case roleRaw:
		if !r.doc.odd || !r.oddIn(pos, pos+len(raw)) {
			target.SetBytes(bytes.Clone(raw))
			return nil
		}
	case roleAny:
		v, bad := r.plain(raw, pos)
		if bad != "" {
			return fault(bad)
		}
		if v != nil {
			target.Set(reflect.ValueOf(v))
		}
		return nil
	case roleTag:
		if tag, ok := m.(Tag); ok {
			target.Set(reflect.ValueOf(tag))
			return nil
		}
	}
	return r.misfit(pos, m, t, "")
}

// setNumber sets a number to what stands in raw, or says why it does not fit.
func setNumber(target reflect.Value, role role, raw []byte) (why string) {
	if role == roleFloat {
		x, err := strconv.ParseFloat(string(raw), target.Type().Bits())
		if err != nil {
			return whyRange
		}
		target.SetFloat(x)
		return ""
	}
	digits, negative := raw, raw[0] == '-'
	if negative {
		digits = raw[1:]
	}
	n, ok := exactUint(digits)
	switch {
	case !ok:
		if big, exact := exactBig(raw); exact && big != nil {
			return whyRange
		}
		return whyInexact
	case role == roleUint:
		if negative && n > 0 || target.OverflowUint(n) {
			return whyRange
		}
		target.SetUint(n)
	case negative:
		if n > 1<<63 || target.OverflowInt(-int64(n)) {
			return whyRange
		}
		target.SetInt(-int64(n))
	default:
		if n > math.MaxInt64 || target.OverflowInt(int64(n)) {
			return whyRange
		}
		target.SetInt(int64(n))
	}
	return ""
}

func setText(target reflect.Value, role role, raw []byte) error {
	s, ok := jsonFormat{}.str(raw)
	if !ok {
		return errUTF8
	}
	if role == roleString {
		target.SetString(string(s))
		return nil
	}
	u, err := url.Parse(string(s))
	if err != nil {
		return errors.New("it is no URL")
	}
	if hasPassword(u) {
		return errPassword
	}
	target.Set(reflect.ValueOf(*u))
	return nil
}

// plainBase64 decodes text into bytes, which is how encoders write them that do not
// know WAMP's form.
func plainBase64(s []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	n, err := base64.StdEncoding.Strict().Decode(out, s)
	return out[:n], err == nil && bytes.IndexByte(s, '\r') < 0 && bytes.IndexByte(s, '\n') < 0
}

func (r *refReader) setBytes(target reflect.Value, b []byte, pos int, m any) error {
	t := target.Type()
	if t.Kind() == reflect.Slice {
		target.SetBytes(append([]byte{}, b...))
		return nil
	}
	if len(b) != t.Len() {
		return r.misfit(pos, m, t, "the lengths differ")
	}
	reflect.Copy(target, reflect.ValueOf(b))
	return nil
}

// isQuotable reports whether the option string means something for a type.
func isQuotable(r role, t reflect.Type) bool {
	switch r {
	case roleInt, roleUint, roleFloat, rolePointer:
		return true
	case roleText, roleJSON:
		return t != timeType
	default:
		return false
	}
}

// unquoted reads the value of a field with the option string, which is not for its
// type, by itself, where it is no field.
func (r *refReader) unquoted(d *jsontext.Decoder, v any, pos int) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	base := r.base
	r.base = pos
	err = json.Unmarshal(raw, v, r.wide)
	r.base = base
	return err
}

// oddBefore reports whether something without a form in JSON is in the value at pos.
func (r *refReader) oddBefore(pos int) bool {
	s := valueScan(r.doc.text, mostDepth)
	end, _ := jsonFormat{}.skip(&s, pos, 0)
	return r.oddIn(pos, end)
}

func (r *refReader) oddIn(start, end int) bool {
	for i := r.at; i < len(r.doc.marks) && r.doc.marks[i].start < end; i++ {
		switch r.doc.marks[i].v.(type) {
		case float64, Tag:
			if r.doc.marks[i].start >= start {
				return true
			}
		}
	}
	return false
}

// plain returns what stands at pos as a plain value.
func (r *refReader) plain(raw []byte, pos int) (any, string) {
	p := plainReader{text: raw, base: pos, marks: r.doc.marks[r.at:]}
	v, _, bad := p.value(0)
	return v, bad
}

// plainReader reads text and marks as plain values.
type plainReader struct {
	text  []byte
	base  int
	marks []mark
}

func (p *plainReader) value(pos int) (any, int, string) {
	if len(p.marks) == 0 {
		return jsonFormat{}.plain(p.text, pos)
	}
	for len(p.marks) > 0 && p.marks[0].start < p.base+pos {
		p.marks = p.marks[1:]
	}
	c := p.text[pos]
	if len(p.marks) > 0 && p.marks[0].start == p.base+pos {
		v := p.marks[0].v
		p.marks = p.marks[1:]
		s := valueScan(p.text, mostDepth)
		end, _ := jsonFormat{}.skip(&s, pos, 0)
		switch v := v.(type) {
		case nulText:
			b, _ := jsonFormat{}.str(p.text[pos:end])
			return string(b), end, ""
		case []byte:
			return append([]byte{}, v...), end, ""
		default:
			return plainOf(v), end, ""
		}
	}
	switch c {
	case '[':
		list := []any{}
		for i := 0; ; i++ {
			start, end, bad := jsonItem(p.text, pos+1, i, false)
			if bad != "" || start < 0 {
				return list, end, bad
			}
			v, end, bad := p.value(start)
			if bad != "" {
				return nil, end, bad
			}
			list, pos = append(list, v), end-1
		}
	case '{':
		return p.dict(pos + 1)
	}
	return jsonFormat{}.plain(p.text, pos)
}

func (p *plainReader) dict(pos int) (any, int, string) {
	m := map[string]any{}
	for i := 0; ; i += 2 {
		start, end, bad := jsonItem(p.text, pos, i, true)
		if bad != "" || start < 0 {
			return m, end, bad
		}
		end, _ = jsonSkipString(p.text, start)
		b, ok := jsonFormat{}.str(p.text[start:end])
		if !ok {
			return nil, start, badUTF8
		}
		key := string(b)
		if _, dup := m[key]; dup {
			return nil, start, badDuplicate
		}
		if start, end, bad = jsonItem(p.text, end, i+1, true); bad != "" {
			return nil, end, bad
		}
		v, end, bad := p.value(start)
		if bad != "" {
			return nil, end, bad
		}
		m[key], pos = v, end
	}
}
