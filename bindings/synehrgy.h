/* libsynehrgy: the C ABI of the SynEHRgy core. C99, no other header of ours.
 *
 * Manners
 *   - Every call that can fail returns a syn_status and, when the caller passes one, fills the caller's own syn_error in the
 *     same call. Nothing is kept per thread.
 *   - Handles are opaque. A child keeps its parent alive; destroy in any order; destroying NULL is fine. A handle is used by
 *     one thread at a time, different handles freely.
 *   - A struct begins with its size, set by its _init function or by the caller; another size than this header's is
 *     SYN_ABI_MISMATCH. Fields are only appended, with a new minor version, which then takes the earlier sizes as well.
 *   - Arrays are borrowed for the duration of the call. Counts are in elements. No callback, no signal. Three variables of the
 *     environment are read: SYNEHRGY_THREADS (where a device asks for 0 threads), SYNEHRGY_ISA (avx512_bf16, avx512, avx2
 *     or none: takes the kernels for that) and SYNEHRGY_BACKEND_DIR (where the plugins of the GPU backends lie, an absolute
 *     path; beside the library without it). OMP_WAIT_POLICY is set to passive, unless it is set, before XGBoost is opened.
 *   - A call that runs long polls the cancel flag of its handle and returns SYN_CANCELLED, leaving the handle usable.
 */
#ifndef SYNEHRGY_H
#define SYNEHRGY_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SYN_API __attribute__((visibility("default")))
#else
#define SYN_API
#endif

#ifdef __cplusplus
extern "C" {
#define SYN_NOEXCEPT noexcept
#else
#define SYN_NOEXCEPT
#endif

#define SYN_ABI_MAJOR 1
#define SYN_ABI_MINOR 0

typedef int32_t syn_status;
enum {
  SYN_OK = 0,
  SYN_INVALID_ARGUMENT = 1,
  SYN_OUT_OF_MEMORY = 2,
  SYN_UNSUPPORTED = 3,
  SYN_NO_DEVICE = 4, /* there is none, or the one at work was lost: nothing of it can be read any more */
  SYN_NUMERIC = 5, /* NaN or infinity where a number must be */
  SYN_IO = 6,
  SYN_FORMAT = 7,
  SYN_CANCELLED = 8,
  SYN_INTERNAL = 9,
  SYN_ABI_MISMATCH = 10
};

typedef struct syn_error {
  uint32_t size;    /* sizeof(syn_error), set by the caller */
  int32_t code;     /* the returned status */
  int64_t wanted;   /* SYN_OUT_OF_MEMORY: bytes asked for */
  char where[64];   /* the entry point */
  char message[432];/* one sentence */
} syn_error;

/* ---- library ------------------------------------------------------------------------------------------------------ */

SYN_API uint32_t syn_abi_version(void) SYN_NOEXCEPT; /* major << 16 | minor */
SYN_API const char* syn_version(void) SYN_NOEXCEPT;  /* "0.1.0" */
SYN_API const char* syn_status_name(syn_status) SYN_NOEXCEPT;

/* What this library is and runs on, as one JSON object: version, backends, cpu (name, features, isa), gemm, threads,
 * boost (XGBoost version or why not), cuda and hostgpu (the device, or why there is none). Writes at most capacity bytes
 * including the terminating zero; *length is the full length without it. */
SYN_API syn_status syn_describe(char* text, size_t capacity, size_t* length, syn_error*) SYN_NOEXCEPT;

/* Number of live handles of all kinds; zero when everything has been destroyed. */
SYN_API int64_t syn_live(void) SYN_NOEXCEPT;

/* Philox4x32-10, one block. */
SYN_API void syn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) SYN_NOEXCEPT;

/* ---- device ------------------------------------------------------------------------------------------------------- */

typedef struct syn_device syn_device;

/* CUDA: the first NVIDIA device, by the plugin libsynehrgy_cuda.so. HOSTGPU: the same kernels by libsynehrgy_hostgpu.so, an
 * emulation on the host, for tests. On both networks are computed in bf16; SYN_NO_DEVICE comes with the reason. */
enum { SYN_BACKEND_CPU = 0, SYN_BACKEND_REF = 1, SYN_BACKEND_CUDA = 2, SYN_BACKEND_HOSTGPU = 3 };
enum { SYN_F32 = 0, SYN_F64 = 1 };

typedef struct syn_device_params {
  uint32_t size;
  int32_t backend;
  int32_t threads; /* 0: min(affinity, container quota); never more than 256 */
} syn_device_params;

