package codec

import (
	"bytes"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// jsonFiller reads one value of a plain type from JSON, as filler does from the
// others, and gives up by an end of -1.
type jsonFiller struct {
	raw   []byte
	depth int  // how deep the value at hand stands
	scan  scan // of what goes into interfaces
}

// readElement reads the element of a list at pos into a target of a plain type that is
// no scalar, and reports whether it did.
func readElement(list []byte, pos int, target any) (end int, read bool) {
	if traits := traitsOf(target); !traits.isPlain() || traits&toScalar != 0 {
		return 0, false
	}
	v := reflect.ValueOf(target).Elem()
	v.SetZero()
	end = readPlain(jsonFormat{}, list, pos, v, valueDepth-1)
	if end < 0 {
		return 0, false
	}
	next := jsonSpace(list, end)
	return end, next < len(list) && (list[next] == ',' || list[next] == ']')
}

// fill reads the value at pos into v, which is zero, and returns the offset behind it.
func (r *jsonFiller) fill(p *plan, v reflect.Value, pos int) int {
	if pos >= len(r.raw) {
		return -1
	}
	c := r.raw[pos]
	if c == 'n' && p.role != roleAny {
		return r.word(pos, "null")
	}
	switch p.role {
	case roleBool:
		v.SetBool(c == 't')
		if c == 't' {
			return r.word(pos, "true")
		}
		return r.word(pos, "false")
	case roleInt, roleUint, roleFloat:
		return r.number(p, v, pos)
	case roleString:
		if b, end := r.string(pos); end > 0 {
			v.SetString(string(b))
			return end
		}
	case roleText: // a time
		if b, end := r.string(pos); end > 0 && setTime(v, b) {
			return end
		}
	case roleBytes:
		return r.bytes(v, pos)
	case rolePointer:
		to := reflect.New(p.elem.typ)
		v.Set(to)
		return r.fill(p.elem, to.Elem(), pos)
	case roleAny:
		end := readAny(jsonFormat{}, &r.scan, v, pos, r.depth)
		if end > 0 && bytes.Contains(r.raw[pos:end], quotedNUL) {
			return -1 // a key may not be binary
		}
		return end
	case roleList, roleMap, roleStruct:
		r.depth++
		end := -1
		switch {
		case p.role == roleList && c == '[':
			end = r.list(p, v, pos+1)
		case p.role == roleMap && c == '{':
			end = r.dict(p, v, pos+1)
		case p.role == roleStruct && c == '{':
			end = r.fields(p, v, pos+1)
		}
		r.depth--
		return end
	}
	return -1
}

func (r *jsonFiller) word(pos int, word string) int {
	if end, bad := jsonLiteral(r.raw, pos, word); bad == "" {
		return end
	}
	return -1
}

// longNumber is how long a number may be that is read here.
const longNumber = 64

func (r *jsonFiller) number(p *plan, v reflect.Value, pos int) int {
	end, integer, ok := jsonSkipNumber(r.raw, pos)
	if !ok || end-pos > longNumber || !integer && p.role != roleFloat {
		return -1
	}
	digits := r.raw[pos:end]
	switch p.role {
	case roleInt:
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil || v.OverflowInt(n) {
			return -1
		}
		v.SetInt(n)
	case roleUint:
		n, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil || v.OverflowUint(n) {
			return -1
		}
		v.SetUint(n)
	default:
		x, err := strconv.ParseFloat(string(digits), 64)
		if err != nil {
			return -1
		}
		v.SetFloat(x)
	}
	return end
}

// string reads text. What has halves of surrogate pairs in it, or may be binary, is
// left to the reference.
func (r *jsonFiller) string(pos int) (b []byte, end int) {
	if pos >= len(r.raw) || r.raw[pos] != '"' {
		return nil, -1
	}
	end, bad := jsonSkipString(r.raw, pos)
	if bad != "" {
		return nil, -1
	}
	b = r.raw[pos+1 : end-1]
	if bytes.IndexByte(b, '\\') >= 0 {
		if bytes.HasPrefix(r.raw[pos:], quotedNUL) || jsonSurrogate(b) >= 0 {
			return nil, -1
		}
		var ok bool
		if b, ok = (jsonFormat{}).str(r.raw[pos:end]); !ok {
			return nil, -1
		}
	}
	if !utf8.Valid(b) {
		return nil, -1
	}
	return b, end
}

func (r *jsonFiller) bytes(v reflect.Value, pos int) int {
	if !bytes.HasPrefix(r.raw[pos:], quotedNUL) {
		return -1
	}
	end, bad := jsonSkipString(r.raw, pos)
	if bad != "" {
		return -1
	}
	s := r.raw[pos+len(quotedNUL)-1 : end-1] // what stands before the base64 is one byte
	b, ok := jsonBinary(s)
	if !ok {
		return -1
	}
	v.SetBytes(b)
	return end
}

func (r *jsonFiller) list(p *plan, v reflect.Value, pos int) int {
	v.Set(reflect.MakeSlice(p.typ, 0, 0))
	for i, room := 0, 0; ; i++ {
		start, end, bad := jsonItem(r.raw, pos, i, false)
		switch {
		case bad != "":
			return -1
		case start < 0:
			v.SetLen(i)
			return end
		}
		if i == room {
			v.Grow(1)
			room = v.Cap()
			v.SetLen(room)
		}
		if pos = r.fill(p.elem, v.Index(i), start); pos < 0 {
			return -1
		}
	}
}

func (r *jsonFiller) dict(p *plan, v reflect.Value, pos int) int {
	v.Set(reflect.MakeMap(p.typ))
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	for i := 0; ; i += 2 {
		start, end, bad := jsonItem(r.raw, pos, i, true)
		if bad != "" {
			return -1
		}
		if start < 0 {
			if 2*v.Len() != i { // a key came twice
				return -1
			}
			return end
		}
		b, end := r.string(start)
		if end < 0 {
			return -1
		}
		key.SetString(string(b))
		value.SetZero()
		if start, _, bad = jsonItem(r.raw, end, 1, true); bad != "" {
			return -1
		}
		if pos = r.fill(p.elem, value, start); pos < 0 {
			return -1
		}
		v.SetMapIndex(key, value)
	}
}

func (r *jsonFiller) fields(p *plan, v reflect.Value, pos int) int {
	var met fieldSet
	guess := 0
	for i := 0; ; i += 2 {
		start, end, bad := jsonItem(r.raw, pos, i, true)
		if bad != "" {
			return -1
		}
		if start < 0 {
			return end
		}
		at, known := guess, false
		if guess < len(p.fields) {
			if name := p.fields[guess].names[0].long; len(name) <= len(r.raw)-start && string(r.raw[start:start+len(name)]) == name {
				known, end = true, start+len(name)-1
			}
		}
		var b []byte
		if !known {
			if b, end = r.string(start); end < 0 {
				return -1
			}
			at, known = p.byName[string(b)]
		}
		if start, _, bad = jsonItem(r.raw, end, 1, true); bad != "" {
			return -1
		}
		if !known {
			if !met.strange(b) {
				return -1
			}
			if pos = r.skip(start); pos < 0 {
				return -1
			}
			continue
		}
		guess = at + 1
		if !met.take(at) {
			return -1
		}
		field := &p.fields[at]
		if pos = r.fill(field.plan, v.Field(field.index), start); pos < 0 {
			return -1
		}
	}
}

// skip steps over a scalar that nobody wants. What is in a list or a dict has to be
// looked at, and is not here.
func (r *jsonFiller) skip(pos int) int {
	switch c := r.raw[pos]; c {
	case '"':
		_, end := r.string(pos)
		return end
	case 'n':
		return r.word(pos, "null")
	case 't':
		return r.word(pos, "true")
	case 'f':
		return r.word(pos, "false")
	}
	if end, _, ok := jsonSkipNumber(r.raw, pos); ok && end-pos <= longNumber {
		return end
	}
	return -1
}
