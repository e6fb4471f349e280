package faults

import (
	"io"
	"net"
	"net/http"
)

// Tunnel is an HTTP proxy that knows CONNECT, and nothing else.
func Tunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	far, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
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
	go func() { // ends with either side
		defer close(done)
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}()
	_, _ = io.Copy(far, brw)
	_ = far.Close()
	<-done
}
