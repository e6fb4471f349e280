// Package simtest is the simulation in fake time: whole sessions against the
// in-process router, over connections that break at any byte, with the operations,
// faults and invariants of package sim. It has tests only; .ci/sim.sh runs them for
// longer. The other simulation, of the engine's step function, is in package session.
package simtest
