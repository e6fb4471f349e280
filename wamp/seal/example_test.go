package seal_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
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

// Two sessions with the same key: the router passes on what it cannot read.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	secret := bytes.Repeat([]byte{7}, 32) // of course from a safe place
	ring, err := seal.NewRing([]seal.Key{
		{ID: "2026-07", Pattern: "com.example.patient", Match: wamp.Prefix, Secret: secret},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	clinic, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(ring))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer clinic.Close(ctx)
	_, err = wamp.Serve(ctx, clinic, "com.example.patient.pulse", func(_ context.Context, bed int) (int, error) {
		return 60 + bed, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ward, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(ring))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ward.Close(ctx)
	pulse, err := wamp.Call[int](ctx, ward, "com.example.patient.pulse", wamp.Args(12))
	fmt.Println(pulse, err)

	// Who has no key gets bytes that say nothing.
	stranger, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stranger.Close(ctx)
	sub, err := stranger.Subscribe(ctx, "com.example.patient.alarm")
	if err != nil {
		fmt.Println(err)
		return
	}
	<-ward.Publish(ctx, "com.example.patient.alarm", wamp.Args("bed 12"), wamp.Acknowledge())
	event := <-sub.Events()
	var bed string
	fmt.Println(event.Details.Str("ppt_scheme"), event.Scan(&bed) != nil)
	// Output:
	// 72 <nil>
	// x_connectanum true
}

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

// Peers of the connectanum family in other languages open what a Profile1 seals.
func ExampleNewProfile1() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	secret := bytes.Repeat([]byte{7}, 32) // of course from a safe place
	profile, err := seal.NewProfile1([]seal.Key{
		{ID: "2026-07", Pattern: "com.example.private", Match: wamp.Prefix, Secret: secret},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(profile))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	sub, err := session.Subscribe(ctx, "com.example.private.note")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Publish(ctx, "com.example.private.note", wamp.Args("for friends"), wamp.ExcludeMe(false))
	event := <-sub.Events()
	fmt.Println(event.Details.Str("ppt_scheme"), event.Details.Str("ppt_cipher"), event.Details.Str("ppt_keyid"))
	fmt.Println(event.Args())
	// Output:
	// wamp xsalsa20poly1305 2026-07
	// [for friends] <nil>
}

// A router that does not agree on encryption is not joined.
func ExampleRequired() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	secret := bytes.Repeat([]byte{7}, 32)
	profile, err := seal.NewProfile1([]seal.Key{{ID: "2026-07", Match: wamp.Prefix, Secret: secret}}, seal.Required())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e2ee := range []wamptest.E2EE{{Ciphers: []string{"aes256gcm"}}, {KeyIDs: []string{"2025-01"}}} {
		router := wamptest.Start(wamptest.WithE2EE(e2ee))
		session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(profile))
		var refused *seal.NegotiationError
		if errors.As(err, &refused) {
			fmt.Println(refused)
		} else if err == nil {
			fmt.Println(session.Details().AuthExtra["e2ee"])
			session.Close(ctx)
		}
		router.Close()
	}
	// Output:
	// map[cipher:aes256gcm established:true receive_key_id:2026-07 scheme:wamp send_key_id:2026-07 serializer:cbor]
	// seal: no end-to-end encryption: the router's authextra.e2ee.established is false, and it is required
}

// A payload in another form than the session's, for clients that have schemes of
// their own. Everybody can read it.
func ExamplePassThru() {
	passed, err := seal.PassThru("x_example", "json")
	if err != nil {
		fmt.Println(err)
		return
	}
	about := seal.About{Kind: seal.KindPublish, URI: "com.example.note"}
	opaque, err := passed.Seal(about, codec.Args("for all").With("n", 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", opaque.Data)

	payload, err := passed.Open(about, opaque)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.Args())
	fmt.Println(payload.Kwargs())
	// Output:
	// {"args":["for all"],"kwargs":{"n":1}}
	// [for all] <nil>
	// map[n:1] <nil>
}

// A device and its owner have a pair of keys each. AllowPlain of a Ring does what false
// does here: what comes in the clear is refused where there is a key.
func ExampleNewCryptobox() {
	device, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	owner, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	boxOf := func(own *ecdh.PrivateKey, peer *ecdh.PublicKey) *seal.Cryptobox {
		box, err := seal.NewCryptobox([]seal.BoxKey{{Prefix: "com.example.lock.", Private: own.Bytes(), Public: peer.Bytes()}}, false)
		if err != nil {
			panic(err)
		}
		return box
	}

	about := seal.About{Kind: seal.KindCall, URI: "com.example.lock.open"}
	opaque, err := boxOf(owner, device.PublicKey()).Seal(about, codec.Args("front door"))
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := boxOf(device, owner.PublicKey()).Open(about, opaque)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.Args())
	// Output: [front door] <nil>
}

// What is offered to a router with HELLO, and what becomes of its answer.
func ExampleNegotiator() {
	var negotiator seal.Negotiator
	negotiator, err := seal.NewProfile1([]seal.Key{{ID: "2026-07", Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(negotiator.Offer() != nil)
	agreed, err := negotiator.Agree(nil) // a router that knows nothing of it
	fmt.Println(agreed, err)
	// Output:
	// true
	// <nil> <nil>
}

// Keys are changed one at a time: what was sealed with the old one still opens, and the
// first that fits is the one that seals.
func ExampleNewRing() {
	old := seal.Key{ID: "2026-06", Pattern: "com.example.note", Secret: bytes.Repeat([]byte{6}, 32)}
	next := seal.Key{ID: "2026-07", Pattern: "com.example.note", Secret: bytes.Repeat([]byte{7}, 32)}
	before, err := seal.NewRing([]seal.Key{old})
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := seal.NewRing([]seal.Key{next, old})
	if err != nil {
		fmt.Println(err)
		return
	}

	about := seal.About{Kind: seal.KindPublish, URI: "com.example.note"}
	opaque, err := before.Seal(about, codec.Args("from June"))
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := now.Open(about, opaque)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.Args())
	opaque, err = now.Seal(about, codec.Args("from July"))
	fmt.Println(opaque.KeyID, err)

	_, err = seal.NewRing([]seal.Key{{ID: "short", Pattern: "com.example.note", Secret: []byte("password")}})
	fmt.Println(err != nil)
	// Output:
	// [from June] <nil>
	// 2026-07 <nil>
	// true
}

// A payload that was changed on its way, or that came in the clear, does not reach the
// program; its error says so.
func ExamplePayloadError() {
	ring, err := seal.NewRing([]seal.Key{{ID: "2026-07", Pattern: "com.example.note", Secret: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	about := seal.About{Kind: seal.KindPublish, URI: "com.example.note"}
	opaque, err := ring.Seal(about, codec.Args("pay joe 10"))
	if err != nil {
		fmt.Println(err)
		return
	}
	opaque.Data[len(opaque.Data)-1] ^= 1
	_, err = ring.Open(about, opaque)
	fmt.Println(err)
	fmt.Println(ring.Plain(about))
	// Output:
	// seal: wrong key, or tampered with
	// seal: it is not sealed, and must be
}
