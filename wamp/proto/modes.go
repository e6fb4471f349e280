package proto

// CancelMode says what a CANCEL asks of the dealer.
type CancelMode uint8

// The cancel modes.
const (
	// KillNoWait interrupts the callee, and the call ends at once. It is the
	// default.
	KillNoWait CancelMode = iota
	// Kill interrupts the callee, and the call ends with its answer.
	Kill
	// Skip leaves the callee alone, and the call ends at once.
	Skip
)

var cancelModes = [...]string{KillNoWait: "killnowait", Kill: "kill", Skip: "skip"}

// String returns the mode as it stands on the wire.
func (m CancelMode) String() string { return cancelModes[m] }

// ParseCancelMode returns the mode that a string stands for. Any that is not
// known, the empty one included, is KillNoWait.
func ParseCancelMode(s string) (m CancelMode, known bool) {
	for i, name := range cancelModes {
		if s == name {
			return CancelMode(i), true
		}
	}
	return KillNoWait, false
}

// RunMode says which callees of a sharded registration a call goes to.
type RunMode string

// The run modes.
const (
	RunPartition RunMode = "partition" // the one that the routing key picks
	RunAll       RunMode = "all"       // every one
)

// Scope says when a testament is published.
type Scope string

// The scopes of testaments.
const (
	Destroyed Scope = "destroyed" // when the session is gone for good
	Detached  Scope = "detached"  // when its connection is gone
	// OldDetached is Detached as older versions of Crossbar spell it.
	OldDetached Scope = "detatched" //nolint:misspell // it is theirs
)
