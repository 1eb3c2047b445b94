# SPDX-License-Identifier: MIT
# Libraries from the system, found once. packaging/packages.txt lists the Debian packages.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)  # headers only: see core/spec/toml.h
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
if(TESSERA_TESTS)
  find_package(GTest REQUIRED)
endif()

# tessera_find_library(NAME HEADER): the target tessera_NAME for a library that has no CMake package
# (or, like Debian's oneDNN, one that asks for OpenCL headers). By hand and not through pkg-config,
# which a GPU node may not have and whose files name folders that nothing can be carried to.
function(tessera_find_library name header)
  string(TOUPPER ${name} upper)
  find_path(${upper}_INCLUDE_DIR ${header} REQUIRED)
  find_library(${upper}_LIBRARY ${name} REQUIRED)
  add_library(tessera_${name} INTERFACE)
  target_include_directories(tessera_${name} SYSTEM INTERFACE ${${upper}_INCLUDE_DIR})
  target_link_libraries(tessera_${name} INTERFACE ${${upper}_LIBRARY})
endfunction()
tessera_find_library(dnnl oneapi/dnnl/dnnl.hpp)
tessera_find_library(sentencepiece sentencepiece_processor.h)
tessera_find_library(sentencepiece_train sentencepiece_trainer.h)
tessera_find_library(zstd zstd.h)
tessera_find_library(xxhash xxhash.h)

# cpp-httplib where it is: `tessera serve --http`. Debian's library is compiled with all that it can
# have, and its types differ with these definitions: whoever includes the header needs the same.
set(TESSERA_HAVE_HTTP OFF)
find_path(HTTPLIB_INCLUDE_DIR httplib.h)
find_library(HTTPLIB_LIBRARY cpp-httplib)
if(HTTPLIB_INCLUDE_DIR AND HTTPLIB_LIBRARY)
  set(TESSERA_HAVE_HTTP ON)
  add_library(tessera_httplib INTERFACE)
  target_include_directories(tessera_httplib SYSTEM INTERFACE ${HTTPLIB_INCLUDE_DIR})
  target_link_libraries(tessera_httplib INTERFACE ${HTTPLIB_LIBRARY})
  target_compile_definitions(tessera_httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT
    CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
else()
  message(STATUS "cpp-httplib not found: building without a server that speaks HTTP")
endif()

# Open MPI where it is: ranks as processes (distributed/mpi).
set(TESSERA_HAVE_MPI OFF)
if(TESSERA_MPI)
  find_package(MPI QUIET COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(TESSERA_HAVE_MPI ON)
  else()
    message(STATUS "MPI not found: building without ranks as processes")
  endif()
endif()

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
set(TESSERA_HAVE_NCCL OFF)
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
    # NOTE: CMake 3.25.1, Debian 12's, deprecates a target that CUDA 13 does not have any more.
    if(NOT TARGET CUDA::nvToolsExt)
      add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
    endif()
    find_package(CUDAToolkit REQUIRED)
    set(TESSERA_HAVE_CUDA ON)
    # NCCL where it is, with the toolkit or as a package of its own: ranks that are GPUs.
    find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
    if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
      set(TESSERA_HAVE_NCCL ON)
    else()
      message(STATUS "NCCL not found: building without ranks that are GPUs")
    endif()
  endif()
endif()
