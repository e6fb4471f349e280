package wamp_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

func ExampleSession_Stats() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	// The counters of all sessions for whoever collects them: expvar.NewMap("wamp")
	// makes the map that is published at /debug/vars.
	sessions := new(expvar.Map)
	sessions.Set("billing", expvar.Func(func() any { return session.Stats() }))

	n, err := wamp.Call[int](ctx, session, "com.example.count", wamp.Args(3))
	fmt.Println(n, err)

	var published map[string]wamp.Stats
	if err := json.Unmarshal([]byte(sessions.String()), &published); err != nil {
		fmt.Println(err)
		return
	}
	st := published["billing"]
	fmt.Println("calls", st.Calls, "results", st.Results, "reconnects", st.Reconnects)
	// Output:
	// 3 <nil>
	// calls 1 results 1 reconnects 0
}

func ExampleSession_Healthy() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	// A readiness probe: 200 while the session can be reached, 503 and why not
	// otherwise.
	ready := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := session.Healthy()
		if err == nil {
			fmt.Fprintln(w, "ready")
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		var health *wamp.HealthError
		if errors.As(err, &health) {
			fmt.Fprintln(w, health.Phase, time.Since(health.Since) < time.Minute)
		}
	})
	probe := func() {
		answer := httptest.NewRecorder()
		ready.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ready", nil))
		fmt.Print(answer.Code, " ", answer.Body)
	}
	probe()
	if err := session.Close(ctx); err != nil {
		fmt.Println(err)
	}
	probe()
	// Output:
	// 200 ready
	// 503 closed true
}
