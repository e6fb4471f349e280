package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// What follows reads CBOR and MessagePack into values of plain types, in one walk,
// and gives up where something is odd: the reference takes it then, or says what is
// wrong. The libraries of these serializers would put a list into a struct, bytes
// into text or a tag into anything.

// plan says how values of a plain type are read and written.
type plan struct {
	typ    reflect.Type
	role   role
	omits  bool // a field has the option omitempty
	elem   *plan
	fields []planField
	byName map[string]int
}

type planField struct {
	name  string
	names [len(all)]writtenName
	index int
	omit  bool
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
				omit := slices.Contains(fieldOptions(&f), "omitempty")
				p.byName[name], p.omits = len(p.fields), p.omits || omit
				p.fields = append(p.fields, planField{name, writtenNames(name), i, omit, planOf(f.Type)})
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

// filler reads one value. What most items are, short text and small integers, it sees
// by their first byte.
type filler struct {
	f       format
	raw     []byte
	text    byte // the first byte of an empty text, and that which is none any more
	textEnd byte
	intEnd  byte // the first byte that is no small integer any more
	depth   int  // how deep the value at hand stands
	scan    scan // of what goes into interfaces
}

// readPlain reads what stands at pos into v, whose type is plain, and returns the
// offset behind it, or -1. Then v may be set in part.
func readPlain(f format, raw []byte, pos int, v reflect.Value, depth int) int {
	if f.text() {
		r := jsonFiller{raw: raw, depth: valueDepth - depth, scan: valueScan(raw, valueDepth)}
		return r.fill(planOf(v.Type()), v, pos)
	}
	r := filler{f: f, raw: raw, depth: valueDepth - depth, scan: valueScan(raw, valueDepth), text: mpFixStr, textEnd: mpNil, intEnd: mpFixMap}
	if _, ok := f.(cborFormat); ok {
		r.text, r.textEnd, r.intEnd = cborText, cborText+24, 24
	}
	return r.fill(planOf(v.Type()), v, pos)
}

// name reads text, which is not looked at. It gives up by an end of -1.
func (r *filler) name(pos int) (b []byte, end int) {
	if pos < len(r.raw) {
		if c := r.raw[pos]; c >= r.text && c < r.textEnd {
			if end = pos + 1 + int(c-r.text); end <= len(r.raw) {
				return r.raw[pos+1 : end], end
			}
			return nil, -1
		}
	}
	it := r.f.item(r.raw, pos)
	if it.class != itemText {
		return nil, -1
	}
	return r.raw[it.next : it.next+it.n], it.next + it.n
}

// fill reads the value at pos into v, which is zero, and returns the offset behind
// it, -1 if it gives up.
func (r *filler) fill(p *plan, v reflect.Value, pos int) int {
	if pos >= len(r.raw) {
		return -1
	}
	switch c := r.raw[pos]; {
	case c >= r.text && c < r.textEnd:
		if p.role == roleString {
			if b, end := r.name(pos); end > 0 && utf8.Valid(b) {
				v.SetString(string(b))
				return end
			}
			return -1
		}
	case c < r.intEnd:
		switch p.role {
		case roleInt: // the least of them has eight bits
			if c < 128 {
				v.SetInt(int64(c))
				return pos + 1
			}
		case roleUint:
			v.SetUint(uint64(c))
			return pos + 1
		}
	}
	switch p.role {
	case rolePointer:
		return r.pointer(p, v, pos)
	case roleAny:
		return readAny(r.f, &r.scan, v, pos, r.depth)
	}
	it := r.f.item(r.raw, pos)
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
		if b, end := r.name(pos); end > 0 && utf8.Valid(b) {
			v.SetString(string(b))
			return end
		}
	case roleText: // a time
		b, end := r.name(pos)
		if end > 0 && setTime(v, b) {
			return end
		}
	case roleBytes:
		if it.class == itemBytes {
			v.SetBytes(append([]byte{}, r.raw[it.next:it.next+it.n]...))
			return it.next + it.n
		}
	case roleList, roleMap, roleStruct:
		r.depth++
		end := -1
		switch {
		case p.role == roleList && it.class == itemList:
			end = r.list(p, v, it.next, it.n)
		case p.role == roleMap && it.class == itemDict:
			end = r.dict(p, v, it.next, it.n)
		case p.role == roleStruct && it.class == itemDict:
			end = r.fields(p, v, it.next, it.n)
		}
		r.depth--
		return end
	}
	return -1
}

// setTime sets a time to what a text says, if that is RFC 3339: package time takes more.
func setTime(v reflect.Value, b []byte) bool {
	if v.Addr().Interface().(*time.Time).UnmarshalText(b) != nil {
		return false
	}
	zone := string(b[len(b)-len("07:00"):])
	return b[len("2006-01-02T1")] != ':' && b[len("2006-01-02T15:04:05")] != ',' && (b[len(b)-1] == 'Z' || zone[:2] < "24" && zone[3:] < "60")
}

