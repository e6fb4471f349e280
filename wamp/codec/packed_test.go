package codec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// packed are payloads and what they are as one dict. The bytes of MessagePack and CBOR are
// those of nexus v3.2.2, whose SerializeDataItem was given the same.
var packed = []struct {
	name               string
	p                  codec.Payload
	json, msgpack, cbr string
}{
	{"both", codec.Args(1, "zwei", nil, 3.5).With("k", true), `{"args":[1,"zwei",null,3.5],"kwargs":{"k":true}}`,
		"82a4617267739401a47a776569c0cb400c000000000000a66b776172677381a16bc3", "a264617267738401647a776569f6fb400c000000000000666b7761726773a1616bf5"},
	{"arguments", codec.Args("a"), `{"args":["a"],"kwargs":null}`, "82a46172677391a161a66b7761726773c0", "a26461726773816161666b7761726773f6"},
	{"keywords", codec.Kwargs(map[string]any{"k": 1}), `{"args":null,"kwargs":{"k":1}}`, "82a461726773c0a66b776172677381a16b01", "a26461726773f6666b7761726773a1616b01"},
	{"nothing", codec.Payload{}, `{"args":null,"kwargs":null}`, "82a461726773c0a66b7761726773c0", "a26461726773f6666b7761726773f6"},
}

func TestPackedAndBack(t *testing.T) {
	for _, tt := range packed {
		for c, want := range map[codec.Codec]string{codec.JSON: tt.json, codec.MsgPack: string(unhex(t, tt.msgpack)), codec.CBOR: string(unhex(t, tt.cbr))} {
			got, err := codec.AppendPacked(c, []byte("before"), tt.p)
			if err != nil || string(got) != "before"+want {
				t.Errorf("%s, %s: %q, %v, want %q", tt.name, c.Name(), got, err, want)
			}
			raw, err := tt.p.Encoded()
			if err != nil {
				t.Fatal(err)
			}
			if got, err = codec.AppendPacked(c, nil, raw); err != nil || string(got) != want { // from CBOR
				t.Errorf("%s, %s, encoded: %q, %v, want %q", tt.name, c.Name(), got, err, want)
			}
			unpacksAs(t, tt.name+", "+c.Name(), []byte(want), c, tt.p)
		}
	}
}

// unpacksAs checks that a dict is the payload.
func unpacksAs(t *testing.T, name string, dict []byte, c codec.Codec, want codec.Payload) {
	t.Helper()
	p, err := codec.Unpacked(c, dict)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	args, err1 := p.Args()
	kwargs, err2 := p.Kwargs()
	wantArgs, _ := want.Args()
	wantKwargs, _ := want.Kwargs()
	if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(args, wantArgs) || !reflect.DeepEqual(kwargs, wantKwargs) {
		t.Errorf("%s: %v, %v, %v", name, args, kwargs, err)
	}
}

// What others leave out, write in another order, or have more.
func TestUnpackedTakesOtherForms(t *testing.T) {
	all, none := codec.Args(1).With("k", 2), codec.Payload{}
	for _, tt := range []struct {
		name string
		c    codec.Codec
		dict string
		want codec.Payload
	}{
		{"white space", codec.JSON, " { \"kwargs\" : { \"k\" : 2 } ,\n\"args\" : [ 1 ] , \"x\" : [] } ", all},
		{"nothing", codec.JSON, `{}`, none},
		{"open lengths", codec.CBOR, "\xbf\x64args\x9f\x01\xff\x66kwargs\xbf\x61k\x02\xff\xff", all},
		{"a key that is a number", codec.CBOR, "\xa3\x01\x80\x64args\x81\x01\x66kwargs\xa1\x61k\x02", all},
		{"undefined of cbor-x", codec.CBOR, "\xb9\x00\x02\x64args\xf7\x66kwargs\xf7", none},
		{"undefined of msgpackr", codec.MsgPack, "\xde\x00\x02\xa4args\xd4\x00\x00\xa6kwargs\xd4\x00\x00", none},
		{"twice, once null", codec.CBOR, "\xa3\x64args\xf6\x64args\x81\x01\x66kwargs\xa1\x61k\x02", all},
	} {
		unpacksAs(t, tt.name, []byte(tt.dict), tt.c, tt.want)
	}
}

func TestUnpackedRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    codec.Codec
		dict string
		want string
	}{
		{"nothing", codec.CBOR, "", "truncated"},
		{"no dict", codec.CBOR, "\x80", "not a dict"},
		{"null", codec.JSON, "null", "not a dict"},
		{"cut short", codec.CBOR, "\xa2\x64args\x81\x01", "truncated"},
		{"cut inside", codec.MsgPack, "\x82\xa4args\x91", "truncated"},
		{"more behind it", codec.CBOR, "\xa1\x64args\x80\x00", "trailing"},
		{"more behind it", codec.JSON, "{} {}", "trailing"},
		{"arguments that are none", codec.JSON, `{"args":{}}`, "args: not a list"},
		{"arguments that are bytes", codec.CBOR, "\xa1\x64args\x41\x00", "args: not a list"},
		{"keywords that are none", codec.MsgPack, "\x81\xa6kwargs\x90", "kwargs: not a dict"},
		{"twice", codec.CBOR, "\xa2\x64args\x80\x64args\x80", "duplicate"},
		{"another extension", codec.MsgPack, "\x81\xa4args\xd4\x01\x00", "not a list"},
	} {
		p, err := codec.Unpacked(tt.c, []byte(tt.dict))
		var bad *codec.SyntaxError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: %v, %v", tt.name, tt.c.Name(), p, err)
		}
	}
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	if _, err := codec.Unpacked(codec.JSON, []byte(`{"args":`+deep+`}`)); err != nil {
		t.Errorf("as deep as a message may be: %v", err)
	}
	if _, err := codec.Unpacked(codec.JSON, []byte(`{"args":[`+deep+`]}`)); err == nil {
		t.Error("deeper than a message may be")
	}
}

func TestAppendPackedFails(t *testing.T) {
	for name, p := range map[string]codec.Payload{
		"no value":  codec.Args(make(chan int)),
		"no dict":   codec.Kwargs(5),
		"not open":  codec.Sealed(func() (codec.Payload, error) { return codec.Payload{}, errors.New("locked") }),
		"bytes":     codec.Raw(codec.CBOR, []byte("\x41\x00"), nil),
		"truncated": codec.Raw(codec.CBOR, []byte("\x81"), nil),
	} {
		for _, c := range codec.All() {
			if got, err := codec.AppendPacked(c, []byte("before"), p); err == nil || string(got) != "before" {
				t.Errorf("%s, %s: %q, %v", name, c.Name(), got, err)
			}
		}
	}
}
