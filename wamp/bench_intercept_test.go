package wamp_test

import (
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// BenchmarkInterceptors makes calls, publishes and receives with no interceptors and with
// some that do nothing, at both sides. Without any it is as if there were none in the
// library.
func BenchmarkInterceptors(b *testing.B) {
	for n := range 3 {
		interceptors := make([]wamp.Interceptor, n)
		for i := range interceptors {
			interceptors[i] = wamp.InterceptorFuncs{}
		}
		r := wamptest.Start()
		b.Cleanup(r.Close)
		var all [2]*wamp.Session
		for i := range all {
			s, err := wamp.Connect(b.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithInterceptors(interceptors...))
			if err != nil {
				b.Fatal(err)
			}
			all[i] = s
		}
		s := all[0]
		if _, err := all[1].Handle(b.Context(), "com.example.echo", echo); err != nil {
			b.Fatal(err)
		}
		for name, f := range map[string]func() error{
			"Call[T]": func() error {
				_, err := wamp.Call[int](b.Context(), s, "com.example.echo", wamp.Args(8))
				return err
			},
			"Session.Call": func() error {
				_, err := s.Call(b.Context(), "com.example.echo", wamp.Args(8)).Final()
				return err
			},
			"publish": func() error {
				_, err := s.Publish(b.Context(), "com.example.topic", wamp.Args(8)).Wait()
				return err
			},
			"acknowledged publish": func() error {
				_, err := s.Publish(b.Context(), "com.example.topic", wamp.Args(8), wamp.Acknowledge()).Wait()
				return err
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
