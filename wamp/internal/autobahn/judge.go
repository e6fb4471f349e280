package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// verdict is what the suite says of a case.
type verdict struct {
	Behavior      string  `json:"behavior"`
	BehaviorClose string  `json:"behaviorClose"`
	Code          float64 `json:"remoteCloseCode"`
}

// fine are the verdicts that a case may have. INFORMATIONAL are those of which
// RFC 6455 says nothing.
var fine = []string{"OK", "INFORMATIONAL"}

// wrongType is the close code for messages of the other type.
const wrongType = 1003

func (v verdict) fine() bool {
	return slices.Contains(fine, v.Behavior) && slices.Contains(fine, v.BehaviorClose)
}

// run is what one agent did, of one side of the library.
type run struct {
	side, name string
	cases      map[string]verdict
}

// load reads reports. Their folders are named by side and, if there are several of
// one, type.
func load(reports []string) (runs []run, err error) {
	for _, path := range reports {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var agents map[string]map[string]verdict
		if err := json.Unmarshal(data, &agents); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		name := filepath.Base(filepath.Dir(path))
		side, _, _ := strings.Cut(name, "-")
		for agent, cases := range agents {
			if side == name { // more than one agent
				runs = append(runs, run{side, name + "-" + agent, cases})
			} else {
				runs = append(runs, run{side, name, cases})
			}
		}
	}
	return runs, nil
}

// judge reads reports: each case is to be fine on each side, with its own type. With
// the other one it fails, by the close code for that.
func judge(reports []string) error {
	runs, err := load(reports)
	if err != nil {
		return err
	}
	good, count := map[string]map[string]bool{}, map[string]int{} // sides of a case
	sides, bad := map[string]bool{}, map[string][]string{}
	for _, r := range runs {
		sides[r.side] = true
		for id, v := range r.cases {
			if good[id] == nil {
				good[id] = map[string]bool{}
			}
			switch {
			case v.fine():
				good[id][r.side] = true
				count[r.name+": "+v.Behavior]++
			case v.Code != wrongType:
				bad[id] = append(bad[id], fmt.Sprintf("%s: %s, close: %s, code %v", r.name, v.Behavior, v.BehaviorClose, v.Code))
			}
		}
	}
	for id, on := range good {
		if len(on) < len(sides) && bad[id] == nil {
			bad[id] = []string{"not run on all sides with its type"}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		fmt.Printf("%-30s %d\n", what, count[what])
	}
	for _, id := range slices.Sorted(maps.Keys(bad)) {
		fmt.Printf("case %s: %s\n", id, strings.Join(bad[id], "; "))
	}
	switch {
	case len(bad) > 0:
		return fmt.Errorf("%d cases are not fine", len(bad))
	case len(good) == 0:
		return errors.New("no case was run")
	}
	fmt.Printf("all %d cases are fine\n", len(good))
	return nil
}
