package authn

import (
	"fmt"
	"math"
)

// Limits bound what a router may ask for. Upper bounds keep a hostile router
// from using up the client's time and memory. Lower bounds keep it from having
// a password hashed so cheaply that it can be guessed from the answer. Zero
// means the default; 1 as a lower bound means none. All limits are checked
// before any work is done and before the password is asked for.
//
// With the defaults an answer takes at most about two seconds of one core and
// 256 MiB.
type Limits struct {
	// MaxText bounds each text of a challenge, in bytes. The default is 8192.
	MaxText int
	// MinIterations and MaxIterations bound the iterations of PBKDF2. The
	// defaults are 1000 (WAMP-CRA) or 4096 (SCRAM, RFC 7677) and 1,000,000.
	MinIterations, MaxIterations int
	// MinKeyLen and MaxKeyLen bound the key of salted WAMP-CRA, in bytes. The
	// defaults are 16 and 64.
	MinKeyLen, MaxKeyLen int
	// MinMemory and MaxMemory bound the memory of Argon2id, in KiB. The defaults
	// are 64 and 262,144.
	MinMemory, MaxMemory int
	// MaxPasses bounds the passes of Argon2id. The default is 65,536.
	MaxPasses int
	// MinWork and MaxWork bound the memory of Argon2id in KiB times its passes,
	// which is what it costs. The defaults are 8192 (8 MiB once) and 1,048,576
	// (1 GiB once).
	MinWork, MaxWork int
	// Parallel bounds how many passwords one Authenticator hashes at once for
	// its sessions. The default is 4. The others wait until their context ends.
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

// LimitError reports that a router asked for more, or for less, than [Limits]
// allow.
type LimitError struct {
	Method string
	// Name is what was asked for: "iterations", "memory", "keylen", "work", or
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
