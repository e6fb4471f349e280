package proto

// Field names one position in a message's list.
type Field uint8

// The fields a message is made of, after its type.
const (
	FieldRequestType Field = iota + 1 // Message.RequestType
	FieldRequest                      // Message.Request
	FieldID                           // Message.ID
	FieldPublication                  // Message.Publication
	FieldURI                          // Message.URI
	FieldText                         // Message.Text
	FieldOptions                      // Message.Options
)

// State is the state of a session as both peers see it; States is a set.
type State uint8

// The states of a session. A message that the trait table does not allow in
// the current state is a protocol violation.
const (
	// StateJoining: HELLO was sent, nothing has been answered.
	StateJoining State = 1 << iota
	// StateChallenged: a CHALLENGE was sent by the router.
	StateChallenged
	// StateEstablished: WELCOME was sent.
	StateEstablished
	// StateClosing: this side has sent GOODBYE; all but GOODBYE and ABORT is
	// ignored.
	StateClosing
	// StateClosed: the session is over, or has not begun.
	StateClosed
)

// States is a set of State bits.
type States = State

// String returns the name of a single state.
func (s State) String() string {
	switch s {
	case StateJoining:
		return "joining"
	case StateChallenged:
		return "challenged"
	case StateEstablished:
		return "established"
	case StateClosing:
		return "closing"
	case StateClosed:
		return "closed"
	}
	return "state set"
}

// Traits says what a message is: its shape, who may send it in which state,
// and what it answers. Codec, session, test router and tests read this table.
type Traits struct {
	Type MessageType
	Name string
	// Fields are the elements of the list after the type, in wire order.
	Fields []Field
	// Optional is how many of the last fields may be absent.
	Optional int
	// Payload: Arguments and ArgumentsKw may follow the fields.
	Payload bool
	// FromRouter are the states in which a client may receive the message.
	FromRouter States
	// FromClient are the states in which a router may receive the message.
	FromClient States
	// Reply is the message that acknowledges this request, 0 if none does.
	Reply MessageType
	// ErrorTo: ERROR may name this type as REQUEST.Type. A router names
	// requests of the client, a callee names INVOCATION.
	ErrorTo bool
}

const joined = StateEstablished | StateClosing

// traits is written in the order of the codes and never changed.
var traits = [...]Traits{
	{Type: Hello, Name: "HELLO", Fields: []Field{FieldURI, FieldOptions}, FromClient: StateClosed},
	{Type: Welcome, Name: "WELCOME", Fields: []Field{FieldID, FieldOptions}, FromRouter: StateJoining | StateChallenged},
	{Type: Abort, Name: "ABORT", Fields: []Field{FieldOptions, FieldURI}, Payload: true,
		FromRouter: StateJoining | StateChallenged | joined, FromClient: StateJoining | StateChallenged | joined},
	{Type: Challenge, Name: "CHALLENGE", Fields: []Field{FieldText, FieldOptions}, FromRouter: StateJoining | StateChallenged},
	{Type: Authenticate, Name: "AUTHENTICATE", Fields: []Field{FieldText, FieldOptions}, FromClient: StateChallenged},
	{Type: Goodbye, Name: "GOODBYE", Fields: []Field{FieldOptions, FieldURI}, FromRouter: joined, FromClient: joined},
	{Type: Error, Name: "ERROR", Fields: []Field{FieldRequestType, FieldRequest, FieldOptions, FieldURI}, Payload: true,
		FromRouter: joined, FromClient: joined},
	{Type: Publish, Name: "PUBLISH", Fields: []Field{FieldRequest, FieldOptions, FieldURI}, Payload: true,
		FromClient: joined, Reply: Published, ErrorTo: true},
	{Type: Published, Name: "PUBLISHED", Fields: []Field{FieldRequest, FieldPublication}, FromRouter: joined},
	{Type: Subscribe, Name: "SUBSCRIBE", Fields: []Field{FieldRequest, FieldOptions, FieldURI}, FromClient: joined,
		Reply: Subscribed, ErrorTo: true},
	{Type: Subscribed, Name: "SUBSCRIBED", Fields: []Field{FieldRequest, FieldID}, FromRouter: joined},
	{Type: Unsubscribe, Name: "UNSUBSCRIBE", Fields: []Field{FieldRequest, FieldID}, FromClient: joined,
		Reply: Unsubscribed, ErrorTo: true},
	{Type: Unsubscribed, Name: "UNSUBSCRIBED", Fields: []Field{FieldRequest, FieldOptions}, Optional: 1, FromRouter: joined},
	{Type: Event, Name: "EVENT", Fields: []Field{FieldID, FieldPublication, FieldOptions}, Payload: true, FromRouter: joined},
	{Type: Call, Name: "CALL", Fields: []Field{FieldRequest, FieldOptions, FieldURI}, Payload: true, FromClient: joined,
		Reply: Result, ErrorTo: true},
	{Type: Cancel, Name: "CANCEL", Fields: []Field{FieldRequest, FieldOptions}, FromClient: joined},
	{Type: Result, Name: "RESULT", Fields: []Field{FieldRequest, FieldOptions}, Payload: true, FromRouter: joined},
	{Type: Register, Name: "REGISTER", Fields: []Field{FieldRequest, FieldOptions, FieldURI}, FromClient: joined,
		Reply: Registered, ErrorTo: true},
	{Type: Registered, Name: "REGISTERED", Fields: []Field{FieldRequest, FieldID}, FromRouter: joined},
	{Type: Unregister, Name: "UNREGISTER", Fields: []Field{FieldRequest, FieldID}, FromClient: joined,
		Reply: Unregistered, ErrorTo: true},
	{Type: Unregistered, Name: "UNREGISTERED", Fields: []Field{FieldRequest, FieldOptions}, Optional: 1, FromRouter: joined},
	{Type: Invocation, Name: "INVOCATION", Fields: []Field{FieldRequest, FieldID, FieldOptions}, Payload: true,
		FromRouter: joined, Reply: Yield, ErrorTo: true},
	{Type: Interrupt, Name: "INTERRUPT", Fields: []Field{FieldRequest, FieldOptions}, FromRouter: joined},
	{Type: Yield, Name: "YIELD", Fields: []Field{FieldRequest, FieldOptions}, Payload: true, FromClient: joined},
}

// index has for each message code its row in traits and the request that it
// answers. It is as long as the largest code of the table makes it.
var index = indexOf(traits[:])

type indexRow struct {
	row     uint8 // plus one; 0: there is none
	answers MessageType
}

func indexOf(rows []Traits) []indexRow {
	last := MessageType(0)
	for i := range rows {
		last = max(last, rows[i].Type, rows[i].Reply)
	}
	ix := make([]indexRow, last+1)
	for i := range rows {
		ix[rows[i].Type].row = uint8(i + 1)
		ix[rows[i].Reply].answers = rows[i].Type
	}
	ix[0] = indexRow{} // of requests without a reply
	return ix
}

// Traits returns the row of t in the trait table, nil for an unknown type.
func (t MessageType) Traits() *Traits {
	if int(t) >= len(index) || index[t].row == 0 {
		return nil
	}
	return &traits[index[t].row-1]
}

// Answers returns the request that t acknowledges: the one whose Traits.Reply it
// is. It is 0 if there is none.
func (t MessageType) Answers() MessageType {
	if int(t) >= len(index) {
		return 0
	}
	return index[t].answers
}

// LastType returns the largest code of a known message.
func LastType() MessageType { return MessageType(len(index) - 1) }

// AllTraits returns every row of the trait table in the order of the codes.
// It must not be changed.
func AllTraits() []Traits { return traits[:] }
