# Finds a CUDA compiler: one that is named (CMAKE_CUDA_COMPILER, CUDA_PATH), the pinned one of cmake/cuda-toolchain.sh in
# build/cuda-toolchain or SYN_CUDA_TOOLCHAIN, or a system toolkit of version 12.4 or later.
#   SYN_CUDA=AUTO   use it where it is found        ON   it must be found        OFF   do not look
# Sets SYN_NVCC, empty without one, and SYN_CUDA_STATUS, a sentence.
set(SYN_CUDA AUTO CACHE STRING "The CUDA kernels as device code: AUTO, ON or OFF")
set(SYN_CUDA_TOOLCHAIN "${PROJECT_SOURCE_DIR}/build/cuda-toolchain" CACHE PATH "Prefix of cmake/cuda-toolchain.sh")
set_property(CACHE SYN_CUDA PROPERTY STRINGS AUTO ON OFF)

set(SYN_NVCC "")
if(SYN_CUDA STREQUAL OFF)
  set(SYN_CUDA_STATUS "off")
  return()
endif()

foreach(candidate "${CMAKE_CUDA_COMPILER}" "$ENV{CUDA_PATH}/bin/nvcc" "${SYN_CUDA_TOOLCHAIN}/bin/nvcc" nvcc /usr/local/cuda/bin/nvcc)
  if(NOT candidate)
    continue()
  endif()
  execute_process(COMMAND "${candidate}" --version OUTPUT_VARIABLE text ERROR_QUIET RESULT_VARIABLE failed)
  if(failed OR NOT text MATCHES "release ([0-9]+\\.[0-9]+)")
    continue()
  endif()
  if(CMAKE_MATCH_1 VERSION_LESS 12.4)
    set(SYN_CUDA_STATUS "nvcc ${CMAKE_MATCH_1} is too old, 12.4 is needed")
    continue()
  endif()
  find_program(SYN_NVCC_FOUND "${candidate}" NO_CACHE REQUIRED)
  set(SYN_NVCC "${SYN_NVCC_FOUND}")
  set(SYN_CUDA_STATUS "nvcc ${CMAKE_MATCH_1}")
  break()
endforeach()

set(SYN_NVCC_USED "${SYN_NVCC}" CACHE INTERNAL "The nvcc of the last configuration")

if(NOT SYN_NVCC AND NOT SYN_CUDA_STATUS)
  set(SYN_CUDA_STATUS "no nvcc found; cmake/cuda-toolchain.sh installs one")
endif()
if(NOT SYN_NVCC AND SYN_CUDA STREQUAL ON)
  message(FATAL_ERROR "SYN_CUDA=ON: ${SYN_CUDA_STATUS}")
endif()
