package authn

import (
	"fmt"
	"math"
)

// Limits bound what a router may ask for. An upper bound keeps a hostile
// router from burning the client's time and memory, a lower bound from having
// a password hashed so cheaply that it can be guessed from the answer. Zero
// means the default; 1 as a lower bound means none. All are checked before any
// work is done and before the password is asked for.
//
// With the defaults an answer takes at most about two seconds of one core and
// 256 MiB; a router can be that slow to answer, but not slower.
type Limits struct {
	// MaxText bounds each text of a challenge in octets: 8192.
	MaxText int
	// MinIterations and MaxIterations bound PBKDF2: 1000 (WAMP-CRA) or 4096
	// (SCRAM, RFC 7677) to 1,000,000.
	MinIterations, MaxIterations int
	// MinKeyLen and MaxKeyLen bound the key of salted WAMP-CRA in octets: 16
	// to 64.
	MinKeyLen, MaxKeyLen int
	// MinMemory and MaxMemory bound Argon2id in KiB: 64 to 262,144.
	MinMemory, MaxMemory int
	// MaxPasses bounds Argon2id's iterations: 65,536.
	MaxPasses int
	// MinWork and MaxWork bound Argon2id's memory in KiB times its iterations,
	// which is what it costs: 8192 (8 MiB once) to 1,048,576 (1 GiB once).
	MinWork, MaxWork int
	// Parallel bounds how many passwords one authenticator hashes at once,
	// when it serves many sessions: 4. The others wait, as long as their
	// context lives.
	Parallel int
}

// filled returns the limits with the defaults in place.
func (l Limits) filled(minIterations int) Limits {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&l.MaxText, 8192)
	set(&l.MinIterations, minIterations)
	set(&l.MaxIterations, 1_000_000)
	set(&l.MinKeyLen, 16)
	set(&l.MaxKeyLen, 64)
	set(&l.MinMemory, 64)
	set(&l.MaxMemory, 256<<10)
	set(&l.MaxPasses, 1<<16)
	set(&l.MinWork, 8<<10)
	set(&l.MaxWork, 1<<20)
	set(&l.Parallel, 4)
	// What Argon2 itself asks for.
	l.MinMemory = max(l.MinMemory, 8)
	l.MaxMemory = min(l.MaxMemory, math.MaxInt32)
	l.MaxPasses = min(l.MaxPasses, math.MaxInt32)
	return l
}

// LimitError says that a router asked for more, or for less, than Limits
// allow.
type LimitError struct {
	Method string
	// Name is what was asked for: "iterations", "memory", "keylen", "work" or
	// the field whose text is too long.
	Name            string
	Value, Min, Max int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: the router asks for %s %d, allowed are %d to %d (authn.WithLimits changes that)",
		e.Method, e.Name, e.Value, e.Min, e.Max)
}

func within(method, name string, value int64, low, high int) error {
	if value < int64(low) || value > int64(high) {
		return &LimitError{method, name, value, int64(low), int64(high)}
	}
	return nil
}
