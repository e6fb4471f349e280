package wamp_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that survives its test is a leak; inside a bubble of synctest it
// fails the test by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
