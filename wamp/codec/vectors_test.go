//go:build vectors

package codec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The vectors are those of the WAMP text's test suite. What of them is not of
// the text but of Autobahn alone is listed here by name, with what we do.
var autobahnOwn = map[string]string{
	"EVENT_RECEIVED acknowledgment": "excluded: message 337 has no text, and Crossbar refuses it",

	"EVENT with transparent payload (encrypted E2E)":                        "supported: raw binary in the place of Arguments",
	"EVENT with both forward_for and E2EE (advanced R-Link + encryption)":   "supported: raw binary in the place of Arguments",
	"PUBLISH with transparent payload (encrypted E2E)":                      "supported: raw binary in the place of Arguments",
	"PUBLISH with both forward_for and E2EE (advanced R-Link + encryption)": "supported: raw binary in the place of Arguments",
	"EVENT with forward_for (router-to-router link)":                        "supported: a plain detail",
	"PUBLISH with forward_for (router-to-router link)":                      "supported: a plain option",
	"EVENT.Details.enc_algo cryptobox (valid with payload)":                 "supported in JSON; its payload is a text string, which only JSON takes for binary",
	"EVENT.Details.enc_serializer cbor (valid with payload)":                "supported in JSON; its payload is a text string, which only JSON takes for binary",
	"PUBLISH.Options.enc_algo cryptobox (valid with payload)":               "supported in JSON; its payload is a text string, which only JSON takes for binary",
	"PUBLISH.Options.enc_serializer cbor (valid with payload)":              "supported in JSON; its payload is a text string, which only JSON takes for binary",
	"EVENT.Details.enc_algo with invalid value":                             "supported: the known schemes and x_ only",
	"PUBLISH.Options.enc_algo with invalid value":                           "supported: the known schemes and x_ only",
	"EVENT.Details.x_acknowledged_delivery with value true (valid)":         "supported: type checked",
	"EVENT.Details.x_acknowledged_delivery with invalid type string":        "supported: type checked",
	"EVENT.Details.transaction_hash with value (valid)":                     "supported: type checked",
	"EVENT.Details.transaction_hash with invalid type int":                  "supported: type checked",
	"PUBLISH.Options.transaction_hash with value (valid)":                   "supported: type checked",
	"PUBLISH.Options.transaction_hash with invalid type int":                "supported: type checked",
	"EVENT.Details.forward_for empty list (valid)":                          "supported: type checked",
	"EVENT.Details.forward_for with router info (valid)":                    "supported: type checked",
	"EVENT.Details.forward_for with invalid type string":                    "supported: type checked",
	"PUBLISH.Options.forward_for empty list (valid)":                        "supported: type checked",
	"PUBLISH.Options.forward_for with router info (valid)":                  "supported: type checked",
	"PUBLISH.Options.forward_for with invalid type string":                  "supported: type checked",
	"SUBSCRIBE.Options.forward_for empty list (valid)":                      "supported: type checked",
	"SUBSCRIBE.Options.forward_for with router info (valid)":                "supported: type checked",
	"SUBSCRIBE.Options.forward_for with invalid type string":                "supported: type checked",
}

type vectorFile struct {
	Samples []vectorSample `json:"samples"`
}

type vectorSample struct {
	Description string                     `json:"description"`
	Serializers map[string][]vectorVariant `json:"serializers"`
	Attributes  map[string]any             `json:"expected_attributes"`
	Message     json.RawMessage            `json:"wmsg"`
	Error       *struct {
		Contains string `json:"contains"`
	} `json:"expected_error"`
}

type vectorVariant struct {
	Bytes string `json:"bytes"`
	Hex   string `json:"bytes_hex"`
}

