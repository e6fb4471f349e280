package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
)

const rawMagic = 0x7f

// RawSocketOptions are the options of DialRawSocket and AcceptRawSocket. The
// zero value is fine.
type RawSocketOptions struct {
	// MaxReceive is the largest message to accept: a power of two from 512 to
	// 16 MiB, other values are rounded down. 0 means 16 MiB.
	MaxReceive int
	// Dial opens the socket; net.Dialer does if it is nil. TLS goes on top.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// length is the LLLL of the handshake: 2^(9+L) bytes.
func (o *RawSocketOptions) length() byte {
	n := o.MaxReceive
	if n <= 0 || n > rawMaxReceive {
		n = rawMaxReceive
	}
	return byte(bits.Len(uint(max(n, rawMinReceive))) - 10)
}

// DialRawSocket connects to a RawSocket router at address of network ("tcp",
// "unix"), with TLS if tlsConfig is not nil. A RawSocket handshake offers one
// protocol only, so the protocols are tried in order, each on a connection of
// its own, for as long as the router refuses the serializer or just hangs up.
//
// ctx bounds all of that and nothing of the connection. The error is a
// *DialError. Where the router was reached and refused, it wraps a
// *HandshakeError, or several if several protocols were tried.
func DialRawSocket(ctx context.Context, network, address string, tlsConfig *tls.Config, protocols []Protocol, opts RawSocketOptions) (Conn, error) {
	if inBrowser {
		return nil, refuse("DialRawSocket")
	}
	target := &Address{Scheme: schemeFor(framedRaw, network, tlsConfig != nil), Network: network, Host: address}
	return dialRawSocket(ctx, target, tlsConfig, protocols, opts)
}

func dialRawSocket(ctx context.Context, target *Address, tlsConfig *tls.Config, protocols []Protocol, opts RawSocketOptions) (Conn, error) {
	d := &rawDial{host: target.Host, config: tlsConfig, opts: &opts}
	d.network, d.tls, d.address, d.phase = target.Network, tlsConfig != nil, target.String(), PhaseDial
	for _, p := range protocols {
		if p.RawSocketID != 0 {
			d.protocols = append(d.protocols, p)
			d.offered = append(d.offered, p.Name)
		}
	}
	if len(d.protocols) == 0 {
		return nil, d.fail(&HandshakeError{Err: ErrNoProtocol})
	}
	if d.tls {
		d.config = tlsConfig.Clone()
		recoverTLS(d.config)
	}
	return d.run(ctx, d.dial)
}

// rawDial is one dial.
type rawDial struct {
	attempt
	host      string
	config    *tls.Config
	protocols []Protocol
	opts      *RawSocketOptions
}

func (d *rawDial) dial(ctx context.Context) (Conn, error) {
	var errs joined
	for _, p := range d.protocols {
		c, err := d.try(ctx, p)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || !tryNext(err) {
			break
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errs
}

// tryNext reports whether err may mean that the router does not know the
// serializer: Crossbar resets the connection instead of saying so.
func tryNext(err error) bool {
	var e *HandshakeError
	if !errors.As(err, &e) {
		return false
	}
	if e.Refusal != 0 {
		return e.Refusal == RefusedSerializer
	}
	return e.Err != nil && !errors.Is(err, ErrNotRawSocket) && !errors.Is(err, ErrReserved) && !errors.Is(err, ErrNoProtocol)
}

// try offers one protocol.
func (d *rawDial) try(ctx context.Context, p Protocol) (Conn, error) {
	dial := dialFunc(d.opts.Dial)
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	d.at(PhaseDial)
	conn, err := dial.call(ctx, d.network, d.host)
	if err != nil {
		return nil, err
	}
	conn = guard(conn)
	socket := conn
	if !d.opens(socket, socket.Close) {
		_ = socket.Close()
		return nil, net.ErrClosed
	}
	if d.config != nil {
		d.at(PhaseTLS)
		if conn, err = clientTLS(ctx, socket, d.host, d.config); err != nil {
			_ = socket.Close()
			return nil, err
		}
	}
	d.at(PhaseRawSocket)
	maxSend, first, err := rawOffer(conn, p, d.opts.length())
	d.mu.Lock()
	d.first = first
	d.mu.Unlock()
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	d.stop(socket)
	return NewRawSocket(conn, p, maxSend, 1<<(9+d.opts.length())), nil
}

// clientTLS does the handshake of TLS over conn.
func clientTLS(ctx context.Context, conn net.Conn, address string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		config = config.Clone()
		config.ServerName = host
	}
	t := tls.Client(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// rawOffer is the client's side of the handshake. first is what the router has
// sent.
func rawOffer(conn net.Conn, p Protocol, length byte) (maxSend int, first []byte, err error) {
	if _, err := conn.Write([]byte{rawMagic, length<<4 | p.RawSocketID&0xf, 0, 0}); err != nil {
		return 0, nil, &HandshakeError{Protocol: p.Name, Err: err}
	}
	var answer [4]byte
	if n, err := io.ReadFull(conn, answer[:]); err != nil {
		return 0, answer[:n], &HandshakeError{Protocol: p.Name, Err: err}
	}
	maxSend, err = rawAnswer(answer, p)
	return maxSend, answer[:], err
}

// rawAnswer reads what the router says to the offer of p.
func rawAnswer(answer [4]byte, p Protocol) (maxSend int, err error) {
	fail := func(r byte, err error) (int, error) {
		return 0, &HandshakeError{Refusal: Refusal(r), Protocol: p.Name, Err: err}
	}
	high, low := answer[1]>>4, answer[1]&0xf
	switch {
	case answer[0] != rawMagic:
		return fail(0, ErrNotRawSocket)
	case answer[2] != 0 || answer[3] != 0:
		return fail(0, ErrReserved)
	case low == 0 && high == 0:
		return fail(0, ErrNotRawSocket) // an error without a number
	case low == 0:
		return fail(high, nil)
	case low != p.RawSocketID:
		return fail(0, ErrNoProtocol)
	}
	return 1 << (9 + high), nil
}

// AcceptRawSocket does the router's side of the handshake. choose says which
// protocol a serializer number stands for, or false to refuse it. conn may be
// one of TLS; it belongs to the result, and is closed if there is an error.
//
// ctx bounds the handshake and nothing of the connection.
func AcceptRawSocket(ctx context.Context, conn net.Conn, choose func(id byte) (Protocol, bool), opts RawSocketOptions) (Conn, error) {
	tlsConn, _ := conn.(*tls.Conn)
	conn = guard(conn)
	hang := func() { _ = bottom(conn).Close() }
	c, err := await(ctx, straggle, hang, func() (Conn, error) {
		if tlsConn != nil {
			if err := tlsConn.HandshakeContext(ctx); err != nil {
				return nil, fmt.Errorf("rawsocket: tls handshake: %w", err)
			}
		}
		p, maxSend, err := rawChoose(conn, choose, opts.length())
		if err != nil {
			return nil, err
		}
		return NewRawSocket(conn, p, maxSend, 1<<(9+opts.length())), nil
	}, func(c Conn) { _ = c.CloseNow() })
	if err != nil {
		hang()
		return nil, err
	}
	return c, nil
}

func rawChoose(conn net.Conn, choose func(id byte) (Protocol, bool), length byte) (p Protocol, maxSend int, err error) {
	var offer [4]byte
	if _, err := io.ReadFull(conn, offer[:]); err != nil {
		return p, 0, &HandshakeError{Err: err}
	}
	refuse := func(r Refusal, err error) (Protocol, int, error) {
		_, _ = conn.Write([]byte{rawMagic, byte(r) << 4, 0, 0})
		return p, 0, &HandshakeError{Refusal: r, Err: err}
	}
	if offer[0] != rawMagic {
		return p, 0, &HandshakeError{Err: ErrNotRawSocket}
	}
	if offer[2] != 0 || offer[3] != 0 {
		return refuse(RefusedReserved, ErrReserved)
	}
	id, ok := offer[1]&0xf, false
	if id != 0 {
		p, ok = choose(id)
	}
	if !ok {
		return refuse(RefusedSerializer, ErrNoProtocol)
	}
	if _, err := conn.Write([]byte{rawMagic, length<<4 | id, 0, 0}); err != nil {
		return p, 0, &HandshakeError{Protocol: p.Name, Err: err}
	}
	return p, 1 << (9 + offer[1]>>4), nil
}
