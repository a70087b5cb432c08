// Package bindings is libsynehrgy in Go, one function for one function of synehrgy.h, which is the place to look up what a
// call does. Nothing is added but Go's types: a status becomes an *Error made in the same call, arrays become slices whose
// lengths are checked here because C cannot see them, and structs become plain Go structs.
//
// Ownership is that of the header. A handle returned by a Create function is freed by the Destroy function of its kind,
// exactly once; a child keeps its parent alive, so any order will do. A handle is used by one goroutine at a time, except
// that the Cancel functions may be called from any. Slices are borrowed for the call. Package engine turns this into owned
// objects that are hard to misuse; everybody else uses that.
package bindings
