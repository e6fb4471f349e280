package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"
)

// What follows reads CBOR and MessagePack into values of plain types, in one walk,
// and gives up where something is odd: the reference takes it then, or says what is
// wrong. The libraries of these serializers would put a list into a struct, bytes
// into text or a tag into anything.

// plan says how values of a plain type are read.
type plan struct {
	typ    reflect.Type
	role   role
	elem   *plan
	fields []planField
	byName map[string]int
}

type planField struct {
	name  string
	index int
	plan  *plan
}

// plans remembers the plans of the types that were met.
var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if known, ok := plans.Load(t); ok {
		return known.(*plan)
	}
	p := &plan{typ: t, role: rolesOf(t).read}
	switch p.role {
	case roleList, roleMap, rolePointer:
		p.elem = planOf(t.Elem())
	case roleStruct:
		p.byName = map[string]int{}
		for i := range t.NumField() {
			f := t.Field(i)
			if name, ok := plainName(&f); ok {
				p.byName[name] = len(p.fields)
				p.fields = append(p.fields, planField{name, i, planOf(f.Type)})
			}
		}
	}
	plans.Store(t, p)
	return p
}

// itemClass is what an item is.
type itemClass uint8

const (
	itemOdd itemClass = iota // what only the reference reads, or what is broken
	itemNull
	itemBool
	itemInt
	itemFloat
	itemText
	itemBytes
	itemList
	itemDict
	itemBreak
)

// item is a scalar, or the head of something longer.
type item struct {
	class itemClass
	neg   bool   // of an integer: bits are of an int64 below zero
	bits  uint64 // of a number
	n     int    // bytes, elements or entries; -1 if a break ends them
	next  int
}

func (jsonFormat) item([]byte, int) item { return item{} }

func (cborFormat) item(raw []byte, pos int) (it item) {
	if pos >= len(raw) {
		return it
	}
	c := raw[pos]
	major := c & 0xe0
	n, next, ok := cborArg(raw, pos)
	if !ok {
		switch {
		case c == cborBreak:
			return item{class: itemBreak, next: pos + 1}
		case c == cborArray|cborIndef:
			return item{class: itemList, n: -1, next: pos + 1}
		case c == cborMap|cborIndef:
			return item{class: itemDict, n: -1, next: pos + 1}
		}
		return it
	}
	it.next = next
	switch major {
	case cborUint:
		it.class, it.bits = itemInt, n
		return it
	case cborNint:
		if n <= math.MaxInt64 {
			it.class, it.bits, it.neg = itemInt, ^n, true
		}
		return it
	case cborMisc:
		switch c {
		case cborMisc | 20:
			it.class = itemBool
		case cborMisc | 21:
			it.class, it.bits = itemBool, 1
		case cborMisc | 22, cborMisc | 23:
			it.class = itemNull
		default:
			if x, isFloat := cborFloat(c, n); isFloat {
				it.class, it.bits = itemFloat, math.Float64bits(x)
			}
		}
		return it
	}
	if n > uint64(len(raw)-next) {
		return it
	}
	it.n = int(n)
	switch major {
	case cborText:
		it.class = itemText
	case cborBytes:
		it.class = itemBytes
	case cborArray:
		it.class = itemList
	case cborMap:
		it.class = itemDict
	}
	return it
}

func (msgpackFormat) item(raw []byte, pos int) (it item) {
	if pos >= len(raw) {
		return it
	}
	c := raw[pos]
	if c < mpFixMap {
		return item{class: itemInt, bits: uint64(c), next: pos + 1}
	}
	class, n, next, ok := mpHead(raw, pos)
	if !ok || n > uint(len(raw)-next) {
		return it
	}
	it.n, it.next = int(n), next
	switch class {
	case mpStr:
		it.class = itemText
	case mpBin:
		it.class = itemBytes
	case mpList:
		it.class = itemList
	case mpMap:
		it.class = itemDict
	case mpScalar:
		it.next = next + int(n)
		switch c {
		case mpNil:
			it.class = itemNull
		case mpFalse:
			it.class = itemBool
		case mpTrue:
			it.class, it.bits = itemBool, 1
		case mpFloat32:
			it.class, it.bits = itemFloat, math.Float64bits(float64(math.Float32frombits(binary.BigEndian.Uint32(raw[next:]))))
		case mpFloat64:
			it.class, it.bits = itemFloat, binary.BigEndian.Uint64(raw[next:])
		default:
			if it.bits, it.neg, ok = mpInt(raw[pos:it.next]); ok {
				it.class = itemInt
			}
		}
	}
	return it
}

// readPlain reads raw into v, whose type is plain, and reports whether it did. Else v
// may be set in part.
func readPlain(f format, raw []byte, v reflect.Value) bool {
	return fill(f, planOf(v.Type()), v, raw, 0) == len(raw)
}

// fill reads the value at pos into v, which is zero, and returns the offset behind
// it, -1 if it gives up.
func fill(f format, p *plan, v reflect.Value, raw []byte, pos int) int {
	it := f.item(raw, pos)
	if it.class == itemNull {
		return it.next
	}
	switch p.role {
	case roleBool:
		if it.class == itemBool {
			v.SetBool(it.bits != 0)
			return it.next
		}
	case roleInt:
		if n, ok := it.int64(); ok && !v.OverflowInt(n) {
			v.SetInt(n)
			return it.next
		}
	case roleUint:
		if n, ok := it.uint64(); ok && !v.OverflowUint(n) {
			v.SetUint(n)
			return it.next
		}
	case roleFloat:
		if x, ok := it.float(); ok {
			v.SetFloat(x)
			return it.next
		}
	case roleString:
		if b, ok := it.text(raw); ok {
			v.SetString(string(b))
			return it.next + it.n
		}
	case roleBytes:
		if it.class == itemBytes {
			v.SetBytes(append([]byte{}, raw[it.next:it.next+it.n]...))
			return it.next + it.n
		}
	case rolePointer:
		to := reflect.New(p.elem.typ)
		v.Set(to)
		return fill(f, p.elem, to.Elem(), raw, pos)
	case roleList:
		if it.class == itemList {
			return fillList(f, p, v, raw, &it)
		}
	case roleMap:
		if it.class == itemDict {
			return fillMap(f, p, v, raw, &it)
		}
	case roleStruct:
		if it.class == itemDict {
			return fillStruct(f, p, v, raw, &it)
		}
	}
	return -1
}