SYN_API void syn_device_params_init(syn_device_params*) SYN_NOEXCEPT;
SYN_API syn_status syn_device_create(const syn_device_params*, syn_device** out, syn_error*) SYN_NOEXCEPT;
SYN_API void syn_device_destroy(syn_device*) SYN_NOEXCEPT;
SYN_API int32_t syn_device_threads(const syn_device*) SYN_NOEXCEPT;

/* ---- model -------------------------------------------------------------------------------------------------------- */

typedef struct syn_model syn_model;

enum { SYN_GPT2 = 0, SYN_LLAMA = 1 };

typedef struct syn_model_config {
  uint32_t size;
  int32_t family;   /* SYN_GPT2: LayerNorm, learned positions, biases, tanh-GELU. SYN_LLAMA: RMSNorm, RoPE, SwiGLU, no biases */
  int32_t vocab;    /* V */
  int32_t width;    /* d */
  int32_t layers;   /* L */
  int32_t heads;    /* H */
  int32_t kv_heads; /* Hkv, divides H; GPT-2: equal to H */
  int32_t head_dim; /* 16..128, a multiple of 8; GPT-2: d / H */
  int32_t ffn;      /* F */
  int32_t context;  /* C */
  int32_t tied;     /* 1: the output matrix is the embedding */
  float norm_eps;
  float rope_theta;
  float dropout;    /* on embeddings, attention weights and residual branches, while training */
  float init_std;   /* standard deviation of fresh weights; residual projections are scaled by 1/sqrt(2 L) */
  int32_t window;   /* positions that a position attends to, its own among them; 0, the default, or C and more: all up to its own */
} syn_model_config;

SYN_API void syn_model_config_init(syn_model_config*) SYN_NOEXCEPT; /* the published shape with a vocabulary of 0 */

/* Fresh weights from Philox(seed). */
SYN_API syn_status syn_model_create(syn_device*, const syn_model_config*, uint64_t seed, syn_model** out, syn_error*) SYN_NOEXCEPT;
SYN_API void syn_model_destroy(syn_model*) SYN_NOEXCEPT;

typedef struct syn_tensor {
  uint32_t size;
  int32_t rank;
  int64_t shape[4];
  int64_t count;
  int32_t decay;  /* 1: weight decay applies (rank >= 2) */
  char name[128]; /* Hugging Face name: "transformer.h.0.attn.c_attn.weight", "model.layers.0.self_attn.q_proj.weight" */
  int32_t hidden; /* 1: a matrix of a layer, which Muon steps where it is the optimizer and then has no second moment */
} syn_tensor;

/* Tensors in the order and layout in which transformers saves them (GPT-2's Conv1D weights are [in, out]). */
SYN_API int32_t syn_model_tensors(const syn_model*) SYN_NOEXCEPT;
SYN_API syn_status syn_model_tensor(const syn_model*, int32_t index, syn_tensor* out, syn_error*) SYN_NOEXCEPT;
/* Copies one whole tensor out of or into the model; dtype SYN_F32 or SYN_F64, count elements. */
SYN_API syn_status syn_model_read(const syn_model*, int32_t index, int32_t dtype, void* to, int64_t count, syn_error*) SYN_NOEXCEPT;
SYN_API syn_status syn_model_write(syn_model*, int32_t index, int32_t dtype, const void* from, int64_t count, syn_error*) SYN_NOEXCEPT;

/* ---- training ----------------------------------------------------------------------------------------------------- */

typedef struct syn_trainer syn_trainer;

enum { SYN_PRECISION_FP32 = 0, SYN_PRECISION_BF16 = 1, SYN_PRECISION_INT8 = 2 };
enum { SYN_OPTIMIZER_ADAMW = 0, SYN_OPTIMIZER_MUON = 1 };

typedef struct syn_trainer_params {
  uint32_t size;
  int32_t max_segments; /* S, records (or chunks) in a batch */
  int64_t max_tokens;   /* T, tokens in a batch */
  uint64_t seed;        /* of dropout */
  double beta1, beta2, epsilon, weight_decay;
  double clip;          /* gradients are scaled by clip / (norm + 1e-6) when norm > clip; 0: off */
  int32_t inference;    /* 1: no gradients, no moments; only syn_trainer_score and _logits */
  int32_t recompute;    /* 1: a layer keeps its input and its attention's output, the rest is computed again; the same bits */
  int32_t precision;    /* SYN_PRECISION_FP32 or _BF16: operands of products rounded to bf16, sums, masters and norms as ever */
  int32_t optimizer;    /* SYN_OPTIMIZER_ADAMW; _MUON: hidden tensors by Muon with a momentum of 0.95, the others by AdamW */
} syn_trainer_params;

