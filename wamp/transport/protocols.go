package transport

import "strings"

// Protocols returns the standard protocols, the most compact first.
func Protocols() []Protocol {
	return []Protocol{
		{Name: "wamp.2.cbor", RawSocketID: 3},
		{Name: "wamp.2.msgpack", RawSocketID: 2},
		{Name: "wamp.2.json", RawSocketID: 1, Text: true},
	}
}

// BatchedProtocols returns the standard protocols in the form in which one
// WebSocket message carries many messages.
func BatchedProtocols() []Protocol {
	all := Protocols()
	for i := range all {
		all[i].Name += ".batched"
		all[i].RawSocketID = 0
		all[i].Batched = true
	}
	return all
}

// ProtocolByName returns the standard protocol, batched or not, of that name.
func ProtocolByName(name string) (Protocol, bool) {
	if p, ok := findProtocol(Protocols(), name); ok {
		return p, true
	}
	return findProtocol(BatchedProtocols(), name)
}

func findProtocol(protocols []Protocol, name string) (Protocol, bool) {
	for _, p := range protocols {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Protocol{}, false
}
