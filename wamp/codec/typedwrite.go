package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// plainWriter writes values of plain types, in one walk that gives up where something
// is odd: the reference says then what is wrong, or writes it.
type plainWriter struct {
	f    format
	text bool
	form int  // which of the written names of a field is that of f
	cbor bool // what is written most is not asked of f then
	hops int  // how many pointers and interfaces stand one behind the other
}

// writePlain appends v, whose type is plain and which stands at a depth, and reports
// whether it did.
func writePlain(f format, dst []byte, v reflect.Value, depth int) (out []byte, ok bool) {
	w := plainWriter{f: f, text: f.text(), form: f.place()}
	_, w.cbor = f.(cborFormat)
	return w.value(dst, planOf(v.Type()), v, depth)
}

// writtenName is a name as it is written before a value. Short ones are copied by one
// store.
type writtenName struct {
	long  string
	short uint64
	n     int // the length of a short one
}

// writtenNames returns a name, which all libraries write as it is, in each format.
func writtenNames(name string) (names [len(all)]writtenName) {
	for i, c := range all {
		f := c.format()
		b, _ := f.appendString(nil, name)
		if f.text() {
			b = append(b, ':')
		}
		names[i].long = string(b)
		if len(b) <= 8 {
			names[i].n = len(b)
			names[i].short = binary.LittleEndian.Uint64(append(b, make([]byte, 8)...))
		}
	}
	return names
}

func (n *writtenName) append(dst []byte) []byte {
	if n.n > 0 {
		return binary.LittleEndian.AppendUint64(dst, n.short)[:len(dst)+n.n]
	}
	return append(dst, n.long...)
}

func (w *plainWriter) int(dst []byte, n int64) []byte {
	if w.cbor {
		return cborFormat{}.appendInt(dst, n)
	}
	return w.f.appendInt(dst, n)
}

func (w *plainWriter) float(dst []byte, x float64) ([]byte, bool) {
	if w.cbor {
		return binary.BigEndian.AppendUint64(append(dst, cborMisc|27), math.Float64bits(x)), true
	}
	dst, err := w.f.appendFloat(dst, x)
	return dst, err == nil
}

func (w *plainWriter) string(dst []byte, s string) ([]byte, bool) {
	if w.cbor && utf8.ValidString(s) {
		return append(cborHead(dst, cborText, uint64(len(s))), s...), true
	}
	dst, err := w.f.appendString(dst, s)
	return dst, err == nil
}

func (w *plainWriter) value(dst []byte, p *plan, v reflect.Value, depth int) ([]byte, bool) {
	switch p.role {
	case roleBool:
		return w.f.appendBool(dst, v.Bool()), true
	case roleInt:
		return w.int(dst, v.Int()), true
	case roleUint:
		return w.f.appendUint(dst, v.Uint()), true
	case roleFloat:
		return w.float(dst, v.Float())
	case roleString:
		return w.string(dst, v.String())
	case roleText:
		return w.time(dst, v)
	case roleBytes:
		if v.IsNil() {
			return w.f.appendNil(dst), true
		}
		return w.f.appendBytes(dst, v.Bytes()), true
	case roleAny:
		return w.any(dst, v.Interface(), depth)
	case roleFace, rolePointer:
		if v.IsNil() {
			return w.f.appendNil(dst), true
		}
		if p.role == roleFace {
			return w.any(dst, v.Elem().Interface(), depth)
		}
		if w.hops++; w.hops > maxHops {
			return dst, false
		}
		dst, ok := w.value(dst, p.elem, v.Elem(), depth)
		w.hops--
		return dst, ok
	case roleList, roleMap, roleStruct:
		hops := w.hops
		w.hops = 0
		dst, ok := w.items(dst, p, v, depth)
		w.hops = hops
		return dst, ok
	}
	return dst, false
}

