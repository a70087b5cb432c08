// Embedding and its gradient (ops/embedding.h). Forward reads two table rows and writes one row; dropout is applied while the row
// is in cache. Backward reads every row once, by id; an id is summed by one thread, so no two threads write one table row.
#include "cpu/dropout.h"
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRows = 64;     // rows of a forward task
constexpr int32_t kIds = 32;      // ids of a backward task
constexpr int32_t kColumns = 64;  // columns summed at a time

// The rows order[begin..end) of one column block into table, in pieces.
void sum_rows(const EmbeddingBackward<float>& a, int32_t begin, int32_t end, int32_t column, int32_t columns, float* table) {
  for (int32_t piece = begin; piece < end; piece += kEmbeddingPiece) {
    const int32_t stop = piece + kEmbeddingPiece < end ? piece + kEmbeddingPiece : end;
    float sum[kColumns] = {};
    for (int32_t i = piece; i < stop; ++i) add_to(sum, a.dout + int64_t{a.index.order[i]} * a.width + column, columns);
    add_to(table, sum, columns);
  }
}

}  // namespace

void embedding_forward(Exec& exec, const EmbeddingForward<float>& a) {
  exec.pool.each((a.rows + kRows - 1) / kRows, [&](int64_t block, int) {
    const int32_t begin = static_cast<int32_t>(block) * kRows, end = begin + kRows < a.rows ? begin + kRows : a.rows;
    for (int32_t r = begin; r < end; ++r) {
      const float* token = a.token_table + int64_t{a.token[r]} * a.width;
      const float* position = a.position_table ? a.position_table + int64_t{a.position[r]} * a.width : nullptr;
      float* out = a.out + int64_t{r} * a.width;
      each_vector(a.width, [&](int64_t i, auto part) {
        store(out + i, part, position ? load(token + i, part) + load(position + i, part) : load(token + i, part));
      });
      if (a.drop.on()) dropout_row(a.drop, static_cast<uint32_t>(r), out, out, a.width, AsItIs{});
    }
  });
}

void embedding_backward(Exec& exec, const EmbeddingBackward<float>& a) {
  exec.pool.each((a.index.ids + kIds - 1) / kIds, [&](int64_t block, int) {
    const int32_t first = static_cast<int32_t>(block) * kIds, last = first + kIds < a.index.ids ? first + kIds : a.index.ids;
    for (int32_t id = first; id < last; ++id)
      for (int32_t c = 0; c < a.width; c += kColumns)
        sum_rows(a, a.index.start[id], a.index.start[id + 1], c, a.width - c < kColumns ? a.width - c : kColumns,
                 a.dtable + int64_t{id} * a.width + c);
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
