// Entry points of the boosted trees: the arguments are checked here, core/boost does the work.
#include "core/boost.h"

#include <cmath>

#include "core/status.h"

namespace {

using syn::require;

void check_params(const syn_boost_params& p) {
  require(p.rounds >= 1 && p.rounds <= 100000, "rounds is %d, expected 1 to 100000", p.rounds);
  require(p.depth >= 1 && p.depth <= 30, "depth is %d, expected 1 to 30", p.depth);
  require(p.threads >= 0 && p.threads <= 256, "threads is %d, expected 0 to 256", p.threads);
  require(p.learning_rate > 0 && p.learning_rate <= 1, "learning_rate is %g, expected above 0 to 1", p.learning_rate);
  require(p.min_child_weight >= 0 && std::isfinite(p.min_child_weight), "min_child_weight is %g, expected 0 or more",
          p.min_child_weight);
  require(p.subsample > 0 && p.subsample <= 1, "subsample is %g, expected above 0 to 1", p.subsample);
  require(p.colsample > 0 && p.colsample <= 1, "colsample is %g, expected above 0 to 1", p.colsample);
}

// NaN is a missing value, infinity is none.
void check_matrix(const char* name, const float* x, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows * columns; ++i) {
    if (std::isinf(x[i]))
      syn::fail(SYN_NUMERIC, "row %lld, column %lld of %s is infinite", static_cast<long long>(i / columns),
                static_cast<long long>(i % columns), name);
  }
}

}  // namespace

void syn_boost_params_init(syn_boost_params* p) noexcept {
  if (!p) return;
  *p = syn_boost_params{};
  p->size = sizeof *p;
  p->rounds = 100;
  p->depth = 6;
  p->learning_rate = 0.3;
  p->min_child_weight = 1;
  p->subsample = 1;
  p->colsample = 1;
}

syn_status syn_boost_fit_predict(const syn_boost_params* params, const float* x, const float* y, int64_t n, int64_t p,
                                 const float* t, int64_t m, float* probability, syn_error* error) noexcept {
  return syn::guard("syn_boost_fit_predict", error, [&] {
    require(params, "params is NULL");
    syn::require_size(params->size, sizeof *params, "syn_boost_params");
    check_params(*params);
    require(x && y, "x and y may not be NULL");
    require(m == 0 || (t && probability), "t and probability may not be NULL");
    require(n >= 1 && p >= 1 && m >= 0, "n is %lld, p %lld, m %lld, expected at least 1, 1 and 0", static_cast<long long>(n),
            static_cast<long long>(p), static_cast<long long>(m));
    require(n <= INT32_MAX && m <= INT32_MAX && p <= (int64_t{1} << 24), "more rows or columns than XGBoost can hold");
    for (int64_t i = 0; i < n; ++i) {
      require(y[i] == 0 || y[i] == 1, "row %lld of y is neither 0 nor 1", static_cast<long long>(i));
    }
    check_matrix("x", x, n, p);
    check_matrix("t", t, m, p);
    syn::boost_fit_predict(*params, x, y, n, p, t, m, probability);
  });
}
