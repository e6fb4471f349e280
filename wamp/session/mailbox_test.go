package session

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A reader that is far ahead of the actor waits for it.
func TestInboxIsBounded(t *testing.T) {
	for name, tt := range map[string]struct{ messages, size, runs int }{
		"messages": {messages: 256, size: 1, runs: inboxMessages / 256},
		"bytes":    {messages: 1, size: inboxBytes / 4, runs: 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &inbox{door: &doorbell{bell: make(chan struct{}, 1)}}
			stop := make(chan struct{})
			put, ended := 0, false
			go func() {
				for put <= 10*tt.runs { // not without end where nothing holds it back
					if _, ok := b.put(make([]proto.Message, tt.messages), tt.size, stop); !ok {
						ended = true
						return
					}
					put++
				}
			}()
			synctest.Wait()
			if put != tt.runs || !b.full() {
				t.Fatalf("%s: %d runs were taken, want %d", name, put, tt.runs)
			}
			if msgs, _, _ := b.take(nil); len(msgs) != tt.runs*tt.messages {
				t.Errorf("%s: %d messages", name, len(msgs))
			}
			synctest.Wait()
			if put != 2*tt.runs {
				t.Errorf("%s: then %d runs", name, put)
			}
			close(stop)
			synctest.Wait()
			if !ended {
				t.Errorf("%s: the reader goes on", name)
			}
		})
	}
}
