package session

// list is a doubly linked list. Whoever keeps the node that push returned can
// take its value out again at once, however long the list is.
type list[T any] struct {
	head, tail *node[T]
	n          int
}

// node is the place of a value in a list.
type node[T any] struct {
	value      T
	prev, next *node[T]
	in         *list[T] // nil once it has been taken out
}

func (l *list[T]) len() int { return l.n }

func (l *list[T]) first() *node[T] { return l.head }

// push appends a value.
func (l *list[T]) push(v T) *node[T] {
	n := &node[T]{value: v, prev: l.tail, in: l}
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.n++
	return n
}

// remove takes a value out. One that is out already is left alone.
func (l *list[T]) remove(n *node[T]) {
	if n == nil || n.in != l {
		return
	}
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next, n.in = nil, nil, nil
	l.n--
}

// listed reports whether the node is in a list. It may be nil.
func (n *node[T]) listed() bool { return n != nil && n.in != nil }

// take empties the list and returns its values, oldest first.
func (l *list[T]) take() []T {
	out := make([]T, 0, l.n)
	for n := l.head; n != nil; {
		next := n.next
		n.prev, n.next, n.in = nil, nil, nil
		out = append(out, n.value)
		n = next
	}
	*l = list[T]{}
	return out
}
