package transport_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that survives its test is a leak of this package or of the way
// it uses a library.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent")) // of JavaScript
}
