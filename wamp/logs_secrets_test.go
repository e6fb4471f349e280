package wamp_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What must not be in a log: markedSecret logs in, markedPayload is sent.
const (
	markedSecret  = "swordfish"
	markedPayload = "haddock"
)

// tellsNothing checks that no record has one of the words, and that there are records.
func (r *recorder) tellsNothing(t *testing.T, least int, words ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		text := rec.Message
		rec.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		for _, word := range words {
			if strings.Contains(strings.ToLower(text), word) {
				t.Errorf("%q is told: %s", word, text)
			}
		}
	}
	if len(r.records) < least {
		t.Errorf("only %d records: %v", len(r.records), r.records)
	}
}

// A login tells its secrets to no log, also where it fails, or is made again and again.
func TestNoSecretIsLogged(t *testing.T) {
	salted, err := accept.NewCRASecret(markedSecret, accept.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	seed := hex.EncodeToString(keyOf(1).Seed())
	for name, tt := range map[string]struct {
		accept wamptest.Login
		auth   authn.Authenticator
		secret string
	}{
		"ticket":            {ticketLogin(markedSecret), authn.Ticket("joe", markedSecret), markedSecret},
		"ticket, wrong":     {ticketLogin("right"), authn.Ticket("joe", markedSecret), markedSecret},
		"cra":               {craLogin(accept.CRASecret{Key: markedSecret}), authn.CRA("joe", markedSecret), markedSecret},
		"cra, salted":       {craLogin(salted), authn.CRA("joe", markedSecret), markedSecret},
		"cra, wrong":        {craLogin(accept.CRASecret{Key: "right"}), authn.CRA("joe", markedSecret), markedSecret},
		"scram":             {scramLogin(t, markedSecret, cheapKDF), authn.SCRAM("joe", markedSecret), markedSecret},
		"scram, wrong":      {scramLogin(t, "right", cheapKDF), authn.SCRAM("joe", markedSecret), markedSecret},
		"cryptosign":        {signLogin(), must(t)(authn.CryptosignHex("joe", seed)), seed},
		"cryptosign, wrong": {signLogin(), must(t)(authn.CryptosignHex("jim", seed)), seed},
		"a provider, which panics": {ticketLogin("right"), authn.Ticket("joe", func(context.Context, authn.Request) (string, error) {
			panic("the vault is shut")
		}), markedSecret},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &recorder{}
				r := wamptest.NewRouter(t, wamptest.WithLogins(tt.accept))
				policy := quick()
				policy.Initial, policy.Attempts, policy.Redial = true, 3, func(error) bool { return true }
				r.RefuseDials(1, errors.New("no route"))
				s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth), wamp.WithReconnect(policy), log.option())
				if err == nil {
					r.Refuse(2, proto.ErrURIAuthenticationFailed)
					r.Cut(s.ID())
					<-time.After(time.Minute)
					well(t, s)
					closeIt(t, s)
				} else if strings.Contains(err.Error(), tt.secret) {
					t.Error(err)
				}
				synctest.Wait()
				log.tellsNothing(t, 3, tt.secret)
			})
		})
	}
}

// Nor is what stands in an address, a header or a cookie.
func TestNoAddressTellsASecret(t *testing.T) {
	log := &recorder{}
	r := wamptest.NewRouter(t)
	url, err := r.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, host, _ := strings.Cut(url, "://")
	address := scheme + "://joe:" + markedSecret + "@" + host + "?token=" + markedSecret
	nowhere := strings.Replace(address, host[:strings.IndexByte(host, '/')], "127.0.0.1:1", 1)
	policy := quick()
	policy.Initial = true
	s := connect(t, nowhere, wamp.WithURLs(false, address), wamp.WithReconnect(policy), log.option(),
		wamp.WithHeader("Authorization", "Bearer "+markedSecret), wamp.WithHeader("Cookie", "session="+markedSecret))
	states := s.States(t.Context())
	<-states
	r.Cut(s.ID())
	for st := range states {
		if st.Phase == wamp.Joined {
			break
		}
	}
	closeIt(t, s)
	log.tellsNothing(t, 5, markedSecret, "joe")
	if all := attrsOf(log.records[len(log.records)-2]); all["address"] != url && all["address"] != "" {
		t.Errorf("the address is told as %q", all["address"])
	}
	found := false
	for _, rec := range log.records {
		found = found || attrsOf(rec)["address"] == url
	}
	if !found {
		t.Errorf("no record has the address %s", url)
	}
}

