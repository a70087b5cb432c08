// Package fault holds the errors that a user can mend, as values that say in one sentence what was found and what was
// expected. The command line turns each kind into its documented exit code; everything else is an error of exit code 1.
package fault

import (
	"fmt"
	"strings"
)

// Input says that a file does not hold what it must (exit code 3). It never quotes a value of a patient: Found describes
// ("text where a number belongs"), it does not cite.
type Input struct {
	File     string // the file as the user knows it
	Row      int64  // 1 is the first line of the file; 0 when the fault is not in a line
	Found    string // what is there
	Expected string // what should be
	Err      error  // the cause, where there is one
}

func (e *Input) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Row > 0 {
		fmt.Fprintf(&b, ", row %d", e.Row)
	}
	fmt.Fprintf(&b, ": found %s, expected %s", e.Found, e.Expected)
	return b.String()
}

func (e *Input) Unwrap() error { return e.Err }

// Usage says that the command, a flag or the configuration is wrong (exit code 2).
type Usage struct{ Message string }

func (e *Usage) Error() string { return e.Message }

// Usagef makes a Usage.
func Usagef(format string, args ...any) error { return &Usage{fmt.Sprintf(format, args...)} }

// Quality says that the job was done but its result misses a gate the user set (exit code 6).
type Quality struct{ Message string }

func (e *Quality) Error() string { return e.Message }
