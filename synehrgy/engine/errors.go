package engine

import (
	"errors"

	"github.com/synehrgy/synehrgy-go/bindings"
)

// Error is what the core says: the entry point, a status and one sentence. errors.Is finds its cause among the values below.
type Error = bindings.Error

// The causes of an Error.
var (
	ErrInvalid     = bindings.ErrInvalid
	ErrOutOfMemory = bindings.ErrOutOfMemory
	ErrUnsupported = bindings.ErrUnsupported
	ErrNoDevice    = bindings.ErrNoDevice
	ErrNumeric     = bindings.ErrNumeric
	ErrIO          = bindings.ErrIO
	ErrFormat      = bindings.ErrFormat
	ErrCancelled   = bindings.ErrCancelled
	ErrABI         = bindings.ErrABI
)

// ErrClosed is the error of using an object after its Close.
var ErrClosed = errors.New("used after Close")
