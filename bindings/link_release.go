//go:build cgo && synehrgy_release

package bindings

// The library beside the program, and no path of the machine that built it.

// #cgo LDFLAGS: -L${SRCDIR}/../build/lib -lsynehrgy -Wl,-rpath,$ORIGIN/../lib
import "C"
