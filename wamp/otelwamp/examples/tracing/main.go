// Command tracing shows one trace through four programs: a shop calls for a price, the
// pricing service calls for the stock and publishes what it found, and a ledger hears of it.
// Each has a session and a tracer provider of its own, as processes have; their spans go to
// one exporter, here one in memory.
//
// It belongs to the module of otelwamp, so from there:
//
//	cd wamp/otelwamp && go run ./examples/tracing [-url ws://127.0.0.1:8080/ws -realm realm1]
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func main() {
	address := flag.String("url", "", "router to connect to; without it one is started in this process")
	realm := flag.String("realm", "realm1", "realm to join")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "One trace through four programs.\n\n"+
			"usage: cd wamp/otelwamp && go run ./examples/tracing [-url ws://127.0.0.1:8080/ws -realm realm1]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, *address, *realm); err != nil {
		fmt.Fprintln(os.Stderr, "tracing:", err)
		os.Exit(1)
	}
}

// program is what a process has: a session, and a provider of tracers that knows its name.
type program struct {
	*wamp.Session
	traces *sdktrace.TracerProvider
}

// start is the beginning of each program.
func start(ctx context.Context, name string, exporter sdktrace.SpanExporter, address, realm string, options ...wamp.Option) (*program, error) {
	traces := sdktrace.NewTracerProvider(
		sdktrace.WithSyncer(exporter), // WithBatcher and an exporter of OTLP, where this is no demonstration
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", name))))
	tracing := otelwamp.New(
		otelwamp.WithTracerProvider(traces),
		otelwamp.WithPropagator(propagation.TraceContext{}),
		otelwamp.InKwargs("")) // through any router
	session, err := wamp.Connect(ctx, address, realm, append(options, wamp.WithInterceptors(tracing))...)
	return &program{session, traces}, err
}

func run(ctx context.Context, address, realm string) error {
	var options []wamp.Option
	if address == "" {
		router := wamptest.Start()
		defer router.Close()
		options = append(options, wamp.WithTransport(router.Dial))
	}
	spans := tracetest.NewInMemoryExporter()
	programs := map[string]*program{}
	for _, name := range []string{"shop", "pricing", "stock", "ledger"} {
		p, err := start(ctx, name, spans, address, realm, options...)
		if err != nil {
			return err
		}
		defer p.Close(ctx)
		programs[name] = p
	}
	booked := make(chan string, 2)
	if err := serve(ctx, programs, booked); err != nil {
		return err
	}

	shop := programs["shop"]
	order, span := shop.traces.Tracer("shop").Start(ctx, "order")
	_, err := wamp.Call[int](order, shop.Session, "com.example.price", wamp.Args("horse"))
	if err != nil {
		return err
	}
	select {
	case <-booked:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err = wamp.Call[int](order, shop.Session, "com.example.price", wamp.Args("unicorn"))
	if err == nil {
		return errors.New("there is no price of what nobody has")
	}
	span.End()

	for _, p := range programs { // behind this all spans have ended; a program would shut its provider down too
		if err := p.Close(ctx); err != nil {
			return err
		}
	}
	show(spans.GetSpans(), span.SpanContext().TraceID(), trace.SpanID{}, "")
	return nil
}

// serve begins what the services do. What they call and publish under the ctx of a handler
// is below its span.
func serve(ctx context.Context, programs map[string]*program, booked chan<- string) error {
	pricing := programs["pricing"].Session
	_, err := wamp.Serve(ctx, programs["stock"].Session, "com.example.stock", func(_ context.Context, item string) (int, error) {
		if item == "unicorn" {
			return 0, wamp.NewError("com.example.error.unknown_item", wamp.Args(item))
		}
		return 3, nil
	})
	if err != nil {
		return err
	}
	_, err = wamp.Serve(ctx, pricing, "com.example.price", func(ctx context.Context, item string) (int, error) {
		n, err := wamp.Call[int](ctx, pricing, "com.example.stock", wamp.Args(item))
		if err != nil {
			return 0, err
		}
		_, err = pricing.Publish(ctx, "com.example.priced", wamp.Args(item), wamp.Acknowledge()).Wait()
		return 100 / n, err
	})
	if err != nil {
		return err
	}
	_, err = wamp.On(ctx, programs["ledger"].Session, "com.example.priced", func(_ context.Context, ev wamp.EventOf[string]) error {
		booked <- ev.Value
		return nil
	})
	return err
}

// show prints the spans of a trace, each below its parent and behind those that began
// before it.
func show(spans tracetest.SpanStubs, id trace.TraceID, parent trace.SpanID, indent string) {
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), strings.Compare(a.Name, b.Name))
	})
	for _, s := range spans {
		if s.SpanContext.TraceID() != id || s.Parent.SpanID() != parent {
			continue
		}
		service, _ := s.Resource.Set().Value("service.name")
		outcome := ""
		for _, a := range s.Attributes {
			if a.Key == "wamp.outcome" {
				outcome = ", " + a.Value.AsString()
			}
		}
		fmt.Printf("%-8s %s%s (%s%s)\n", service.AsString(), indent, s.Name, s.SpanKind, outcome)
		show(spans, id, s.SpanContext.SpanID(), indent+"  ")
	}
}
