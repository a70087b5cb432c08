// Package engine owns the objects of the core: devices, models, trainers, grammars and generators, each with a Close that
// may be called twice. It is the only package that imports bindings, and the one that the stages are written against.
//
// Every object may be used from several goroutines; calls on one object wait for one another, and calls that write the
// weights of a model wait for those that read them. What is not closed is freed some time after it became unreachable, which
// is a safety net and no plan: weights and caches are large and the garbage collector does not see their size.
//
// A call that takes a context returns context.Cause when it was cancelled, and never before the core has let go of what it
// was given.
package engine
