//go:build cgo

package bindings

/*
#cgo CFLAGS: -I${SRCDIR}
#cgo nocallback syn_abi_version
#cgo nocallback syn_version
#cgo nocallback syn_live
#cgo nocallback syn_status_name
#cgo noescape syn_describe
#cgo nocallback syn_describe
#cgo noescape syn_philox
#cgo nocallback syn_philox

#include "synehrgy.h"

// zz_libstamp.h holds the SHA-256 of the library and is written when the library is built. That its content is compiled in
// here makes `go test` see a new library as a change of this package; without it results of the old one would be reported
// from the cache.
#if defined(__has_include)
#if __has_include("zz_libstamp.h")
#include "zz_libstamp.h"
#endif
#endif
#ifndef SYN_LIB_STAMP
#define SYN_LIB_STAMP ""
#endif
*/
import "C"

import "unsafe"

// Every function of the core borrows its arguments for the call and calls nothing of ours, which the noescape and nocallback
// lines of each file tell cgo: without them each struct passed by address would be an allocation per call.

// LibraryStamp is the SHA-256 of the library that was there when this package was compiled, in hexadecimal; empty for a
// library that was not built from this tree.
const LibraryStamp string = C.SYN_LIB_STAMP

// ABIVersion is the version of the library at hand, major << 16 | minor.
func ABIVersion() uint32 { return uint32(C.syn_abi_version()) }

// Compatible says whether the library at hand fits these bindings; the error says which side to build again.
func Compatible() error { return mismatch(ABIVersion(), LibraryStamp) }

// Version is the version of the library, "0.1.0".
func Version() string { return C.GoString(C.syn_version()) }

// Live is the number of handles that nobody has destroyed.
func Live() int64 { return int64(C.syn_live()) }

// StatusName is the name of a status as the core spells it.
func StatusName(c Code) string { return C.GoString(C.syn_status_name(C.syn_status(c))) }

// Describe is the JSON text in which the library says what it is and runs on.
func Describe() (string, error) {
	buffer := make([]byte, 4096)
	for {
		e := newError()
		var length C.size_t
		rc := C.syn_describe((*C.char)(unsafe.Pointer(unsafe.SliceData(buffer))), C.size_t(len(buffer)), &length, &e)
		if int(length) >= len(buffer) && len(buffer) < 1<<24 { // the text and its zero did not fit
			buffer = make([]byte, int(length)+1)
			continue
		}
		if rc != C.SYN_OK {
			return "", failure("syn_describe", rc, e)
		}
		return string(buffer[:length]), nil
	}
}

// Philox is one block of Philox4x32-10.
func Philox(counter [4]uint32, key [2]uint32) (out [4]uint32) {
	C.syn_philox((*C.uint32_t)(&counter[0]), (*C.uint32_t)(&key[0]), (*C.uint32_t)(&out[0]))
	return out
}

func newError() C.syn_error { return C.syn_error{size: C.sizeof_syn_error} }

// failure turns a status and the text of the same call into an *Error. It takes the text by value: GoString lets its
// argument escape, and by address that would be an allocation in every call that did not fail.
func failure(op string, rc C.syn_status, e C.syn_error) error {
	msg := C.GoString(&e.message[0])
	if msg == "" {
		msg = StatusName(Code(rc))
	}
	return &Error{Op: op, Code: Code(rc), Msg: msg, Wanted: int64(e.wanted)}
}

// data is the address of the first element, nil for an empty slice.
func data[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return unsafe.SliceData(s)
}

// dtype is the SYN_F32 or SYN_F64 that F is.
func dtype[F Float]() C.int32_t {
	if unsafe.Sizeof(F(0)) == 8 {
		return C.SYN_F64
	}
	return C.SYN_F32
}

func flag(on bool) C.int32_t {
	if on {
		return 1
	}
	return 0
}
