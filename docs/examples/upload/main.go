// Command upload sends a file as the chunks of one call, and gets word of each megabyte: a
// call that is a stream in both directions.
//
//	go run ./docs/examples/upload [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Chunk is a part of the file. In JSON bytes are base64, in CBOR and MessagePack they are bytes.
type Chunk struct {
	Data []byte `json:"data"`
}

// Stored is the result.
type Stored struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const megabyte = 1 << 20

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "A file as the chunks of one call, with word of each megabyte.\n\nusage: go run ./docs/examples/upload [-url ws://127.0.0.1:8080/ws -realm realm1]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, *address, *realm); err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, realm string) error {
	var options []wamp.Option
	if address == "" {
		router := wamptest.Start()
		defer router.Close()
		options = append(options, wamp.WithTransport(router.Dial))
	}
	store, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer store.Close(ctx)
	if _, err := wamp.ServeChunks(ctx, store, "com.example.store", receive, wamp.ChunkIdle(10*time.Second)); err != nil {
		return err
	}
	client, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return err
	}
	defer client.Close(ctx)

	file := bytes.Repeat([]byte("a line of a long file\n"), 250_000)
	fmt.Printf("uploading %d bytes\n", len(file))
	stored, err := send(ctx, client, bytes.NewReader(file))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(file)
	same := stored.SHA256 == hex.EncodeToString(sum[:])
	fmt.Printf("stored %d bytes, the same ones: %v\n", stored.Bytes, same)
	if !same {
		return errors.New("something else was stored")
	}

	fmt.Println("uploading a file that cannot be read to its end")
	_, err = send(ctx, client, io.MultiReader(bytes.NewReader(file[:megabyte]), broken{}))
	switch {
	case err == nil:
		return errors.New("half a file was stored")
	case !errors.Is(err, errBroken):
		return err
	}
	fmt.Println("the upload failed:", err)
	return nil
}

// receive is the procedure. What it gets is bounded, whatever comes.
func receive(_ context.Context, in iter.Seq2[Chunk, error], send func(int) error) (Stored, error) {
	hash, total, told := sha256.New(), 0, 0
	for chunk, err := range in {
		if err != nil {
			return Stored{}, err // it did not fit, or the caller is gone: nothing is kept
		}
		if total += len(chunk.Data); total > 100*megabyte {
			return Stored{}, wamp.Errorf(wamp.ErrInvalidArgument, "the file is longer than %d bytes", 100*megabyte)
		}
		hash.Write(chunk.Data)
		for ; told < total/megabyte; told++ {
			if err := send(told + 1); err != nil {
				return Stored{}, err
			}
		}
	}
	return Stored{total, hex.EncodeToString(hash.Sum(nil))}, nil
}

// send uploads what r has. It reads no faster than the connection takes it.
func send(ctx context.Context, client *wamp.Session, r io.Reader) (Stored, error) {
	produce := func(_ context.Context, send func(Chunk) error) error {
		buf := make([]byte, 256<<10)
		for {
			n, err := io.ReadFull(r, buf)
			if n > 0 {
				if err := send(Chunk{buf[:n]}); err != nil { // it is encoded when send returns, so buf may be used again
					return err
				}
			}
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return nil
			case err != nil:
				return err // cancels the call, and is its error
			}
		}
	}
	call := wamp.OpenCall[Chunk, int, Stored](ctx, client, "com.example.store", produce)
	for megabytes, err := range call.All() {
		if err != nil {
			return Stored{}, err
		}
		fmt.Printf("  %d MB\n", megabytes)
	}
	return call.Result()
}

var errBroken = errors.New("the disk is broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }
