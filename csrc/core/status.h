// Failure inside the core is a C++ exception with a status and one sentence; at the ABI the guard turns it into the code and
// the text that the caller of the C function owns. On success nothing is allocated.
#ifndef SYN_CORE_STATUS_H
#define SYN_CORE_STATUS_H

#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "synehrgy.h"

namespace syn {

class Error final : public std::exception {
 public:
  Error(syn_status code, std::string message, int64_t wanted = 0) : code_(code), wanted_(wanted), message_(std::move(message)) {}
  syn_status code() const noexcept { return code_; }
  int64_t wanted() const noexcept { return wanted_; }  // bytes, for SYN_OUT_OF_MEMORY
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  syn_status code_;
  int64_t wanted_;
  std::string message_;
};

// Throws Error with a printf-formatted sentence.
[[noreturn]] void fail(syn_status code, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Throws SYN_OUT_OF_MEMORY: "what needs N bytes …".
[[noreturn]] void fail_out_of_memory(const char* what, int64_t bytes);

// SYN_INVALID_ARGUMENT unless the condition holds.
template <class... Args>
void require(bool holds, const char* format, Args... args) {
  if (!holds) fail(SYN_INVALID_ARGUMENT, format, args...);
}
inline void require(bool holds, const char* sentence) {
  if (!holds) fail(SYN_INVALID_ARGUMENT, "%s", sentence);
}

// A struct that crosses the ABI begins with its size; another size means the caller was built against another header.
void require_size(uint32_t found, size_t expected, const char* type);

// Fills the caller's error, when there is one. Returns code.
syn_status report(syn_error* error, const char* where, syn_status code, const char* message, int64_t wanted) noexcept;

// Runs the body of one entry point.
template <class Body>
syn_status guard(const char* where, syn_error* error, Body&& body) noexcept {
  if (error && error->size != sizeof(syn_error)) return SYN_ABI_MISMATCH;
  try {
    body();
    return report(error, where, SYN_OK, "", 0);
  } catch (const Error& e) {
    return report(error, where, e.code(), e.what(), e.wanted());
  } catch (const std::bad_alloc&) {
    return report(error, where, SYN_OUT_OF_MEMORY, "the memory for bookkeeping ran out", 0);
  } catch (const std::exception& e) {
    return report(error, where, SYN_INTERNAL, e.what(), 0);
  } catch (...) {
    return report(error, where, SYN_INTERNAL, "an unknown exception", 0);
  }
}

}  // namespace syn

#endif
