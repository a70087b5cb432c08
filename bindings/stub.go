//go:build !cgo

package bindings

// Without a C compiler the package still type-checks, so that editors, vet and the pure packages work; every call that would
// need the core says what to do.

// LibraryStamp is empty without the library.
const LibraryStamp string = ""

// The handles, which nobody can make without the core.
type (
	Device    struct{}
	Model     struct{}
	Trainer   struct{}
	Grammar   struct{}
	Generator struct{}
)

func unavailable(op string) error {
	return &Error{Op: op, Code: Unsupported, Msg: "this program was built without cgo; rebuild with cgo (CGO_ENABLED=1 and a C compiler)"}
}

// The library.

func ABIVersion() uint32                          { return 0 }
func Compatible() error                           { return unavailable("syn_abi_version") }
func Version() string                             { return "" }
func Live() int64                                 { return 0 }
func StatusName(Code) string                      { return "" }
func Describe() (string, error)                   { return "", unavailable("syn_describe") }
func Philox([4]uint32, [2]uint32) (out [4]uint32) { return out }
func DeviceCreate(DeviceParams) (Device, error)   { return Device{}, unavailable("syn_device_create") }
func DeviceDestroy(Device)                        {}
func DeviceThreads(Device) int                    { return 0 }
func ModelConfigInit() ModelConfig                { return ModelConfig{} }
func ModelDestroy(Model)                          {}
func ModelTensors(Model) int                      { return 0 }
func ModelTensor(Model, int) (Tensor, error)      { return Tensor{}, unavailable("syn_model_tensor") }
func ModelRead[F Float](Model, int, []F) error    { return unavailable("syn_model_read") }
func ModelWrite[F Float](Model, int, []F) error   { return unavailable("syn_model_write") }
func TrainerParamsInit() TrainerParams            { return TrainerParams{} }
func TrainerDestroy(Trainer)                      {}
func TrainerCancel(Trainer)                       {}
func TrainerStep(Trainer) int64                   { return 0 }
func TrainerSetStep(Trainer, int64) error         { return unavailable("syn_trainer_set_step") }
func TrainerProfile(Trainer, bool) error          { return unavailable("syn_trainer_profile") }
func TrainerApply(Trainer, float64) (Update, error) {
	return Update{}, unavailable("syn_trainer_apply")
}
func GrammarCreate(*GrammarParams) (Grammar, error) {
	return Grammar{}, unavailable("syn_grammar_create")
}
func GrammarDestroy(Grammar)                        {}
func GeneratorParamsInit() GeneratorParams          { return GeneratorParams{} }
func GeneratorDestroy(Generator)                    {}
func GeneratorCancel(Generator)                     {}
func GeneratorSubmit(Generator, int64, int64) error { return unavailable("syn_generator_submit") }
func BoostParamsInit() BoostParams                  { return BoostParams{} }

func ModelCreate(Device, ModelConfig, uint64) (Model, error) {
	return Model{}, unavailable("syn_model_create")
}

func TrainerEstimate(Device, ModelConfig, TrainerParams) (Memory, error) {
	return Memory{}, unavailable("syn_trainer_estimate")
}

func TrainerCreate(Model, TrainerParams) (Trainer, error) {
	return Trainer{}, unavailable("syn_trainer_create")
}

func TrainerSoftTargets(Trainer, []int32, []float32) error {
	return unavailable("syn_trainer_soft_targets")
}

func TrainerAccumulate(_ Trainer, _, _, _, _ []int32, _ int) (Loss, error) {
	return Loss{}, unavailable("syn_trainer_accumulate")
}

func TrainerQueue(_ Trainer, _, _, _, _ []int32, _ int) error {
	return unavailable("syn_trainer_accumulate")
}

func TrainerLosses(Trainer) (Loss, error) { return Loss{}, unavailable("syn_trainer_losses") }

func TrainerProfileOps(Trainer) ([]OpTime, error) {
	return nil, unavailable("syn_trainer_profile_op")
}

func TrainerScore(_ Trainer, _, _, _ []int32, _ []float64) error {
	return unavailable("syn_trainer_score")
}

func TrainerLogits[F Float](_ Trainer, _, _ []int32, _ int, _ []F) error {
	return unavailable("syn_trainer_logits")
}

func TrainerRead[F Float](Trainer, int32, int, []F) error  { return unavailable("syn_trainer_read") }
func TrainerWrite[F Float](Trainer, int32, int, []F) error { return unavailable("syn_trainer_write") }

func GeneratorEstimate(Device, ModelConfig, Grammar, GeneratorParams) (Memory, error) {
	return Memory{}, unavailable("syn_generator_estimate")
}

func GeneratorCreate(Model, Grammar, GeneratorParams) (Generator, error) {
	return Generator{}, unavailable("syn_generator_create")
}

func GeneratorRun(Generator, int64) (GeneratorStats, error) {
	return GeneratorStats{}, unavailable("syn_generator_run")
}

func GeneratorTake(Generator, []int32, []int64) (Record, error) {
	return Record{}, unavailable("syn_generator_take")
}

func Nearest(_ Device, _ []float32, _ int64, _ []float32, _ int64, _, _ int32, _ bool, _ []float32, _ []int32) error {
	return unavailable("syn_nearest")
}

func BoostFitPredict(_ BoostParams, _, _ []float32, _, _ int64, _ []float32, _ int64, _ []float32) error {
	return unavailable("syn_boost_fit_predict")
}

func Bench(_ Device, _ int32, _, _, _ int64, _, _ int32) (seconds, flop float64, err error) {
	return 0, 0, unavailable("syn_bench")
}