/* Bytes by region, known before anything is allocated. An estimate of more bytes than a GPU has free is SYN_OUT_OF_MEMORY with its
 * regions in the message, so it is asked for before the model is made. */
typedef struct syn_memory {
  uint32_t size;
  int64_t parameters, gradients, moments, activations, workspace, kv_cache, total;
} syn_memory;

SYN_API void syn_trainer_params_init(syn_trainer_params*) SYN_NOEXCEPT;
SYN_API syn_status syn_trainer_estimate(const syn_device*, const syn_model_config*, const syn_trainer_params*, syn_memory* out, syn_error*) SYN_NOEXCEPT;
SYN_API syn_status syn_trainer_create(syn_model*, const syn_trainer_params*, syn_trainer** out, syn_error*) SYN_NOEXCEPT;
SYN_API void syn_trainer_destroy(syn_trainer*) SYN_NOEXCEPT;
SYN_API void syn_trainer_cancel(syn_trainer*) SYN_NOEXCEPT; /* from any thread; the running call returns SYN_CANCELLED */

/* Soft targets: row r stands for the distribution weight[r,0..6] over the tokens index[r,0..6]. */
SYN_API syn_status syn_trainer_soft_targets(syn_trainer*, const int32_t* index /*[rows,7]*/, const float* weight /*[rows,7]*/, int32_t rows, syn_error*) SYN_NOEXCEPT;

typedef struct syn_loss {
  uint32_t size;
  int32_t reserved;
  int64_t targets; /* positions that had a target */
  double sum;      /* of -log p over them, in nats */
} syn_loss;

/* Forward and backward over one packed batch: segment s is tokens[offsets[s]..offsets[s+1]), positions restart in each, no
 * segment sees another. target -1: no target at this position. soft_row (may be NULL): >= 0 takes that row of the soft
 * table in the place of the hard target. Gradients add up over calls until syn_trainer_apply. micro counts the calls since
 * the last apply; dropout is keyed on (seed, step, micro, element). out NULL: the loss is left to syn_trainer_losses, and on a
 * GPU the call returns when the batch is queued, at most two of them, so that the next is packed and sent beside the work. What
 * fails there then is told by a later call. */
SYN_API syn_status syn_trainer_accumulate(syn_trainer*, const int32_t* tokens /*[T]*/, const int32_t* targets /*[T]*/, const int32_t* soft_row /*[T]*/,
                                          int64_t count, const int32_t* offsets /*[S+1]*/, int32_t segments, int32_t micro, syn_loss* out, syn_error*) SYN_NOEXCEPT;
/* The losses that were left by syn_trainer_accumulate since the last of these calls, added up in its order; waits for them. A
 * call that fails or is cancelled drops them with the gradients. */
SYN_API syn_status syn_trainer_losses(syn_trainer*, syn_loss* out, syn_error*) SYN_NOEXCEPT;

typedef struct syn_update {
  uint32_t size;
  int32_t skipped;  /* 1: the gradient was not finite; nothing was changed */
  int64_t step;     /* after this call */
  double grad_norm; /* before clipping */
} syn_update;

/* Divides the gradients by the number of targets, clips, takes one step with decoupled decay, clears the gradients. */
SYN_API syn_status syn_trainer_apply(syn_trainer*, double lr, syn_update* out, syn_error*) SYN_NOEXCEPT;

/* -log p of every target, no dropout, no gradient; 0 where there is no target. Hard targets. */
SYN_API syn_status syn_trainer_score(syn_trainer*, const int32_t* tokens, const int32_t* targets, int64_t count, const int32_t* offsets,
                                     int32_t segments, double* nll /*[T]*/, syn_error*) SYN_NOEXCEPT;
/* All logits, for tests and tools. */
SYN_API syn_status syn_trainer_logits(syn_trainer*, const int32_t* tokens, int64_t count, const int32_t* offsets, int32_t segments,
                                      int32_t dtype, void* logits /*[T,V]*/, syn_error*) SYN_NOEXCEPT;

enum { SYN_STATE_MOMENT1 = 0, SYN_STATE_MOMENT2 = 1, SYN_STATE_GRADIENT = 2 /* read only; already divided by the targets so far */ };
SYN_API syn_status syn_trainer_read(const syn_trainer*, int32_t state, int32_t index, int32_t dtype, void* to, int64_t count, syn_error*) SYN_NOEXCEPT;
SYN_API syn_status syn_trainer_write(syn_trainer*, int32_t state, int32_t index, int32_t dtype, const void* from, int64_t count, syn_error*) SYN_NOEXCEPT;
SYN_API int64_t syn_trainer_step(const syn_trainer*) SYN_NOEXCEPT;
SYN_API syn_status syn_trainer_set_step(syn_trainer*, int64_t step, syn_error*) SYN_NOEXCEPT;

