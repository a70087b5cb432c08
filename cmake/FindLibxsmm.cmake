# Finds libxsmm (generated matrix products; Debian: libxsmm-dev) as the static archives that go into the library, so that a
# machine that runs the program needs nothing installed. Defines Libxsmm::Libxsmm and Libxsmm_VERSION.
find_path(Libxsmm_INCLUDE_DIR libxsmm.h)
find_library(Libxsmm_LIBRARY NAMES libxsmm.a)
find_library(Libxsmm_NOBLAS_LIBRARY NAMES libxsmmnoblas.a)

if(Libxsmm_INCLUDE_DIR AND EXISTS "${Libxsmm_INCLUDE_DIR}/libxsmm_version.h")
  file(STRINGS "${Libxsmm_INCLUDE_DIR}/libxsmm_version.h" line REGEX "define LIBXSMM_CONFIG_VERSION ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" Libxsmm_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libxsmm
  REQUIRED_VARS Libxsmm_LIBRARY Libxsmm_NOBLAS_LIBRARY Libxsmm_INCLUDE_DIR
  VERSION_VAR Libxsmm_VERSION
  REASON_FAILURE_MESSAGE "On Debian and Ubuntu: apt-get install libxsmm-dev")

if(Libxsmm_FOUND AND NOT TARGET Libxsmm::Libxsmm)
  find_package(Threads REQUIRED)
  add_library(Libxsmm::Libxsmm INTERFACE IMPORTED)
  target_include_directories(Libxsmm::Libxsmm SYSTEM INTERFACE "${Libxsmm_INCLUDE_DIR}")
  target_link_libraries(Libxsmm::Libxsmm INTERFACE "${Libxsmm_LIBRARY}" "${Libxsmm_NOBLAS_LIBRARY}" Threads::Threads ${CMAKE_DL_LIBS} m)
endif()
mark_as_advanced(Libxsmm_INCLUDE_DIR Libxsmm_LIBRARY Libxsmm_NOBLAS_LIBRARY)
