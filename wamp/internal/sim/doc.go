// Package sim is what the two simulations of a session share: the operations
// and faults, a generator that makes a plan of them from a seed, the log that
// replays, and a model that is told what happened and judges it. The step
// simulation (package session) drives the engine's step function; the one in
// fake time (package simtest) drives whole sessions over connections.
//
// It knows messages only (package proto). To add an operation: one entry in
// kinds (gen.go), its true outcomes in truths (rules.go), and a case in the
// world of each simulation. To add an invariant: one constant and one rule in
// rules.go, fed by what the worlds report (model.go).
package sim
