package codec

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Payload is the positional and keyword arguments of a message. One that is to
// be sent holds Go values, which are encoded when it leaves; one that was
// received holds the bytes as they came, which are decoded when somebody asks
// for them. The zero Payload is empty. A Payload is never changed; copies share
// what they hold.
type Payload struct {
	codec Codec  // of raw; nil where the payload is made of Go values
	raw   []byte // the positional arguments, then the keyword arguments
	nargs int32  // bytes of raw that are positional arguments
	last  bool
	made  bool // of values and kw
	// values and kw are what a payload of Go values holds. They are not behind
	// one pointer, so that Args costs no allocation of its own.
	values []any
	kw     *keywords
}

// keywords are the keyword arguments of a payload of Go values.
type keywords struct {
	v      any
	more   []entry // added to v
	err    error   // why they cannot be encoded
	sealed *sealed
}

// sealed is a payload that is opened when somebody asks for what is in it.
type sealed struct {
	once   sync.Once
	opened atomic.Bool // p and err are there
	open   func() (Payload, error)
	p      Payload
	err    error
}

var errNotOpened = errors.New("the payload could not be opened")

// Sealed returns a payload that open makes, once, when it is first asked for
// what it holds. An error of open is the error of every question, and where it
// panics a *PanicError is.
func Sealed(open func() (Payload, error)) Payload {
	return Payload{kw: &keywords{sealed: &sealed{open: open}}}
}

// closed reports whether p is a sealed payload that has not been opened.
func (p *Payload) closed() bool { return !p.made && p.kw != nil }

// Open opens a sealed payload and returns what was in it; any other is returned
// as it is.
func (p Payload) Open() (Payload, error) {
	if !p.closed() {
		return p, nil
	}
	s := p.kw.sealed
	s.once.Do(s.run)
	q := s.p
	q.last = p.last
	return q, s.err
}

func (s *sealed) run() {
	s.err = errNotOpened // where open ends the goroutine
	defer func() {
		if r := recover(); r != nil {
			s.err = NewPanicError(r)
		}
		s.open = nil
		s.opened.Store(true)
	}()
	s.p, s.err = s.open()
	if s.err == nil {
		s.p, s.err = s.p.Open()
	}
}

// Args returns a payload of positional arguments. The values must not be
// changed until the operation that it is given to has returned.
func Args(values ...any) Payload { return Payload{made: true, values: values} }

// Kwargs returns a payload of keyword arguments: a map with string keys, or a
// struct or a pointer to one, whose fields are named by their json tags.
func Kwargs(v any) Payload { return Payload{made: true, kw: &keywords{v: v}} }

// Raw returns a payload that is encoded already, in the form of c: args is a
// list and kwargs a dict, either may be nil. It is sent as it is where the
// connection uses c, if it is what can be sent.
func Raw(c Codec, args, kwargs []byte) Payload {
	if c == nil {
		return Sealed(func() (Payload, error) { return Payload{}, errNoCodec })
	}
	return Payload{codec: c, raw: join(args, kwargs), nargs: int32(len(args))}
}

var errNoCodec = errors.New("Raw: the codec is nil")

// Received returns the payload of a message that came in the form of c. It
// keeps the bytes of m.
func Received(c Codec, m *proto.Message) Payload { return Raw(c, m.Args, m.Kwargs) }

// join returns a followed by b. Nothing is copied where b lies right behind a
// already, as it does in a payload that was cut in two.
func join(a, b []byte) []byte {
	n := len(a)
	switch {
	case len(b) == 0:
		return a
	case n == 0:
		return b
	case cap(a) >= n+len(b) && &a[:n+1][n] == &b[0]:
		return a[: n+len(b) : n+len(b)]
	}
	return append(append(make([]byte, 0, n+len(b)), a...), b...)
}

// args returns the bytes of the positional arguments, nil if there are none.
func (p *Payload) args() []byte {
	if p.nargs == 0 {
		return nil
	}
	return p.raw[:p.nargs:p.nargs]
}

// kwargs returns the bytes of the keyword arguments, nil if there are none.
func (p *Payload) kwargs() []byte {
	if int(p.nargs) == len(p.raw) {
		return nil
	}
	return p.raw[p.nargs:]
}

// With returns p with a keyword argument added or replaced. The map or struct that p was
// made of is not changed, and what is encoded already stays as it is.
func (p Payload) With(key string, value any) Payload {
	if q, err := p.Open(); err == nil {
		p = q
	}
	switch {
	case p.closed(): // it cannot be opened
	case !p.made && p.codec != nil:
		if q, ok := p.withEntry(entry{key, value}); ok {
			return q
		}
	case p.kw != nil && p.kw.err == nil && !p.kw.isMap():
		next := p
		next.kw = &keywords{v: p.kw.v, more: append(slices.Clone(p.kw.more), entry{key, value})}
		return next
	}
	m, err := p.kwMap()
	if m = maps.Clone(m); m == nil {
		m = make(map[string]any, 1)
	}
	m[key] = value
	return p.withKw(m, err)
}

