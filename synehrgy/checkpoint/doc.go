// Package checkpoint keeps what a run leaves on disk: weights in the safetensors format, the shape of the model in a
// config.json of Hugging Face's form, and the primitives by which every room writes without ever leaving half a file.
//
// A file that is read is treated as hostile: whatever its bytes, the answer is its content or a *fault.Input, never a crash.
// A file that is written appears under its name whole or not at all, readable by its owner alone.
package checkpoint