// Payloads are in no log, whatever goes wrong with them.
func TestNoPayloadIsLogged(t *testing.T) {
	for _, cd := range codec.All() {
		t.Run(cd.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &recorder{}
				r := wamptest.NewRouter(t, wamptest.WithMaxMessage(5000))
				s := join(t, r, log.option(), wamp.WithSerializers(cd), wamp.WithReconnect(quick()))
				p := join(t, r)
				ctx := t.Context()
				marked := wamp.Args(markedPayload, map[string]any{markedPayload: markedPayload})
				said := func(text string) error { return wamp.NewError(text, marked) }
				for name, h := range map[string]wamp.Handler{
					"panics":  func(_ context.Context, inv *wamp.Invocation) error { panic("a slip") },
					"panics2": func(_ context.Context, inv *wamp.Invocation) error { panic(said("com.example.no")) },
					"nouri":   func(_ context.Context, inv *wamp.Invocation) error { return said("a b") },
					"unsent": func(_ context.Context, inv *wamp.Invocation) error {
						return inv.Return(wamp.Args(markedPayload, make(chan int)))
					},
					"misreads": func(_ context.Context, inv *wamp.Invocation) error {
						var n int
						return fmt.Errorf("its argument: %w", inv.Scan(&n))
					},
					"forwards": func(_ context.Context, inv *wamp.Invocation) error {
						return fmt.Errorf("inside: %w, %w", said("wamp.error.no_such_procedure"), said("a b"))
					},
					"fails": func(_ context.Context, inv *wamp.Invocation) error { return said("com.example.no") },
					"hangs": func(ctx context.Context, inv *wamp.Invocation) error { <-time.After(time.Minute); return nil },
				} {
					handle(t, s, "com.example."+name, h, wamp.Concurrency(1), wamp.Buffer(1, 0))
					for range 5 {
						call, cancel := context.WithTimeout(ctx, time.Second)
						go func() { defer cancel(); _ = lastErr(p.Call(call, "com.example."+name, marked)) }()
					}
				}
				subscribe(t, s, "com.example.drops", wamp.Buffer(1, 0))
				subscribe(t, s, "com.example.ends", wamp.Buffer(1, 0), wamp.OverflowFail())
				blocks := subscribe(t, s, "com.example.blocks", wamp.Buffer(1, 0), wamp.OverflowBlock())
				for _, topic := range []string{"drops", "ends", "blocks"} {
					for range 100 {
						if _, err := p.Publish(ctx, "com.example."+topic, marked).Wait(); err != nil {
							t.Fatal(err)
						}
					}
				}
				<-time.After(10 * time.Second)
				go func() {
					for range blocks.Events() {
					}
				}()
				// The router's messages are broken, and have a payload.
				sub := subscribe(t, s, "com.example.odd")
				for range 3 {
					_, _ = r.Send(s.ID(), &proto.Message{Type: proto.Event, ID: sub.ID(), Request: 1,
						Options: proto.Dict{{Key: proto.KeyPublisher, Value: markedPayload}, {Key: proto.KeyTopic, Value: 5}}}, marked)
				}
				<-time.After(2 * time.Minute)
				for _, broken := range [][]any{{36, markedPayload, 1, m{}}, {36, 1, 1, d{}, markedPayload}, {50, 4711, d{}, []any{markedPayload}}, {markedPayload}} {
					data, err := cd.AppendValue(nil, broken)
					if err != nil {
						t.Fatal(err)
					}
					r.SendRaw(s.ID(), data)
					<-time.After(time.Minute)
				}
				_ = lastErr(p.Call(ctx, "com.example.nobody", marked))
				s.Publish(ctx, "com.example.large", wamp.Args(strings.Repeat(markedPayload, 1000)))
				<-time.After(time.Minute)
				if _, err := s.Register(ctx, "com.example.panics"); err == nil {
					t.Error("a procedure is registered twice")
				}
				closeIt(t, s)
				log.tellsNothing(t, 20, markedPayload)
			})
		})
	}
}
