package ring

// Slots is how many slots a table has.
func (t *Table[K, V]) Slots() int { return len(t.slots) }
