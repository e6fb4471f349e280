package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// pingLine is one answer to a ping.
type pingLine struct {
	Seq int     `json:"seq"`
	RTT float64 `json:"rtt_ms"`
}

func (l pingLine) raw() []any { return []any{fmt.Sprintf("%.3f", l.RTT)} }

func (t *tool) pingCommand() *cobra.Command {
	count, every := 1, time.Second
	c := &cobra.Command{
		Use:   "ping",
		Short: "Measure the way to the router and back",
		Long: `ping joins the realm and asks the router for an answer: by a ping of the connection where it has
one, else by a call. It prints the milliseconds of each.`,
		Example: `  wamp ping
  wamp ping --count 10 --every 200ms -o raw`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if count < 1 {
				return usage("--count %d is less than 1", count)
			}
			if every < 0 {
				return usage("--every %v is negative", every)
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				for i := range count {
					if i > 0 {
						if err := rest(ctx, every); err != nil {
							return err
						}
					}
					took, err := s.Ping(ctx)
					if err != nil {
						return err
					}
					if err := t.show.print(pingLine{i + 1, float64(took.Microseconds()) / 1000}); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().IntVarP(&count, "count", "n", count, "how often")
	c.Flags().DurationVar(&every, "every", every, "pause between two")
	return c
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
