package sim

import (
	"bytes"
	"slices"
	"strconv"
)

// Plans travel in payloads, so that a peer knows how to answer, and every
// answer says to what. In the step simulation the serializer is JSON, so that
// a payload can be read and written without a codec.

// Values are the arguments of a call, publish or event: the operation, its run
// or link, and for a call how to answer it.
func Values(a Action, run int) []int {
	return []int{a.Op, run, a.Steps, a.After, max(slices.Index(ends[:], a.End), 0)}
}

// ends are the ends of calls by their number in a payload.
var ends = [...]string{EndResult, EndError, EndNever, EndDecline, EndKills, EndPanic, EndGoexit, EndStuck}

// FromValues is the reverse of Values.
func FromValues(v []int) (a Action, run int, ok bool) {
	if len(v) != 5 || v[4] < 0 || v[4] >= len(ends) {
		return a, 0, false
	}
	return Action{Op: v[0], Steps: v[2], After: v[3], End: ends[v[4]]}, v[1], true
}

// Numbers are the arguments of an answer.
func (t Tag) Numbers() []int { return []int{t.Op, t.Run, t.N} }

// ChunkNumbers are the arguments of a chunk behind the first.
func ChunkNumbers(op, n int, last bool) []int {
	if last {
		return []int{op, 1, n}
	}
	return []int{op, 0, n}
}

// ChunkOf reads them.
func ChunkOf(v []int) (op, n int, last, ok bool) {
	if len(v) != 3 {
		return 0, 0, false, false
	}
	return v[0], v[2], v[1] == 1, true
}

// TagOf reads the tag of an answer or event.
func TagOf(v []int) Tag {
	if len(v) < 3 {
		return Tag{Op: -1}
	}
	return Tag{v[0], v[1], v[2]}
}

// AppendJSON writes numbers as a JSON list.
func AppendJSON(b []byte, v []int) []byte {
	b = append(b, '[')
	for i, n := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

// ParseJSON reads what AppendJSON wrote, nil if it is anything else.
func ParseJSON(b []byte) []int {
	b, open := bytes.CutPrefix(b, []byte{'['})
	b, closed := bytes.CutSuffix(b, []byte{']'})
	if !open || !closed {
		return nil
	}
	var v []int
	for part := range bytes.SplitSeq(b, []byte{','}) {
		n, err := strconv.Atoi(string(part))
		if err != nil {
			return nil
		}
		v = append(v, n)
	}
	return v
}
