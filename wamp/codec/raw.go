package codec

// The beginnings of EncodeError.Path and ScanError.Path.
const (
	pathArgs   = "args"
	pathKwargs = "kwargs"
)

// CheckRaw checks a payload that is encoded already, in the form of c: that it is
// well-formed and not too deep, that its strings are UTF-8 and its keys text. Bytes
// may stand in the place of the arguments, which is Autobahn's form of an encrypted
// payload. The error is an *EncodeError.
func CheckRaw(c Codec, args, kwargs []byte) error {
	f := c.format()
	ints, err := checkRaw(f, args, kwargs)
	if err == nil && ints {
		err = encodeError(f, errKey, "")
	}
	return err
}

// checkRaw reports whether there are keys that are integers.
func checkRaw(f format, args, kwargs []byte) (ints bool, err error) {
	more := false
	if args != nil {
		ints, err = checkPart(f, args, pathArgs)
	}
	if err == nil && kwargs != nil {
		more, err = checkPart(f, kwargs, pathKwargs)
	}
	if err == nil {
		err = checkShape(f, args, kwargs)
	}
	return ints || more, err
}

// checkShape says whether a payload is a list and a dict.
func checkShape(f format, args, kwargs []byte) error {
	switch k := f.kind(trim(f, args)); {
	case args == nil, k == kindList, k == kindNull, k == kindBinary, k == kindString && f.text():
	default:
		return encodeError(f, fault(badNoList), pathArgs)
	}
	if k := f.kind(trim(f, kwargs)); kwargs != nil && k != kindDict && k != kindNull {
		return encodeError(f, fault(badNoDict), pathKwargs)
	}
	return nil
}

func checkPart(f format, raw []byte, path string) (ints bool, err error) {
	raw = trim(f, raw)
	s := valueScan(raw, valueDepth)
	end, bad := f.verify(&s, 0, 0)
	if bad == "" && end != len(raw) {
		bad = badTrailing
	}
	if bad != "" {
		return false, encodeError(f, writtenFault(f, raw, end, bad), path)
	}
	return s.ints, nil
}

// trim takes away the white space around a value in JSON.
func trim(f format, raw []byte) []byte {
	if f.text() {
		return jsonTrim(raw)
	}
	return raw
}
