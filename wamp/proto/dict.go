package proto

import "strings"

// Entry is one key of a Dict with its value.
type Entry struct {
	Key   string
	Value any
}

// Dict is the options, details or extra of a message, in wire order. Values
// that came from a peer are plain: bool, int64 (uint64 above its range),
// float64, string, []byte, nil, []any and map[string]any. To a peer any Go
// value may go that the codec can encode.
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

// Int returns the value of key and whether it is there and an integer.
func (d Dict) Int(key string) (int64, bool) {
	v, _ := d.Get(key)
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case uint64:
		return int64(n), n <= 1<<63-1
	case ID:
		return int64(n), true
	}
	return 0, false
}

// ID returns the value of key as an id, 0 if it is absent or no valid id.
func (d Dict) ID(key string) ID {
	n, ok := d.Int(key)
	if !ok || n < 1 || ID(n) > MaxID {
		return 0
	}
	return ID(n)
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