// WithKwargs returns p with v as its keyword arguments, see [Kwargs].
func (p Payload) WithKwargs(v any) Payload { return p.withKw(v, nil) }

func (p Payload) withKw(v any, err error) Payload {
	p, bad := p.Open()
	err = errors.Join(err, bad)
	next := Payload{made: true, last: p.last, values: p.values, kw: &keywords{v: v, err: err}}
	if p.kw != nil {
		next.kw.err = errors.Join(p.kw.err, err)
	} else if !p.made && p.nargs > 0 {
		list, bad := p.Args()
		next.values, next.kw.err = list, errors.Join(err, bad)
	}
	return next
}

// kwMap returns the keyword arguments as a map that may be shared.
func (p Payload) kwMap() (map[string]any, error) {
	if !p.made {
		return p.Kwargs()
	}
	if p.kw == nil {
		return nil, nil
	}
	if p.kw.isMap() {
		m, _ := p.kw.v.(map[string]any)
		return m, nil
	}
	return p.Kwargs()
}

// isMap reports whether the keyword arguments are a map of anything, or nothing.
func (k *keywords) isMap() bool {
	_, is := k.v.(map[string]any)
	return (is || k.v == nil) && k.more == nil
}

// Last returns p, marked as the last chunk of a progressive call.
func (p Payload) Last() Payload { p.last = true; return p }

// IsLast reports whether p is marked as the last chunk.
func (p Payload) IsLast() bool { return p.last }

// Bulk returns about how many bytes a payload takes in the form of c, as far as that is
// seen without a walk through its values: what is encoded already, and strings and bytes
// that are arguments or keyword arguments themselves.
func Bulk(c Codec, p *Payload) int {
	n := len(p.raw)
	text := c.format().text()
	for i := range p.values {
		n += bulk(p.values[i], text)
	}
	if p.made && p.kw != nil {
		if m, ok := p.kw.v.(map[string]any); ok {
			for k, v := range m {
				n += len(k) + 5 + bulk(v, text)
			}
		}
	}
	return n
}

// bulk is about how many bytes a value takes, if that is much.
func bulk(v any, text bool) int {
	const head = 9
	switch v := v.(type) {
	case string:
		return head + len(v)
	case []byte:
		if text {
			return head + (len(v)+2)/3*4
		}
		return head + len(v)
	}
	return head
}

// Encode appends the arguments and then the keyword arguments to dst in the
// form of c. args is the length of the first part, 0 if there is none, and the
// rest behind it is the second. Raw bytes of c are checked and copied, those of
// another serializer are converted. On error, which is an *EncodeError where it
// is not that of opening a sealed payload, dst comes back unchanged in length.
func (p Payload) Encode(c Codec, dst []byte) (buf []byte, args int, err error) {
	if p.closed() {
		if p, err = p.Open(); err != nil {
			return dst, 0, err
		}
	}
	start := len(dst)
	f := c.format()
	switch {
	case p.made:
		if p.kw != nil && p.kw.err != nil {
			return dst, 0, p.kw.err
		}
		if len(p.values) > 0 {
			if dst, err = appendList(f, dst, p.values); err != nil {
				return dst, 0, err
			}
		}
		args = len(dst) - start
		if p.kw != nil {
			dst, err = p.kw.append(f, dst)
		}
	case p.codec == nil:
		return dst, 0, nil
	case p.codec == c:
		ints, err := checkRaw(f, p.args(), p.kwargs())
		if err != nil {
			return dst, 0, err
		}
		if !ints {
			return append(dst, p.raw...), int(p.nargs), nil
		}
		fallthrough // keys that are integers become text
	default:
		if dst, err = transcode(f, dst, p.codec, p.args(), pathArgs); err == nil {
			args = len(dst) - start
			if dst, err = transcode(f, dst, p.codec, p.kwargs(), pathKwargs); err == nil {
				err = checkShape(f, part(dst[start:start+args]), part(dst[start+args:]))
			}
		}
	}
	if err != nil {
		return dst[:start], 0, err
	}
	return dst, args, nil
}

