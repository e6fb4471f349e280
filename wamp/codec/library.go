package codec

// appendAny appends a value of a type of the user's by a library, or by the code
// that the type brings for it. It has been looked at before, and what was written
// is looked at behind. depth is how deep the value stands.
func appendAny(f format, dst []byte, v any, depth int) ([]byte, error) {
	start := len(dst)
	dst, err := write(f, dst, v, depth)
	if err != nil {
		return dst[:start], err
	}
	return dst, nil
}

// write calls the library, which may call code of the user's. Nothing of a library
// that a panic, or the end of the goroutine, has left half-way is used again.
func write(f format, dst []byte, v any, depth int) (out []byte, err error) {
	start := len(dst)
	out = dst
	defer func() {
		if r := recover(); r != nil {
			out, err = dst[:start], newPanicError(r)
		}
	}()
	return f.write(dst, v, traitsOf(v), depth)
}

// verified finishes what a library has written, from start on, and verify has gone
// through as far as end. Keys that are integers become text, as they are in JSON.
func verified(f format, dst []byte, start, depth, end int, bad string, ints bool) ([]byte, error) {
	raw := dst[start:]
	if bad == "" && end != len(raw) {
		bad = badTrailing
	}
	if bad != "" {
		return dst[:start], writtenFault(f, raw, end, bad)
	}
	if !ints {
		return dst, nil
	}
	v, pos, bad := f.plain(raw, 0)
	if bad != "" {
		return dst[:start], writtenFault(f, raw, pos, bad)
	}
	return appendValue(f, dst[:start], v, depth)
}

// writtenFault is the error of a value that was written.
func writtenFault(f format, raw []byte, pos int, bad string) error {
	e := &EncodeError{Reason: bad, Path: pathTo(f, raw, pos)}
	if bad == badDepth {
		e.Reason, e.Path = string(errTooDeep), ""
	}
	return e
}

// pathTo returns the path to what stands at pos, as far as it can be found.
func pathTo(f format, raw []byte, pos int) string {
	path := ""
	for level := 0; level < 8 && pos > 0; level++ {
		k := f.kind(raw)
		if k != kindList && k != kindDict {
			break
		}
		step, start, end := child(f, raw, pos, k == kindDict)
		if start < 0 {
			break
		}
		path += step
		raw, pos = raw[start:end], pos-start
	}
	return path
}

// child returns the element of raw in which pos lies.
func child(f format, raw []byte, pos int, dict bool) (step string, start, end int) {
	at, _ := f.open(raw)
	for i := 0; ; i++ {
		start, end, bad := f.next(raw, at, i, dict)
		if bad != "" || start < 0 {
			return "", -1, 0
		}
		at = end
		switch {
		case dict && i&1 == 0:
			if pos < end {
				return "", -1, 0 // the key itself
			}
			key, _ := f.str(raw[start:end])
			step = pathKey(string(key))
		case !dict:
			step = pathIndex(i)
		}
		if pos < end && (!dict || i&1 == 1) {
			return step, start, end
		}
	}
}
