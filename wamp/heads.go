package wamp

import (
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// head is what a CALL or PUBLISH begins with behind its id: its options and its URI. Most
// of a program have no options and one of a few URIs, which are checked and encoded once.
type head struct {
	codec codec.Codec
	uri   string
	rest  []byte // see codec.AppendRestTo
}

const (
	mostHeads   = 256 // a power of two
	longestHead = 256 // bytes of its URI
	headChance  = 16  // one of so many newcomers takes the place of another
)

var (
	heads    [mostHeads]atomic.Pointer[head]
	headSeed = maphash.MakeSeed()
)

// headOf checks the URI of a request. Where that has no options it returns what it begins
// with, nil if that is not kept.
func headOf(c codec.Codec, uri string, options int) (*head, error) {
	if options > 0 || len(uri) > longestHead {
		return nil, proto.CheckURI(uri)
	}
	at := &heads[maphash.String(headSeed, uri)%mostHeads]
	h := at.Load()
	if h != nil && h.uri == uri && h.codec == c {
		return h, nil
	}
	if err := proto.CheckURI(uri); err != nil || h != nil && rand.Uint32()%headChance != 0 {
		return nil, err
	}
	if h = newHead(c, strings.Clone(uri), nil); h != nil {
		at.Store(h)
	}
	return h, nil
}

// newHead encodes what requests for a URI begin with, nil if that cannot be.
func newHead(c codec.Codec, uri string, options Dict) *head {
	rest, err := codec.AppendRest(c, nil, &proto.Message{Type: proto.Publish, URI: uri, Options: options}, Payload{})
	if err != nil {
		return nil
	}
	return &head{codec: c, uri: uri, rest: rest}
}

// appendPlain appends the rest of a request to dst: its head, and the payload. It does
// not where that is sealed, or large.
func (s *Session) appendPlain(dst []byte, h *head, p *Payload) (rest []byte, done bool, err error) {
	if h == nil || s.payloads != nil || p.Opaque() || codec.Bulk(h.codec, p) > session.MostCopied {
		return dst, false, nil
	}
	rest, err = codec.AppendRestTo(h.codec, append(dst, h.rest...), len(dst), *p)
	return rest, true, s.noted(err)
}
