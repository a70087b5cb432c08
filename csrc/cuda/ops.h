// The ops of the CUDA backend: launchers, one file each, with the names and the meaning of csrc/ops. This header knows no CUDA.
//
// Pointers are of device memory; a launcher queues its kernels on the stream and returns a CUDA error code, 0 when all is well
// and kInvalid for sizes that the kernels do not take (then nothing was queued). Nothing is allocated. Widths are multiples of 4,
// rows of bf16 begin at multiples of 16 bytes.
//
// Precision is that of ops/precision.h: what it rounds is stored as bf16, everything else as float. Determinism: sums run in an
// order that depends on the shape alone, never on the schedule, the number of multiprocessors or other rows.
#ifndef SYN_CUDA_OPS_H
#define SYN_CUDA_OPS_H

#include "math/next_draw.h"
#include "ops/adamw.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/grad_norm.h"
#include "ops/norm.h"
#include "ops/precision.h"
#include "ops/sample.h"
#include "ops/segments.h"
#include "ops/xent.h"

struct CUstream_st;

namespace syn::cuda {

using Stream = CUstream_st*;

constexpr int kInvalid = 1;  // cudaErrorInvalidValue

struct bf16 {
  uint16_t bits;
};

// What one op stores for a later one: bf16 under Precision::kBf16, else float.
struct Tensor {
  void* data;
  Precision precision;
};

// Rows of a token and of a position table, added (ops/embedding.h).
struct EmbeddedRows {
  const int32_t* token;         // [rows]
  const int32_t* position;      // [rows]
  const float* token_table;     // [V, width]
  const float* position_table;  // [C, width], or null: positions enter by rotation
};

// The first norm of a network makes its own input: without x, s is dropout(embedded).
struct NormForward {
  const float* x;       // [rows, width], or null
  const float* branch;  // [rows, width] or null, as it is without x
  float* sum;           // [rows, width] s; unused with x and no branch; may be x
  const float* weight;  // [width]
  const float* bias;    // [width], or null: RMSNorm
  Tensor y;             // [rows, width]
  float* mean;          // [rows], LayerNorm; null: not wanted
  float* rstd;          // [rows]; null: not wanted
  int32_t rows, width;
  float eps;
  Dropout drop;  // of the branch, or of the embedding
  EmbeddedRows embedded = {};
};

struct NormBackward {
  const float* dy;      // [rows, width]
  const float* s;       // [rows, width]
  const float* weight;  // [width]
  const float* mean;    // [rows], or null: RMSNorm
  const float* rstd;    // [rows]
  float* ds;            // [rows, width], added to
  Tensor dbranch;       // [rows, width] dropout(ds); data may be null
  float* dweight;       // [width], added to
  float* dbias;         // [width], added to, or null: RMSNorm
  float* partial;       // [norm_partial(rows, width)] workspace
  int32_t rows, width;
  Dropout drop;
};

struct EmbeddingBackward {
  const float* dout;  // [rows, width]
  RowIndex index;
  float* dtable;   // [ids, width], added to
  float* partial;  // [embedding_partial(rows, width)] workspace
  int32_t rows, width;
};
inline int64_t embedding_partial(int64_t rows, int64_t width) { return (rows + kEmbeddingPiece - 1) / kEmbeddingPiece * width; }

struct GeluForward {
  Tensor x, y;  // [count], y may be x where both have one precision
  int64_t count;
};
struct GeluBackward {
  Tensor x;         // [count]
  const float* dy;  // [count]
  Tensor dx;        // [count], may be x where both have one precision
  int64_t count;
};
struct SwigluForward {
  Tensor gate_up;  // [rows, 2 ffn]: gate, then up
  Tensor y;        // [rows, ffn]
  int32_t rows, ffn;
};
struct SwigluBackward {
  Tensor gate_up;   // [rows, 2 ffn]
  const float* dy;  // [rows, ffn]
  Tensor dgate_up;  // [rows, 2 ffn], may be gate_up where both have one precision
  int32_t rows, ffn;
};

// Gradient of a bias, for a range of columns (ops/linear.h).
struct BiasBackward {
  Tensor dy;       // [rows, stride], at the first column of the range
  float* dbias;    // [columns], added to
  float* partial;  // [bias_partial(rows, columns)] workspace
  int64_t stride;  // a multiple of 4, as columns
  int32_t rows, columns;
};
constexpr int32_t kBiasRows = 256;
inline int64_t bias_partial(int64_t rows, int64_t columns) { return (rows + kBiasRows - 1) / kBiasRows * columns; }

// Turns the first heads of each row and copies the rest of it, all of them rounded as y is stored.
struct Rope {
  const float* x;           // [rows, stride]
  Tensor y;                 // [rows, stride], may be x where it is float
  int64_t stride;           // elements between rows, a multiple of 4
  const int32_t* position;  // [rows]
  const float* table;       // [C, head_dim]: cos in the first half, sin in the second
  int32_t rows, heads, head_dim;
  bool inverse;
};

// What a product or a rounding does to its numbers: GELU in its tanh form.
enum class Activation : int32_t { kNone = 0, kGelu = 1 };

// Copies numbers to bf16, rounded as ops/precision.h says: the weights before products, sums of a product behind it. With an
// activation, that of the rounded number is rounded.
struct Round {
  const float* x;  // [count]
  bf16* y;         // [count]
  int64_t count;
  Activation activation = Activation::kNone;
};

// Head sizes: multiples of 8 from 16 to 128, in decoding too. longest: no segment is longer.
struct AttentionForward {
  const bf16* qkv;  // [rows, (heads + 2 kv_heads) head_dim]
  Segments segments;
  int32_t longest, heads, kv_heads, head_dim;
  float scale;
  bf16* out;   // [rows, heads head_dim]
  float* lse;  // [heads, rows]
  Dropout drop;
  int32_t window = 0;  // keys that a query sees, 0: all up to its own (ops/window.h)
};

struct AttentionBackward {
  const bf16* qkv;   // as above
  const bf16* out;   // [rows, heads head_dim]
  const float* lse;  // [heads, rows]
  const bf16* dout;  // [rows, heads head_dim]
  Segments segments;
  int32_t longest, heads, kv_heads, head_dim;
  float scale;
  Tensor dqkv;   // [rows, (heads + 2 kv_heads) head_dim]
  float* delta;  // [heads, rows] workspace
  Dropout drop;
  int32_t window = 0;  // as above
};

// What ops/xent.h does between its products: nll from the logits of a chunk, and the logits become their gradient, in place. Row
// r of a gradient in bf16 begins where row r of the logits did.
struct Xent {
  float* logits;              // [rows, vocab]
  const int32_t* target;      // [rows], -1: none
  const int32_t* soft_row;    // [rows] or null
  const int32_t* soft_index;  // [soft rows, kSoftTaps]
  const float* soft_weight;   // [soft rows, kSoftTaps]
  double* nll;                // [rows]
  int32_t rows, vocab;
  int32_t stride;       // a multiple of 4, at least vocab
  bool gradient;        // false: the logits stay
  Precision precision;  // of the gradient
};

// AdamW over one tensor of the arena. The factor of the gradient is decided on the device, from the sum of squares that grad_norm
// left: (norm > clip > 0 ? clip / (norm + 1e-6) : 1) / targets with norm = sqrt(*square_sum) / targets. Where norm is not finite,
// weights and moments stay, the gradient is cleared, and *skipped becomes 1.
struct Adamw {
  float* weight;    // [count]
  float* gradient;  // [count], cleared
  float* m;         // [count]
  float* v;         // [count]
  int64_t count;
  double lr, beta1, beta2, epsilon, decay, correction1, correction2;
  const double* square_sum;  // [1]
  double targets, clip;
  int32_t* skipped;  // [1]
};

// What Muon (ops/muon.h) does beside products. The norm of u is grad_norm's. Factor and skipping as for Adamw: a step that is
// skipped clears the gradient, leaves weight and momentum, and makes u zero.
struct MuonMomentum {
  float* gradient;  // [rows, columns], cleared
  float* momentum;  // [rows, columns]
  int64_t ld;       // elements between rows of both, a multiple of 4, as columns
  float* u;         // [rows, columns] end to end
  int32_t rows, columns;
  double mu;
  const double* square_sum;  // [1] of all gradients
  double targets, clip;
  int32_t* skipped;  // [1]
};
// x = u / (sqrt(*square_sum) + 1e-7), rounded.
struct MuonNormalise {
  const float* u;            // [count]
  const double* square_sum;  // [1] of u
  bf16* x;                   // [count]
  int64_t count;             // a multiple of 4
};
// y = of_x x + of_sum sum, rounded.
struct MuonCombine {
  const bf16* x;     // [count]
  const float* sum;  // [count]
  bf16* y;           // [count], may be x
  int64_t count;     // a multiple of 4
  float of_x, of_sum;
};
struct MuonUpdate {
  float* weight;  // [rows, columns]
  int64_t ld;     // elements between its rows, a multiple of 4, as columns
  const bf16* x;  // [rows, columns] end to end
  int32_t rows, columns;
  double lr, decay;
  const double* square_sum;  // [1] of all gradients
  double targets;
};

// Rows that go on from step to step without the host: the sampler, which ends a step of the network, makes token and position of
// the next one. First a row feeds the tokens that it was given, and draws behind the last of them alone; from then on it feeds
// what it drew. Behind its limit, or when its record has ended, it idles: it feeds the same token at the same position again,
// which writes to its cache what stands there, and draws no more.
struct Burst {
  int32_t* token;        // [rows]
  int32_t* position;     // [rows]
  int32_t* step;         // [rows] steps done: 0 at first, limit for a row that idles
  const int32_t* given;  // [rows] tokens given to the row, with the first: at least 1
  const int32_t* limit;  // [rows] steps, 1 to those of the burst
  const int32_t* feed;   // [steps - 1, stride] the tokens given for the steps behind the first
  SampleDraw* drawn;     // [steps, stride] what a row drew in a step
  int32_t stride;        // at least rows
  RecordRules rules;     // of the draws behind the first
};

// One record a row, as ops/sample.h. The grammar's tables, the draws and their memories lie on the device. In a burst a draw is
// replaced by what the next one of its record is asked for.
struct Sample {
  GrammarTables grammar;
  SampleSettings settings;
  const float* logits;  // [rows, vocab]
  SampleDraw* draws;    // [rows]
  float* scratch;       // [rows, vocab], or null where sample_fits(vocab, classes)
  int32_t rows;
  Burst burst = {};  // step null: every row draws, and draws holds what it drew
};
// The row fits into shared memory on every supported device.
bool sample_fits(int32_t vocab, int32_t classes);

// The cache of ops/attention_decode.h in bf16. A page is a split: its part of the sum is computed on its own, and the parts are
// merged in the order of the pages; a page before the window is not read. q and k are turned where there is a table; then q, k
// and v are rounded.
struct AttentionDecode {
  const float* qkv;         // [rows, (heads + 2 kv_heads) head_dim]
  const int32_t* slot;      // [rows] all different
  const int32_t* position;  // [rows] of the new token
  bf16* cache;              // of this layer in the first page of slot 0
  int64_t slot_stride;      // elements from one slot to the next
  int64_t page_stride;      // elements from one page to the next
  int32_t page, pages;      // positions of a page; pages of a slot
  int32_t rows, heads, kv_heads, head_dim;
  float scale;
  const float* rope;   // as Rope::table, or null
  bf16* out;           // [rows, heads head_dim]
  float* partial;      // [decode_partial(...)] workspace
  uint32_t* arrived;   // [decode_counters(rows, heads)] workspace: zeros, and zeros again when the launch is done
  int32_t window = 0;  // positions that a token sees, 0: all up to its own
};
inline int64_t decode_partial(int64_t rows, int64_t heads, int64_t pages, int64_t head_dim) {
  return rows * heads * pages * (head_dim + 2);
}
inline int64_t decode_counters(int64_t rows, int64_t heads) { return rows * heads; }

// Nearest neighbours (ops/nearest.h) of n rows among m, which are rows first_a .. and first_b .. of larger matrices that
// exclude_self and the indices mean. Rows first_b .. continue what rows 0 .. first_b - 1 left in the lists; first_b = 0 begins.
// Tiles of b are dealt out to strands with lists of their own, which are merged at the end: more blocks where n is small.
struct Nearest {
  const float* a;   // [n, d] finite
  const float* b;   // [m, d] finite
  int32_t n, m;     // at most kNearestRows
  int32_t d;        // a multiple of 4, at most 2^20: columns of zeros do not change a distance
  int32_t k;        // at most 65536
  int32_t strands;  // 1 to kNearestStrands; it changes no bit
  int32_t first_a, first_b;
  bool exclude_self;
  float* square_a;  // [n] workspace
  float* square_b;  // [m] workspace
  double* best;     // [strands, n, k] distances of the lists; those of the first strand are continued
  int32_t* row;     // [strands, n, k] indices of the lists
  float* distance;  // [n, k]
  int32_t* index;   // [n, k]
};
constexpr int32_t kNearestRows = 1 << 30, kNearestStrands = 16;
constexpr int32_t kNearestRowsA = 32, kNearestRowsB = 128;  // of a tile
// As many strands as make 128 blocks, about what keeps a large GPU busy.
inline int32_t nearest_strands(int64_t n, int64_t m) {
  const int64_t blocks = (n + kNearestRowsA - 1) / kNearestRowsA, tiles = (m + kNearestRowsB - 1) / kNearestRowsB;
  int64_t strands = blocks > 0 ? 128 / blocks : 1;
  if (strands > tiles) strands = tiles;
  if (strands > kNearestStrands) strands = kNearestStrands;
  return strands > 1 ? static_cast<int32_t>(strands) : 1;
}

int norm_forward(Stream, const NormForward&);
int norm_backward(Stream, const NormBackward&);
int embedding_backward(Stream, const EmbeddingBackward&);
int gelu_forward(Stream, const GeluForward&);
int gelu_backward(Stream, const GeluBackward&);
int swiglu_forward(Stream, const SwigluForward&);
int swiglu_backward(Stream, const SwigluBackward&);
int bias_backward(Stream, const BiasBackward&);
int rope(Stream, const Rope&);
int round(Stream, const Round&);
int attention_forward(Stream, const AttentionForward&);
int attention_backward(Stream, const AttentionBackward&);
int xent(Stream, const Xent&);
int dropout(Stream, const DropoutArgs<float>&);
int grad_norm(Stream, const GradNormArgs<float>&);
int adamw(Stream, const Adamw&);
int muon_momentum(Stream, const MuonMomentum&);
int muon_normalise(Stream, const MuonNormalise&);
int muon_combine(Stream, const MuonCombine&);
int muon_update(Stream, const MuonUpdate&);
int sample(Stream, const Sample&);
int attention_decode(Stream, const AttentionDecode&);
int nearest(Stream, const Nearest&);

}  // namespace syn::cuda

#endif
