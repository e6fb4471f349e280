package codec_test

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// What cannot be sent is named by its own type, wherever it stands.
func TestEncodeErrorNamesTheType(t *testing.T) {
	type inner struct{ C chan int }
	type outer struct{ E error }
	type tagged struct{ T codec.Tag }
	for _, c := range codec.All() {
		for _, tt := range []struct {
			value any
			want  string
		}{
			{make(chan int), "args[0]: a function, a channel or a complex number cannot be sent (chan int)"},
			{complex64(1), "args[0]: a function, a channel or a complex number cannot be sent (complex64)"},
			{inner{}, "args[0].C: a function, a channel or a complex number cannot be sent (chan int)"},
			{[]any{1, func() {}}, "args[0][1]: a function, a channel or a complex number cannot be sent (func())"},
			{map[string]any{"a": map[string]any{"b": make(chan<- bool)}}, "args[0].a.b: a function, a channel or a complex number cannot be sent (chan<- bool)"},
			{outer{errors.New("x")}, "args[0].E: an error cannot be sent, its text can (errors.errorString)"},
			{tagged{}, "args[0].T: a Tag cannot be sent, its content can (codec.Tag)"},
		} {
			_, err := c.AppendList(nil, []any{tt.value})
			if err == nil || err.Error() != c.Name()+": "+tt.want {
				t.Errorf("%v, want %s: %s", err, c.Name(), tt.want)
			}
		}
	}
}
