package floor

import "testing"

// TestForms compares canned messages with what the specifications of the
// serializers say of them.
func TestForms(t *testing.T) {
	for name, want := range map[string]string{
		"cbor":    "\x85\x18\x30\x19\x01\x2c\xa1\x68progress\xf5\x61a\x82\x18\x2a\xf4",
		"msgpack": "\x95\x30\xcd\x01\x2c\x81\xa8progress\xc3\xa1a\x92\x2a\xc2",
		"json":    `[48,300,{"progress":true},"a",[42,false]]`,
	} {
		w := Wires[name]
		got := w.AppendTail(w.AppendHead(nil, 5, TypeCall, 300), Dict{{"progress", true}}, "a", []any{42, false})
		if string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		h, ok := Parse(w.NewReader(), got)
		if !ok || h.Typ != TypeCall || h.Id != 300 || !h.Flag || string(h.URI) != "a" {
			t.Errorf("%s: parsed as %+v, %v", name, h, ok)
		}
		for n := range len(got) {
			r := w.NewReader()
			if h, ok := Parse(r, got[:n]); ok && len(h.Rest) > len(got) {
				t.Errorf("%s: %d bytes parsed as %+v", name, n, h)
			}
		}
	}
}
