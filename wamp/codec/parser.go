package codec

import (
	"bytes"
	"math"
	"strconv"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// parser is the Parser of all three formats.
type parser struct {
	f     format
	lim   Limits // all of them set
	elems int    // that a message may have
	fast  bool   // quick may be tried
	scan  scan
	spans [maxElements]span
	dicts *dictMemo // once there is one to be remembered
	uris  textMemo
}

func newParser(f format, l Limits) *parser {
	l = l.withDefaults()
	p := &parser{f: f, lim: l, elems: l.Elements, scan: scan{depth: l.Depth, lenient: !l.Strict}}
	if p.scan.lenient {
		p.elems = math.MaxInt // those of the options count alone
		_, p.fast = f.(cborFormat)
	}
	return p
}

// Parse implements Parser.
func (p *parser) Parse(data []byte, m *proto.Message) error {
	*m = proto.Message{}
	if len(data) > p.lim.Size {
		return p.fault(m, -1, "message of "+strconv.Itoa(len(data))+" bytes is over the limit")
	}
	if p.fast {
		done := p.quick(data, m)
		if cap(p.scan.stack) > keepStack {
			p.scan.stack = nil
		}
		if done {
			return nil
		}
		*m = proto.Message{}
	}
	s := &p.scan
	s.data, s.elems, s.broken = data, p.elems, 0
	n, pos, bad := p.f.split(s, &p.spans)
	s.data = nil
	if cap(s.stack) > keepStack {
		s.stack = nil
	}
	if n > 0 {
		// Also where a later element is broken: the fault shall name the type.
		code, ok := p.id(data[p.spans[0].start:p.spans[0].end])
		switch {
		case ok && code <= uint64(proto.LastType()):
			m.Type = proto.MessageType(code)
		case bad != "":
		case !ok:
			return p.fault(m, p.spans[0].start, "message type is not an integer")
		default:
			return p.fault(m, p.spans[0].start, "unknown message type "+strconv.FormatUint(code, 10))
		}
	}
	if bad != "" {
		return p.fault(m, pos, bad)
	}
	if n == 0 {
		return p.fault(m, 0, "empty array")
	}
	tr := m.Type.Traits()
	if tr == nil {
		return p.fault(m, p.spans[0].start, "unknown message type "+strconv.Itoa(int(m.Type)))
	}
	least, most := 1+len(tr.Fields)-tr.Optional, 1+len(tr.Fields)
	if tr.Payload {
		most += 2
	}
	if n < least || n > most {
		return p.fault(m, 0, "wrong length "+strconv.Itoa(n))
	}
	for i, field := range tr.Fields {
		if i+1 == n {
			return nil
		}
		if err := p.field(data, m, field, i+1); err != nil {
			return err
		}
	}
	return p.payload(data, m, 1+len(tr.Fields), n)
}

var fieldNames = [...]string{
	proto.FieldRequestType: "REQUEST.Type", proto.FieldRequest: "request id", proto.FieldID: "id",
	proto.FieldPublication: "publication id", proto.FieldURI: "URI", proto.FieldText: "string", proto.FieldOptions: "dict",
}

// id reads an integer of a header. One that comes as a float is taken too.
func (p *parser) id(raw []byte) (uint64, bool) {
	if n, ok := p.f.uint(raw); ok {
		return n, true
	}
	return p.f.whole(raw)
}

func (p *parser) field(data []byte, m *proto.Message, field proto.Field, i int) error {
	at := p.spans[i]
	raw := data[at.start:at.end]
	switch field {
	case proto.FieldOptions:
		return p.options(raw, m, at.start)
	case proto.FieldURI, proto.FieldText:
		s, ok := p.f.str(raw)
		if !ok || p.scan.broken&(1<<i) != 0 || p.f.text() && len(s) > 0 && s[0] == 0 { // that would be binary
			return p.fault(m, at.start, fieldNames[field]+" is not a valid string")
		}
		if field == proto.FieldURI {
			m.URI = p.uris.get(s)
		} else {
			m.Text = string(s)
		}
		return nil
	}
	id, ok := p.id(raw)
	if !ok {
		return p.fault(m, at.start, fieldNames[field]+" is not a non-negative integer")
	}
	if id > uint64(proto.MaxID) {
		return p.fault(m, at.start, fieldNames[field]+" is out of range")
	}
	switch field {
	case proto.FieldRequestType:
		if id > uint64(proto.LastType()) || !known(proto.MessageType(id)) {
			return p.fault(m, at.start, "REQUEST.Type is no message that can be answered with ERROR")
		}
		m.RequestType = proto.MessageType(id)
	case proto.FieldRequest:
		m.Request = proto.ID(id)
	case proto.FieldID:
		m.ID = proto.ID(id)
	case proto.FieldPublication:
		m.Publication = proto.ID(id)
	}
	return nil
}

// known reports whether ERROR may name a request of this type. CANCEL and YIELD
// are none that is answered, but nexus answers those it does not like.
func known(t proto.MessageType) bool {
	tr := t.Traits()
	return tr != nil && (tr.ErrorTo || t == proto.Cancel || t == proto.Yield)
}

func (p *parser) options(raw []byte, m *proto.Message, at int) error {
	if p.f.kind(raw) != kindDict {
		return p.fault(m, at, "options are not a dict")
	}
	if _, n := p.f.open(raw); n == 0 {
		return nil
	}
	if e := p.dicts.get(m.Type, raw); e != nil {
		m.Options, m.Odd = e.d, e.odd
		return nil
	}
	var d proto.Dict
	var pos int
	var bad string
	if p.lim.Strict {
		d, pos, bad = dict(p.f, raw)
	} else {
		d, pos, bad = looseDict(p.f, raw, p.lim.Elements)
	}
	if bad != "" {
		return p.fault(m, at+pos, bad)
	}
	if p.lim.Strict {
		if err := proto.CheckOptions(m.Type, d); err != nil {
			return p.fault(m, at, err.Error())
		}
	}
	m.Options, m.Odd = proto.SiftOptions(m.Type, d)
	if m.Type.Traits().Payload { // the others do not come often
		if p.dicts == nil {
			p.dicts = new(dictMemo)
		}
		p.dicts.put(m.Type, raw, m.Options, m.Odd)
	}
	return nil
}

func (p *parser) payload(data []byte, m *proto.Message, i, n int) error {
	if i < n {
		at := p.spans[i]
		raw := data[at.start:at.end:at.end]
		switch k := p.f.kind(raw); {
		case k == kindList:
			m.Args = raw
		case k == kindNull:
		case (k == kindBinary || k == kindString && p.f.text()) && (m.Options.Has(proto.KeyEncAlgo) || m.Odd.Has(proto.OddPayload)):
			m.Args = raw // Autobahn's form of encrypted payload
		default:
			return p.fault(m, at.start, "arguments are not a list")
		}
	}
	if i+1 < n {
		at := p.spans[i+1]
		raw := data[at.start:at.end:at.end]
		switch p.f.kind(raw) {
		case kindDict:
			m.Kwargs = raw
		case kindNull:
		default:
			return p.fault(m, at.start, "keyword arguments are not a dict")
		}
	}
	return nil
}

func (p *parser) fault(m *proto.Message, at int, reason string) error {
	return &SyntaxError{Codec: p.f.name(), Type: m.Type, Offset: at, Reason: reason}
}

// dictMemo keeps the dicts that were parsed last. A dict is kept for a type of
// message, since what its keys may hold depends on it.
type dictMemo struct {
	entries [8]dictEntry
	next    uint8
}

type dictEntry struct {
	raw []byte
	typ proto.MessageType
	d   proto.Dict
	odd *proto.Oddity
}

// memoSize is how many bytes a dict that is worth keeping may have: one that
// is longer is hardly the same twice.
const memoSize = 512

func (c *dictMemo) get(t proto.MessageType, raw []byte) *dictEntry {
	if c == nil {
		return nil
	}
	for i := range c.entries {
		e := &c.entries[i]
		if e.typ == t && bytes.Equal(e.raw, raw) {
			return e
		}
	}
	return nil
}

func (c *dictMemo) put(t proto.MessageType, raw []byte, d proto.Dict, odd *proto.Oddity) {
	if len(raw) > memoSize {
		return
	}
	e := &c.entries[c.next%uint8(len(c.entries))]
	c.next++
	e.raw, e.typ, e.d, e.odd = append(e.raw[:0], raw...), t, d, odd
}

// textMemo keeps the URIs that were parsed last, so that a procedure called
// again and again is one string.
type textMemo struct {
	texts [8]string
	next  uint8
}

func (c *textMemo) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	for _, s := range c.texts {
		if s == string(b) {
			return s
		}
	}
	s := string(b)
	if len(s) <= memoSize {
		c.texts[c.next%uint8(len(c.texts))] = s
		c.next++
	}
	return s
}

// intern returns key as a string, the known keys without an allocation.
func intern(key []byte) string {
	if s, ok := proto.OptionKey(key); ok {
		return s
	}
	return string(key)
}
