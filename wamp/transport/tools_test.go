package transport_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// connectProxy serves an HTTP proxy that knows CONNECT.
func connectProxy(t testing.TB) *url.URL {
	t.Helper()
	address, _ := serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		near, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = far.Close()
			return
		}
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(near, far)
			_ = near.Close()
		}()
		_, _ = io.Copy(far, brw)
		_ = far.Close()
		<-done
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme = "http"
	return u
}
