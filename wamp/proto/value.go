package proto

import "time"

// IDOf returns a plain value as an id, 0 if it is no valid one.
func IDOf(v any) ID {
	n, ok := IntOf(v)
	if !ok || n < 1 || ID(n) > MaxID {
		return 0
	}
	return ID(n)
}

// IntOf returns a plain value as an integer, and whether it is one; a float that is
// one counts.
func IntOf(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case uint64:
		return int64(n), n <= 1<<63-1
	case ID:
		return int64(n), true
	}
	return integer(v)
}

// TimeOf reads a moment as routers write them: RFC 3339 with or without a zone, or
// seconds or nanoseconds since 1970.
func TimeOf(v any) (time.Time, bool) {
	switch t := v.(type) {
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
			if at, err := time.Parse(layout, t); err == nil {
				return at.UTC(), true
			}
		}
	case int64:
		if t > 1e15 { // nanoseconds
			return time.Unix(0, t).UTC(), true
		}
		return time.Unix(t, 0).UTC(), true
	case float64:
		return time.UnixMicro(int64(t * 1e6)).UTC(), true
	}
	return time.Time{}, false
}
