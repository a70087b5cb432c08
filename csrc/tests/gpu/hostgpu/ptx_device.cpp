// HOSTGPU_PTX=a.ptx,b.ptx: the device is a ptxsim process (HOSTGPU_PTXSIM, or ptxsim on the path) on two pipes, which owns the
// memory and runs nvcc's PTX; allocations, copies and launches go to it. cmd/ptxsim documents the requests. A kernel is named by
// looking its address up in the symbol table of the program: static functions are not in the dynamic one.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime.h"

namespace hostgpu::ptx {
namespace {

int to_device = -1, from_device = -1;
std::recursive_mutex guard;

void start() {
  if (to_device >= 0) return;
  int request[2], reply[2];
  if (pipe(request) || pipe(reply)) abort();
  const char* program = getenv("HOSTGPU_PTXSIM");
  std::vector<std::string> words = {program ? program : "ptxsim"};
  const std::string files = getenv("HOSTGPU_PTX");
  for (size_t at = 0; at < files.size();) {
    const size_t comma = std::min(files.find(',', at), files.size());
    words.push_back(files.substr(at, comma - at));
    at = comma + 1;
  }
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  if (!fork()) {
    dup2(request[0], 0);
    dup2(reply[1], 1);
    for (const int x : {request[0], request[1], reply[0], reply[1]}) close(x);
    execvp(arguments[0], arguments.data());
    perror(arguments[0]);
    _exit(127);
  }
  close(request[0]);
  close(reply[1]);
  to_device = request[1];
  from_device = reply[0];
}

[[noreturn]] void gone() {
  fprintf(stderr, "hostgpu: the ptxsim process has ended\n");
  exit(2);
}

void put(const void* p, size_t bytes) {
  for (auto* c = static_cast<const char*>(p); bytes;) {
    const ssize_t n = ::write(to_device, c, bytes);
    if (n <= 0) gone();
    c += n;
    bytes -= static_cast<size_t>(n);
  }
}
void get(void* p, size_t bytes) {
  for (auto* c = static_cast<char*>(p); bytes;) {
    const ssize_t n = ::read(from_device, c, bytes);
    if (n <= 0) gone();
    c += n;
    bytes -= static_cast<size_t>(n);
  }
}
template <class... T>
void send(char request, T... v) {
  start();
  put(&request, 1);
  (put(&v, sizeof v), ...);
}
std::string error() {
  uint32_t n;
  get(&n, 4);
  std::string text(n, 0);
  get(text.data(), n);
  return text;
}

std::map<uintptr_t, std::string> symbols_of(const char* file) {
  std::map<uintptr_t, std::string> out;
  FILE* const nm = popen((std::string("nm '") + file + "'").c_str(), "r");
  char line[8192], name[8000], kind;
  unsigned long address;
  while (nm && fgets(line, sizeof line, nm))
    if (sscanf(line, "%lx %c %7999s", &address, &kind, name) == 3) out[address] = name;
  if (nm) pclose(nm);
  return out;
}

std::string symbol(const void* function) {
  static std::map<std::string, std::map<uintptr_t, std::string>> files;
  Dl_info where;
  if (!dladdr(function, &where)) return "?";
  auto& names = files[where.dli_fname];
  if (names.empty()) names = symbols_of(where.dli_fname);
  const uintptr_t at = reinterpret_cast<uintptr_t>(function);
  auto it = names.find(at - reinterpret_cast<uintptr_t>(where.dli_fbase));
  if (it == names.end()) it = names.find(at);  // not position independent
  return it == names.end() ? "?" : it->second;
}

}  // namespace

bool on() {
  static const bool set = getenv("HOSTGPU_PTX") != nullptr;
  return set;
}

std::string allocate(size_t bytes, void** p) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  send('M', uint64_t{bytes});
  const std::string e = error();
  if (e.empty()) get(p, 8);
  return e;
}
std::string release(void* p) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  send('F', p);
  return error();
}
std::string write(void* to, const void* from, size_t bytes) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  send('W', to, uint64_t{bytes});
  put(from, bytes);
  return error();
}
std::string read(void* to, const void* from, size_t bytes) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  send('R', from, uint64_t{bytes});
  const std::string e = error();
  if (e.empty()) get(to, bytes);
  return e;
}
std::string fill(void* p, int value, size_t bytes) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  send('S', p, uint64_t{bytes}, static_cast<uint32_t>(value));
  return error();
}
std::string launch(const void* kernel, dim3 grid, dim3 block, size_t shared, const std::vector<unsigned char>& parameters) {
  const std::lock_guard<std::recursive_mutex> lock(guard);
  const std::string name = symbol(kernel);
  send('L', static_cast<uint32_t>(name.size()));
  put(name.data(), name.size());
  for (const uint32_t x : {grid.x, grid.y, grid.z, block.x, block.y, block.z}) put(&x, 4);
  const uint64_t dynamic = shared;
  const uint32_t bytes = static_cast<uint32_t>(parameters.size());
  put(&dynamic, 8);
  put(&bytes, 4);
  put(parameters.data(), bytes);
  return error();
}

}  // namespace hostgpu::ptx
