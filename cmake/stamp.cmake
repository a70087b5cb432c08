# cmake -DLIBRARY=FILE -DHEADER=FILE -P stamp.cmake: writes the SHA-256 of the library as a C constant. Go compiles it in, so
# that its build and test caches notice a new library. Written only when it changes, so that nothing is rebuilt for nothing.
file(SHA256 "${LIBRARY}" digest)
set(text "#define SYN_LIB_STAMP \"${digest}\"\n")
set(old "")
if(EXISTS "${HEADER}")
  file(READ "${HEADER}" old)
endif()
if(NOT old STREQUAL text)
  file(WRITE "${HEADER}.part" "${text}")
  file(RENAME "${HEADER}.part" "${HEADER}")
endif()
