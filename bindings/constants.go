//go:build cgo

package bindings

// #include "synehrgy.h"
import "C"

// The constants of types.go are those of the header; a difference does not compile (index out of range).
var _ = [1]struct{}{}[(ABIMajor-C.SYN_ABI_MAJOR)|(ABIMinor-C.SYN_ABI_MINOR)]
var _ = [1]struct{}{}[(OK-C.SYN_OK)|(InvalidArgument-C.SYN_INVALID_ARGUMENT)|(OutOfMemory-C.SYN_OUT_OF_MEMORY)|
	(Unsupported-C.SYN_UNSUPPORTED)|(NoDevice-C.SYN_NO_DEVICE)|(Numeric-C.SYN_NUMERIC)|(IO-C.SYN_IO)|(Format-C.SYN_FORMAT)|
	(Cancelled-C.SYN_CANCELLED)|(Internal-C.SYN_INTERNAL)|(ABIMismatch-C.SYN_ABI_MISMATCH)]
var _ = [1]struct{}{}[(BackendCPU-C.SYN_BACKEND_CPU)|(BackendRef-C.SYN_BACKEND_REF)|(BackendCUDA-C.SYN_BACKEND_CUDA)|
	(BackendHostGPU-C.SYN_BACKEND_HOSTGPU)|
	(GPT2-C.SYN_GPT2)|(Llama-C.SYN_LLAMA)|(FP32-C.SYN_PRECISION_FP32)|(BF16-C.SYN_PRECISION_BF16)|(INT8-C.SYN_PRECISION_INT8)|
	(CacheOwn-C.SYN_CACHE_OWN)|(CacheFP16-C.SYN_CACHE_FP16)|
	(OptimizerAdamW-C.SYN_OPTIMIZER_ADAMW)|(OptimizerMuon-C.SYN_OPTIMIZER_MUON)]
var _ = [1]struct{}{}[(StateMoment1-C.SYN_STATE_MOMENT1)|(StateMoment2-C.SYN_STATE_MOMENT2)|(StateGradient-C.SYN_STATE_GRADIENT)|
	(BenchGEMM-C.SYN_BENCH_GEMM)|(BenchAttentionForward-C.SYN_BENCH_ATTENTION_FORWARD)|
	(BenchAttentionBackward-C.SYN_BENCH_ATTENTION_BACKWARD)|(BenchFMA-C.SYN_BENCH_FMA)|(BenchTriad-C.SYN_BENCH_TRIAD)]
