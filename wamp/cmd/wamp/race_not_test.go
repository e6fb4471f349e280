//go:build !race

package main

// buildFlags build the program as the tests are.
var buildFlags []string
