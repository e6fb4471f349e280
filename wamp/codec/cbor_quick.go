package codec

import "github.com/connectanum/connectanum-go/wamp/proto"

// quick parses in one pass the messages that come most often, RESULT, EVENT and
// INVOCATION, in the form in which routers send them. It reports false of everything
// else, and of all that is wrong, of which Parse then says what; m may have parts of
// it by then.
func (p *parser) quick(data []byte, m *proto.Message) bool {
	if len(data) < 6 || data[0]&0xe0 != cborArray || data[1] != cborUint|24 {
		return false
	}
	f, n, pos := cborFormat{}, int(data[0]&0x1f), 3
	m.Type = proto.MessageType(data[2])
	switch m.Type {
	case proto.Result:
		n -= 3
		m.Request, pos = quickID(data, pos)
	case proto.Event:
		n -= 4
		if m.ID, pos = quickID(data, pos); pos > 0 {
			m.Publication, pos = quickID(data, pos)
		}
	case proto.Invocation:
		n -= 4
		if m.Request, pos = quickID(data, pos); pos > 0 {
			m.ID, pos = quickID(data, pos)
		}
	default:
		return false
	}
	// What is left are the options and n parts of a payload.
	if pos <= 0 || n < 0 || n > 2 {
		return false
	}
	var args, kwargs []byte
	if data[pos] == cborMap {
		pos++
	} else {
		end, bad := f.end(data, pos, &p.scan.stack)
		if bad != "" || p.options(data[pos:end], m, pos) != nil {
			return false
		}
		pos = end
	}
	if n > 0 {
		if pos >= len(data) || data[pos]&0xe0 != cborArray {
			return false
		}
		end, bad := f.end(data, pos, &p.scan.stack)
		if bad != "" {
			return false
		}
		args, pos = data[pos:end:end], end
	}
	if n > 1 {
		if pos >= len(data) || data[pos]&0xe0 != cborMap {
			return false
		}
		end, bad := f.end(data, pos, &p.scan.stack)
		if bad != "" {
			return false
		}
		kwargs, pos = data[pos:end:end], end
	}
	m.Args, m.Kwargs = args, kwargs
	return pos == len(data)
}

// quickID reads an id behind which there is something more; next is 0 if there is
// none.
func quickID(data []byte, pos int) (id proto.ID, next int) {
	if pos >= len(data) || data[pos]&0xe0 != cborUint {
		return 0, 0
	}
	n, next, ok := cborArg(data, pos)
	if !ok || n > uint64(proto.MaxID) || next >= len(data) {
		return 0, 0
	}
	return proto.ID(n), next
}
