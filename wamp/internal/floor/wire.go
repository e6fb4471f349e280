package floor

import "fmt"

// The message types that a client or a canned server sends or answers.
const (
	TypeHello        = 1
	TypeWelcome      = 2
	TypeAbort        = 3
	typeChallenge    = 4
	TypeGoodbye      = 6
	TypeError        = 8
	TypePublish      = 16
	TypePublished    = 17
	TypeSubscribe    = 32
	TypeSubscribed   = 33
	TypeUnsubscribe  = 34
	TypeUnsubscribed = 35
	TypeEvent        = 36
	TypeCall         = 48
	TypeCancel       = 49
	TypeResult       = 50
	TypeRegister     = 64
	TypeRegistered   = 65
	TypeUnregister   = 66
	TypeUnregistered = 67
	TypeInvocation   = 68
	TypeYield        = 70
)

// Wire is one serializer, as much of it as canned messages need.
type Wire interface {
	// Name is "cbor", "msgpack" or "json".
	Name() string
	// rawID is the serializer's number in the RawSocket handshake.
	rawID() byte
	// subprotocol is its WebSocket subprotocol.
	subprotocol() string
	// Text says whether WebSocket carries it in text frames.
	Text() bool
	// AppendHead begins a message of n elements, with its type and the id
	// that is its second element.
	AppendHead(dst []byte, n int, typ, id uint64) []byte
	// AppendTail appends the elements that follow the head, and ends the
	// message.
	AppendTail(dst []byte, values ...any) []byte
	// AppendRest appends an empty dict and what reader.rest returned, and
	// ends the message.
	AppendRest(dst, rest []byte) []byte
	// AppendList appends a whole message.
	AppendList(dst []byte, values ...any) []byte
	// NewReader returns a reader for one connection.
	NewReader() Reader
}

// Reader steps through one message. After an error ok is false and every
// method returns nothing of use.
type Reader interface {
	// Begin starts on a message.
	Begin(msg []byte)
	// List enters a list and returns its length. JSON does not know it and
	// returns 0.
	List() int
	// Uint reads an unsigned integer.
	Uint() uint64
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
	// OK says whether all went well so far.
	OK() bool
}

// Dict is an ordered dictionary to encode.
type Dict []entry

type entry struct {
	key   string
	value any
}

// Pairs makes a dict of keys, each with its value behind it.
func Pairs(keyValues ...any) Dict {
	d := make(Dict, 0, len(keyValues)/2)
	for i := 0; i < len(keyValues); i += 2 {
		d = append(d, entry{keyValues[i].(string), keyValues[i+1]})
	}
	return d
}

// raw is a value that is encoded already.
type raw []byte

// Wires are the serializers by name.
var Wires = map[string]Wire{"cbor": cborWire{}, "msgpack": msgpackWire{}, "json": jsonWire{}}

// wireOf finds a serializer by its RawSocket number.
func wireOf(id byte) Wire {
	for _, w := range Wires {
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

// Head is what a canned peer needs to know of a message.
type Head struct {
	Typ  uint64
	N    int    // elements of the message; 0 in JSON
	Id   uint64 // request, session or, in EVENT, subscription
	to   uint64 // UNSUBSCRIBE, UNREGISTER: what; SUBSCRIBED, REGISTERED: the id
	Flag bool   // acknowledge, receive_progress or progress
	URI  []byte // topic, procedure, reason
	Rest []byte // arguments, raw
}

// Parse reads the head of a message.
func Parse(r Reader, msg []byte) (h Head, ok bool) {
	r.Begin(msg)
	h.N = r.List()
	h.Typ = r.Uint()
	switch h.Typ {
	case TypeCall, TypePublish, TypeSubscribe, TypeRegister:
		h.Id = r.Uint()
		h.Flag = r.flag()
		h.URI = r.str()
		h.Rest = r.rest()
	case TypeResult, TypeYield, TypeCancel:
		h.Id = r.Uint()
		h.Flag = r.flag()
		h.Rest = r.rest()
	case TypeEvent, TypeInvocation:
		h.Id = r.Uint()
		h.to = r.Uint()
		r.skip()
		h.Rest = r.rest()
	case TypeSubscribed, TypeRegistered, TypeUnsubscribe, TypeUnregister, TypePublished:
		h.Id = r.Uint()
		h.to = r.Uint()
	case TypeWelcome, TypeUnsubscribed, TypeUnregistered:
		h.Id = r.Uint()
	case TypeError:
		h.to = r.Uint()
		h.Id = r.Uint()
		r.skip()
		h.URI = r.str()
	case TypeGoodbye, TypeAbort:
		r.skip()
		h.URI = r.str()
	case TypeHello, typeChallenge:
		h.URI = r.str()
	default:
		return h, false
	}
	return h, r.OK()
}

// unsupported is the panic of an encoder that is given what no canned message
// holds.
func unsupported(v any) string { return fmt.Sprintf("floor: cannot encode a %T", v) }
