package codec

import (
	"reflect"
	"slices"
	"sync"
)

// A guard goes through a value before a library does, where its type lets it
// contain itself: through a pointer, a map, a slice or an interface. A library
// would not come back from there.
type guard struct {
	// opaque are the methods by which a type writes itself: what is in it is not
	// looked at.
	opaque []reflect.Type
	// tags are the tags that name a field, the first that is there.
	tags  []string
	nodes sync.Map // reflect.Type -> *guardNode
}

// jsonGuard is that of the JSON library. The others get no such values.
var jsonGuard = &guard{tags: []string{"json"}, opaque: slices.Concat(jsonWriters, textWriters)}

// guardNode is what a guard knows of a type.
type guardNode struct {
	kind   reflect.Kind // Invalid if there is nothing to look at
	fields []guardField // of a struct
}

// guardField is a field that has to be looked at.
type guardField struct {
	index int
	flat  bool // an embedded struct, whose fields are those of the outer one
}

// maxHops is how many pointers and interfaces may stand one behind the other.
const maxHops = valueDepth

// check refuses a value that contains itself or nests too deeply, or in which
// there is a pointer to its own type. traits are those of the value, and depth is
// how deep it stands.
func (g *guard) check(v any, traits typeTraits, depth int) error {
	if traits&isEndless != 0 {
		return errEndless
	}
	if traits&(hasAny|hasLoop) == 0 {
		return nil
	}
	return g.walk(reflect.ValueOf(v), depth, 0)
}

func (g *guard) walk(v reflect.Value, depth, hops int) error {
	if isBasic(v.Kind()) || !v.IsValid() {
		return nil
	}
	n := g.node(v.Type())
	switch n.kind {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if hops++; hops > maxHops {
			return errTooDeep
		}
		if v = v.Elem(); n.kind == reflect.Interface && traitsOfType(v.Type())&isEndless != 0 {
			return errEndless
		}
		return g.walk(v, depth, hops)
	case reflect.Invalid:
		return nil
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			return nil
		}
	}
	if depth++; depth > valueDepth {
		return errTooDeep
	}
	switch n.kind {
	case reflect.Struct:
		for i := range n.fields {
			f := &n.fields[i]
			down, on := depth, 0
			if f.flat {
				down, on = depth-1, hops
			}
			if err := g.walk(v.Field(f.index), down, on); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := g.walk(v.Index(i), depth, 0); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := g.walk(it.Key(), depth, 0); err != nil {
				return err
			}
			if err := g.walk(it.Value(), depth, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *guard) node(t reflect.Type) *guardNode {
	if n, ok := g.nodes.Load(t); ok {
		return n.(*guardNode)
	}
	n := &guardNode{}
	if needsGuard(t) && (t.Kind() == reflect.Interface || !implements(t, g.opaque)) {
		n.kind = t.Kind()
	}
	if n.kind == reflect.Struct {
		for i := range t.NumField() {
			f := t.Field(i)
			if (f.IsExported() || f.Anonymous) && g.name(&f) != "-" && needsGuard(f.Type) {
				n.fields = append(n.fields, guardField{i, f.Anonymous && g.name(&f) == ""})
			}
		}
	}
	g.nodes.Store(t, n)
	return n
}

// needsGuard reports whether there is something in values of the type that may
// contain itself. A named type of strings or numbers has nothing.
func needsGuard(t reflect.Type) bool { return traitsOfType(t)&(hasAny|hasLoop) != 0 }

// name returns what a field is named by its tag, options and all.
func (g *guard) name(f *reflect.StructField) string {
	for _, key := range g.tags {
		if tag := f.Tag.Get(key); tag != "" {
			return tag
		}
	}
	return ""
}
