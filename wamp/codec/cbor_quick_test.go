package codec_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What is parsed in one pass is what the general parser makes of it, and so is all
// that is wrong: each message cut off at each byte, longer by one, and with each byte
// changed.
func TestQuickParse(t *testing.T) {
	quick, general := codec.CBOR.NewParser(codec.Limits{}), codec.GeneralParser(codec.CBOR, codec.Limits{})
	check := func(data []byte) bool {
		t.Helper()
		var m, want proto.Message
		err, wanted := quick.Parse(data, &m), general.Parse(data, &want)
		if fmt.Sprint(err) != fmt.Sprint(wanted) || !reflect.DeepEqual(m, want) {
			t.Fatalf("%x: %+v, %v\nwant %+v, %v", data, m, err, want, wanted)
		}
		return err == nil
	}
	args, kwargs := []any{1, "two", []any{}}, map[string]any{"k": 1}
	none, progress := map[string]any{}, map[string]any{"progress": true, "x": []any{map[string]any{}}}
	for _, v := range []any{
		[]any{50, 1, none}, []any{50, int64(1 << 40), progress, args}, []any{50, int64(proto.MaxID), none, args, kwargs},
		[]any{50, 1, none, []any{}, none}, []any{50, 1, progress, nil, kwargs}, []any{50, 1, none, args, nil},
		[]any{36, 7, 8, none}, []any{36, 7, 1 << 30, progress, args}, []any{36, 500, 8, none, args, kwargs},
		[]any{36, 1, 2, map[string]any{"enc_algo": "cryptobox"}, []byte("secret")},
		[]any{68, 1, 70_000, none}, []any{68, 1, 2, progress, args}, []any{68, 1, 2, none, args, kwargs},
		[]any{50, 1.0, none, args}, []any{36, 1.0, 2.0, none}, []any{17, 1, 2}, []any{50}, []any{50, 1}, []any{36, 1, 2},
		[]any{50, int64(proto.MaxID) + 1, none}, []any{50, -1, none}, []any{50, 1, args}, []any{50, 1, none, kwargs},
		[]any{50, 1, none, args, args}, []any{50, 1, none, args, kwargs, 1}, []any{36, 1, none, args},
	} {
		data, err := codec.CBOR.AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		check(data)
		for i := range data {
			check(data[:i])
			for _, c := range []byte{0, 1, 0x17, 0x18, 0x1b, 0x1f, 0x40, 0x5f, 0x60, 0x80, 0x81, 0x9f, 0xa0, 0xa1, 0xbf, 0xc2, 0xd9, 0xf6, 0xfb, 0xff} {
				changed := append([]byte(nil), data...)
				changed[i] = c
				check(changed)
			}
		}
		check(append(data, 0))
	}
}