// readAny reads a plain value into an interface.
func readAny(f format, s *scan, v reflect.Value, pos, depth int) int {
	end, bad := f.skip(s, pos, depth)
	if bad != "" || checkMemory(f, s) != nil {
		return -1
	}
	got, _, bad := f.plain(s.data, pos)
	if bad != "" {
		return -1
	}
	if got != nil {
		v.Set(reflect.ValueOf(got))
	}
	return end
}

func (r *filler) pointer(p *plan, v reflect.Value, pos int) int {
	if it := r.f.item(r.raw, pos); it.class == itemNull {
		return it.next
	}
	to := reflect.New(p.elem.typ)
	v.Set(to)
	return r.fill(p.elem, to.Elem(), pos)
}

// isBreak reports whether a break ends a list or dict at pos.
func (r *filler) isBreak(pos int) bool { return pos < len(r.raw) && r.raw[pos] == cborBreak }

// firstRoom is how many bytes a list takes before it is known that there are so many
// elements.
const firstRoom = 64 << 10

// list reads n elements, or as many as there are before a break.
func (r *filler) list(p *plan, v reflect.Value, pos, n int) int {
	room := max(n, 0)
	if size := int(p.elem.typ.Size()); size > 0 {
		room = min(room, firstRoom/size+16)
	}
	v.Set(reflect.MakeSlice(p.typ, room, room))
	i := 0
	for ; i != n; i++ {
		if n < 0 && r.isBreak(pos) {
			pos++
			break
		}
		if i == room {
			v.Grow(1)
			room = v.Cap()
			v.SetLen(room)
		}
		if pos = r.fill(p.elem, v.Index(i), pos); pos < 0 {
			return -1
		}
	}
	v.SetLen(i)
	return pos
}

func (r *filler) dict(p *plan, v reflect.Value, pos, n int) int {
	v.Set(reflect.MakeMapWithSize(p.typ, min(max(n, 0), 1<<10)))
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	i := 0
	for ; i != n; i++ {
		if n < 0 && r.isBreak(pos) {
			pos++
			break
		}
		b, end := r.name(pos)
		if end < 0 || !utf8.Valid(b) {
			return -1
		}
		key.SetString(string(b))
		value.SetZero()
		if pos = r.fill(p.elem, value, end); pos < 0 {
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

// fieldSet is the names of a dict that have been met.
type fieldSet struct {
	first   uint64 // of the first 64 fields
	more    map[int]bool
	unknown [][]byte
}

// take notes a field, and reports whether it is met for the first time.
func (s *fieldSet) take(at int) bool {
	if at < 64 {
		met := s.first&(1<<at) != 0
		s.first |= 1 << at
		return !met
	}
	if s.more == nil {
		s.more = map[int]bool{}
	}
	met := s.more[at]
	s.more[at] = true
	return !met
}

// strange notes a name without a field, and reports whether it is met for the first
// time, as far as that is known here.
func (s *fieldSet) strange(name []byte) bool {
	if len(s.unknown) == fewUnknown || !utf8.Valid(name) || slices.ContainsFunc(s.unknown, func(o []byte) bool { return bytes.Equal(o, name) }) {
		return false
	}
	s.unknown = append(s.unknown, name)
	return true
}

// fields reads n entries, or as many as there are before a break.
func (r *filler) fields(p *plan, v reflect.Value, pos, n int) int {
	var met fieldSet
	guess := 0
	for i := 0; i != n; i++ {
		if n < 0 && r.isBreak(pos) {
			return pos + 1
		}
		b, end := r.name(pos)
		if end < 0 {
			return -1
		}
		at, known := guess, guess < len(p.fields) && p.fields[guess].name == string(b)
		if !known {
			at, known = p.byName[string(b)]
		}
		if !known {
			if !met.strange(b) {
				return -1
			}
			if pos = r.skip(end); pos < 0 {
				return -1
			}
			continue
		}
		guess = at + 1
		if !met.take(at) {
			return -1
		}
		field := &p.fields[at]
		if pos = r.fill(field.plan, v.Field(field.index), end); pos < 0 {
			return -1
		}
	}
	return pos
}

// skip steps over a scalar that nobody wants. What is in a list or a dict has to be
// looked at, and is not here.
func (r *filler) skip(pos int) int {
	it := r.f.item(r.raw, pos)
	switch it.class {
	case itemNull, itemBool, itemInt, itemFloat:
		return it.next
	case itemBytes:
		return it.next + it.n
	case itemText:
		if utf8.Valid(r.raw[it.next : it.next+it.n]) {
			return it.next + it.n
		}
	case itemList, itemDict:
		if it.n == 0 {
			return it.next
		}
	}
	return -1
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
