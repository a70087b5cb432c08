// Errors as sentences: formatting, and copying into the caller's syn_error.
#include "core/status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace syn {

void fail(syn_status code, const char* format, ...) {
  char text[sizeof(syn_error::message)];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(code, text);
}

void fail_out_of_memory(const char* what, int64_t bytes) {
  char text[256];
  std::snprintf(text, sizeof text, "%s: %.2f GiB (%lld bytes) are needed and could not be had", what,
                static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0), static_cast<long long>(bytes));
  throw Error(SYN_OUT_OF_MEMORY, text, bytes);
}

void require_size(uint32_t found, size_t expected, const char* type) {
  if (found != expected)
    fail(SYN_ABI_MISMATCH, "%s has size %u, this library expects %zu: call its _init function, or rebuild against this header",
         type, found, expected);
}

syn_status report(syn_error* error, const char* where, syn_status code, const char* message, int64_t wanted) noexcept {
  if (error) {
    error->code = code;
    error->wanted = wanted;
    std::snprintf(error->where, sizeof error->where, "%s", where);
    std::snprintf(error->message, sizeof error->message, "%s", message);
  }
  return code;
}

}  // namespace syn
