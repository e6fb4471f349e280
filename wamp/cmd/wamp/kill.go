package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// killedLine is what a kill came to. Sessions is absent where the router only counts.
type killedLine struct {
	Killed   int      `json:"killed"`
	Sessions []uint64 `json:"sessions,omitempty"`
}

func (l killedLine) raw() []any { return []any{l.Killed} }

func (t *tool) killCommand() *cobra.Command {
	var authid, role, reason, message string
	c := &cobra.Command{
		Use:   "kill SESSION... | --by-authid NAME | --by-role ROLE",
		Short: "Close sessions",
		Long: `kill closes sessions of the realm, by the meta API: those with the given ids, or all with an authid
or authrole, but never its own. It prints how many.`,
		Example: `  wamp kill 1234567890123456 --message 'please log in again'
  wamp kill --by-authid alice --reason com.example.banned
  wamp kill --by-role guest`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: t.completeSessions,
		RunE: func(c *cobra.Command, args []string) error {
			ways := 0
			for _, given := range []bool{len(args) > 0, authid != "", role != ""} {
				if given {
					ways++
				}
			}
			if ways != 1 {
				return usage("either ids of sessions, --by-authid or --by-role; see %s --help", c.CommandPath())
			}
			var ids []wamp.ID
			for _, a := range args {
				id, err := strconv.ParseUint(a, 10, 64)
				if err != nil || id == 0 {
					return usage("%q is not the id of a session", a)
				}
				ids = append(ids, wamp.ID(id))
			}
			var options []meta.KillOption
			if reason != "" {
				options = append(options, meta.KillReason(reason))
			}
			if message != "" {
				options = append(options, meta.KillMessage(message))
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				var killed meta.Killed
				var err error
				switch api := meta.Of(s); {
				case authid != "":
					killed, err = api.KillByAuthID(ctx, authid, options...)
				case role != "":
					killed, err = api.KillByAuthRole(ctx, role, options...)
				default:
					killed, err = killEach(ctx, api, ids, options)
				}
				if err != nil && killed.Count == 0 {
					return noMeta(err)
				}
				l := killedLine{Killed: killed.Count}
				for _, id := range killed.IDs {
					l.Sessions = append(l.Sessions, uint64(id))
				}
				return errors.Join(err, t.show.print(l))
			})
		},
	}
	fs := c.Flags()
	fs.StringVar(&authid, "by-authid", "", "all sessions of `name`")
	fs.StringVar(&role, "by-role", "", "all sessions of `role`")
	fs.StringVar(&reason, "reason", "", "`URI` of the GOODBYE, default the router's")
	fs.StringVar(&message, "message", "", "`text` for those who are closed")
	_ = c.RegisterFlagCompletionFunc("by-authid", t.completeNames(func(s meta.SessionInfo) string { return s.AuthID }))
	_ = c.RegisterFlagCompletionFunc("by-role", t.completeNames(func(s meta.SessionInfo) string { return s.AuthRole }))
	return c
}

// killEach kills one session after the other, all that can be.
func killEach(ctx context.Context, api meta.API, ids []wamp.ID, options []meta.KillOption) (killed meta.Killed, err error) {
	for _, id := range ids {
		if e := api.KillSession(ctx, id, options...); e != nil {
			err = errors.Join(err, fmt.Errorf("%d: %w", id, e))
			continue
		}
		killed.Count++
		killed.IDs = append(killed.IDs, id)
	}
	return killed, err
}
