package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/connectanum/connectanum-go/wamp"
)

// mostLine is how long a line of input may be: no router takes a message of that size.
const mostLine = 64 << 20

// inputLine is one line, without its end. err is why there are no more.
type inputLine struct {
	number int
	text   string
	err    error
}

// lines reads lines for as long as ctx lives. A read that blocks is left behind then, and
// what it reads is lost.
func lines(ctx context.Context, r io.Reader) <-chan inputLine {
	out := make(chan inputLine)
	go func() { // ends with the input, with ctx after the line that it reads, or with the program
		defer close(out)
		reader := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			text, err := readLine(reader, mostLine)
			l := inputLine{number: n, text: string(text)}
			if err != nil {
				if err == io.EOF {
					return
				}
				l.err = fmt.Errorf("line %d: %w", n, err)
			}
			select {
			case out <- l:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// errLongLine is a line beyond the bound.
var errLongLine = errors.New("it is too long")

// readLine reads a line of at most so many bytes, without its end. Input that does not end
// with a line end has a last line all the same.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > most:
			return nil, fmt.Errorf("%w: more than %d bytes", errLongLine, most)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
}

// payload is what a line stands for.
func (l inputLine) payload() (wamp.Payload, error) {
	if l.err != nil {
		return wamp.Payload{}, fmt.Errorf("standard input, %w", l.err)
	}
	p, err := payloadOf(l.text)
	if err != nil {
		return p, fmt.Errorf("standard input, line %d: %w", l.number, err)
	}
	return p, nil
}
