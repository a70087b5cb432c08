// How a product is shared out: into parts of some rows by some panels, one task each. Who computes a part does not change what
// it is.
#ifndef SYN_CPU_GEMM_PARTS_H
#define SYN_CPU_GEMM_PARTS_H

#include "core/pool.h"
#include "cpu/gemm_tile.h"

namespace syn::cpu::SYN_CPU_NS {

// Rows [row, row + rows), panels [begin, end).
struct Part {
  int32_t row, rows, begin, end;
};

// f(part) for all of rows x n, `height` rows a part. Where the blocks of rows are fewer than `tasks` a thread, parts of equally
// many panels, so that threads end together.
template <class F>
void each_part(Pool& pool, int32_t rows, int32_t n, int32_t height, int32_t tasks, F&& f) {
  const int32_t panels = pieces(n, kTileColumns), blocks = pieces(rows, height);
  if (blocks <= 0) return;
  const int32_t wanted = pieces(int64_t{tasks} * pool.threads(), blocks);
  const int32_t width = panels > wanted ? panels / wanted : 1, groups = pieces(panels, width);
  pool.each(int64_t{blocks} * groups, [&](int64_t task, int) {
    const int32_t row = static_cast<int32_t>(task / groups) * height, begin = static_cast<int32_t>(task % groups) * width;
    f(Part{row, least(height, rows - row), begin, least(begin + width, panels)});
  });
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
