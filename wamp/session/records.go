package session

import (
	"log/slog"
	"strings"
)

// Record is a kind of record in the log. docs/logs.md has them for users, and a test
// holds that page to this file.
type Record uint8

// The records. Which one is written says its message, and what it is about its attributes.
const (
	RecordJoined Record = iota
	RecordRestored
	RecordClosed
	RecordFree

	RecordLost
	RecordAttemptFailed
	RecordWaiting
	RecordTaken
	RecordSubscriptionEnded
	RecordRegistrationEnded
	RecordTestament
	RecordHistory
	RecordTooBig
	RecordOdd
	RecordSlow
	RecordOverflow
	RecordHeld
	RecordTwoReaders
	RecordLeftBehind
	RecordMasked
	RecordEventError
	RecordSlowLogger
	RecordLeftOut

	RecordEnded
	RecordPanic
	RecordGoexit
	RecordStuck
	RecordOverdue
	RecordUnsent
	RecordMistake

	RecordConnecting
	RecordSubscriptionLeft
	RecordRegistrationLeft

	NumRecords
)

// recordKind is what all records of a kind have in common. A name of an attribute that
// ends with "?" is of one that may be missing.
type recordKind struct {
	level   slog.Level
	fault   bool // it goes to slog.Default where the session has no logger
	message string
	attrs   string
}

// recordKinds has a row for each. It is never changed.
var recordKinds = [NumRecords]recordKind{
	RecordJoined: {slog.LevelInfo, false, "session joined",
		"address? attempt? realm session subprotocol authid authrole authmethod"},
	RecordRestored: {slog.LevelInfo, false, "session restored", "session handles ended? down took"},
	RecordClosed:   {slog.LevelInfo, false, "session closed", "session"},
	RecordFree:     {slog.LevelInfo, false, "connection no longer held back", "held"},

	RecordLost:              {slog.LevelWarn, false, "connection lost", "address? session up error"},
	RecordAttemptFailed:     {slog.LevelWarn, false, "attempt to connect failed", "address? attempt error"},
	RecordWaiting:           {slog.LevelWarn, false, "operations wait for a connection", "waiting down error"},
	RecordTaken:             {slog.LevelWarn, false, "procedure is taken after a reconnect, asking again", "procedure error"},
	RecordSubscriptionEnded: {slog.LevelWarn, false, "subscription ended", "topic match error"},
	RecordRegistrationEnded: {slog.LevelWarn, false, "registration ended", "procedure match error"},
	RecordTestament:         {slog.LevelWarn, false, "testament not left again", "scope error"},
	RecordHistory:           {slog.LevelWarn, false, "no event history after a reconnect", "topic error"},
	RecordTooBig:            {slog.LevelWarn, false, "connection closed for a publish or an answer that is too big", "bytes error"},
	RecordOdd:               {slog.LevelWarn, false, "malformed messages", "messages error"},
	RecordSlow:              {slog.LevelWarn, false, "slow consumer", "topic? procedure? stream messages"},
	RecordOverflow:          {slog.LevelWarn, false, "stream ended by a slow consumer", "topic? procedure? stream"},
	RecordHeld:              {slog.LevelWarn, false, "connection held back by a slow consumer", "topic? procedure? stream held streams"},
	RecordTwoReaders:        {slog.LevelWarn, false, "channel asked for of what is read by All", "topic? procedure?"},
	RecordLeftBehind:        {slog.LevelWarn, false, "connection does not end and is left behind", "after"},
	RecordMasked:            {slog.LevelWarn, true, "error masked for the caller", "procedure caller error because"},
	RecordEventError:        {slog.LevelWarn, true, "handler of an event returned an error", "topic events error"},
	RecordSlowLogger:        {slog.LevelWarn, true, "logger is too slow, records were dropped", "dropped"},
	RecordLeftOut:           {slog.LevelWarn, true, "records were left out", "record"},

	RecordEnded:   {slog.LevelError, false, "session ended", "address? session error"},
	RecordPanic:   {slog.LevelError, true, "user code panicked", "code panic stack"},
	RecordGoexit:  {slog.LevelError, true, "user code called runtime.Goexit", "code stack"},
	RecordStuck:   {slog.LevelError, true, "user code has not returned", "code after"},
	RecordOverdue: {slog.LevelError, true, "handler has not ended, its caller was answered", "procedure after answer"},
	RecordUnsent:  {slog.LevelError, true, "answer not sent", "procedure error"},
	RecordMistake: {slog.LevelError, true, "mistake of this library", "error"},

	RecordConnecting:       {slog.LevelDebug, false, "connecting", "attempt delay error"},
	RecordSubscriptionLeft: {slog.LevelDebug, false, "subscription ended with its context", "topic match error"},
	RecordRegistrationLeft: {slog.LevelDebug, false, "registration ended with its context", "procedure match error"},
}

// Level returns the level of such records.
func (r Record) Level() slog.Level { return recordKinds[r].level }

// String returns the message of such records.
func (r Record) String() string { return prefix + recordKinds[r].message }

// Attrs returns the names of their attributes in the order in which they are written.
// One that may be missing ends with "?".
func (r Record) Attrs() []string { return strings.Fields(recordKinds[r].attrs) }

// Fault reports whether they are written to slog.Default where the session has no logger.
func (r Record) Fault() bool { return recordKinds[r].fault }
