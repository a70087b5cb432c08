package bindings

// This file mirrors the plain structs and constants of synehrgy.h, for builds with and without cgo. The comments there say
// what each field means. constants.go holds the compiler to the numbers.

// The major and minor version of the ABI these bindings were written against.
const (
	ABIMajor = 1
	ABIMinor = 0
)

// Code is a syn_status.
type Code int32

// The statuses of the core.
const (
	OK              Code = 0
	InvalidArgument Code = 1
	OutOfMemory     Code = 2
	Unsupported     Code = 3
	NoDevice        Code = 4
	Numeric         Code = 5
	IO              Code = 6
	Format          Code = 7
	Cancelled       Code = 8
	Internal        Code = 9
	ABIMismatch     Code = 10
)

// The backends of a device.
const (
	BackendCPU     int32 = 0
	BackendRef     int32 = 1
	BackendCUDA    int32 = 2
	BackendHostGPU int32 = 3
)

// The families of a model.
const (
	GPT2  int32 = 0
	Llama int32 = 1
)

// The precisions of products while training.
const (
	FP32 int32 = 0
	BF16 int32 = 1
	INT8 int32 = 2
)

// The optimizers of a trainer.
const (
	OptimizerAdamW int32 = 0
	OptimizerMuon  int32 = 1
)

// What a generator's cache of keys and values holds.
const (
	CacheOwn  int32 = 0
	CacheFP16 int32 = 1
)

// What TrainerRead and TrainerWrite copy.
const (
	StateMoment1  int32 = 0
	StateMoment2  int32 = 1
	StateGradient int32 = 2
)

// The operations Bench times.
const (
	BenchGEMM              int32 = 0
	BenchAttentionForward  int32 = 1
	BenchAttentionBackward int32 = 2
	BenchFMA               int32 = 3
	BenchTriad             int32 = 4
)

// Taps is the number of tokens that one row of the soft-target table spreads over.
const Taps = 7

// Float is an element type in which tensors are copied in and out.
type Float interface{ float32 | float64 }

// DeviceParams is syn_device_params.
type DeviceParams struct {
	Backend int32
	Threads int32
}

// ModelConfig is syn_model_config.
type ModelConfig struct {
	Family, Vocab, Width, Layers, Heads, KVHeads, HeadDim, FFN, Context, Tied int32
	NormEps, RopeTheta, Dropout, InitStd                                      float32
	Window                                                                    int32
}

// Tensor is syn_tensor; Shape has Rank elements.
type Tensor struct {
	Name          string
	Shape         []int64
	Count         int64
	Decay, Hidden bool
}

// TrainerParams is syn_trainer_params.
type TrainerParams struct {
	MaxSegments                        int32
	MaxTokens                          int64
	Seed                               uint64
	Beta1, Beta2, Epsilon, WeightDecay float64
	Clip                               float64
	Inference, Recompute               bool
	Precision                          int32
	Optimizer                          int32
}

// Memory is syn_memory, in bytes.
type Memory struct {
	Parameters, Gradients, Moments, Activations, Workspace, KVCache, Total int64
}

// Loss is syn_loss.
type Loss struct {
	Targets int64
	Sum     float64
}

// Update is syn_update.
type Update struct {
	Skipped  bool
	Step     int64
	GradNorm float64
}

// OpTime is syn_op_time.
type OpTime struct {
	Name                 string
	Calls                int64
	Seconds, Flop, Bytes float64
}

// GrammarParams is syn_grammar_params together with the arrays of syn_grammar_create.
type GrammarParams struct {
	Vocab, States, Classes             int32
	Start, Done, StartToken            int32
	VisitToken0, Visits, ElapsedToken0 int32
	TokenClass                         []uint16 // [Vocab]
	TokenOrder                         []int32  // [Vocab]
	ClassRule, ClassRole               []uint8  // [Classes]
	Next                               []int16  // [States*Classes]
	Forget                             []uint8  // [States*Classes]
	Distance                           []uint16 // [States]
	ChunkToken                         []int32  // [States]
	ElapsedEdges                       []int64
	KnotStart                          []int32 // [Vocab+1]
	Knots                              []int64
	Decimals                           []int8 // [Vocab]
}

// GeneratorParams is syn_generator_params.
type GeneratorParams struct {
	Slots       int32
	MaxTokens   int64
	Seed        uint64
	Temperature float32
	TopK        int32
	TopP, MinP  float32
	Mask        bool
	ReportMass  bool
	Precision   int32
	Cache       int32
}

// GeneratorStats is syn_generator_stats.
type GeneratorStats struct {
	Active                            int32
	Queued, Ready, Steps, Tokens      int64
	MaskedMass, LogpModel, LogpMasked float64
	NoLegalLogit, Measured            int64
}

// Record is syn_record.
type Record struct {
	Closed     bool
	Patient    int64
	Tokens     int64
	Chunks     int32
	MaskedMass float64
	Measured   int64
}

// BoostParams is syn_boost_params.
type BoostParams struct {
	Rounds, Depth, Threads                             int32
	LearningRate, MinChildWeight, Subsample, Colsample float64
	Seed                                               uint64
}
