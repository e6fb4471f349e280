package transport_test

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// tapped is a connection that counts the messages it has read.
type tapped struct {
	transport.Conn
	messages int
}

func (c *tapped) Read() ([]byte, error) {
	m, err := c.Conn.Read()
	if err == nil {
		c.messages++
	}
	return m, err
}

// A connection that wraps another one, to see each message that comes in.
func ExampleConn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	conn := &tapped{}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(
		func(ctx context.Context, protocols []transport.Protocol) (c transport.Conn, err error) {
			conn.Conn, err = router.Dial(ctx, protocols)
			return conn, err
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	<-session.Publish(ctx, "com.example.door", wamp.Args("open"), wamp.Acknowledge())
	if err := session.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.messages, "messages: WELCOME, PUBLISHED, GOODBYE")
	// Output: 3 messages: WELCOME, PUBLISHED, GOODBYE
}
