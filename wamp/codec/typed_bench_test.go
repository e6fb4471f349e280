package codec_test

import (
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// record10 is what typed decoding and encoding are measured with.
type record10 struct {
	A int     `json:"a"`
	B int     `json:"b"`
	C int64   `json:"c"`
	D string  `json:"d"`
	E string  `json:"e"`
	F string  `json:"f"`
	G bool    `json:"g"`
	H float64 `json:"h"`
	I float64 `json:"i"`
	J uint64  `json:"j"`
}

var tenFields = record10{1, 200, 1 << 40, "hello world", "some text that is longer", "x", true, 1.5, 2.25, 77}

func thousandRecords() []record10 {
	list := make([]record10, 1000)
	for i := range list {
		list[i] = tenFields
		list[i].A = i
	}
	return list
}

func benchTyped[T any](b *testing.B, name string, v T) {
	for _, c := range codecs {
		raw, _, err := codec.Args(v).Encode(c, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("enc/"+name+"/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				if buf, _, err = codec.Args(v).Encode(c, buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("dec/"+name+"/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				var out T
				m := proto.Message{Args: raw}
				if err := codec.Received(c, &m).Scan(&out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTyped has the shapes that are compared with other libraries.
func BenchmarkTyped(b *testing.B) {
	benchTyped(b, "int", 4242)
	benchTyped(b, "string", strings.Repeat("0123456789", 6)+"0123")
	benchTyped(b, "struct", tenFields)
	benchTyped(b, "thousand", thousandRecords())
	benchTyped(b, "bytes", make([]byte, 1<<20))
	benchTyped(b, "mebibyte", strings.Repeat("text of a mebibyte, ", 52429)[:1<<20])
}
