/* The header must compile as C99 without a warning, twice over, and be enough to link a program. */
#include "synehrgy.h"
#include "synehrgy.h"

int main(void) {
  syn_model_config config;
  syn_model_config_init(&config);
  return config.size == sizeof config && syn_abi_version() == ((SYN_ABI_MAJOR << 16) | SYN_ABI_MINOR) ? 0 : 1;
}
