package simtest_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that survives its test is a leak; inside a bubble of synctest it
// fails the test by itself.
// What handlers do wrong on purpose would fill the output: a test that looks at
// the default logger sets one of its own.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent")) // of JavaScript
}
