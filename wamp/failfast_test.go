package wamp_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// FailFast is for what begins without a connection. A stream with history has
// begun before: what it asks waits.
func TestFromHistoryFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		policy := quick()
		policy.FailFast = true
		p, s := join(t, r), join(t, r, wamp.WithReconnect(policy))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		publish(t, p, "com.example.topic", 0, 20) // more than the channel holds
		synctest.Wait()
		r.Cut(s.ID())
		synctest.Wait()
		publish(t, p, "com.example.topic", 20, 25)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 25, 26) // live, behind those that are missing
		synctest.Wait()
		r.RefuseDials(2, nil)
		r.Cut(s.ID())
		synctest.Wait()
		for want := range 26 {
			if ev := <-sub.Events(); number(t, ev.Payload) != want || ev.AfterGap {
				t.Fatalf("event %d: %+v", want, ev)
			}
		}
	})
}
