package seal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
)

type panics struct{}

func (panics) Error() string { panic("no text") }

func TestPayloadErrorSaysWhere(t *testing.T) {
	about := seal.About{Kind: seal.KindResult, URI: "com.example.proc"}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{seal.ErrNoKey, "seal: payload of yield com.example.proc: there is no such key for this URI"},
		{errors.New("kms: timeout"), "seal: payload of yield com.example.proc: kms: timeout"},
	} {
		err := error(&seal.PayloadError{About: about, Err: tt.err})
		if err.Error() != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%v", err)
		}
	}
	if text := (&seal.PayloadError{About: about, Err: panics{}}).Error(); !strings.Contains(text, "com.example.proc") {
		t.Error(text)
	}
	about.URI = strings.Repeat("a", 10_000)
	if text := (&seal.PayloadError{About: about, Err: seal.ErrPlain}).Error(); len(text) > 2*proto.MaxText {
		t.Errorf("%d bytes", len(text))
	}
}

// The names are part of the format of a Ring.
func TestKindNames(t *testing.T) {
	for kind, want := range map[seal.Kind]string{0: "unknown", seal.KindPublish: "publish", seal.KindCall: "call", seal.KindResult: "yield", seal.KindError: "error"} {
		if kind.String() != want {
			t.Errorf("%d is %v, want %s", kind, kind, want)
		}
	}
}
