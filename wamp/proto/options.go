package proto

import "fmt"

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

// optionRow is a known key: what its value must be in the messages named.
type optionRow struct {
	key  string
	want want
	in   []MessageType
}

// withPayload are the messages that carry a user's payload.
var withPayload = []MessageType{Publish, Event, Call, Result, Invocation, Yield, Error}

// options are the keys that are defined for the options and details of
// messages, by the WAMP text or by routers. Keys that are not here are ignored.
var options = [...]optionRow{
	{"receive_progress", wantBool, []MessageType{Call, Invocation}},
	{"progress", wantBool, []MessageType{Call, Invocation, Result, Yield}},
	{"timeout", wantInt, []MessageType{Call, Invocation}},
	{"mode", wantMode, []MessageType{Cancel, Interrupt}},
	{"reason", wantString, []MessageType{Interrupt, Unsubscribed, Unregistered}},
	{"disclose_me", wantBool, []MessageType{Call, Publish}},
	{"disclose_caller", wantBool, []MessageType{Register}},
	{"forward_timeout", wantBool, []MessageType{Register}},
	{"force_reregister", wantBool, []MessageType{Register}},
	{"concurrency", wantInt, []MessageType{Register}},
	{"invoke", wantString, []MessageType{Register}},
	{"match", wantMatch, []MessageType{Subscribe, Register}},
	{"get_retained", wantBool, []MessageType{Subscribe}},
	{"nkey", wantString, []MessageType{Subscribe}},
	{"rkey", wantString, []MessageType{Call, Publish}},
	{"runmode", wantString, []MessageType{Call}},
	{"caller", wantID, []MessageType{Invocation, Call}},
	{"caller_authid", wantString, []MessageType{Invocation, Call}},
	{"caller_authrole", wantString, []MessageType{Invocation, Call}},
	{"callee", wantID, []MessageType{Result, Error, Yield}},
	{"callee_authid", wantString, []MessageType{Result, Error, Yield}},
	{"callee_authrole", wantString, []MessageType{Result, Error, Yield}},
	{"procedure", wantString, []MessageType{Invocation}},
	{"trustlevel", wantInt, []MessageType{Invocation, Event}},
	{"acknowledge", wantBool, []MessageType{Publish}},
	{"exclude_me", wantBool, []MessageType{Publish}},
	{"exclude", wantIDs, []MessageType{Publish}},
	{"exclude_authid", wantStrings, []MessageType{Publish}},
	{"exclude_authrole", wantStrings, []MessageType{Publish}},
	{"eligible", wantIDs, []MessageType{Publish}},
	{"eligible_authid", wantStrings, []MessageType{Publish}},
	{"eligible_authrole", wantStrings, []MessageType{Publish}},
	{"retain", wantBool, []MessageType{Publish}},
	{"publisher", wantID, []MessageType{Event}},
	{"publisher_authid", wantString, []MessageType{Event}},
	{"publisher_authrole", wantString, []MessageType{Event}},
	{"topic", wantString, []MessageType{Event}},
	{"retained", wantBool, []MessageType{Event}},
	{"subscription", wantID, []MessageType{Unsubscribed}},
	{"registration", wantID, []MessageType{Unregistered}},
	{"ppt_scheme", wantString, withPayload},
	{"ppt_serializer", wantString, withPayload},
	{"ppt_cipher", wantString, withPayload},
	{"ppt_keyid", wantString, withPayload},
	// Of HELLO and WELCOME.
	{"roles", wantDict, []MessageType{Hello, Welcome}},
	{"agent", wantString, []MessageType{Hello, Welcome}},
	{"realm", wantString, []MessageType{Welcome}},
	{"authid", wantString, []MessageType{Hello, Welcome}},
	{"authrole", wantString, []MessageType{Hello, Welcome}},
	{"authmethod", wantString, []MessageType{Welcome}},
	{"authprovider", wantString, []MessageType{Welcome}},
	{"authmethods", wantStrings, []MessageType{Hello}},
	{"authextra", wantDict, []MessageType{Hello, Welcome}},
	{"transport", wantDict, []MessageType{Hello}},
	{"message", wantString, []MessageType{Abort, Goodbye}},
	// Autobahn's own keys: router links and its older form of encryption.
	{"forward_for", wantDicts, []MessageType{Publish, Event, Subscribe, Unsubscribe, Call, Cancel, Result, Register, Unregister,
		Invocation, Interrupt, Yield, Error}},
	{"transaction_hash", wantString, []MessageType{Publish, Event, Call}},
	{"x_acknowledged_delivery", wantBool, []MessageType{Event}},
	{"enc_algo", wantCipher, withPayload},
	{"enc_serializer", wantString, withPayload},
	{"enc_key", wantString, withPayload},
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
// ignored, and null counts as absent. The error is an *OptionError.
func CheckOptions(t MessageType, d Dict) error {
	for i := range d {
		e := &d[i]
		ix, ok := optionIndex[e.Key]
		if !ok || e.Value == nil {
			continue
		}
		row := &options[ix]
		for _, in := range row.in {
			if in == t && !row.want.fits(e.Value) {
				return &OptionError{t, e.Key, wantNames[row.want]}
			}
		}
	}
	return nil
}

func (w want) fits(v any) bool {
	switch w {
	case wantBool:
		_, ok := v.(bool)
		return ok
	case wantInt:
		n, ok := v.(int64)
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

func isID(v any) bool {
	n, ok := v.(int64)
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
