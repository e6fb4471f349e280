package seal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

// BenchmarkSeal seals and opens a payload, with each codec.
func BenchmarkSeal(b *testing.B) {
	for _, cipher := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
		keys := []seal.Key{{ID: "k", Pattern: "com.example", Match: wamp.Prefix, Cipher: cipher, Secret: bytes.Repeat([]byte{1}, 32)}}
		ring, err := seal.NewRing(keys)
		if err != nil {
			b.Fatal(err)
		}
		profile1, err := seal.NewProfile1(keys)
		if err != nil {
			b.Fatal(err)
		}
		bench(b, "ring "+string(cipher), ring)
		bench(b, "profile1 "+string(cipher), profile1)
	}
	for _, form := range serializers {
		c, err := seal.PassThru("x_a", form)
		if err != nil {
			b.Fatal(err)
		}
		bench(b, "passthru "+form, c)
	}
}

func bench(b *testing.B, name string, c seal.Codec) {
	about := seal.About{Kind: seal.KindPublish, URI: "com.example.topic"}
	for _, size := range []int{64, 4096} {
		b.Run(fmt.Sprint(name, " ", size), func(b *testing.B) {
			p := wamp.Args(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				o, err := c.Seal(about, p)
				if err != nil {
					b.Fatal(err)
				}
				opened, err := c.Open(about, o)
				if err != nil {
					b.Fatal(err)
				}
				var text string
				if err := opened.Scan(&text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
