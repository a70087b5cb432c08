// Gradient-boosted trees by XGBoost, opened at run time so that the library runs where XGBoost is absent.
#ifndef SYN_CORE_BOOST_H
#define SYN_CORE_BOOST_H

#include <cstdint>
#include <string>

#include "synehrgy.h"

namespace syn {

// "1.7.4", or why XGBoost cannot be used.
std::string boost_description();

// Fits x [n,p] (NaN: missing), y [n] in {0,1}, and writes for each row of t [m,p] the probability of class 1.
// SYN_UNSUPPORTED without XGBoost, SYN_INTERNAL with its own words when it fails.
void boost_fit_predict(const syn_boost_params&, const float* x, const float* y, int64_t n, int64_t p, const float* t, int64_t m,
                       float* probability);

}  // namespace syn

#endif
