//go:build cgo && !synehrgy_release

package bindings

// The library of this checkout, or the one beside the program.

// #cgo LDFLAGS: -L${SRCDIR}/../build/lib -lsynehrgy
// #cgo LDFLAGS: -Wl,-rpath,${SRCDIR}/../build/lib -Wl,-rpath,$ORIGIN/../lib -Wl,-rpath,$ORIGIN
import "C"
