package proto

// ID is a WAMP id: an integer from 1 to MaxID. Zero means "none"; on the wire
// it stands only as the request of a revocation.
type ID uint64

// MaxID is the largest id, 2^53.
const MaxID ID = 1 << 53

// Valid reports whether id lies in the range that WAMP allows.
func (id ID) Valid() bool { return id >= 1 && id <= MaxID }

// Next returns the id after id in session scope: one more, and 1 after MaxID.
func (id ID) Next() ID {
	if id >= MaxID {
		return 1
	}
	return id + 1
}
