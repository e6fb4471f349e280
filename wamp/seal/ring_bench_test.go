package seal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

// BenchmarkSeal seals and opens a payload.
func BenchmarkSeal(b *testing.B) {
	for _, c := range []seal.Cipher{seal.AES256GCM, seal.SecretBox} {
		for _, size := range []int{64, 4096} {
			b.Run(fmt.Sprint(c, " ", size), func(b *testing.B) {
				r, err := seal.NewRing([]seal.Key{{ID: "k", Pattern: "com.example", Match: wamp.Prefix, Cipher: c, Secret: bytes.Repeat([]byte{1}, 32)}})
				if err != nil {
					b.Fatal(err)
				}
				about := seal.About{Kind: seal.KindPublish, URI: "com.example.topic"}
				p := wamp.Args(strings.Repeat("x", size))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					o, err := r.Seal(about, p)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := r.Open(about, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
