package floor

import "testing"

// TestFragments takes a WebSocket message in parts, with a ping between them.
func TestFragments(t *testing.T) {
	from := &webFraming{opcode: 2, client: true}
	frame := func(first byte, text string) []byte {
		b := from.End(append(from.Begin(nil), text...), 0)
		b[0] = first
		return b
	}
	to := &webFraming{opcode: 2}
	for _, step := range []struct {
		first byte
		text  string
		kind  int
		want  string
		err   error
	}{
		{2, "ab", framePart, "", nil}, {0, "cd", framePart, "", nil}, {0x89, "p", FramePing, "p", nil}, {0x80, "ef", FrameMessage, "abcdef", nil},
		{0x82, "gh", FrameMessage, "gh", nil}, {0, "ij", 0, "", errFrame}, {2, "kl", framePart, "", nil}, {2, "mn", 0, "", errFrame},
	} {
		b := frame(step.first, step.text)
		kind, payload, used, err := to.Next(b)
		if kind != step.kind || string(payload) != step.want || err != step.err || err == nil && used != len(b) {
			t.Fatalf("%x %s: %d %q %d %v", step.first, step.text, kind, payload, used, err)
		}
	}
}
