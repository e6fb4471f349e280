package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// bytesKey marks binary in JSON, both ways: {"$bytes": "base64"}.
const bytesKey = "$bytes"

// value reads an argument: JSON where it is JSON, and otherwise a string. JSON that cannot be
// sent, a dict with a key twice, is an error: sent as a string it would be a surprise.
func value(text string) (any, error) {
	if !json.Valid([]byte(text)) {
		return text, nil
	}
	return fromJSON(text)
}

// fromJSON reads a JSON value as the library does: integers stay integers of any size, floats
// stay floats, and a dict of "$bytes" is binary.
func fromJSON(text string) (any, error) {
	args, err := wamp.Raw(codec.JSON, []byte("["+text+"]"), nil).Args()
	if err != nil {
		return nil, fmt.Errorf("%.40q: %w", text, err)
	}
	return plain(args[0])
}

// plain puts binary in the place of dicts of "$bytes".
func plain(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if b, ok, err := binary(v); ok {
			return b, err
		}
		for k := range v {
			if v[k], err = plain(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// binary returns the bytes that a dict stands for, if it does.
func binary(m map[string]any) (b []byte, ok bool, err error) {
	text, ok := m[bytesKey].(string)
	if !ok || len(m) != 1 {
		return nil, false, nil
	}
	if b, err = base64.StdEncoding.DecodeString(text); err != nil {
		return nil, true, fmt.Errorf("%s %.40q: %w", bytesKey, text, err)
	}
	return b, true, nil
}

// arguments makes the payload of a command line: arguments, and KEY=VALUE for keyword
// arguments.
func arguments(args, kwargs []string) (wamp.Payload, error) {
	values := make([]any, 0, len(args))
	for _, a := range args {
		v, err := value(a)
		if err != nil {
			return wamp.Payload{}, usage("argument %w", err)
		}
		values = append(values, v)
	}
	p := wamp.Args(values...)
	dict, err := pairs("--kwarg", kwargs)
	if err != nil || dict == nil {
		return p, err
	}
	return p.WithKwargs(dict), nil
}

// pairs reads KEY=VALUE, as often as it was given, nil where it was not.
func pairs(flag string, texts []string) (map[string]any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	dict := make(map[string]any, len(texts))
	for _, text := range texts {
		k, v, ok := strings.Cut(text, "=")
		if !ok || k == "" {
			return nil, usage("%s %q is not KEY=VALUE", flag, text)
		}
		if _, twice := dict[k]; twice {
			return nil, usage("%s: the key %q was given twice", flag, k)
		}
		read, err := value(v)
		if err != nil {
			return nil, usage("%s %s: %w", flag, k, err)
		}
		dict[k] = read
	}
	return dict, nil
}

// payloadOf reads a line of standard input: a JSON object with "args" and "kwargs" and
// nothing else is a whole payload, anything else is its only argument.
func payloadOf(text string) (wamp.Payload, error) {
	v, err := value(text)
	if err != nil {
		return wamp.Payload{}, err
	}
	if m, ok := v.(map[string]any); ok && only(m, "args", "kwargs") {
		return wholePayload(m)
	}
	return wamp.Args(v), nil
}

// only reports whether a dict has some of these keys and no other.
func only(m map[string]any, keys ...string) bool {
	for k := range m {
		if !slices.Contains(keys, k) {
			return false
		}
	}
	return len(m) > 0
}

// wholePayload makes a payload of "args" and "kwargs" of a dict.
func wholePayload(m map[string]any) (wamp.Payload, error) {
	args, ok := m["args"].([]any)
	if !ok && m["args"] != nil {
		return wamp.Payload{}, fmt.Errorf("args is not a list: %.40q", compact(m["args"]))
	}
	kwargs, ok := m["kwargs"].(map[string]any)
	if !ok && m["kwargs"] != nil {
		return wamp.Payload{}, fmt.Errorf("kwargs is not a dict: %.40q", compact(m["kwargs"]))
	}
	p := wamp.Args(args...)
	if len(kwargs) > 0 {
		p = p.WithKwargs(kwargs)
	}
	return p, nil
}

// content is a payload as it is printed.
type content struct {
	Args   []any          `json:"args"`
	Kwargs map[string]any `json:"kwargs,omitempty"`
}

// contents decodes a payload.
func contents(p wamp.Payload) (content, error) {
	c := content{Args: []any{}}
	args, err := p.Args()
	if err != nil {
		return c, err
	}
	kwargs, err := p.Kwargs()
	if err != nil {
		return c, err
	}
	for _, a := range args {
		c.Args = append(c.Args, printable(a))
	}
	if len(kwargs) > 0 {
		c.Kwargs = printable(kwargs).(map[string]any)
	}
	return c, nil
}

// float is a float as it is printed: 5.0, and not the integer 5. Templates have a number.
type float float64

func (f float) String() string {
	text := strconv.FormatFloat(float64(f), 'g', -1, 64)
	if !strings.ContainsAny(text, ".eIN") { // NaN, +Inf
		text += ".0"
	}
	return text
}

// MarshalJSON implements [json.Marshaler]. What JSON has no number for is text.
func (f float) MarshalJSON() ([]byte, error) {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(f.String())
	}
	return []byte(f.String()), nil
}

// printable makes of a plain value one that encoding/json writes so that fromJSON reads it
// again: binary is a dict of "$bytes", and a tag one of "$tag" and "$value".
func printable(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{bytesKey: base64.StdEncoding.EncodeToString(v)}
	case float64:
		return float(v)
	case *big.Int:
		return json.Number(v.String())
	case codec.Tag:
		return map[string]any{"$tag": v.Number, "$value": printable(v.Content)}
	case []any:
		for i := range v {
			v[i] = printable(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = printable(v[k])
		}
	}
	return v
}