// append appends the keyword arguments, or nothing if there are none.
func (k *keywords) append(f format, dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := appendKwargs(f, dst, k.v)
	for _, e := range k.more {
		if err != nil {
			return dst, err
		}
		kwargs, _, bad := putEntry(f, dst[start:], e)
		if bad != nil {
			return dst[:start], encodeError(f, bad, pathKwargs)
		}
		dst = append(dst[:start], kwargs...)
	}
	return dst, err
}

// appendKwargs appends v, which must make a dict, or nothing if it is empty.
func appendKwargs(f format, dst []byte, v any) ([]byte, error) {
	switch m := v.(type) {
	case nil:
		return dst, nil
	case map[string]any:
		if len(m) == 0 {
			return dst, nil
		}
	}
	start := len(dst)
	dst, err := appendValue(f, dst, v, 0)
	if err != nil {
		return dst[:start], encodeError(f, err, pathKwargs)
	}
	switch f.kind(dst[start:]) {
	case kindNull:
		return dst[:start], nil
	case kindDict:
		return dst, nil
	}
	return dst[:start], &EncodeError{Codec: f.name(), Path: pathKwargs, Reason: fmt.Sprintf("%T is no map or struct", v)}
}

// part returns nil for an empty part of a payload.
func part(raw []byte) []byte {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// transcode appends raw, which is in the form of from, in the form of f.
func transcode(f format, dst []byte, from Codec, raw []byte, path string) ([]byte, error) {
	if raw == nil {
		return dst, nil
	}
	v, err := from.Plain(raw)
	if err == nil {
		dst, err = appendValue(f, dst, v, 0)
	}
	if err != nil {
		return dst, encodeError(f, err, path)
	}
	return dst, nil
}

// Encoded returns p as it is encoded: what came, or its values in CBOR, so that values
// that never travelled can be asked for as well. A sealed one is opened.
func (p Payload) Encoded() (Payload, error) {
	p, err := p.Open()
	if err != nil {
		return Payload{}, err
	}
	if !p.made {
		return p, nil
	}
	buf, n, err := p.Encode(CBOR, nil)
	if err != nil {
		return Payload{}, err
	}
	return Payload{codec: CBOR, raw: buf, nargs: int32(n)}, nil
}

// ScanError says which argument did not fit its target.
type ScanError struct {
	// Index is the position of the argument, -1 for the keyword arguments.
	Index int
	// Path is where in the payload the value stands that does not fit:
	// "args[0].items[3].price", "kwargs.name". Names are as they came.
	Path string
	// Type is the Go type of the target.
	Type string
	// Err is the reason.
	Err error
}

// Error names the place, what came and what was wanted.
func (e *ScanError) Error() string {
	what := e.Err.Error()
	if v, ok := e.Err.(*valueError); ok { //nolint:errorlint // one that is wrapped is not ours
		what = v.what
	}
	return proto.Short(e.Path + ": " + what)
}

// Unwrap returns the reason.
func (e *ScanError) Unwrap() error { return e.Err }

// ErrMissing is the reason of a ScanError where the payload has no argument at
// that position.
var ErrMissing = errors.New("there is no such argument")

func scanError(i int, target any, err error) error {
	path := pathKwargs
	if i >= 0 {
		path = pathArgs + pathIndex(i)
	}
	if v, ok := err.(*valueError); ok { //nolint:errorlint // one that is wrapped is not ours
		path += v.path
	}
	return &ScanError{Index: i, Path: path, Type: proto.Short(fmt.Sprintf("%T", target)), Err: err}
}

// Scan decodes the positional arguments into the values that the targets point
// to. A nil target skips its argument, and arguments without a target are
// ignored. A target without an argument is an error, and so is one that is no
// pointer or a nil pointer.
//
// What a target held before is gone; only a scalar, a pointer or bytes stay as
// they were if the argument does not fit. docs/values.md says what fits into
// what. The error is a [ScanError].
func (p Payload) Scan(targets ...any) error {
	if len(targets) == 0 || p.quickScan(targets) {
		return nil
	}
	return p.scan(targets)
}

func (p *Payload) scan(targets []any) error {
	for i, target := range targets {
		if target == nil {
			continue
		}
		if err := checkTarget(target); err != nil {
			return scanError(i, target, err)
		}
	}
	q, err := p.Encoded()
	if err != nil {
		return scanError(0, targets[0], err)
	}
	args := q.args()
	if args == nil {
		return scanError(0, targets[0], ErrMissing)
	}
	f := q.codec.format()
	if f.kind(args) != kindList {
		return scanError(0, targets[0], errors.New(badNoList))
	}
	pos, _ := f.open(args)
	for i, target := range targets {
		if end, err := scanText(f, args, pos, i, target); end > 0 {
			if err != nil {
				return scanError(i, target, err)
			}
			pos = end
			continue
		}
		start, end, bad := f.next(args, pos, i, false)
		if bad != "" {
			return scanError(i, target, &SyntaxError{Codec: f.name(), Offset: end, Reason: bad})
		}
		if start < 0 {
			return scanError(i, target, ErrMissing)
		}
		pos = end
		if target == nil {
			continue
		}
		if err := unmarshalValue(f, args[start:end], target, valueDepth-1); err != nil {
			return scanError(i, target, err)
		}
	}
	return nil
}

// scanText decodes the next element of JSON into a target whose type is the user's:
// who reads a plain type finds its end, and for others what finds it has checked it
// too. It does nothing, and end is 0, for other targets, and where something is wrong.
func scanText(f format, args []byte, pos, i int, target any) (end int, err error) {
	if _, isJSON := f.(jsonFormat); !isJSON || target == nil || isQuick(target) {
		return 0, nil
	}
	start, _, bad := jsonItem(args, pos, i, false)
	if bad != "" || start < 0 {
		return 0, nil
	}
	if end, read := readElement(args, start, target); read {
		return end, nil
	}
	s := valueScan(args, valueDepth-1)
	if end, bad = (jsonFormat{}).skip(&s, start, 0); bad != "" {
		return 0, nil
	}
	s.data = args[start:end]
	return end, unmarshalType(f, &s, target, true)
}

// ScanKw decodes the keyword arguments into the struct or map that v points to,
// which becomes zero if there are none. The error is a [ScanError].
func (p Payload) ScanKw(v any) error {
	if err := checkTarget(v); err != nil {
		return scanError(-1, v, err)
	}
	q, err := p.Encoded()
	switch {
	case err != nil:
	case q.kwargs() == nil:
		reflect.ValueOf(v).Elem().SetZero()
	default:
		err = q.codec.Unmarshal(q.kwargs(), v)
	}
	if err != nil {
		return scanError(-1, v, err)
	}
	return nil
}

// Args returns the positional arguments as plain values.
func (p Payload) Args() ([]any, error) {
	var list []any
	q, err := p.Encoded()
	if err == nil && q.args() != nil {
		err = noMismatch(q.codec.Unmarshal(q.args(), &list), badNoList)
	}
	return list, err
}

// Kwargs returns the keyword arguments as plain values.
func (p Payload) Kwargs() (map[string]any, error) {
	var m map[string]any
	q, err := p.Encoded()
	if err == nil && q.kwargs() != nil {
		err = noMismatch(q.codec.Unmarshal(q.kwargs(), &m), badNoDict)
	}
	return m, err
}

// noMismatch makes a *SyntaxError of a payload that is of another kind.
func noMismatch(err error, reason string) error {
	var e *mismatch
	if errors.As(err, &e) {
		return &SyntaxError{Codec: e.codec, Offset: -1, Reason: reason}
	}
	return err
}

// NArgs returns the number of positional arguments.
func (p Payload) NArgs() int {
	p, err := p.Open()
	if err != nil {
		return 0
	}
	if p.made {
		return len(p.values)
	}
	args := p.args()
	if args == nil {
		return 0
	}
	f := p.codec.format()
	if f.kind(args) != kindList {
		return 0
	}
	pos, n := f.open(args)
	if n >= 0 {
		return n
	}
	for i := 0; ; i++ {
		start, end, bad := f.next(args, pos, i, false)
		if bad != "" || start < 0 {
			return i
		}
		pos = end
	}
}

// Opaque reports whether a raw payload has bytes in the place of its arguments:
// Autobahn's form of an encrypted payload, which nobody has opened. Whoever asks
// for what it holds gets an error.
func (p Payload) Opaque() bool {
	return p.nargs > 0 && p.codec.format().kind(p.args()) != kindList
}

// Empty reports whether the payload has nothing in it. A sealed one that cannot be
// opened is not empty.
func (p Payload) Empty() bool {
	p, err := p.Open()
	if err != nil {
		return false
	}
	if p.made {
		return len(p.values) == 0 && p.kw == nil
	}
	return p.NArgs() == 0 && len(p.kwargs()) == 0 && !p.Opaque()
}

// RawArgs returns the encoded list of positional arguments, nil if there is
// none or the payload is made of Go values.
func (p Payload) RawArgs() []byte { return p.args() }

// RawKwargs returns the encoded dict of keyword arguments, nil if there is
// none or the payload is made of Go values.
func (p Payload) RawKwargs() []byte { return p.kwargs() }

// Codec returns the serializer of a raw payload, nil if the payload is made of
// Go values.
func (p Payload) Codec() Codec { return p.codec }

// Size returns how many bytes a raw payload has.
func (p Payload) Size() int { return len(p.raw) }
