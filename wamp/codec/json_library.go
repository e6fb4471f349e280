package codec

import (
	"errors"
	"math/big"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// The library's options: binary in WAMP's form, floats that stay floats, plain
// values in an any, durations as numbers, nil as null, and omitempty as the
// other serializers and encoding/json understand it. The wide ones ask of every
// value whether it is made of bytes, and are taken for types that have such.
var (
	jsonForm = json.JoinOptions(json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
		jsonv1.OmitEmptyWithLegacySemantics(true), jsonv1.FormatDurationAsNano(true))
	jsonTo   = json.JoinMarshalers(json.MarshalToFunc(jsonWriteBytes), json.MarshalToFunc(jsonWriteFloat), json.MarshalToFunc(jsonWriteBig))
	jsonFrom = json.JoinUnmarshalers(json.UnmarshalFromFunc(jsonReadBytes), json.UnmarshalFromFunc(jsonReadAny))

	jsonEnc = json.JoinOptions(jsonForm, json.WithMarshalers(jsonTo))
	jsonDec = json.JoinOptions(jsonForm, json.WithUnmarshalers(jsonFrom))

	jsonEncWide = json.JoinOptions(jsonForm, json.WithMarshalers(json.JoinMarshalers(jsonTo, json.MarshalToFunc(jsonWriteOctets))))
	jsonDecWide = json.JoinOptions(jsonForm, json.WithUnmarshalers(json.JoinUnmarshalers(jsonFrom, json.UnmarshalFromFunc(jsonReadOctets))))
)

func jsonWriteBytes(e *jsontext.Encoder, v []byte) error {
	if v == nil {
		return e.WriteToken(jsontext.Null)
	}
	return e.WriteValue(jsonFormat{}.appendBytes(e.AvailableBuffer(), v))
}

func jsonWriteFloat(e *jsontext.Encoder, v float64) error {
	b, err := jsonFormat{}.appendFloat(e.AvailableBuffer(), v)
	if err != nil {
		return err
	}
	return e.WriteValue(b)
}

func jsonWriteBig(e *jsontext.Encoder, v *big.Int) error {
	if v.BitLen() > maxBits {
		return fault(badDigits)
	}
	return e.WriteValue(v.Append(e.AvailableBuffer(), 10))
}

// isOctets reports whether t is a slice or an array of bytes that does not say
// itself how it is written.
func isOctets(t reflect.Type) bool {
	k := t.Kind()
	return (k == reflect.Slice || k == reflect.Array) && t.Elem().Kind() == reflect.Uint8 &&
		!implements(t, textMarshaler)
}

func jsonWriteOctets(e *jsontext.Encoder, v any) error {
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && !r.IsNil() { // the library may give the address
		r = r.Elem()
	}
	if !r.IsValid() || !isOctets(r.Type()) {
		return errors.ErrUnsupported
	}
	b := make([]byte, r.Len())
	reflect.Copy(reflect.ValueOf(b), r)
	if r.Kind() == reflect.Slice && r.IsNil() {
		b = nil
	}
	return jsonWriteBytes(e, b)
}

func jsonReadBytes(d *jsontext.Decoder, v *[]byte) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*v, err = jsonBytes(raw)
	return err
}

func jsonReadAny(d *jsontext.Decoder, v *any) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*v, err = plainValue(jsonFormat{}, raw)
	return err
}

func jsonReadOctets(d *jsontext.Decoder, v any) error {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Pointer || r.IsNil() || !isOctets(r.Type().Elem()) {
		return errors.ErrUnsupported
	}
	var b []byte
	if err := jsonReadBytes(d, &b); err != nil {
		return err
	}
	r = r.Elem()
	if r.Kind() == reflect.Slice {
		r.Set(reflect.ValueOf(b).Convert(r.Type()))
		return nil
	}
	if len(b) != r.Len() && b != nil {
		return errors.New("binary does not have the length of the array")
	}
	r.SetZero()
	reflect.Copy(r, reflect.ValueOf(b))
	return nil
}

// jsonBytes decodes a string into bytes: WAMP's form of binary, or plain
// base64, which is what encoders that do not know that form write.
func jsonBytes(raw []byte) ([]byte, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	s, ok := jsonFormat{}.str(raw)
	if !ok {
		return nil, errors.New("binary is not a string")
	}
	if len(s) > 0 && s[0] == 0 {
		s = s[1:]
	}
	b, ok := jsonBinary(append([]byte{0}, s...))
	if !ok {
		return nil, errors.New(badBase64)
	}
	return b, nil
}
