package proto

import (
	"fmt"
	"math/big"
	"strconv"
)

// Oddities says what is wrong with the options or details of a message that is
// taken all the same. It is a set.
type Oddities uint8

const (
	// OddDetail says that a descriptive key was left out.
	OddDetail Oddities = 1 << iota
	// OddPayload says that a ppt_ or enc_ key is wrong. The payload must not be taken
	// for a plain one.
	OddPayload
	// OddProgress says that progress of a CALL, INVOCATION, RESULT or YIELD is
	// wrong, so that nobody knows whether more will come.
	OddProgress
	// OddID says that the id of a revocation is wrong.
	OddID
)

// Oddity is what was wrong with a message, and the first of it in words.
type Oddity struct {
	What   Oddities
	Reason string
}

// Has reports whether o has one of the given oddities; a nil Oddity has none.
func (o *Oddity) Has(what Oddities) bool { return o != nil && o.What&what != 0 }

// Unreadable stands in a Dict that is given to SiftOptions for a value that
// could not be decoded. It says why.
type Unreadable string

// SiftOptions takes out of the options, details or extra of a message that came
// from a peer what does not fit: known keys with a value of the wrong type or
// range, and what is Unreadable. What it takes out makes the Oddity, which is nil
// where nothing was wrong. Floats that are integers become integers where one is
// expected, and numbers in WELCOME text where text is. It may change d.
func SiftOptions(t MessageType, d Dict) (Dict, *Oddity) {
	var odd *Oddity
	kept := d[:0]
	for _, e := range d {
		row := rowOf(t, e.Key)
		why, broken := e.Value.(Unreadable)
		switch {
		case !broken && (row == nil || e.Value == nil || row.take(t, &e)):
			kept = append(kept, e)
			continue
		case odd == nil:
			odd = new(Oddity)
			switch {
			case row == nil:
				odd.Reason = Short(fmt.Sprintf("%v: key %q: %s", t, Short(e.Key), string(why)))
			case broken:
				odd.Reason = fmt.Sprintf("%v.%s is not %s: %s", t, e.Key, wantNames[row.want], string(why))
			default:
				odd.Reason = (&OptionError{t, e.Key, wantNames[row.want]}).Error()
			}
		}
		if row != nil {
			odd.What |= row.odd
		} else {
			odd.What |= OddDetail
		}
	}
	clear(d[len(kept):])
	if len(kept) == 0 {
		return nil, odd
	}
	return kept, odd
}

// take reports whether the value of e is one that the key may have, and brings
// it into the form in which it is expected.
func (r *optionRow) take(t MessageType, e *Entry) bool {
	if t == Welcome && r.want == wantString {
		if s, ok := decimal(e.Value); ok {
			e.Value = s
			return true
		}
	}
	if !r.want.fits(e.Value) {
		return false
	}
	switch r.want {
	case wantInt, wantID:
		e.Value, _ = integer(e.Value)
	case wantIDs:
		list := e.Value.([]any)
		for i := range list {
			list[i], _ = integer(list[i])
		}
	}
	return true
}

// decimal returns the text of a plain number that is not very long.
func decimal(v any) (string, bool) {
	switch n := v.(type) {
	case int64:
		return strconv.FormatInt(n, 10), true
	case uint64:
		return strconv.FormatUint(n, 10), true
	case float64:
		if i, ok := integer(v); ok {
			return strconv.FormatInt(i, 10), true
		}
		return strconv.FormatFloat(n, 'g', -1, 64), n-n == 0 // neither NaN nor infinite
	case *big.Int:
		if n.BitLen() <= 1024 {
			return n.String(), true
		}
	}
	return "", false
}
