package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// contextLine is a context as it is printed.
type contextLine struct {
	Name     string `json:"name"`
	Selected bool   `json:"selected,omitempty"`
	settings
	Fault string `json:"fault,omitempty"` // why it cannot be read
}

func (l contextLine) raw() []any     { return []any{l.Name} }
func (l contextLine) head() []string { return []string{" ", "NAME", "URL", "REALM", "LOGIN"} }

func (l contextLine) row() []string {
	mark, login := " ", strings.TrimSpace(l.Auth+" "+l.AuthID)
	if l.Selected {
		mark = "*"
	}
	if l.Fault != "" {
		login = l.Fault
	}
	return []string{mark, l.Name, l.URL, l.Realm, login}
}

func (t *tool) contextCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "context",
		Short: "Keep the options of connections under names",
		Long: `context keeps options of the connection under a name, for --context NAME, $WAMP_CONTEXT, or, where
one was selected, for every command that says nothing else. Options of the command line and of the
environment win over it.

A context is a file of JSON, $XDG_CONFIG_HOME/wamp/NAME.json (else in the system's folder for
settings), that only you may read. It names the files of secrets, and never has a secret in it.`,
		Example: `  wamp context add lab --url wss://lab.example.com/ws --realm lab --key ~/.ssh/wamp --authid alice
  wamp context select lab
  wamp ls sessions --context lab`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		t.contextAdd(),
		t.contextList(),
		t.contextShow(),
		t.contextSelect(),
		t.contextEdit(),
		t.contextRemove(),
	)
	return c
}

func (t *tool) contextAdd() *cobra.Command {
	var force, choose bool
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Keep the given options under a name",
		Long: `add keeps the options of the connection that stand on the command line, and no secret: the files of secrets
and keys are named by their absolute paths.`,
		Example: `  wamp context add lab --url ws://10.0.0.7:8080/ws --realm lab --auth ticket --authid bob --secret-file ~/bob.ticket
  wamp context add here --url ws://127.0.0.1:8080/ws --select`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := contextFile(args[0])
			if err != nil {
				return err
			}
			var s settings
			for _, o := range allSettings {
				if c.Flags().Changed(o.flag) {
					*o.at(&s) = *o.at(&t.flags)
				}
			}
			s.Insecure = t.flags.Insecure
			if err := s.findFiles(); err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			if err := s.write(file, force); err != nil {
				return err
			}
			if choose {
				return selectContext(args[0])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "replace the context if it is there")
	c.Flags().BoolVar(&choose, "select", false, "select it")
	return c
}

func (t *tool) contextList() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the contexts",
		Long:    `ls lists the contexts, and says which one is selected.`,
		Example: "  wamp context ls -o pretty",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			names, err := contextNames()
			if err != nil {
				return err
			}
			selected, err := selectedContext()
			if err != nil {
				return err
			}
			var lines []contextLine
			for _, name := range names {
				l := contextLine{Name: name, Selected: name == selected}
				if l.settings, err = readContext(name); err != nil {
					l.Fault = err.Error()
				}
				lines = append(lines, l)
			}
			return list(t.show, lines)
		},
	}
}

func (t *tool) contextShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show [NAME]",
		Short:             "Print a context, the selected one without a name",
		Long:              `show prints a context: the one that is named, or else the selected one.`,
		Example:           "  wamp context show lab -o pretty",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			selected, err := selectedContext()
			if err != nil {
				return err
			}
			name := selected
			if len(args) > 0 {
				name = args[0]
			}
			if name == "" {
				return usage("no context is selected; name one, or see wamp context select --help")
			}
			s, err := readContext(name)
			if err != nil {
				return err
			}
			return t.show.print(contextLine{Name: name, Selected: name == selected, settings: s})
		},
	}
}

func (t *tool) contextSelect() *cobra.Command {
	none := false
	c := &cobra.Command{
		Use:   "select NAME",
		Short: "Use a context from now on",
		Long:  `select makes a context the one that commands use without --context and $WAMP_CONTEXT; --none makes it none.`,
		Example: `  wamp context select lab
  wamp context select --none`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			if none == (len(args) == 1) {
				return usage("either a name or --none; see wamp context select --help")
			}
			if none {
				return selectContext("")
			}
			if _, err := readContext(args[0]); err != nil {
				return err
			}
			return selectContext(args[0])
		},
	}
	c.Flags().BoolVar(&none, "none", false, "use none")
	return c
}

