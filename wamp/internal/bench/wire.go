package main

import "fmt"

// The message types that the benchmark sends or answers.
const (
	typeHello        = 1
	typeWelcome      = 2
	typeAbort        = 3
	typeGoodbye      = 6
	typeError        = 8
	typePublish      = 16
	typePublished    = 17
	typeSubscribe    = 32
	typeSubscribed   = 33
	typeUnsubscribe  = 34
	typeUnsubscribed = 35
	typeEvent        = 36
	typeCall         = 48
	typeCancel       = 49
	typeResult       = 50
	typeRegister     = 64
	typeRegistered   = 65
	typeUnregister   = 66
	typeUnregistered = 67
	typeInvocation   = 68
	typeYield        = 70
)

// wire is one serializer, as much of it as canned messages need.
type wire interface {
	// name is "cbor", "msgpack" or "json".
	name() string
	// rawID is the serializer's number in the RawSocket handshake.
	rawID() byte
	// subprotocol is its WebSocket subprotocol.
	subprotocol() string
	// text says whether WebSocket carries it in text frames.
	text() bool
	// appendHead begins a message of n elements, with its type and the id
	// that is its second element.
	appendHead(dst []byte, n int, typ, id uint64) []byte
	// appendTail appends the elements that follow the head, and ends the
	// message.
	appendTail(dst []byte, values ...any) []byte
	// appendRest appends an empty dict and what reader.rest returned, and
	// ends the message.
	appendRest(dst, rest []byte) []byte
	// appendList appends a whole message.
	appendList(dst []byte, values ...any) []byte
	// newReader returns a reader for one connection.
	newReader() reader
}

// reader steps through one message. After an error ok is false and every
// method returns nothing of use.
type reader interface {
	// begin starts on a message.
	begin(msg []byte)
	// list enters a list and returns its length. JSON does not know it and
	// returns 0.
	list() int
	// uint reads an unsigned integer.
	uint() uint64
	// str reads a string. It aliases the message.
	str() []byte
	// flag reads a dict and says whether it holds one of the keys
	// acknowledge, receive_progress and progress with the value true.
	flag() bool
	// skip steps over one value.
	skip()
	// rest returns what has not been read. Of JSON, that includes the end of
	// the message's list.
	rest() []byte
	// ok says whether all went well so far.
	ok() bool
}

// dict is an ordered dictionary to encode.
type dict []entry

type entry struct {
	key   string
	value any
}

// raw is a value that is encoded already.
type raw []byte

// wires are the serializers by name.
var wires = map[string]wire{"cbor": cborWire{}, "msgpack": msgpackWire{}, "json": jsonWire{}}

// wireOf finds a serializer by its RawSocket number.
func wireOf(id byte) wire {
	for _, w := range wires {
		if w.rawID() == id {
			return w
		}
	}
	return nil
}

// isFlag says whether a key is one that reader.flag looks for.
func isFlag(key []byte) bool {
	switch string(key) {
	case "acknowledge", "receive_progress", "progress":
		return true
	}
	return false
}

// head is what a canned peer needs to know of a message.
type head struct {
	typ  uint64
	n    int    // elements of the message; 0 in JSON
	id   uint64 // request, session or, in EVENT, subscription
	to   uint64 // UNSUBSCRIBE, UNREGISTER: what; SUBSCRIBED, REGISTERED: the id
	flag bool   // acknowledge, receive_progress or progress
	uri  []byte // topic, procedure, reason
	rest []byte // arguments, raw
}

// parse reads the head of a message.
func parse(r reader, msg []byte) (h head, ok bool) {
	r.begin(msg)
	h.n = r.list()
	h.typ = r.uint()
	switch h.typ {
	case typeCall, typePublish, typeSubscribe, typeRegister:
		h.id = r.uint()
		h.flag = r.flag()
		h.uri = r.str()
		h.rest = r.rest()
	case typeResult, typeYield, typeCancel:
		h.id = r.uint()
		h.flag = r.flag()
		h.rest = r.rest()
	case typeEvent, typeInvocation:
		h.id = r.uint()
		h.to = r.uint()
		r.skip()
		h.rest = r.rest()
	case typeSubscribed, typeRegistered, typeUnsubscribe, typeUnregister, typePublished:
		h.id = r.uint()
		h.to = r.uint()
	case typeWelcome, typeUnsubscribed, typeUnregistered:
		h.id = r.uint()
	case typeError:
		h.to = r.uint()
		h.id = r.uint()
		r.skip()
		h.uri = r.str()
	case typeGoodbye, typeAbort:
		r.skip()
		h.uri = r.str()
	case typeHello:
		h.uri = r.str()
	default:
		return h, false
	}
	return h, r.ok()
}

// unsupported is the panic of an encoder that is given what no canned message
// holds.
func unsupported(v any) string { return fmt.Sprintf("bench: cannot encode a %T", v) }
