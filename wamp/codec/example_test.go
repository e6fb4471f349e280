package codec_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// A payload is built from Go values, encoded for a connection, and read on the other
// side.
func Example() {
	type order struct {
		ID    int      `json:"id"`
		Items []string `json:"items"`
	}
	sent := codec.Args("north", order{ID: 17, Items: []string{"pump", "valve"}}).With("express", true)
	buf, n, err := sent.Encode(codec.JSON, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n%s\n", buf[:n], buf[n:])

	var branch string
	var o order
	var options struct {
		Express bool `json:"express"`
	}
	got := codec.Raw(codec.JSON, buf[:n], buf[n:])
	if err := errors.Join(got.Scan(&branch, &o), got.ScanKw(&options)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(branch, o.ID, o.Items, options.Express)
	// Output:
	// ["north",{"id":17,"items":["pump","valve"]}]
	// {"express":true}
	// north 17 [pump valve] true
}

// Text names a serializer in a configuration file.
func ExampleByName() {
	var offered []codec.Codec
	for name := range strings.SplitSeq("cbor,json", ",") {
		c, known := codec.ByName(name)
		if !known {
			fmt.Println("unknown serializer:", name)
			return
		}
		offered = append(offered, c) // for wamp.WithSerializers
	}
	for _, c := range offered {
		fmt.Println(c.Name())
	}
	// Output:
	// cbor
	// json
}

// The serializers that are offered by default, with the length of a list in each.
func ExampleAll() {
	for _, c := range codec.All() {
		list, err := c.AppendList(nil, []any{"hello", []byte{1, 2, 3}})
		fmt.Println(c.Name(), len(list), err)
	}
	// Output:
	// cbor 11 <nil>
	// msgpack 12 <nil>
	// json 22 <nil>
}

// What comes without a target of a certain type is plain: the same Go types whatever
// the serializer.
func ExamplePayload_Args() {
	for _, c := range codec.All() {
		list, err := c.AppendList(nil, []any{uint8(1), float32(0.5), []byte{2}, []string{"a"}, nil})
		if err != nil {
			fmt.Println(err)
			return
		}
		args, err := codec.Raw(c, list, nil).Args()
		for _, arg := range args {
			fmt.Printf("%T ", arg)
		}
		fmt.Println(err)
	}
	// Output:
	// int64 float64 []uint8 []interface {} <nil> <nil>
	// int64 float64 []uint8 []interface {} <nil> <nil>
	// int64 float64 []uint8 []interface {} <nil> <nil>
}

func ExamplePayload_Kwargs() {
	p := codec.Kwargs(map[string]any{"unit": "celsius", "digits": 2})
	kwargs, err := p.Kwargs()
	fmt.Println(kwargs, err)
	// Output: map[digits:2 unit:celsius] <nil>
}

// A target that is nil skips its argument; arguments behind the last target do not
// matter.
func ExamplePayload_Scan() {
	p := codec.Args("kitchen", 21.5, "celsius", 1761000000)
	var room, unit string
	err := p.Scan(&room, nil, &unit)
	fmt.Println(room, unit, err)

	var none string
	err = codec.Args().Scan(&none)
	fmt.Println(errors.Is(err, codec.ErrMissing))
	// Output:
	// kitchen celsius <nil>
	// true
}

func ExamplePayload_ScanKw() {
	p := codec.Args().With("room", "kitchen").With("degrees", 21.5)
	var reading struct {
		Room    string  `json:"room"`
		Degrees float64 `json:"degrees"`
		Unit    *string `json:"unit"` // nil where it did not come
	}
	err := p.ScanKw(&reading)
	fmt.Println(reading.Room, reading.Degrees, reading.Unit == nil, err)
	// Output: kitchen 21.5 true <nil>
}

// A proxy passes a message on and takes out the keyword arguments that are its own.
func ExamplePayload_Split() {
	p := codec.Args("report").With("_tenant", "north").With("page", 2)
	rest, own := p.Split("_tenant")
	fmt.Println(own.Kwargs())
	fmt.Println(rest.Kwargs())
	fmt.Println(rest.Args())
	// Output:
	// map[_tenant:north] <nil>
	// map[page:2] <nil>
	// [report] <nil>
}

// The text of an error is its first argument, with most peers.
func ExamplePayload_Text() {
	text, is := codec.Args("the disk is full", 28).Text(8)
	fmt.Println(text, is)
	_, is = codec.Args(28).Text(8)
	fmt.Println(is)
	// Output:
	// the disk true
	// false
}

// WithKwargs sets all keyword arguments from a struct, With adds one more.
func ExamplePayload_WithKwargs() {
	p := codec.Args("page").WithKwargs(struct {
		Copies int  `json:"copies"`
		Duplex bool `json:"duplex"`
	}{2, true}).With("tray", "upper")
	fmt.Println(p.Kwargs())
	// Output: map[copies:2 duplex:true tray:upper] <nil>
}

// The encoded form of a payload that was received can be stored, or passed on, without
// being decoded.
func ExamplePayload_RawArgs() {
	p := codec.Raw(codec.JSON, []byte(`["a",{"b":1}]`), []byte(`{"c":null}`))
	fmt.Printf("%s %s %s\n", p.Codec().Name(), p.RawArgs(), p.RawKwargs())

	// Another serializer's form is made by conversion.
	buf, n, err := p.Encode(codec.CBOR, nil)
	fmt.Println(len(buf[:n]), err)
	// Output:
	// json ["a",{"b":1}] {"c":null}
	// 7 <nil>
}

// Encoded does once what each connection would do: a payload that goes to many is made
// once. Size is how many bytes it has then; Empty, Opaque and Open ask what it is.
func ExamplePayload_Encoded() {
	p, err := codec.Args("a report").With("page", 2).Encoded()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err = p.Open() // of a sealed one what is in it, of others the payload itself
	fmt.Println(p.Codec().Name(), p.Size(), p.Empty(), p.Opaque(), err)
	// Output: cbor 17 false false <nil>
}

// The last chunk of a progressive call is marked, so that no empty one has to follow.
func ExamplePayload_Last() {
	for _, p := range []codec.Payload{codec.Args("first"), codec.Args("second").Last()} {
		fmt.Println(p.NArgs(), p.IsLast())
	}
	// Output:
	// 1 false
	// 1 true
}

// The path of a ScanError leads to the value that does not fit, however deep it is.
func ExampleScanError() {
	type order struct {
		ID    int      `json:"id"`
		Items []string `json:"items"`
	}
	p := codec.Args("north", map[string]any{"id": 17, "items": []any{"pump", 5}})
	var branch string
	var o order
	err := p.Scan(&branch, &o)
	var odd *codec.ScanError
	if errors.As(err, &odd) {
		fmt.Println(odd.Index, odd.Path)
		fmt.Println(odd.Err)
	}
	// Output:
	// 1 args[1].items[1]
	// cbor: items[1]: cannot decode the number 5 into string
}

// The path of an EncodeError leads to the value that cannot be sent.
func ExampleEncodeError() {
	_, _, err := codec.Args("north", map[string]any{"done": make(chan bool)}).Encode(codec.CBOR, nil)
	var odd *codec.EncodeError
	if errors.As(err, &odd) {
		fmt.Println(odd.Codec, odd.Path)
	}
	// Output: cbor args[1].done
}

// CBOR has tags for what this package does not know. A value with one is a Tag among
// plain values, so that nobody takes its content for the whole of it.
func ExampleTag() {
	// The list [98.6 with tag 4242], as another implementation sends it.
	list := []byte{0x81, 0xd9, 0x10, 0x92, 0xfb, 0x40, 0x58, 0xa6, 0x66, 0x66, 0x66, 0x66, 0x66}
	args, err := codec.Raw(codec.CBOR, list, nil).Args()
	if err != nil {
		fmt.Println(err)
		return
	}
	tag, is := args[0].(codec.Tag)
	fmt.Println(is, tag.Number, tag.Content)
	// Output: true 4242 98.6
}
