# cmake -DOBJECTS=a.o;b.o -DNAMESPACE=avx512 -P kernels_test.cmake: fails when a kernel object leaves behind an inline function
# that is not in the namespace of its instruction set: the linker keeps one copy of such a function for the whole library, perhaps
# the one with instructions that the machine lacks.
cmake_minimum_required(VERSION 3.22)
set(strays "")
foreach(object ${OBJECTS})
  execute_process(COMMAND nm -C --defined-only "${object}" OUTPUT_VARIABLE listing)
  string(REGEX MATCHALL "[^\n]+" lines "${listing}")
  foreach(line ${lines})
    if(line MATCHES "^[0-9a-f]+ [WVu] (.*)$" AND NOT line MATCHES "cpu::${NAMESPACE}::" AND NOT line MATCHES "DW.ref.__gxx_personality")
      list(APPEND strays "${line} (${object})")
    endif()
  endforeach()
endforeach()
if(strays)
  list(JOIN strays "\n" text)
  message(FATAL_ERROR "inline functions shared between instruction sets:\n${text}")
endif()
