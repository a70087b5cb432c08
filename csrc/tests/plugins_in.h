// Where a test looks for the plugins of GPU backends.
#ifndef SYN_TESTS_PLUGINS_IN_H
#define SYN_TESTS_PLUGINS_IN_H

#include <cstdlib>
#include <string>

namespace syn::tests {

// Plugins are looked for in this folder while it lives.
class PluginsIn {
 public:
  explicit PluginsIn(const std::string& folder) { setenv("SYNEHRGY_BACKEND_DIR", folder.c_str(), 1); }
  ~PluginsIn() { unsetenv("SYNEHRGY_BACKEND_DIR"); }
  PluginsIn(const PluginsIn&) = delete;
  PluginsIn& operator=(const PluginsIn&) = delete;
};

}  // namespace syn::tests

#endif
