//go:build interop

package interop_test

import (
	"bytes"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

const sealedTopic = "com.interop.ring.one"

// testRing has a key for what is below com.interop.ring.
func testRing(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing([]seal.Key{{ID: "1", Pattern: "com.interop.ring.", Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
