package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

func profile1(t *testing.T, options []seal.Profile1Option, keys ...seal.Key) *seal.Profile1 {
	t.Helper()
	p, err := seal.NewProfile1(keys, options...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bytesOf are bytes in hexadecimal, in JSON.
type bytesOf []byte

func (b *bytesOf) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type vector struct {
	Name       string  `json:"name"`
	Scheme     string  `json:"ppt_scheme"`
	Serializer string  `json:"ppt_serializer"`
	Cipher     string  `json:"ppt_cipher"`
	KeyID      string  `json:"ppt_keyid"`
	Key        bytesOf `json:"key_hex"`
	Nonce      bytesOf `json:"nonce_hex"`
	Plain      bytesOf `json:"plain_cbor_hex"`
	Sealed     bytesOf `json:"sealed_hex"`
}

func (v *vector) opaque() *seal.Opaque {
	return &seal.Opaque{Scheme: v.Scheme, Serializer: v.Serializer, Cipher: v.Cipher, KeyID: v.KeyID, Data: v.Sealed}
}

// key is the key of a vector, for everything.
func (v *vector) key() seal.Key {
	return seal.Key{ID: v.KeyID, Match: wamp.Prefix, Secret: v.Key, Cipher: seal.Cipher(v.Cipher)}
}

func vectors(t testing.TB) (cases []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/e2ee-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []vector `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 28 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	return file.Cases
}

// contents are the payloads of the vectors by name. Lists and dicts that are empty can only
// be given as they are encoded: a payload of Go values has then no arguments, which is null.
var contents = map[string]struct {
	p      codec.Payload
	args   []any
	kwargs map[string]any
}{
	"both": {codec.Args(1, "two", 3.5, true, nil, []byte{0, 0xff}).WithKwargs(struct { // a map has no order
		K string `json:"k"`
		N []any  `json:"n"`
	}{"v", []any{1, 2, map[string]any{"x": -1}}}),
		[]any{int64(1), "two", 3.5, true, nil, []byte{0, 0xff}}, map[string]any{"k": "v", "n": []any{int64(1), int64(2), map[string]any{"x": int64(-1)}}}},
	"args only":   {codec.Args("hello"), []any{"hello"}, nil},
	"kwargs only": {codec.Kwargs(map[string]any{"answer": 42}), nil, map[string]any{"answer": int64(42)}},
	"empty":       {codec.Raw(codec.CBOR, []byte{0x80}, []byte{0xa0}), []any{}, map[string]any{}},
	"nothing":     {codec.Payload{}, nil, nil},
	"unicode":     {codec.Args("Grüße, 世界 🚀"), []any{"Grüße, 世界 🚀"}, nil},
	"big":         {codec.Args(int64(1)<<53+1, int64(math.MaxInt64), int64(math.MinInt64)), []any{int64(1)<<53 + 1, int64(math.MaxInt64), int64(math.MinInt64)}, nil},
}

var anywhere = seal.About{Kind: seal.KindCall, URI: "com.example.anywhere"}

// What others have sealed opens.
func TestProfile1OpensVectors(t *testing.T) {
	for _, v := range vectors(t) {
		open := v.key()
		open.Cipher = ""
		for _, k := range []seal.Key{v.key(), open} {
			p, err := profile1(t, nil, k).Open(anywhere, v.opaque())
			if err != nil {
				t.Errorf("%s, %s: %v", v.Name, v.Cipher, err)
				continue
			}
			args, err1 := p.Args()
			kwargs, err2 := p.Kwargs()
			want := contents[v.Name]
			if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(args, want.args) || !reflect.DeepEqual(kwargs, want.kwargs) {
				t.Errorf("%s, %s: %v, %v, %v", v.Name, v.Cipher, args, kwargs, err)
			}
		}
	}
}

// What is sealed here is what others have sealed, byte for byte: the payload of Go values,
// and also the same in each serializer, as one that is passed on comes. What comes in another
// serializer has no order of keys, so where there are several, in "both", it is opened again
// and compared.
func TestProfile1SealsVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name+" "+v.Cipher+" "+v.KeyID, func(t *testing.T) {
			seal.WithNonce(t, v.Nonce)
			p := contents[v.Name].p
			forms := []codec.Payload{p}
			for _, c := range codec.All() {
				both, n, err := p.Encode(c, nil)
				if err != nil {
					t.Fatal(err)
				}
				var args, kwargs []byte
				if n > 0 {
					args = both[:n]
				}
				if n < len(both) {
					kwargs = both[n:]
				}
				forms = append(forms, codec.Raw(c, args, kwargs))
			}
			for i, p := range forms {
				ours := profile1(t, nil, v.key())
				o, err := ours.Seal(anywhere, p)
				if err != nil {
					t.Fatal(err)
				}
				if v.Name == "both" && i > 0 && forms[i].Codec() != codec.CBOR {
					opened, err := ours.Open(anywhere, o)
					args, err1 := opened.Args()
					kwargs, err2 := opened.Kwargs()
					if err := errors.Join(err, err1, err2); err != nil || !reflect.DeepEqual(args, contents[v.Name].args) || !reflect.DeepEqual(kwargs, contents[v.Name].kwargs) {
						t.Errorf("form %d: %v, %v, %v", i, args, kwargs, err)
					}
					continue
				}
				if !reflect.DeepEqual(o, v.opaque()) {
					t.Errorf("form %d:\n%+v, want\n%+v", i, o, v.opaque())
				}
			}
			if text, err := codec.AppendPacked(codec.CBOR, nil, p); err != nil || !bytes.Equal(text, v.Plain) {
				t.Errorf("%x, %v, want %x", text, err, []byte(v.Plain))
			}
		})
	}
}

func TestProfile1PicksKeys(t *testing.T) {
	exact := seal.Key{ID: "exact", Pattern: "com.example.a", Secret: bytes.Repeat([]byte{3}, 32), Cipher: seal.AES256GCM}
	old := key("old", "com.example", 5)
	old.OnlyOpen = true
	p := profile1(t, nil, old, key("short", "com", 1), key("long", "com.example", 2), key("second", "com.example", 6), exact)
	for uri, want := range map[string][2]string{"com.example.a": {"exact", "aes256gcm"}, "com.example.b": {"long", "xsalsa20poly1305"},
		"com.other": {"short", "xsalsa20poly1305"}, "org": {}} {
		o, err := p.Seal(seal.About{Kind: seal.KindPublish, URI: uri}, payload())
		if err != nil || (o == nil) != (want[0] == "") || o != nil && (o.KeyID != want[0] || o.Cipher != want[1] || o.Scheme != "wamp" || o.Serializer != "cbor") {
			t.Errorf("%s: %+v, %v", uri, o, err)
		}
	}
	if _, err := profile1(t, nil, old).Seal(seal.About{URI: "com.example.a"}, payload()); !errors.Is(err, seal.ErrOnlyOpen) {
		t.Error(err)
	}
	if _, err := p.Seal(anywhere, wamp.Args(make(chan int))); err == nil {
		t.Error("a channel is sealed")
	}
	if err := p.Plain(seal.About{URI: "com.example.x"}); !errors.Is(err, seal.ErrPlain) {
		t.Error(err)
	}
	lenient := profile1(t, []seal.Profile1Option{seal.AllowPlain()}, exact)
	if lenient.Plain(seal.About{URI: "com.example.a"}) != nil || p.Plain(seal.About{URI: "org"}) != nil {
		t.Error("plain payloads are refused")
	}
	for _, bad := range []seal.Key{{}, {ID: "\xff", Pattern: "a", Secret: exact.Secret}, {ID: "short", Pattern: "a", Secret: []byte{1}}, {ID: "x", Pattern: "a b", Secret: exact.Secret}, {ID: "x", Pattern: "a", Cipher: "rot13", Secret: exact.Secret}} {
		if _, err := seal.NewProfile1([]seal.Key{bad}); err == nil {
			t.Errorf("%+v", bad)
		}
	}
}

// A key is found by its id, opens no other URIs than its own, and only its own cipher if it
// has one.
func TestProfile1OpensWithTheKeyOfTheURI(t *testing.T) {
	for _, cipher := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
		all, few := key("all", "com", 1), key("few", "com.few", 2)
		all.Cipher, few.Cipher = cipher, cipher
		everybody, member := profile1(t, nil, all), profile1(t, nil, few, all)
		here, elsewhere := seal.About{Kind: seal.KindPublish, URI: "com.few.a"}, seal.About{Kind: seal.KindPublish, URI: "com.many"}
		o, err := member.Seal(here, payload())
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			p      *seal.Profile1
			about  seal.About
			change func(o *seal.Opaque)
			want   error
		}{
			"as it is":            {p: member, about: here},
			"base64, from nexus":  {p: member, about: here, change: func(o *seal.Opaque) { o.Value, o.Data = base64.StdEncoding.EncodeToString(o.Data), nil }},
			"no base64":           {p: member, about: here, change: func(o *seal.Opaque) { o.Value, o.Data = "?", nil }, want: seal.ErrFormat},
			"base64 of another":   {p: member, about: here, change: func(o *seal.Opaque) { o.Value, o.Data = "AAAA", nil }, want: seal.ErrTampered},
			"not a member":        {p: everybody, about: here, want: seal.ErrNoKey},
			"moved":               {p: member, about: elsewhere, want: seal.ErrNoKey},
			"another key":         {p: member, about: here, change: func(o *seal.Opaque) { o.KeyID = "all" }, want: seal.ErrTampered},
			"an unknown key":      {p: member, about: here, change: func(o *seal.Opaque) { o.KeyID = "none" }, want: seal.ErrNoKey},
			"no key":              {p: member, about: here, change: func(o *seal.Opaque) { o.KeyID = "" }, want: seal.ErrNoKey},
			"no cipher":           {p: member, about: here, change: func(o *seal.Opaque) { o.Cipher = "" }, want: seal.ErrFormat},
			"an unknown cipher":   {p: member, about: here, change: func(o *seal.Opaque) { o.Cipher = "rot13" }, want: seal.ErrFormat},
			"the other cipher":    {p: member, about: here, change: func(o *seal.Opaque) { o.Cipher = string(other(cipher)) }, want: seal.ErrFormat},
			"no serializer":       {p: member, about: here, change: func(o *seal.Opaque) { o.Serializer = "" }, want: seal.ErrFormat},
			"FlatBuffers":         {p: member, about: here, change: func(o *seal.Opaque) { o.Serializer = "flatbuffers" }, want: seal.ErrFormat},
			"a Ring's":            {p: member, about: here, change: func(o *seal.Opaque) { o.Scheme = seal.Scheme }, want: seal.ErrFormat},
			"Autobahn's":          {p: member, about: here, change: func(o *seal.Opaque) { o.Autobahn = true }, want: seal.ErrFormat},
			"a value, native":     {p: member, about: here, change: func(o *seal.Opaque) { o.Data, o.Value = nil, map[string]any{"args": []any{}} }, want: seal.ErrFormat},
			"a value beside":      {p: member, about: here, change: func(o *seal.Opaque) { o.Value = "text" }, want: seal.ErrFormat},
			"nothing":             {p: member, about: here, change: func(o *seal.Opaque) { o.Data = nil }, want: seal.ErrTampered},
			"a byte":              {p: member, about: here, change: func(o *seal.Opaque) { o.Data = o.Data[:1] }, want: seal.ErrTampered},
			"the nonce":           {p: member, about: here, change: func(o *seal.Opaque) { o.Data = o.Data[:12] }, want: seal.ErrTampered},
			"nothing inside":      {p: member, about: here, change: func(o *seal.Opaque) { o.Data = o.Data[:28] }, want: seal.ErrTampered},
			"a byte less":         {p: member, about: here, change: func(o *seal.Opaque) { o.Data = o.Data[:len(o.Data)-1] }, want: seal.ErrTampered},
			"a byte more":         {p: member, about: here, change: func(o *seal.Opaque) { o.Data = append(o.Data, 0) }, want: seal.ErrTampered},
			"a bit of the nonce":  {p: member, about: here, change: func(o *seal.Opaque) { o.Data[0] ^= 1 }, want: seal.ErrTampered},
			"a bit of the end":    {p: member, about: here, change: func(o *seal.Opaque) { o.Data[len(o.Data)-1] ^= 1 }, want: seal.ErrTampered},
			"a bit of the middle": {p: member, about: here, change: func(o *seal.Opaque) { o.Data[30] ^= 1 }, want: seal.ErrTampered},
		} {
			c := *o
			c.Data = bytes.Clone(o.Data)
			if tt.change != nil {
				tt.change(&c)
			}
			p, err := tt.p.Open(tt.about, &c)
			if !errors.Is(err, tt.want) || err == nil && text(t, p) != secret || err != nil && !p.Empty() {
				t.Errorf("%s, %s: %v", cipher, name, err)
			}
		}
	}
}

func other(c seal.Cipher) seal.Cipher {
	if c == seal.SecretBox {
		return seal.AES256GCM
	}
	return seal.SecretBox
}

// A key without a cipher opens both, and several of one id are tried in turn.
func TestProfile1OfOneIDAndNoCipher(t *testing.T) {
	first, second := key("k", "com", 1), key("k", "com", 2)
	for _, cipher := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
		sender := second
		sender.Cipher = cipher
		o, err := profile1(t, nil, sender).Seal(anywhere, payload())
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile1(t, nil, first, second).Open(anywhere, o)
		if err != nil || text(t, p) != secret {
			t.Errorf("%s: %v", cipher, err)
		}
	}
}

// What was sealed properly and is no payload is an error of another kind than what was
// tampered with.
func TestProfile1BrokenInside(t *testing.T) {
	p := profile1(t, nil, key("k", "com", 1))
	for name, tt := range map[string]struct {
		plain string // in hex
		want  error
	}{
		"nothing":              {"", seal.ErrFormat},
		"no dict":              {"80", seal.ErrFormat},
		"null":                 {"f6", seal.ErrFormat},
		"cut short":            {"a2646172677381", seal.ErrFormat},
		"one key of two":       {"a2646172677380", seal.ErrFormat},
		"args a dict":          {"a26461726773a0666b7761726773f6", seal.ErrFormat},
		"args a number":        {"a2646172677301666b7761726773f6", seal.ErrFormat},
		"kwargs a list":        {"a26461726773f6666b776172677380", seal.ErrFormat},
		"more behind it":       {"a26461726773f6666b7761726773f600", seal.ErrFormat},
		"args twice":           {"a2646172677380646172677380", seal.ErrFormat},
		"neither":              {"a0", nil},
		"only args":            {"a1646172677380", nil},
		"in the other order":   {"a2666b7761726773a0646172677380", nil},
		"a key that is no key": {"a3646172677380666b7761726773a001f6", nil},
	} {
		plain, err := hex.DecodeString(tt.plain)
		if err != nil {
			t.Fatal(err)
		}
		for _, cipher := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
			o := &seal.Opaque{Scheme: "wamp", Serializer: "cbor", Cipher: string(cipher), KeyID: "k", Data: seal.SealRaw(cipher, bytes.Repeat([]byte{1}, 32), plain)}
			got, err := p.Open(anywhere, o)
			if !errors.Is(err, tt.want) || errors.Is(err, seal.ErrTampered) || err == nil && got.NArgs() != 0 {
				t.Errorf("%s, %s: %v, %v", name, cipher, got, err)
			}
		}
	}
}

// As deep as a message may be a payload goes there and back.
func TestProfile1Depth(t *testing.T) {
	p := profile1(t, nil, key("k", "com", 1))
	deep := func(n int) (v any) {
		for range n {
			v = []any{v}
		}
		return v
	}
	o, err := p.Seal(anywhere, wamp.Args(deep(127)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Open(anywhere, o)
	if err != nil {
		t.Fatal(err)
	}
	if args, err := got.Args(); err != nil || !reflect.DeepEqual(args, []any{deep(127)}) {
		t.Error(err)
	}
	if _, err := p.Seal(anywhere, wamp.Args(deep(128))); err == nil {
		t.Error("deeper than a message may be")
	}
}
