package otelwamp

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/connectanum/connectanum-go/wamp"
)

// Judge gives the outcome, the error.type, the status code, and who has cancelled.
func Judge(kind wamp.OpKind, err error) [4]string {
	v := judge(kind, err)
	return [4]string{v.outcome, v.errorType, v.statusCode, v.canceledBy}
}

// FieldsOf reads what a peer has sent.
func FieldsOf(value any) map[string]any { return fieldsOf(value) }

// ServerOf are the attributes of an address.
func ServerOf(router string) []attribute.KeyValue {
	if s := new(interceptor).serverOf(router); s != nil {
		return s.list
	}
	return nil
}
