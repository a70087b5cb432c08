package bindings

import (
	"errors"
	"fmt"
)

// What errors.Is finds in an *Error, one value for one cause.
var (
	ErrInvalid     = errors.New("invalid argument")
	ErrOutOfMemory = errors.New("out of memory")
	ErrUnsupported = errors.New("unsupported")
	ErrNoDevice    = errors.New("device not available")
	ErrNumeric     = errors.New("not a finite number")
	ErrIO          = errors.New("input or output failed")
	ErrFormat      = errors.New("invalid format")
	ErrCancelled   = errors.New("cancelled")
	ErrABI         = errors.New("library and program do not match")
)

// Error is a status of the core together with the sentence it gave in the same call.
type Error struct {
	Op     string // the entry point, "syn_model_create"
	Code   Code
	Msg    string // one sentence
	Wanted int64  // bytes asked for, with OutOfMemory
}

func (e *Error) Error() string {
	if e.Code == OutOfMemory && e.Wanted > 0 {
		return fmt.Sprintf("%s: %s (%d bytes asked for)", e.Op, e.Msg, e.Wanted)
	}
	return e.Op + ": " + e.Msg
}

// Is tells whether target is the cause that the code stands for.
func (e *Error) Is(target error) bool { return target != nil && target == e.Code.cause() }

func (c Code) cause() error {
	switch c {
	case InvalidArgument:
		return ErrInvalid
	case OutOfMemory:
		return ErrOutOfMemory
	case Unsupported:
		return ErrUnsupported
	case NoDevice:
		return ErrNoDevice
	case Numeric:
		return ErrNumeric
	case IO:
		return ErrIO
	case Format:
		return ErrFormat
	case Cancelled:
		return ErrCancelled
	case ABIMismatch:
		return ErrABI
	}
	return nil
}

// invalid is the error of an argument that must not reach C, such as a slice shorter than C would read.
func invalid(op, format string, args ...any) error {
	return &Error{Op: op, Code: InvalidArgument, Msg: fmt.Sprintf(format, args...)}
}

// mismatch says which side of an ABI is older and has to be built again. stamp names the library that was there when this
// package was compiled.
func mismatch(library uint32, stamp string) error {
	major, minor := library>>16, library&0xffff
	if major == ABIMajor && minor >= ABIMinor {
		return nil
	}
	side := "the library is older: build it again (./dev build)"
	if major > ABIMajor {
		side = "the program is older: build it again against the synehrgy.h of that library"
	}
	if stamp == "" {
		stamp = "none"
	}
	return &Error{Op: "syn_abi_version", Code: ABIMismatch, Msg: fmt.Sprintf(
		"libsynehrgy speaks ABI %d.%d and this program %d.%d (compiled against library stamp %s); %s",
		major, minor, ABIMajor, ABIMinor, stamp, side)}
}
