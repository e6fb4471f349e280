package otelwamp_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// printTrace prints the spans of a trace, each below its parent.
func printTrace(spans tracetest.SpanStubs, id trace.TraceID, parent trace.SpanID, indent string) {
	for _, s := range spans {
		if s.SpanContext.TraceID() != id || s.Parent.SpanID() != parent {
			continue
		}
		outcome := ""
		for _, a := range s.Attributes {
			if a.Key == "wamp.outcome" {
				outcome = ", " + a.Value.AsString()
			}
		}
		fmt.Printf("%s%s (%s%s)\n", indent, s.Name, s.SpanKind, outcome)
		printTrace(spans, id, s.SpanContext.SpanID(), indent+"  ")
	}
}

// A shop asks for the price of an order, and the pricing service asks for the stock; a
// third service is told. Each is a session of its own, and all are in one trace.
func Example() {
	ctx := context.Background()
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	tracing := wamp.WithInterceptors(otelwamp.New(
		otelwamp.WithTracerProvider(traces),
		otelwamp.WithPropagator(propagation.TraceContext{}),
		otelwamp.InKwargs(""),
	))

	router := wamptest.Start()
	defer router.Close()
	join := func() *wamp.Session {
		session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), tracing)
		if err != nil {
			log.Fatal(err)
		}
		return session
	}
	shop, pricing, stock := join(), join(), join()

	_, err := wamp.Serve(ctx, stock, "com.example.stock", func(ctx context.Context, item string) (int, error) {
		if item == "unicorn" {
			return 0, wamp.NewError("com.example.error.unknown_item", wamp.Args(item))
		}
		return 3, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = wamp.Serve(ctx, pricing, "com.example.price", func(ctx context.Context, item string) (int, error) {
		n, err := wamp.Call[int](ctx, pricing, "com.example.stock", wamp.Args(item))
		if err != nil {
			return 0, err
		}
		pricing.Publish(ctx, "com.example.priced", wamp.Args(item))
		return 100 / n, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	priced, err := stock.Subscribe(ctx, "com.example.priced")
	if err != nil {
		log.Fatal(err)
	}

	order, span := traces.Tracer("shop").Start(ctx, "order")
	price, err := wamp.Call[int](order, shop, "com.example.price", wamp.Args("horse"))
	fmt.Println(price, err)
	<-priced.Events()
	_, err = wamp.Call[int](order, shop, "com.example.price", wamp.Args("unicorn"))
	fmt.Println(strings.TrimPrefix(err.Error(), "wamp: "))
	span.End()

	for _, session := range []*wamp.Session{shop, pricing, stock} {
		if err := session.Close(ctx); err != nil { // all spans have ended
			log.Fatal(err)
		}
	}
	printTrace(spans.GetSpans(), span.SpanContext().TraceID(), trace.SpanID{}, "")
	// Output:
	// 33 <nil>
	// call com.example.price: com.example.error.unknown_item: unicorn
	// order (internal)
	//   com.example.price (client, ok)
	//     com.example.price (server, ok)
	//       com.example.stock (client, ok)
	//         com.example.stock (server, ok)
	//       publish com.example.priced (producer, ok)
	//         receive com.example.priced (consumer, ok)
	//   com.example.price (client, error)
	//     com.example.price (server, error)
	//       com.example.stock (client, error)
	//         com.example.stock (server, error)
}
