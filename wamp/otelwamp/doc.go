// Package otelwamp makes OpenTelemetry spans and metrics of WAMP sessions.
package otelwamp
