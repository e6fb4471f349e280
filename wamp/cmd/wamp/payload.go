package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// bytesKey marks binary in JSON, both ways: {"$bytes": "base64"}.
const bytesKey = "$bytes"

// value reads an argument: JSON where it is JSON, and otherwise a string.
func value(text string) any {
	if v, err := fromJSON([]byte(text)); err == nil {
		return v
	}
	return text
}

// fromJSON reads one JSON value. Integers stay integers, and a dict of "$bytes" is binary.
func fromJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value: %.40q", text)
	}
	return plain(v)
}

// plain makes of what encoding/json has read what is sent.
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
		if text, ok := v[bytesKey].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", bytesKey, err)
			}
			return b, nil
		}
		for k := range v {
			if v[k], err = plain(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// arguments makes the payload of a command line: arguments, and KEY=VALUE for keyword
// arguments.
func arguments(args, kwargs []string) (wamp.Payload, error) {
	values := make([]any, 0, len(args))
	for _, a := range args {
		values = append(values, value(a))
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
		dict[k] = value(v)
	}
	return dict, nil
}

// payloadOf reads a line of standard input: a JSON object with "args" and "kwargs" and
// nothing else is a whole payload, anything else is its only argument.
func payloadOf(text string) (wamp.Payload, error) {
	v := value(text)
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return wamp.Args(v), nil
	}
	for k := range m {
		if k != "args" && k != "kwargs" {
			return wamp.Args(v), nil
		}
	}
	args, ok := m["args"].([]any)
	if !ok && m["args"] != nil {
		return wamp.Payload{}, fmt.Errorf("args is not a list: %.40q", text)
	}
	kwargs, ok := m["kwargs"].(map[string]any)
	if !ok && m["kwargs"] != nil {
		return wamp.Payload{}, fmt.Errorf("kwargs is not a dict: %.40q", text)
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

// printable makes of a plain value one that encoding/json writes: binary is a dict of
// "$bytes", what JSON has no number for is text, and a tag a dict of "$tag" and "$value".
func printable(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{bytesKey: base64.StdEncoding.EncodeToString(v)}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
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
