package proto

import "strconv"

// MessageType is the code of a WAMP message, the first element of its list.
type MessageType uint16

// The messages of WAMP v2 (basic and advanced profile).
const (
	Hello        MessageType = 1
	Welcome      MessageType = 2
	Abort        MessageType = 3
	Challenge    MessageType = 4
	Authenticate MessageType = 5
	Goodbye      MessageType = 6
	Error        MessageType = 8
	Publish      MessageType = 16
	Published    MessageType = 17
	Subscribe    MessageType = 32
	Subscribed   MessageType = 33
	Unsubscribe  MessageType = 34
	Unsubscribed MessageType = 35
	Event        MessageType = 36
	Call         MessageType = 48
	Cancel       MessageType = 49
	Result       MessageType = 50
	Register     MessageType = 64
	Registered   MessageType = 65
	Unregister   MessageType = 66
	Unregistered MessageType = 67
	Invocation   MessageType = 68
	Interrupt    MessageType = 69
	Yield        MessageType = 70
)

// String returns the name of the message as the WAMP specification writes it.
func (t MessageType) String() string {
	if tr := t.Traits(); tr != nil {
		return tr.Name
	}
	return "message type " + strconv.Itoa(int(t))
}

// Message is one WAMP message in flat form. Which fields a type uses, and in
// which order they stand on the wire, is said by its row in the trait table;
// the others are zero.
//
// The user's payload stays raw: Args and Kwargs hold the encoded list and
// dict, in the serializer of the connection, or nil where the message has
// none. A parsed message may alias the buffer it was parsed from.
type Message struct {
	Type MessageType
	// RequestType is REQUEST.Type of an ERROR.
	RequestType MessageType
	// Request is the id of session scope: the request, or INVOCATION.Request.
	Request ID
	// ID is the session (WELCOME), the subscription or the registration.
	ID ID
	// Publication is the id of the publication (PUBLISHED, EVENT).
	Publication ID
	// URI is the realm, procedure, topic, error or reason.
	URI string
	// Text is CHALLENGE.AuthMethod or AUTHENTICATE.Signature.
	Text string
	// Options are the message's Options, Details or Extra.
	Options Dict
	// Args is the encoded list of positional arguments, nil if absent.
	Args []byte
	// Kwargs is the encoded dict of keyword arguments, nil if absent.
	Kwargs []byte
	// Odd says what was wrong with the Options of a message that was taken all
	// the same, nil if nothing was. It is shared and must not be changed.
	Odd *Oddity
}
