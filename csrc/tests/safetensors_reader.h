// A reader of safetensors files for the tests: every tensor as double.
#ifndef SYN_TESTS_SAFETENSORS_READER_H
#define SYN_TESTS_SAFETENSORS_READER_H

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/json.h"

namespace syn::tests {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <class T>
std::vector<double> widened(const char* bytes, size_t size) {
  std::vector<T> raw(size / sizeof(T));
  std::memcpy(raw.data(), bytes, raw.size() * sizeof(T));
  return {raw.begin(), raw.end()};
}

inline std::map<std::string, std::vector<double>> read_safetensors(const std::string& path) {
  const std::string file = read_file(path);
  uint64_t header = 0;
  if (file.size() < 8) throw std::runtime_error(path + " is too short");
  std::memcpy(&header, file.data(), 8);
  std::map<std::string, std::vector<double>> out;
  const Json json = JsonReader(file.substr(8, header)).value();
  for (const auto& [name, entry] : json.fields) {
    if (name == "__metadata__") continue;
    const auto begin = static_cast<size_t>(entry.at("data_offsets").items[0].number);
    const auto end = static_cast<size_t>(entry.at("data_offsets").items[1].number);
    const char* data = file.data() + 8 + header + begin;
    const std::string& type = entry.at("dtype").text;
    if (type == "F64")
      out[name] = widened<double>(data, end - begin);
    else if (type == "F32")
      out[name] = widened<float>(data, end - begin);
    else if (type == "I32")
      out[name] = widened<int32_t>(data, end - begin);
    else
      throw std::runtime_error(name + " has dtype " + type);
  }
  return out;
}

}  // namespace syn::tests

#endif
