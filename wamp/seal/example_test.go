package seal_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// gzipped is a codec that compresses what is below com.example.big. It does not
// encrypt, so plain payloads are as good.
type gzipped struct{}

func (gzipped) Seal(about seal.About, p codec.Payload) (*seal.Opaque, error) {
	if !strings.HasPrefix(about.URI, "com.example.big.") {
		return nil, nil // as it is
	}
	both, n, err := p.Encode(codec.CBOR, nil)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	w := gzip.NewWriter(&data)
	w.Write(both[:n]) // a bytes.Buffer takes everything; keyword arguments are left out here
	w.Close()
	return &seal.Opaque{Scheme: "x_example_gzip", Serializer: "cbor", Data: data.Bytes()}, nil
}

func (gzipped) Open(_ seal.About, o *seal.Opaque) (codec.Payload, error) {
	if o.Scheme != "x_example_gzip" {
		return codec.Payload{}, seal.ErrFormat
	}
	r, err := gzip.NewReader(bytes.NewReader(o.Data))
	if err != nil {
		return codec.Payload{}, err
	}
	args, err := io.ReadAll(io.LimitReader(r, 16<<20)) // a few bytes can become very many
	if err != nil {
		return codec.Payload{}, err
	}
	return codec.Raw(codec.CBOR, args, nil), nil
}

func (gzipped) Plain(seal.About) error { return nil }

// A codec of one's own, which compresses.
func ExampleCodec() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(gzipped{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	sub, err := session.Subscribe(ctx, "com.example.big.text")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Publish(ctx, "com.example.big.text", wamp.Args(strings.Repeat("ha", 5000)), wamp.ExcludeMe(false))
	event := <-sub.Events()
	var text string
	if err := event.Scan(&text); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(text), event.Details.Str("ppt_scheme"))
	// Output: 10000 x_example_gzip
}

// A ring seals and opens without a session too.
func ExampleRing() {
	secret := bytes.Repeat([]byte{7}, 32) // of course from a safe place
	ring, err := seal.NewRing([]seal.Key{{ID: "2026-07", Pattern: "com.example.note", Secret: secret}})
	if err != nil {
		fmt.Println(err)
		return
	}
	about := seal.About{Kind: seal.KindPublish, URI: "com.example.note"}
	opaque, err := ring.Seal(about, codec.Args("for friends"))
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := ring.Open(about, opaque)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.Args())

	about.URI = "com.example.other"
	_, err = ring.Open(about, opaque)
	fmt.Println(err)
	// Output:
	// [for friends] <nil>
	// seal: there is no such key for this URI
}
