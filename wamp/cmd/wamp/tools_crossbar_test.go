//go:build interop

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// atCrossbar is the program beside the router that testdata/interop/rig.sh has started.
func atCrossbar(t *testing.T, kind string) *bench {
	t.Helper()
	node := os.Getenv("WAMP_INTEROP")
	if node == "" {
		t.Fatal("WAMP_INTEROP must name the folder of a running router; .ci/interop.sh sets it")
	}
	text, err := os.ReadFile(filepath.Join(node, "rig.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rig struct {
		URLs map[string]string `json:"urls"`
		CA   string            `json:"ca"`
	}
	if err := json.Unmarshal(text, &rig); err != nil || rig.URLs[kind] == "" {
		t.Fatalf("rig.json has no address of %s: %v", kind, err)
	}
	return &bench{T: t, url: rig.URLs[kind], ca: rig.CA, config: t.TempDir()}
}