func (t *tool) contextRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME",
		Short:             "Remove a context",
		Long:              `rm removes a context. Where it is the selected one, none is selected then.`,
		Example:           "  wamp context rm lab",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := contextFile(args[0])
			if err != nil {
				return err
			}
			switch err := os.Remove(file); {
			case errors.Is(err, fs.ErrNotExist):
				return noContext(args[0])
			case err != nil:
				return err
			}
			if selected, err := selectedContext(); err != nil || selected != args[0] {
				return err
			}
			return selectContext("")
		},
	}
}

func (t *tool) contextEdit() *cobra.Command {
	return &cobra.Command{
		Use:   "edit NAME",
		Short: "Change a context in $VISUAL or $EDITOR",
		Long: `edit opens a context in the editor of $VISUAL or $EDITOR. What it saves replaces the context when it
has been understood; until then the context stays as it was.`,
		Example:           "  EDITOR=nano wamp context edit lab",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(c *cobra.Command, args []string) error {
			file, err := contextFile(args[0])
			if err != nil {
				return err
			}
			text, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				return noContext(args[0])
			}
			if err != nil {
				return err
			}
			var s settings
			if s.decode(args[0], text) == nil { // else it is given to the user as it is
				text = s.template()
			}
			return t.edit(c.Context(), args[0], file, text)
		},
	}
}

// edit lets the user change a text until it is a context, or they have enough.
func (t *tool) edit(ctx context.Context, name, file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".edit-*.json")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	for {
		if err := t.openEditor(f.Name()); err != nil {
			_ = os.Remove(f.Name())
			return fmt.Errorf("the context is as it was: %w", err)
		}
		var s settings
		text, err := os.ReadFile(f.Name())
		if err == nil {
			err = s.decode(name, text)
		}
		if err == nil {
			err = s.check()
		}
		if err == nil {
			_ = os.Remove(f.Name())
			return s.write(file, true)
		}
		if !t.confirm(ctx, fmt.Sprintf("wamp: %v\nEdit again? [Y/n] ", err)) {
			return fmt.Errorf("the context is as it was, your text is in %s: %w", f.Name(), err)
		}
	}
}

// openEditor runs the user's editor on a file. The terminal is its own meanwhile.
func (t *tool) openEditor(file string) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		return errors.New("neither $VISUAL nor $EDITOR says which editor")
	}
	words := []string{"sh", "-c", "exec " + editor + ` "$1"`, editor, file} // it may have arguments
	if runtime.GOOS == "windows" {
		words = append(strings.Fields(editor), file)
	}
	c := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // it is the user who says what runs, and when it ends
	c.Stdin, c.Stdout, c.Stderr = t.in, t.errs, t.errs
	if out, is := t.out.(*os.File); is && isTerminal(out) {
		c.Stdout = out
	}
	t.lent.Store(true)
	defer t.lent.Store(false)
	return c.Run()
}

// confirm asks on the terminal. Without one the answer is no.
func (t *tool) confirm(ctx context.Context, question string) bool {
	if !t.asks() {
		return false
	}
	fmt.Fprint(t.errs, question)
	answer := make(chan string, 1)
	go func() { // ends with the line, or the program
		text, err := bufio.NewReader(t.in).ReadString('\n')
		if err != nil {
			text = "n"
		}
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case a := <-answer:
		return a == "" || strings.HasPrefix(a, "y")
	case <-ctx.Done():
		return false
	}
}

// contextNames are the names of the contexts there are, sorted.
func contextNames() (names []string, err error) {
	dir, err := contextFolder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".json"); is && contextName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// completeContexts completes the name of a context.
func completeContexts(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	names, err := contextNames()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// selectContext makes a context the one that is used from now on, "" for none.
func selectContext(name string) error {
	dir, err := contextFolder()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, selectedFile)
	if name == "" {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return writeSecret(file, []byte(name+"\n"), true)
}

// noContext is the error of a name that no context has.
func noContext(name string) error {
	return usage("there is no context %q; wamp context ls lists them", name)
}

// findFiles makes the names of files absolute: a context is used in other folders.
func (s *settings) findFiles() (err error) {
	for _, at := range []*string{&s.SecretFile, &s.Key, &s.CA, &s.Cert, &s.CertKey} {
		if *at == "" || at == &s.Key && *at == agentKey {
			continue
		}
		if *at, err = filepath.Abs(*at); err != nil {
			return err
		}
	}
	return nil
}

// write writes the file of a context.
func (s *settings) write(file string, force bool) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return writeSecret(file, append(text, '\n'), force)
}

// template is a context for the editor: what is not set is there too, empty.
func (s *settings) template() []byte {
	v := reflect.ValueOf(*s)
	var fields []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields = append(fields, fmt.Sprintf("  %q: %s", name, compact(v.Field(i).Interface())))
	}
	return []byte("{\n" + strings.Join(fields, ",\n") + "\n}\n")
}
