package proto

import (
	"fmt"
	"math"
	"slices"
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
	wantBool want = iota
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
	wantBool: "a bool", wantInt: "a non-negative integer", wantID: "an id", wantString: "a string", wantDict: "a dict",
	wantIDs: "a list of ids", wantStrings: "a list of strings", wantDicts: "a list of dicts",
	wantMatch: "exact, prefix or wildcard", wantMode: "skip, kill or killnowait",
	wantCipher: "cryptobox, mqtt, xbr or x_...",
}

// optionRow is a known key: what its value must be in the messages named, and
// what a message is that has another one.
type optionRow struct {
	key  string
	want want
	odd  Oddities
	in   []MessageType
}

// has reports whether the key is one of messages of type t.
func (r *optionRow) has(t MessageType) bool { return slices.Contains(r.in, t) }

// withPayload are the messages that carry a user's payload.
var withPayload = []MessageType{Publish, Event, Call, Result, Invocation, Yield, Error}

// options are the keys that are defined for the options and details of
// messages, by the WAMP specification or by routers. Keys that are not here are ignored.
var options = [...]optionRow{
	{"receive_progress", wantBool, OddDetail, []MessageType{Call, Invocation}},
	{"progress", wantBool, OddProgress, []MessageType{Call, Invocation, Result, Yield}},
	{"timeout", wantInt, OddDetail, []MessageType{Call, Invocation}},
	{"mode", wantMode, OddDetail, []MessageType{Cancel, Interrupt}},
	{"reason", wantString, OddDetail, []MessageType{Interrupt, Unsubscribed, Unregistered}},
	{"disclose_me", wantBool, OddDetail, []MessageType{Call, Publish}},
	{"disclose_caller", wantBool, OddDetail, []MessageType{Register}},
	{"forward_timeout", wantBool, OddDetail, []MessageType{Register}},
	{"force_reregister", wantBool, OddDetail, []MessageType{Register}},
	{"concurrency", wantInt, OddDetail, []MessageType{Register}},
	{"invoke", wantString, OddDetail, []MessageType{Register}},
	{"match", wantMatch, OddDetail, []MessageType{Subscribe, Register}},
	{"get_retained", wantBool, OddDetail, []MessageType{Subscribe}},
	{"nkey", wantString, OddDetail, []MessageType{Subscribe}},
	{"rkey", wantString, OddDetail, []MessageType{Call, Publish}},
	{"runmode", wantString, OddDetail, []MessageType{Call}},
	{"caller", wantID, OddDetail, []MessageType{Invocation, Call}},
	{"caller_authid", wantString, OddDetail, []MessageType{Invocation, Call}},
	{"caller_authrole", wantString, OddDetail, []MessageType{Invocation, Call}},
	{"callee", wantID, OddDetail, []MessageType{Result, Error, Yield}},
	{"callee_authid", wantString, OddDetail, []MessageType{Result, Error, Yield}},
	{"callee_authrole", wantString, OddDetail, []MessageType{Result, Error, Yield}},
	{"procedure", wantString, OddDetail, []MessageType{Invocation}},
	{"trustlevel", wantInt, OddDetail, []MessageType{Invocation, Event}},
	{"acknowledge", wantBool, OddDetail, []MessageType{Publish}},
	{"exclude_me", wantBool, OddDetail, []MessageType{Publish}},
	{"exclude", wantIDs, OddDetail, []MessageType{Publish}},
	{"exclude_authid", wantStrings, OddDetail, []MessageType{Publish}},
	{"exclude_authrole", wantStrings, OddDetail, []MessageType{Publish}},
	{"eligible", wantIDs, OddDetail, []MessageType{Publish}},
	{"eligible_authid", wantStrings, OddDetail, []MessageType{Publish}},
	{"eligible_authrole", wantStrings, OddDetail, []MessageType{Publish}},
	{"retain", wantBool, OddDetail, []MessageType{Publish}},
	{"publisher", wantID, OddDetail, []MessageType{Event}},
	{"publisher_authid", wantString, OddDetail, []MessageType{Event}},
	{"publisher_authrole", wantString, OddDetail, []MessageType{Event}},
	{"topic", wantString, OddDetail, []MessageType{Event}},
	{"retained", wantBool, OddDetail, []MessageType{Event}},
	{"subscription", wantID, OddID, []MessageType{Unsubscribed}},
	{"registration", wantID, OddID, []MessageType{Unregistered}},
	{"ppt_scheme", wantString, OddPayload, withPayload},
	{"ppt_serializer", wantString, OddPayload, withPayload},
	{"ppt_cipher", wantString, OddPayload, withPayload},
	{"ppt_keyid", wantString, OddPayload, withPayload},
	// Of HELLO and WELCOME.
	{"roles", wantDict, OddDetail, []MessageType{Hello, Welcome}},
	{"agent", wantString, OddDetail, []MessageType{Hello, Welcome}},
	{"realm", wantString, OddDetail, []MessageType{Welcome}},
	{"authid", wantString, OddDetail, []MessageType{Hello, Welcome}},
	{"authrole", wantString, OddDetail, []MessageType{Hello, Welcome}},
	{"authmethod", wantString, OddDetail, []MessageType{Welcome}},
	{"authprovider", wantString, OddDetail, []MessageType{Welcome}},
	{"authmethods", wantStrings, OddDetail, []MessageType{Hello}},
	{"authextra", wantDict, OddDetail, []MessageType{Hello, Welcome}},
	{"transport", wantDict, OddDetail, []MessageType{Hello}},
	{"message", wantString, OddDetail, []MessageType{Abort, Goodbye}},
	// Autobahn's own keys: router links and its older form of encryption.
	{"forward_for", wantDicts, OddDetail, []MessageType{Publish, Event, Subscribe, Unsubscribe, Call, Cancel, Result, Register, Unregister,
		Invocation, Interrupt, Yield, Error}},
	{"transaction_hash", wantString, OddDetail, []MessageType{Publish, Event, Call}},
	{"x_acknowledged_delivery", wantBool, OddDetail, []MessageType{Event}},
	{"enc_algo", wantCipher, OddPayload, withPayload},
	{"enc_serializer", wantString, OddPayload, withPayload},
	{"enc_key", wantString, OddPayload, withPayload},
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
		return v == "skip" || v == "kill" || v == "killnowait"
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
