package codec

// The keys of a payload that is one dict.
const (
	packedArgs   = "args"
	packedKwargs = "kwargs"
)

// AppendPacked appends a payload to dst as one dict in the form of c, {"args": list,
// "kwargs": dict}, which is what payload passthru has inside of its bytes. Both keys are
// there, in this order; what the payload lacks is null. On error, which is one of
// Payload.Encode, dst comes back unchanged in length.
//
// See the WAMP specification, "Payload Passthru Mode".
func AppendPacked(c Codec, dst []byte, p Payload) ([]byte, error) {
	f := c.format()
	start := len(dst)
	dst = appendPackedKey(f, f.dictHead(dst, 2), packedArgs)
	dst, n, err := p.Encode(c, dst)
	if err != nil {
		return dst[:start], err
	}
	if q, err := p.Open(); err != nil || q.Opaque() {
		return dst[:start], &EncodeError{Codec: f.name(), Path: pathArgs, Reason: badNoList}
	}
	args := start + len(appendPackedKey(f, f.dictHead(nil, 2), packedArgs))
	var between []byte
	if n == 0 {
		between = f.appendNil(between)
	}
	if f.text() {
		between = append(between, ',')
	}
	between = appendPackedKey(f, between, packedKwargs)
	if args+n == len(dst) {
		dst = f.appendNil(append(dst, between...))
	} else {
		end := len(dst)
		dst = append(dst, between...)
		copy(dst[args+n+len(between):], dst[args+n:end])
		copy(dst[args+n:], between)
	}
	if f.text() {
		dst = append(dst, '}')
	}
	return dst, nil
}

func appendPackedKey(f format, dst []byte, key string) []byte {
	dst, _ = f.appendString(dst, key) // it is text
	if f.text() {
		dst = append(dst, ':')
	}
	return dst
}

// Unpacked returns the payload in a dict of the form that [AppendPacked] writes; it
// shares memory with the dict. Each key may be missing or null, or what JavaScript makes
// of undefined; others mean nothing. What is inside of the arguments is decoded, and its
// faults are found, by whoever asks for it. The error is a *SyntaxError.
func Unpacked(c Codec, dict []byte) (Payload, error) {
	f := c.format()
	raw := trim(f, dict)
	s := valueScan(raw, valueDepth+1) // the dict is around what a message has
	if err := check(f, &s); err != nil {
		return Payload{}, err
	}
	if f.kind(raw) != kindDict {
		return Payload{}, &SyntaxError{Codec: f.name(), Offset: -1, Reason: badNoDict}
	}
	var args, kwargs []byte
	bad := ""
	take := func(part *[]byte, want kind, fault string, value []byte) {
		value = trim(f, value)
		switch {
		case absent(f, value):
			return
		case *part != nil:
			bad = badDuplicate
		case f.kind(value) != want:
			bad = fault
		}
		*part = value
	}
	if ok := eachEntry(f, raw, func(key []byte, _, value, end int) {
		switch string(key) {
		case packedArgs:
			take(&args, kindList, packedArgs+": "+badNoList, raw[value:end:end])
		case packedKwargs:
			take(&kwargs, kindDict, packedKwargs+": "+badNoDict, raw[value:end:end])
		}
	}); !ok {
		bad = badNoDict
	}
	if bad != "" {
		return Payload{}, &SyntaxError{Codec: f.name(), Offset: -1, Reason: bad}
	}
	return Raw(c, args, kwargs), nil
}

// absent reports whether a value is null or undefined, for which msgpackr has an
// extension of its own.
func absent(f format, value []byte) bool {
	return f.kind(value) == kindNull || f.name() == "msgpack" && string(value) == "\xd4\x00\x00"
}
