package proto

import "strings"

// Entry is one key of a Dict with its value.
type Entry struct {
	Key   string
	Value any
}

// Dict is the options, details or extra of a message, in wire order. Values
// that came from a peer are plain: bool, int64 (uint64 above its range, else
// *big.Int), float64, string, []byte, nil, []any and map[string]any. To a peer
// any Go value may go that the codec can encode.
//
// A Dict that came from a parser is shared between messages: it must not be
// changed.
type Dict []Entry

// Get returns the value of key and whether it is there.
func (d Dict) Get(key string) (any, bool) {
	for i := range d {
		if d[i].Key == key {
			return d[i].Value, true
		}
	}
	return nil, false
}

// Has reports whether key is there.
func (d Dict) Has(key string) bool { _, ok := d.Get(key); return ok }

// Bool returns the value of key, false if it is absent or no bool.
func (d Dict) Bool(key string) bool {
	v, _ := d.Get(key)
	b, _ := v.(bool)
	return b
}

// Str returns the value of key, "" if it is absent or no string.
func (d Dict) Str(key string) string {
	v, _ := d.Get(key)
	s, _ := v.(string)
	return s
}

// Int returns the value of key and whether it is there and an integer; a float
// that is one counts.
func (d Dict) Int(key string) (int64, bool) {
	v, _ := d.Get(key)
	return IntOf(v)
}

// ID returns the value of key as an id, 0 if it is absent or no valid id.
func (d Dict) ID(key string) ID {
	v, _ := d.Get(key)
	return IDOf(v)
}

// Dict returns the value of key, nil if it is absent or no dict.
func (d Dict) Dict(key string) map[string]any {
	v, _ := d.Get(key)
	m, _ := v.(map[string]any)
	return m
}

// With returns d with key set to value. d itself is not changed.
func (d Dict) With(key string, value any) Dict {
	out := make(Dict, 0, len(d)+1)
	done := false
	for _, e := range d {
		if e.Key == key {
			e.Value, done = value, true
		}
		out = append(out, e)
	}
	if !done {
		out = append(out, Entry{key, value})
	}
	return out
}

// Map returns the entries as a new map; nested values are shared.
func (d Dict) Map() map[string]any {
	m := make(map[string]any, len(d))
	for _, e := range d {
		m[e.Key] = e.Value
	}
	return m
}

// Size is about how many bytes of memory d holds. It is for bounds: dicts that
// are shared between messages count each time.
func (d Dict) Size() int {
	n := 0
	for i := range d {
		n += entrySize + len(d[i].Key) + sizeOf(d[i].Value)
	}
	return n
}

const (
	valueSize = 16 // of an interface
	entrySize = 16 + valueSize
	mapEntry  = 2 * entrySize // with what a map keeps free
)

func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 16
	case []byte:
		return len(v) + 24
	case []any:
		n := 24
		for _, e := range v {
			n += valueSize + sizeOf(e)
		}
		return n
	case map[string]any:
		n := 48
		for k, e := range v {
			n += mapEntry + len(k) + sizeOf(e)
		}
		return n
	case int64, uint64, float64:
		return 8
	}
	return 0
}

// String lists the keys, without the values: they may hold secrets.
func (d Dict) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, e := range d {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.Key)
	}
	b.WriteByte('}')
	return b.String()
}
