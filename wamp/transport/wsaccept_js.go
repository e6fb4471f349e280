package transport

import (
	"fmt"
	"net/http"
)

// AcceptWebSocket refuses the request with status 501 and returns an error that
// wraps [ErrNotInBrowser]: nothing listens there.
func AcceptWebSocket(w http.ResponseWriter, _ *http.Request, _ []Protocol, _ AcceptOptions) (Conn, error) {
	err := fmt.Errorf("AcceptWebSocket: %w", ErrNotInBrowser)
	http.Error(w, err.Error(), http.StatusNotImplemented)
	return nil, err
}
