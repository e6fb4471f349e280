package codec

// GeneralParser is a parser that does nothing in one pass.
func GeneralParser(c Codec, l Limits) Parser {
	p := newParser(c.format(), l)
	p.fast = false
	return p
}

// SlowScan is Scan that decodes nothing in one pass.
func SlowScan(p Payload, targets ...any) error { return p.scan(targets) }
