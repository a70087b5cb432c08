// Output matrix and draw (ops/head_sample.h) over tiles of at most kRows rows, all of nearly one height and as many on each
// thread.
//
//   mark     for each panel of the packed matrix the rows of the tile, from the first to the last, for which it holds a legal
//            token; all of them for a measured draw
//   product  the panels for those rows; elsewhere the tile keeps what an earlier one left, which nobody reads
//   draw     each row by cpu/sample.cpp
//
// A tile is one task as long as there are as many tiles as threads; with fewer, its products and then its draws are shared out.
// Determinism: a product's bits are linear_forward's for any rows and panels; marks decide what is computed, never how.
// Memory traffic: see the contract; the workspace is one tile a thread, kRows V floats, and what a draw takes.
#include "ops/head_sample.h"

#include "cpu/decode.h"
#include "cpu/gemm.h"
#include "cpu/gemm_int8.h"
#include "cpu/gemm_tile.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRows = 32 / kTileRows * kTileRows;
constexpr int32_t kTasksOfTile = 4;  // for each thread, where a tile is shared out

// The rows [begin, end) of a tile that need a panel; none where end is 0.
struct Span {
  int16_t begin, end;
};

// A workspace: a tile's logits and spans for each thread, then what each thread's draws take.
struct Layout {
  int32_t panels;
  int64_t stride;  // of a row of logits; a line more than the panels, so that rows do not share their sets of the cache
  int64_t logits_bytes, tile_bytes, draw_bytes;
};

Layout layout_of(int32_t vocab) {
  Layout l;
  l.panels = pieces(vocab, kTileColumns);
  l.stride = int64_t{l.panels} * kTileColumns + 16;
  l.logits_bytes = kRows * l.stride * int64_t{sizeof(float)};
  l.tile_bytes = (l.logits_bytes + l.panels * int64_t{sizeof(Span)} + 63) / 64 * 64;
  l.draw_bytes = static_cast<int64_t>(sample_scratch_bytes(vocab));
  return l;
}

struct Tile {
  float* logits;
  Span* spans;  // [panels]
  int32_t row, rows;
};

// Tile `tile` of `tiles`, in workspace `slot`.
Tile tile_of(const HeadSample<float>& a, const Layout& l, int64_t tile, int64_t tiles, int64_t slot) {
  std::byte* const at = a.workspace + slot * l.tile_bytes;
  const int32_t row = static_cast<int32_t>(a.rows * tile / tiles), end = static_cast<int32_t>(a.rows * (tile + 1) / tiles);
  return {reinterpret_cast<float*>(at), reinterpret_cast<Span*>(at + l.logits_bytes), row, end - row};
}

// Rows come in ascending order.
void mark_panels(Span* spans, int32_t first, int32_t last, int32_t row) {
  for (int32_t p = first; p <= last; ++p) {
    if (spans[p].end == 0) spans[p].begin = static_cast<int16_t>(row);
    spans[p].end = static_cast<int16_t>(row + 1);
  }
}

// The panels of a run of a unique class in which something has not been said.
void mark_unseen(const GrammarMemory& m, const GrammarRun& r, Span* spans, int32_t row) {
  for (int32_t begin = r.begin, end; begin < r.end; begin = end) {
    const int32_t panel = begin / kTileColumns;
    end = least((panel + 1) * kTileColumns, r.end);
    if (any_unseen(m, begin, end)) mark_panels(spans, panel, panel, row);
  }
}

void mark_row(const HeadSample<float>& a, const Layout& l, const SampleDraw& d, Span* spans, int32_t row) {
  const GrammarTables& g = a.grammar;
  if (d.measured || !a.settings.mask) return mark_panels(spans, 0, l.panels - 1, row);
  const int32_t room = legal_room(g, d.memory, d.room);
  for (int32_t i = 0; i < g.runs; ++i) {
    const GrammarRun& r = g.run[i];
    if (!run_open(g, d.memory, r, room)) continue;
    if (g.class_rule[r.token_class] == kRuleUnique) {
      mark_unseen(d.memory, r, spans, row);
    } else {
      mark_panels(spans, r.begin / kTileColumns, (r.end - 1) / kTileColumns, row);
    }
  }
}

void mark(const HeadSample<float>& a, const Layout& l, const Tile& t) {
  for (int32_t p = 0; p < l.panels; ++p) t.spans[p] = {0, 0};
  for (int32_t r = 0; r < t.rows; ++r) mark_row(a, l, a.draw[t.row + r], t.spans, r);
}

// What is marked of the panels [begin, end); neighbours of one span in one call.
void product(const HeadSample<float>& a, const Layout& l, const Tile& t, int32_t begin, int32_t end) {
  const int32_t width = a.head.in;
  for (int32_t p = begin, next; p < end; p = next) {
    const Span span = t.spans[p];
    for (next = p + 1; next < end && t.spans[next].begin == span.begin && t.spans[next].end == span.end;) ++next;
    if (span.end == 0) continue;
    const float* const x = a.x + int64_t{t.row + span.begin} * width;
    float* const z = t.logits + span.begin * l.stride;
    const int32_t rows = span.end - span.begin, vocab = a.head.out;
    if (a.head.precision == Precision::kInt8) {
      int8_panels({x, a.head.packed, z, nullptr, nullptr, rows, vocab, width, width, l.stride}, p, next);
    } else {
      gemm_panels({x, a.head.packed, z, nullptr, nullptr, rows, vocab, width, width, l.stride}, p, next);
    }
  }
}

void draw(const HeadSample<float>& a, const Layout& l, const Tile& t, int32_t row, int thread, int threads) {
  std::byte* const scratch = a.workspace + threads * l.tile_bytes + thread * l.draw_bytes;
  sample(a.grammar, a.settings, t.logits + row * l.stride, a.draw[t.row + row], scratch);
}

}  // namespace

int64_t head_sample_workspace(int32_t vocab, int threads) {
  const Layout l = layout_of(vocab);
  return threads * (l.tile_bytes + l.draw_bytes);
}

void head_sample(Exec& exec, const HeadSample<float>& a) {
  Pool& pool = exec.pool;
  const Layout l = layout_of(a.head.out);
  const int threads = pool.threads();
  const int64_t fewest = pieces(a.rows, kRows);
  if (fewest >= threads) {
    const int64_t tiles = pieces(fewest, threads) * int64_t{threads};
    pool.each(tiles, [&](int64_t tile, int thread) {
      const Tile t = tile_of(a, l, tile, tiles, thread);
      mark(a, l, t);
      product(a, l, t, 0, l.panels);
      for (int32_t r = 0; r < t.rows; ++r) draw(a, l, t, r, thread, threads);
    });
    return;
  }
  const int64_t most = int64_t{threads} * kTasksOfTile, groups = l.panels < most ? l.panels : most;
  pool.each(fewest, [&](int64_t tile, int) { mark(a, l, tile_of(a, l, tile, fewest, tile)); });
  pool.each(fewest * groups, [&](int64_t task, int) {
    const int64_t tile = task / groups, group = task % groups;
    product(a, l, tile_of(a, l, tile, fewest, tile), static_cast<int32_t>(l.panels * group / groups),
            static_cast<int32_t>(l.panels * (group + 1) / groups));
  });
  pool.each(a.rows, [&](int64_t r, int thread) {
    const int64_t tile = ((r + 1) * fewest - 1) / a.rows;
    const Tile t = tile_of(a, l, tile, fewest, tile);
    draw(a, l, t, static_cast<int32_t>(r) - t.row, thread, threads);
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