// done reports whether element i is not there any more, and steps over what ends a
// list or dict.
func (it *item) done(raw []byte, pos *int, i int) bool {
	if it.n >= 0 {
		return i == it.n
	}
	if *pos < len(raw) && raw[*pos] == cborBreak {
		*pos++
		return true
	}
	return false
}

// firstRoom is how many bytes a list takes before it is known that there are so many
// elements.
const firstRoom = 64 << 10

func fillList(f format, p *plan, v reflect.Value, raw []byte, it *item) int {
	room := max(it.n, 0)
	if size := int(p.elem.typ.Size()); size > 0 {
		room = min(room, firstRoom/size+16)
	}
	v.Set(reflect.MakeSlice(p.typ, room, room))
	pos, i := it.next, 0
	for ; !it.done(raw, &pos, i); i++ {
		if i == v.Len() {
			v.Grow(1)
			v.SetLen(v.Cap())
		}
		if pos = fill(f, p.elem, v.Index(i), raw, pos); pos < 0 {
			return -1
		}
	}
	v.SetLen(i)
	return pos
}

func fillMap(f format, p *plan, v reflect.Value, raw []byte, it *item) int {
	v.Set(reflect.MakeMapWithSize(p.typ, min(max(it.n, 0), 1<<10)))
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	pos, i := it.next, 0
	for ; !it.done(raw, &pos, i); i++ {
		name := f.item(raw, pos)
		b, ok := name.text(raw)
		if !ok {
			return -1
		}
		key.SetString(string(b))
		value.SetZero()
		if pos = fill(f, p.elem, value, raw, name.next+name.n); pos < 0 {
			return -1
		}
		v.SetMapIndex(key, value)
	}
	if v.Len() != i { // a key came twice
		return -1
	}
	return pos
}

// fewUnknown is how many names without a field are looked at here: each is
// compared with the others.
const fewUnknown = 8

func fillStruct(f format, p *plan, v reflect.Value, raw []byte, it *item) int {
	var seen uint64 // the first 64 fields
	var more map[int]bool
	var unknown [fewUnknown][]byte
	strange, guess := 0, 0
	pos := it.next
	for i := 0; !it.done(raw, &pos, i); i++ {
		name := f.item(raw, pos)
		if name.class != itemText {
			return -1
		}
		b := raw[name.next : name.next+name.n]
		pos = name.next + name.n
		at, known := guess, guess < len(p.fields) && p.fields[guess].name == string(b)
		if !known {
			at, known = p.byName[string(b)]
		}
		if !known {
			if strange == fewUnknown || !utf8.Valid(b) {
				return -1
			}
			for _, other := range unknown[:strange] {
				if bytes.Equal(other, b) {
					return -1
				}
			}
			unknown[strange] = b
			strange++
			if pos = skipPlain(f, raw, pos); pos < 0 {
				return -1
			}
			continue
		}
		guess = at + 1
		switch {
		case at >= 64:
			if more == nil {
				more = map[int]bool{}
			}
			if more[at] {
				return -1
			}
			more[at] = true
		case seen&(1<<at) != 0:
			return -1
		default:
			seen |= 1 << at
		}
		field := &p.fields[at]
		if pos = fill(f, field.plan, v.Field(field.index), raw, pos); pos < 0 {
			return -1
		}
	}
	return pos
}

// skipPlain steps over a scalar that nobody wants. What is in a list or a dict has to
// be looked at, and is not here.
func skipPlain(f format, raw []byte, pos int) int {
	it := f.item(raw, pos)
	switch it.class {
	case itemNull, itemBool, itemInt, itemFloat:
		return it.next
	case itemBytes:
		return it.next + it.n
	case itemText:
		if _, ok := it.text(raw); ok {
			return it.next + it.n
		}
	case itemList, itemDict:
		if it.n == 0 {
			return it.next
		}
	}
	return -1
}

func (it *item) text(raw []byte) ([]byte, bool) {
	if it.class != itemText {
		return nil, false
	}
	b := raw[it.next : it.next+it.n]
	return b, utf8.Valid(b)
}

func (it *item) int64() (int64, bool) {
	if it.class == itemInt {
		return int64(it.bits), it.neg || it.bits <= math.MaxInt64
	}
	x := math.Float64frombits(it.bits)
	if it.class != itemFloat || x != math.Trunc(x) || x < -1<<63 || x >= 1<<63 {
		return 0, false
	}
	return int64(x), true
}

func (it *item) uint64() (uint64, bool) {
	if it.class == itemInt {
		return it.bits, !it.neg
	}
	x := math.Float64frombits(it.bits)
	if it.class != itemFloat || x != math.Trunc(x) || x < 0 || x >= 1<<64 {
		return 0, false
	}
	return uint64(x), true
}

func (it *item) float() (float64, bool) {
	switch {
	case it.class == itemFloat:
		return math.Float64frombits(it.bits), true
	case it.class != itemInt:
		return 0, false
	case it.neg:
		return float64(int64(it.bits)), true
	}
	return float64(it.bits), true
}
