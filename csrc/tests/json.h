// A reader of JSON for the tests: golden.json, config.json and the headers of safetensors files.
#ifndef SYN_TESTS_JSON_H
#define SYN_TESTS_JSON_H

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace syn::tests {

struct Json {
  std::string text;  // of a string, or "true", "false", "null"
  double number = 0;
  std::vector<Json> items;
  std::map<std::string, Json> fields;

  const Json& at(const std::string& key) const {
    const auto found = fields.find(key);
    if (found == fields.end()) throw std::runtime_error("no field " + key);
    return found->second;
  }
  bool has(const std::string& key) const { return fields.count(key) > 0; }
  bool truth() const { return text == "true"; }
};

class JsonReader {
 public:
  explicit JsonReader(const std::string& text) : p_(text.c_str()) {}

  Json value() {
    Json out;
    switch (peek()) {
      case '{':
        ++p_;
        while (peek() != '}') {
          const std::string key = word();
          expect(':');
          out.fields[key] = value();
          if (peek() == ',') ++p_;
        }
        ++p_;
        break;
      case '[':
        ++p_;
        while (peek() != ']') {
          out.items.push_back(value());
          if (peek() == ',') ++p_;
        }
        ++p_;
        break;
      case '"': out.text = word(); break;
      case 't':
      case 'f':
      case 'n':
        while (*p_ >= 'a' && *p_ <= 'z') out.text += *p_++;
        break;
      default: {
        char* end = nullptr;
        out.number = std::strtod(p_, &end);
        if (end == p_) throw std::runtime_error("not JSON");
        p_ = end;
      }
    }
    return out;
  }

 private:
  char peek() {
    while (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t') ++p_;
    return *p_;
  }
  void expect(char c) {
    if (peek() != c) throw std::runtime_error(std::string("expected ") + c);
    ++p_;
  }
  std::string word() {
    expect('"');
    std::string out;
    while (*p_ && *p_ != '"') {
      if (*p_ == '\\') ++p_;
      out += *p_++;
    }
    expect('"');
    return out;
  }

  const char* p_;
};

}  // namespace syn::tests

#endif
