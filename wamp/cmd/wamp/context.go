package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// contextFolder is where contexts are kept. $XDG_CONFIG_HOME counts on every system.
func contextFolder() (string, error) {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "wamp"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "wamp"), nil
}

// selectedFile names the selected context, in the folder of contexts.
const selectedFile = "selected"

var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// contextFile is the file of a context.
func contextFile(name string) (string, error) {
	if !contextName.MatchString(name) {
		return "", usage("the name %q of a context is not of letters, digits, dots, - and _", name)
	}
	dir, err := contextFolder()
	return filepath.Join(dir, name+".json"), err
}

// selectedContext is the name of the context that was selected, "" if none was.
func selectedContext() (string, error) {
	dir, err := contextFolder()
	if err != nil {
		return "", nil //nolint:nilerr // a machine without such a folder has no contexts
	}
	text, err := os.ReadFile(filepath.Join(dir, selectedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// readContext reads a context.
func readContext(name string) (s settings, err error) {
	file, err := contextFile(name)
	if err != nil {
		return s, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, noContext(name)
	}
	if err == nil {
		err = s.decode(name, text)
	}
	return s, err
}