/* Where the time of a trainer goes. on 1: from now on the time of every op is kept, from zero; 0: no longer. */
typedef struct syn_op_time {
  uint32_t size;
  int32_t reserved;
  int64_t calls;
  double seconds;
  double flop;  /* of its products */
  double bytes; /* of operands and results, each counted once a call */
  char name[32];
} syn_op_time;

SYN_API syn_status syn_trainer_profile(syn_trainer*, int32_t on, syn_error*) SYN_NOEXCEPT;
SYN_API int32_t syn_trainer_profile_ops(const syn_trainer*) SYN_NOEXCEPT; /* 0 where nothing is kept */
SYN_API syn_status syn_trainer_profile_op(const syn_trainer*, int32_t index, syn_op_time* out, syn_error*) SYN_NOEXCEPT;

/* ---- grammar ------------------------------------------------------------------------------------------------------ */

typedef struct syn_grammar syn_grammar;

/* The arrays are those of token.Tables, which explains them; they are copied. */
typedef struct syn_grammar_params {
  uint32_t size;
  int32_t vocab, states, classes;
  int32_t start, done, start_token;
  int32_t visit_token0, visits, elapsed_token0, elapsed_edges;
  int32_t knots; /* length of the knots array */
} syn_grammar_params;

SYN_API syn_status syn_grammar_create(const syn_grammar_params*, const uint16_t* token_class /*[vocab]*/, const int32_t* token_order /*[vocab]*/,
                                      const uint8_t* class_rule /*[classes]*/, const uint8_t* class_role /*[classes]*/,
                                      const int16_t* next /*[states,classes]*/, const uint8_t* forget /*[states,classes]*/,
                                      const uint16_t* distance /*[states]*/, const int32_t* chunk_token /*[states]*/,
                                      const int64_t* elapsed_edges, const int32_t* knot_start /*[vocab+1]*/, const int64_t* knots,
                                      const int8_t* decimals /*[vocab]*/, syn_grammar** out, syn_error*) SYN_NOEXCEPT;
SYN_API void syn_grammar_destroy(syn_grammar*) SYN_NOEXCEPT;

/* ---- generation --------------------------------------------------------------------------------------------------- */

typedef struct syn_generator syn_generator;

enum { SYN_CACHE_OWN = 0, SYN_CACHE_FP16 = 1 };

typedef struct syn_generator_params {
  uint32_t size;
  int32_t slots;      /* records decoded together */
  int64_t max_tokens; /* of one record over all its chunks; at the limit the grammar's shortest way out is forced */
  uint64_t seed;      /* patient p is a function of (weights, grammar, seed, p) and these settings, and of nothing else */
  float temperature;  /* 1: as trained */
  int32_t top_k;      /* 0: off */
  float top_p;        /* 1: off */
  float min_p;        /* 0: off */
  int32_t mask;       /* 0: no grammar, only for measuring what it removes */
  int32_t report_mass; /* 1: every draw is measured; 0: those whose patient and position add up to a multiple of 16. Measuring
                          takes the logits of all tokens, a draw those of the legal ones; what is drawn is the same */
  int32_t precision;  /* SYN_PRECISION_FP32, or _INT8: linear layers on 8-bit integers, the rest as ever; other patients */
  int32_t cache;      /* of keys and values: SYN_CACHE_OWN, the numbers of the backend, or _FP16: half the memory, and the time that
                         it takes to read; other patients. A GPU backend has SYN_CACHE_OWN alone, which is bf16 there */
} syn_generator_params;

SYN_API void syn_generator_params_init(syn_generator_params*) SYN_NOEXCEPT;
SYN_API syn_status syn_generator_estimate(const syn_device*, const syn_model_config*, const syn_grammar* /* NULL: without its tables on a GPU */, const syn_generator_params*, syn_memory* out, syn_error*) SYN_NOEXCEPT;
SYN_API syn_status syn_generator_create(syn_model*, syn_grammar*, const syn_generator_params*, syn_generator** out, syn_error*) SYN_NOEXCEPT;
SYN_API void syn_generator_destroy(syn_generator*) SYN_NOEXCEPT;
SYN_API void syn_generator_cancel(syn_generator*) SYN_NOEXCEPT;

