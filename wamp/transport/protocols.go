package transport

import (
	"fmt"
	"strings"
)

// A subprotocol is called family, the name of the serializer, and where it is
// batched, batchedSuffix.
const (
	family        = "wamp.2."
	batchedSuffix = ".batched"
)

// Protocols returns the standard protocols, the most compact first.
func Protocols() []Protocol {
	return []Protocol{
		{Name: family + "cbor", RawSocketID: 3},
		{Name: family + "msgpack", RawSocketID: 2},
		{Name: family + "json", RawSocketID: 1, Text: true},
	}
}

// BatchedProtocols returns the standard protocols in the form in which one
// WebSocket message carries many messages.
func BatchedProtocols() []Protocol {
	all := Protocols()
	for i := range all {
		all[i] = batched(all[i])
	}
	return all
}

func batched(p Protocol) Protocol {
	return Protocol{Name: p.Name + batchedSuffix, Text: p.Text, Batched: true}
}

// Serializer returns the name of the serializer, such as "cbor", of a protocol that
// is called as the standard ones are, batched or not, and "" for others.
func (p Protocol) Serializer() string {
	name, ok := strings.CutPrefix(p.Name, family)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, batchedSuffix)
}

// Offer returns the standard protocols of the serializers that are named, in that
// order. If batches, each stands there in its batched form first.
func Offer(batches bool, serializers ...string) ([]Protocol, error) {
	var out []Protocol
	for _, name := range serializers {
		p, ok := findProtocol(Protocols(), family+name)
		if !ok {
			return nil, fmt.Errorf("no protocol for serializer %q", name)
		}
		if batches {
			out = append(out, batched(p))
		}
		out = append(out, p)
	}
	return out, nil
}

// unbatched returns the protocols in the form that is not batched, each once.
func unbatched(protocols []Protocol) []Protocol {
	var out []Protocol
	for _, p := range protocols {
		if p.Batched {
			p, _ = ProtocolByName(strings.TrimSuffix(p.Name, batchedSuffix))
		}
		if _, twice := findProtocol(out, p.Name); !twice {
			out = append(out, p)
		}
	}
	return out
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
