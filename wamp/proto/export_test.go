package proto

// Row is a row of the key table.
type Row struct {
	Key   string
	In    []MessageType
	Needs []KeyNeed
}

// Fits reports whether a value is one that the key may have.
func (r Row) Fits(v any) bool { return options[optionIndex[r.Key]].want.fits(v) }

// KeyTable returns the key table.
func KeyTable() (rows []Row) {
	for _, o := range options {
		rows = append(rows, Row{o.key, o.in, o.need})
	}
	return rows
}

// LargestOf returns the largest code that the index of a trait table knows, and what
// that code answers.
func LargestOf(rows []Traits) (code int, answers MessageType) {
	ix := indexOf(rows)
	return len(ix) - 1, ix[len(ix)-1].answers
}
