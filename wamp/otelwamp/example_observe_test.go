package otelwamp_test

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The metrics of a session that has no interceptor.
func ExampleObserve() {
	ctx := context.Background()
	reader := sdkmetric.NewManualReader() // a program has an exporter here
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))

	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close(ctx)
	stop, err := otelwamp.Observe(session, otelwamp.WithMeterProvider(meters), otelwamp.WithAttributes(attribute.String("line", "north")))
	if err != nil {
		log.Fatal(err)
	}
	defer stop() // the end of the session does it too

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		log.Fatal(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Unit)
	}
	// Unordered output:
	// wamp.session.reconnects {reconnect}
	// wamp.session.messages {message}
	// wamp.session.dropped {message}
	// wamp.session.overflowed {stream}
	// wamp.session.refused {invocation}
	// wamp.session.faults {fault}
	// wamp.session.open {session}
	// wamp.session.queue.size By
	// wamp.session.waiting {operation}
}

// Which names spans have: those of patterns, of which there are few.
func ExampleNew() {
	var all []string
	names := wamp.InterceptorFuncs{EndFunc: func(_ context.Context, op *wamp.Op, _ error) {
		all = append(all, strings.TrimSpace(op.Kind.String()+" "+op.Pattern))
	}}
	ctx := context.Background()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(
		otelwamp.New(otelwamp.InOptions(otelwamp.TransactionHash), otelwamp.ProgressEvents()), // with the global providers
		names,
	))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := session.Subscribe(ctx, "com.example.", wamp.Match(wamp.Prefix)); err != nil {
		log.Fatal(err)
	}
	session.Publish(ctx, "com.example.a", wamp.Args())
	if err := session.Close(ctx); err != nil {
		log.Fatal(err)
	}
	slices.Sort(all)
	fmt.Println(strings.Join(all, "\n"))
	// Output:
	// connect
	// publish com.example.a
	// subscribe com.example.
}
