package proto

import (
	"fmt"
	"math"
)

// OptionError says that a known key of a message's options has a value of the
// wrong type, or one that is not among those it may have.
type OptionError struct {
	Type MessageType
	Key  string
	Want string
}

// Error names the message, the key and what was expected.
func (e *OptionError) Error() string {
	return fmt.Sprintf("%v.%s is not %s", e.Type, e.Key, e.Want)
}

// want is what the value of a key must be.
type want uint8

const (
	wantAny want = iota
	wantBool
	wantInt
	wantID
	wantString
	wantDict
	wantIDs
	wantStrings
	wantDicts
	wantMatch
	wantMode
	wantCipher
)

var wantNames = [...]string{
	wantAny: "a value", wantBool: "a bool", wantInt: "a non-negative integer", wantID: "an id", wantString: "a string", wantDict: "a dict",
	wantIDs: "a list of ids", wantStrings: "a list of strings", wantDicts: "a list of dicts",
	wantMatch: "exact, prefix or wildcard", wantMode: "skip, kill or killnowait",
	wantCipher: "cryptobox, mqtt, xbr or x_...",
}

// optionIndex maps a key to its row in options.
var optionIndex = func() map[string]int {
	ix := make(map[string]int, len(options))
	for i := range options {
		ix[options[i].key] = i
	}
	return ix
}()

// OptionKey returns a known key as a string that costs no allocation.
func OptionKey(key []byte) (string, bool) {
	if i, ok := optionIndex[string(key)]; ok {
		return options[i].key, true
	}
	return "", false
}

// CheckOptions checks the known keys in the options, details or extra of a
// message that came from a peer, where the values are plain. Unknown keys are
// ignored, and null counts as absent. A float that is an integer counts as one.
// The error is an *OptionError.
func CheckOptions(t MessageType, d Dict) error {
	for i := range d {
		e := &d[i]
		if row := rowOf(t, e.Key); row != nil && e.Value != nil && !row.want.fits(e.Value) {
			return &OptionError{t, e.Key, wantNames[row.want]}
		}
	}
	return nil
}

// rowOf returns the row of a key in messages of type t, nil if it has none.
func rowOf(t MessageType, key string) *optionRow {
	if ix, ok := optionIndex[key]; ok && options[ix].has(t) {
		return &options[ix]
	}
	return nil
}

func (w want) fits(v any) bool {
	switch w {
	case wantAny:
		return true
	case wantBool:
		_, ok := v.(bool)
		return ok
	case wantInt:
		n, ok := integer(v)
		return ok && n >= 0
	case wantID:
		return isID(v)
	case wantString:
		return isString(v)
	case wantDict:
		return isDict(v)
	case wantIDs:
		return all(v, isID)
	case wantStrings:
		return all(v, isString)
	case wantDicts:
		return all(v, isDict)
	case wantMatch:
		return v == string(Exact) || v == string(Prefix) || v == string(Wildcard)
	case wantMode:
		mode, _ := v.(string)
		_, known := ParseCancelMode(mode)
		return known
	}
	s, _ := v.(string)
	return s == "cryptobox" || s == "mqtt" || s == "xbr" || len(s) > 2 && s[:2] == "x_"
}

// integer returns a plain number that is an integer of int64, whatever form it
// came in: JavaScript and others write 7 as a float.
func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n >= -1<<63 && n < 1<<63 && n == math.Trunc(n)
	}
	return 0, false
}

func isID(v any) bool {
	n, ok := integer(v)
	return ok && n >= 0 && ID(n) <= MaxID
}

func isString(v any) bool { _, ok := v.(string); return ok }

func isDict(v any) bool { _, ok := v.(map[string]any); return ok }

// all reports whether v is a list whose elements all fit.
func all(v any, fits func(any) bool) bool {
	list, ok := v.([]any)
	if !ok {
		return false
	}
	for _, e := range list {
		if !fits(e) {
			return false
		}
	}
	return true
}