func (v vectorVariant) data(t *testing.T) []byte {
	t.Helper()
	if v.Hex == "" {
		return []byte(v.Bytes)
	}
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectorFiles(t *testing.T) map[string]vectorFile {
	t.Helper()
	dir := os.Getenv("WAMP_VECTORS")
	if dir == "" {
		t.Fatal("WAMP_VECTORS does not name the folder of the vectors")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "singlemessage", "*", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	files := map[string]vectorFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f vectorFile
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files[filepath.Base(path)] = f
	}
	return files
}

func TestVectors(t *testing.T) {
	seen := map[string]bool{}
	var serialization, variants, valid, refused, excluded int
	for name, f := range vectorFiles(t) {
		for _, s := range f.Samples {
			seen[s.Description] = true
			switch {
			case strings.HasPrefix(autobahnOwn[s.Description], "excluded"):
				excluded++
			case s.Message == nil:
				serialization++
				t.Run(name+"/"+s.Description, func(t *testing.T) { variants += checkSerialization(t, s) })
			case s.Error == nil:
				valid++
				t.Run(name+"/"+s.Description, func(t *testing.T) { checkValidation(t, s) })
			default:
				refused++
				t.Run(name+"/"+s.Description, func(t *testing.T) { checkValidation(t, s) })
			}
		}
	}
	for name := range autobahnOwn {
		if !seen[name] {
			t.Errorf("the list names a sample that is not there: %s", name)
		}
	}
	if serialization == 0 || valid == 0 || refused == 0 {
		t.Error("a kind of sample is missing")
	}
	t.Logf("vectors: %d serialization samples in %d forms, %d validation samples accepted and %d refused, %d excluded",
		serialization, variants, valid, refused, excluded)
}

// checkSerialization checks that each form parses to the attributes, and that
// what was parsed is written in one of the forms.
func checkSerialization(t *testing.T, s vectorSample) (n int) {
	for _, c := range codecs {
		forms := s.Serializers[c.Name()]
		if len(forms) == 0 {
			t.Errorf("%s: no form", c.Name())
		}
		for _, form := range forms {
			n++
			data := form.data(t)
			var m proto.Message
			if err := c.NewParser(strict).Parse(data, &m); err != nil {
				t.Errorf("%s: %v", c.Name(), err)
				continue
			}
			if got := attributes(t, c, &m, s.Attributes); !reflect.DeepEqual(got, s.Attributes) {
				t.Errorf("%s: attributes\n got %v\nwant %v", c.Name(), got, s.Attributes)
			}
			out, err := c.AppendMessage(nil, &m)
			if err != nil {
				t.Errorf("%s: %v", c.Name(), err)
			} else if !isForm(t, c, out, forms) {
				t.Errorf("%s: %x (%q) is none of the forms", c.Name(), out, out)
			}
			// The same from values: the payload encoded anew by us.
			p := codec.Received(c, &m)
			if args, err := p.Args(); err == nil && args != nil {
				kwargs, err := p.Kwargs()
				if err != nil {
					t.Fatal(err)
				}
				buf, k, err := codec.Args(args...).WithKwargs(kwargs).Encode(c, nil)
				if err != nil {
					t.Fatal(err)
				}
				m.Args, m.Kwargs = buf[:k], nil
				if len(buf) > k {
					m.Kwargs = buf[k:]
				}
				if out, err = c.AppendMessage(nil, &m); err != nil || !isForm(t, c, out, forms) {
					t.Errorf("%s: encoded anew, %x is none of the forms (%v)", c.Name(), out, err)
				}
			}
		}
	}
	return n
}

// isForm reports whether out is one of the forms byte by byte, or where it
// has dicts of more than one key, which have no order, by its values.
func isForm(t *testing.T, c codec.Codec, out []byte, forms []vectorVariant) bool {
	t.Helper()
	got, err := c.Plain(out)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(forms, func(v vectorVariant) bool {
		if bytes.Equal(out, v.data(t)) {
			return true
		}
		want, err := c.Plain(v.data(t))
		return err == nil && bigDict(want) && len(out) == len(v.data(t)) && reflect.DeepEqual(got, want)
	})
}

func bigDict(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, bigDict)
	case map[string]any:
		if len(v) > 1 {
			return true
		}
		for _, e := range v {
			if bigDict(e) {
				return true
			}
		}
	}
	return false
}

// attributes returns what the sample calls its attributes, in the types that
// encoding/json gives; only those that it asks for.
func attributes(t *testing.T, c codec.Codec, m *proto.Message, want map[string]any) map[string]any {
	t.Helper()
	p := codec.Received(c, m)
	all := map[string]any{
		"message_type": m.Type, "request_type": m.RequestType, "request_id": m.Request, "session_id": m.ID,
		"subscription_id": m.ID, "registration_id": m.ID, "subscription": m.ID,
		"publication_id": m.Publication, "publication": m.Publication,
		"realm": m.URI, "reason": m.URI, "topic": m.URI, "procedure": m.URI, "error": m.URI,
		"method": m.Text, "signature": m.Text,
		"options": m.Options.Map(), "details": m.Options.Map(), "extra": m.Options.Map(), "roles": m.Options.Dict("roles"),
		"args": nil, "kwargs": nil, "payload": nil,
	}
	if m.Options.Has("enc_algo") {
		var b []byte
		if err := c.Unmarshal(m.Args, &b); err != nil {
			t.Fatal(err)
		}
		all["payload"] = hex.EncodeToString(b)
	} else {
		args, err := p.Args()
		if err != nil {
			t.Fatal(err)
		}
		kwargs, err := p.Kwargs()
		if err != nil {
			t.Fatal(err)
		}
		all["args"], all["kwargs"] = args, kwargs
	}
	got := map[string]any{}
	for k := range want {
		v, ok := all[k]
		if !ok {
			t.Fatalf("no attribute %q", k)
		}
		got[k] = v
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// checkValidation judges the sample in each serializer.
func checkValidation(t *testing.T, s vectorSample) {
	v, err := codec.JSON.Plain(s.Message)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codecs {
		if c != codec.JSON && strings.Contains(autobahnOwn[s.Description], "only JSON") {
			continue
		}
		data, err := c.AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		var m proto.Message
		err = c.NewParser(strict).Parse(data, &m)
		var syntax *codec.SyntaxError
		switch {
		case s.Error == nil && err != nil:
			t.Errorf("%s: refused: %v", c.Name(), err)
		case s.Error != nil && (!errors.As(err, &syntax) || !strings.Contains(syntax.Reason, s.Error.Contains)):
			t.Errorf("%s: error is %v, want one with %q", c.Name(), err, s.Error.Contains)
		}
	}
}
