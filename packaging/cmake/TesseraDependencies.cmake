# SPDX-License-Identifier: MIT
# Libraries from the system, found once. packaging/packages.txt lists the Debian packages.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)  # headers only: see core/run/toml.h
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
if(TESSERA_TESTS)
  find_package(GTest REQUIRED)
endif()

# NOTE: Debian's dnnl-config.cmake asks for OpenCL headers, so the library is found by hand.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(tessera_dnnl INTERFACE)
target_include_directories(tessera_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(tessera_dnnl INTERFACE ${DNNL_LIBRARY})

# Qt where it is: a node that only trains needs none.
set(TESSERA_HAVE_QT OFF)
if(TESSERA_STUDIO)
  find_package(Qt6 6.4 QUIET COMPONENTS Core DBus Gui Widgets Charts Svg Network LinguistTools Test)
  if(Qt6_FOUND)
    set(TESSERA_HAVE_QT ON)
  else()
    message(STATUS "Qt 6.4 with Charts and Svg not found: building without the studio")
  endif()
endif()

# CUDA where it is, without asking for it where it is not.
set(TESSERA_HAVE_CUDA OFF)
if(TESSERA_CUDA)
  include(CheckLanguage)
  if(NOT DEFINED CMAKE_CUDA_COMPILER AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)  # often not on the PATH
  endif()
  # All that compile: "80;89;90a;120". Each costs the whole time of nvcc once more.
  set(CMAKE_CUDA_ARCHITECTURES 90a CACHE STRING "GPU generations to compile for")
  if(CMAKE_CUDA_ARCHITECTURES MATCHES "(^|;)90(-|;|$)")
    message(FATAL_ERROR "Hopper's kernels need code for 90a: write 90a instead of 90")
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    # NOTE: CMake 3.25 does not know how nvcc spells C++20.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    find_package(CUDAToolkit REQUIRED)
    set(TESSERA_HAVE_CUDA ON)
  endif()
endif()