func (w *plainWriter) time(dst []byte, v reflect.Value) ([]byte, bool) {
	var t time.Time
	if v.CanAddr() {
		t = *v.Addr().Interface().(*time.Time)
	} else {
		t = v.Interface().(time.Time)
	}
	var room [64]byte
	b, err := t.AppendText(room[:0])
	if err != nil {
		return dst, false
	}
	if w.text {
		return append(append(append(dst, '"'), b...), '"'), true
	}
	return append(appendTextHead(w.f, dst, len(b)), b...), true
}

// any appends what is in an interface.
func (w *plainWriter) any(dst []byte, v any, depth int) ([]byte, bool) {
	switch v := v.(type) {
	case nil:
		return w.f.appendNil(dst), true
	case bool:
		return w.f.appendBool(dst, v), true
	case int:
		return w.int(dst, int64(v)), true
	case int64:
		return w.int(dst, v), true
	case float64:
		return w.float(dst, v)
	case string:
		return w.string(dst, v)
	}
	t := reflect.TypeOf(v)
	if !traitsOfType(t).isPlain() {
		return dst, false
	}
	return w.value(dst, planOf(t), reflect.ValueOf(v), depth)
}

// items appends a list, a map or a struct.
func (w *plainWriter) items(dst []byte, p *plan, v reflect.Value, depth int) ([]byte, bool) {
	if depth++; depth > valueDepth {
		return dst, false
	}
	var ok bool
	switch p.role {
	case roleList:
		if v.IsNil() {
			return w.f.appendNil(dst), true
		}
		n := v.Len()
		dst = w.f.listHead(dst, n)
		for i := range n {
			if w.text && i > 0 {
				dst = append(dst, ',')
			}
			if dst, ok = w.value(dst, p.elem, v.Index(i), depth); !ok {
				return dst, false
			}
		}
		if w.text {
			dst = append(dst, ']')
		}
	case roleMap:
		if v.IsNil() {
			return w.f.appendNil(dst), true
		}
		return w.entries(dst, p, v, depth)
	case roleStruct:
		return w.fields(dst, p, v, depth)
	}
	return dst, true
}

func (w *plainWriter) entries(dst []byte, p *plan, v reflect.Value, depth int) ([]byte, bool) {
	dst = w.f.dictHead(dst, v.Len())
	var ok bool
	if m, is := v.Interface().(map[string]any); is {
		i := 0
		for k, e := range m {
			var err error
			if dst, err = appendKey(w.f, dst, k, i, w.text); err != nil {
				return dst, false
			}
			if dst, ok = w.any(dst, e, depth); !ok {
				return dst, false
			}
			i++
		}
	} else {
		key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
		it := v.MapRange()
		for i := 0; it.Next(); i++ {
			key.SetIterKey(it)
			value.SetIterValue(it)
			var err error
			if dst, err = appendKey(w.f, dst, key.String(), i, w.text); err != nil {
				return dst, false
			}
			if dst, ok = w.value(dst, p.elem, value, depth); !ok {
				return dst, false
			}
		}
	}
	if w.text {
		dst = append(dst, '}')
	}
	return dst, true
}

func (w *plainWriter) fields(dst []byte, p *plan, v reflect.Value, depth int) ([]byte, bool) {
	n := len(p.fields)
	if p.omits {
		for i := range p.fields {
			if f := &p.fields[i]; f.omit && isEmpty(v.Field(f.index)) {
				n--
			}
		}
	}
	dst = w.f.dictHead(dst, n)
	first, ok := true, true
	for i := range p.fields {
		f := &p.fields[i]
		field := v.Field(f.index)
		if f.omit && isEmpty(field) {
			continue
		}
		if w.text && !first {
			dst = append(dst, ',')
		}
		first = false
		dst = f.names[w.form].append(dst)
		switch f.plan.role {
		case roleInt:
			dst = w.int(dst, field.Int())
		case roleString:
			dst, ok = w.string(dst, field.String())
		case roleFloat:
			dst, ok = w.float(dst, field.Float())
		default:
			dst, ok = w.value(dst, f.plan, field, depth)
		}
		if !ok {
			return dst, false
		}
	}
	if w.text {
		dst = append(dst, '}')
	}
	return dst, true
}

// isEmpty reports whether the option omitempty leaves a value out.
func isEmpty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.String || k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}
