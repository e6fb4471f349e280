package otelwamp_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that survives is a leak. What handlers do wrong on purpose is not printed.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
