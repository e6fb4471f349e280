//go:build !unix

package transport

import "net"

// rawWriter writes to a socket without blocking, which is not possible here.
type rawWriter struct{}

func (w *rawWriter) init(net.Conn)               {}
func (w *rawWriter) ok() bool                    { return false }
func (w *rawWriter) write(p []byte) (int, error) { return 0, nil }
