// SPDX-License-Identifier: MIT
// What the plugin libtessera_nccl.so gives the program: NCCL, and what must be asked of streams.
// Everything above (order of calls, deadlines, who is lost) is in nccl_ranks.cpp, which a library
// of a test's own can be put under.
//
// NOTE: as with the CUDA plugin, program and plugin each hold their own copy of static objects;
// what crosses the border is in this table.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/communicator.h"

namespace tessera {

/// Functions throw Error, but for those that are noexcept. A `group` is one of NCCL's
/// communicators. begin_group() waits for other ranks, and so may the first calls of a group; after
/// each, state() says when it is ready for the next.
struct NcclLibrary {
  /// Raised whenever something here changes in meaning; sizes are compared too.
  static constexpr std::uint32_t kAbi = 1;
  using Id = std::array<char, 128>;
  enum class State : std::uint8_t { Ready, Working, Failed };

  std::uint32_t abi = kAbi;
  std::uint32_t tensor_bytes = sizeof(Tensor), communication_bytes = sizeof(Communication);
  /// "2.28.9".
  std::string (*version)() = nullptr;
  /// One rank makes it, and all begin a group with it.
  void (*make_id)(Id& id) = nullptr;
  /// On the GPU that is current in the calling thread.
  void* (*begin_group)(const Id& id, int rank, int size) = nullptr;
  /// What a group that failed says of it is in `failure`.
  State (*state)(void* group, std::string& failure) = nullptr;
  /// Puts the call behind what is on the stream already. May be recorded into a CUDA graph.
  void (*enqueue)(void* group, const Communication& call, void* stream) = nullptr;
  /// Begins to close; to be followed by state() until Ready, and release().
  void (*begin_close)(void* group) = nullptr;
  void (*release)(void* group) noexcept = nullptr;
  /// Ends what the group is doing, on the GPU too. The group is then gone.
  void (*abort)(void* group) noexcept = nullptr;
  /// Whether all that was put on the stream is done.
  bool (*is_stream_done)(void* stream) = nullptr;
  /// A stream that no copy of the host waits for.
  void* (*create_stream)() = nullptr;
  void (*destroy_stream)(void* stream) noexcept = nullptr;
  /// From GPU to GPU memory, behind what is on the stream already.
  void (*copy)(void* to, const void* from, std::size_t bytes, void* stream) = nullptr;
  /// A mark is set behind what is on a stream: another stream can wait for it, or the host can ask.
  /// One that was never set is done.
  void* (*make_mark)() = nullptr;
  void (*destroy_mark)(void* mark) noexcept = nullptr;
  void (*set_mark)(void* mark, void* stream) = nullptr;
  void (*wait_for_mark)(void* stream, void* mark) = nullptr;
  bool (*is_mark_done)(void* mark) = nullptr;
};

/// The one function that the plugin exports under its plain name.
using NcclLibraryEntry = const NcclLibrary* (*)();
inline constexpr const char* kNcclLibraryEntry = "tessera_nccl_library";

/// Opens the plugin: the file that TESSERA_NCCL_PLUGIN names, else beside the program, then in
/// ../lib and ../lib/tessera from there. Throws Error with what is missing.
const NcclLibrary& load_nccl_library();

}  // namespace tessera
