package authn_test

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

func TestTicket(t *testing.T) {
	asked := 0
	provider := func(_ context.Context, r authn.Request) (string, error) {
		asked++
		if r.Method != "ticket" || r.AuthID != "joe" || r.Realm != "realm1" || r.Rejoin != asked-1 {
			t.Errorf("asked for %+v", r)
		}
		return []string{"first", "second"}[asked-1], nil
	}
	auth := authn.Ticket("joe", provider)
	for i, want := range []string{"first", "second"} {
		a, err := auth.Begin(t.Context(), authn.JoinInfo{Realm: "realm1", Private: true, Rejoin: i})
		if err != nil {
			t.Fatal(err)
		}
		var h authn.Hello
		if err := a.Hello(&h); err != nil || len(h.Methods) != 1 || h.Methods[0] != "ticket" || h.AuthID != "joe" {
			t.Fatalf("%+v, %v", h, err)
		}
		r, err := a.Challenge(t.Context(), authn.Challenge{Method: "ticket"})
		if err != nil || r.Signature != want {
			t.Fatalf("signature %q, %v", r.Signature, err)
		}
		if err := a.Welcome(authn.Welcome{}); err != nil {
			t.Fatal(err)
		}
	}
	var plaintext *authn.PlaintextError
	if _, err := auth.Begin(t.Context(), authn.JoinInfo{}); !errors.As(err, &plaintext) || !errors.Is(err, authn.ErrUnusable) {
		t.Errorf("over an open connection: %v", err)
	}
	if _, err := authn.Ticket("joe", "x", authn.AllowPlaintext()).Begin(t.Context(), authn.JoinInfo{}); err != nil {
		t.Errorf("allowed over an open connection: %v", err)
	}
}