/* Queues patients first .. first+count-1. */
SYN_API syn_status syn_generator_submit(syn_generator*, int64_t first, int64_t count, syn_error*) SYN_NOEXCEPT;

typedef struct syn_generator_stats {
  uint32_t size;
  int32_t active;       /* slots at work after the call */
  int64_t queued;       /* patients not yet begun */
  int64_t ready;        /* finished records waiting to be taken */
  int64_t steps;        /* decode steps of this call */
  int64_t tokens;       /* tokens sampled in this call (headers and replays of chunks not counted) */
  double masked_mass;   /* sum over the measured ones of them of the probability the grammar removed */
  double logp_model;    /* sum over the measured ones of log p under the model, nats */
  double logp_masked;   /* sum over all of them of log p under model and grammar */
  int64_t no_legal_logit; /* draws where no legal token had a finite logit and the grammar's way out was taken */
  int64_t measured;     /* draws that were measured */
} syn_generator_stats;

/* Decodes until max_steps steps are done, or nothing is left to do, or at least half of the ready ring waits to be taken. */
SYN_API syn_status syn_generator_run(syn_generator*, int64_t max_steps, syn_generator_stats* out, syn_error*) SYN_NOEXCEPT;

typedef struct syn_record {
  uint32_t size;
  int32_t closed;   /* 1: the length limit closed it */
  int64_t patient;
  int64_t tokens;   /* length; 0: nothing is ready */
  int32_t chunks;
  int32_t reserved;
  double masked_mass; /* mean over its measured draws; 0 when there is none */
  int64_t measured;   /* how many they are */
} syn_record;

/* Takes one finished record: its tokens from the start token to the end, chunk headers and replays removed, and beside each
 * token its number in units of 10^-decimals (INT64_MIN where the token stands for none). When capacity is too small the
 * record stays, *out tells its length, and the status is SYN_INVALID_ARGUMENT. Records come in the order they finish. */
SYN_API syn_status syn_generator_take(syn_generator*, int32_t* tokens, int64_t* numbers, int64_t capacity, syn_record* out, syn_error*) SYN_NOEXCEPT;

/* ---- evaluation --------------------------------------------------------------------------------------------------- */

/* For each row of a [n,d] its k nearest rows of b [m,d] by squared Euclidean distance, ties to the lower index. exclude_self:
 * row i of a is row i of b and does not count. Where b has fewer, distance is +inf and index -1. Found on the device, with the
 * same bits on every backend. */
SYN_API syn_status syn_nearest(syn_device*, const float* a, int64_t n, const float* b, int64_t m, int32_t d, int32_t k, int32_t exclude_self,
                               float* distance /*[n,k]*/, int32_t* index /*[n,k]*/, syn_error*) SYN_NOEXCEPT;

typedef struct syn_boost_params {
  uint32_t size;
  int32_t rounds, depth, threads;
  double learning_rate, min_child_weight, subsample, colsample;
  uint64_t seed;
} syn_boost_params;

/* Gradient-boosted trees by XGBoost (opened at run time; SYN_UNSUPPORTED with the reason when it is absent), binary logistic,
 * histogram method, NaN = missing: fits x [n,p], y in {0,1} and predicts probabilities for t [m,p]. Same seed, same bits. */
SYN_API void syn_boost_params_init(syn_boost_params*) SYN_NOEXCEPT;
SYN_API syn_status syn_boost_fit_predict(const syn_boost_params*, const float* x, const float* y, int64_t n, int64_t p, const float* t, int64_t m,
                                         float* probability /*[m]*/, syn_error*) SYN_NOEXCEPT;

/* ---- benchmarks --------------------------------------------------------------------------------------------------- */

enum { SYN_BENCH_GEMM = 0, SYN_BENCH_ATTENTION_FORWARD = 1, SYN_BENCH_ATTENTION_BACKWARD = 2, SYN_BENCH_FMA = 3, SYN_BENCH_TRIAD = 4 };

/* Best time of repeats for one op: GEMM x [m,k] times w [n,k] packed once; attention over m / n segments of n tokens with k
 * heads of head_dim; the ceilings of the machine: FMA, m rounds of multiply-adds on registers, and TRIAD, a = b + 3 c over m
 * elements, whose flop are the bytes it moves. */
SYN_API syn_status syn_bench(syn_device*, int32_t op, int64_t m, int64_t n, int64_t k, int32_t head_dim, int32_t repeats, double* seconds, double* flop,
                             syn_error*) SYN_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
