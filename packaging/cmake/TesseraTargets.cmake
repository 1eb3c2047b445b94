# SPDX-License-Identifier: MIT
# How every library, program and test of the project is declared.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(tessera_options INTERFACE)
target_include_directories(tessera_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(tessera_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -fno-math-errno -fno-trapping-math>
  $<$<AND:$<BOOL:${TESSERA_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
if(TESSERA_NATIVE)
  target_compile_options(tessera_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(tessera_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v3>)
endif()
if(TESSERA_SANITIZE)
  target_compile_options(tessera_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TESSERA_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(tessera_options INTERFACE -fsanitize=${TESSERA_SANITIZE})
endif()

# tessera_library(name SOURCES a.cpp ... DEPENDS public libraries ... PRIVATE private libraries ...)
function(tessera_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC tessera_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()

# tessera_large_units(target...): with TESSERA_LARGE_UNITS, eight sources of these are compiled as one,
# which reads their headers once. For what is not hot: what is inlined where stays as it is in the
# kernels, the model and the trainer.
function(tessera_large_units)
  set_target_properties(${ARGN} PROPERTIES UNITY_BUILD ${TESSERA_LARGE_UNITS}
    UNITY_BUILD_BATCH_SIZE 8)
  foreach(target ${ARGN})
    # g++ takes a source that is read into another one for a header.
    target_compile_options(${target} PRIVATE
      $<$<AND:$<BOOL:${TESSERA_LARGE_UNITS}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-Wno-subobject-linkage>)
  endforeach()
endfunction()

# tessera_test(name [SLOW] [GPU] SOURCES a_test.cpp ... DEPENDS libraries ...): a GoogleTest program.
# Its tests read tests/golden/ through tests/build_paths.h, and train on the text that the program
# writes itself, which is the same everywhere, whatever sample this machine has.
#
# Suites named Field* are cases that people ran into. A program with such a suite has a second test,
# NAME_field with the label "field", that runs them alone: ctest -L field, packaging/test --field.
function(tessera_test name)
  cmake_parse_arguments(ARG "SLOW;GPU" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tessera_options ${ARG_DEPENDS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set(labels fast)
  if(ARG_SLOW)
    set(labels slow)
  endif()
  if(ARG_GPU)
    list(APPEND labels gpu)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}"
    ENVIRONMENT "OMP_WAIT_POLICY=passive;TESSERA_SAMPLE=none")
  foreach(source ${ARG_SOURCES})
    file(STRINGS ${source} suites REGEX "^TEST(_F|_P)?\\(Field")
    if(suites)
      add_test(NAME ${name}_field COMMAND ${name} --gtest_filter=Field*.*:*/Field*.*)
      set_tests_properties(${name}_field PROPERTIES LABELS field
        ENVIRONMENT "OMP_WAIT_POLICY=passive;TESSERA_SAMPLE=none")
      break()
    endif()
  endforeach()
endfunction()

# tessera_cuda_sources(target a.cu ...): how CUDA sources of a target are compiled.
function(tessera_cuda_sources target)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CUDA)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr -lineinfo>)
  # fmt 9 turns its constexpr off under nvcc, and then its format strings do not compile as C++20.
  target_compile_definitions(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1>)
endfunction()
