// SPDX-License-Identifier: MIT
// Checkpoints of a run: checkpoints/step-N/ holds
//   model.safetensors (or shards and their index)   weights in the released names
//   config.json                                     the released form
//   optimiser.safetensors                           m.<name>, v.<name>, ... (absent without any);
//                                                   of several ranks optimiser-00001-of-00004...
//   state.json                                      the caller's: data position, RNG, step, ...
//   tokenizer and other files                       copied in
//   manifest.json                                   size and XXH3 of all of these; written last
//   pinned                                          empty; present when never to be deleted
//
// A checkpoint is written as .tmp-step-N-<pid>, every file and folder flushed to the disk, then
// renamed: a name step-N with all files of its manifest is whole. One run writes its checkpoints at
// a time; any number of processes may read. Where the run has several ranks, each writes files of
// its own at the same time, and rank 0 the rest when all of them are on the disk. Whoever reads
// need not know how many there were: weights are found through the index, and states by the run of
// elements that their names tell.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/weights.h"

namespace tessera {

class Communicator;

/// What a rank writes. Of the configuration, the state and the files, those of rank 0 count.
struct CheckpointContents {
  std::int64_t step = 0;
  HfConfig config;
  std::vector<NamedTensor> weights;    ///< released names
  std::vector<NamedTensor> optimiser;  ///< state_name() of "m.<name>", "v.<name>", ...; any dtype
  nlohmann::json state;
  std::vector<std::filesystem::path> files;  ///< copied in under their own file names
};

struct SaveOptions {
  int keep_last = 0;  ///< after a success, delete all but the newest N and the pinned; 0: keep all
  bool pin = false;
  std::uint64_t shard_bytes = kShardBytes;
  Between between = {};  ///< called before every tensor
};

/// The name in a checkpoint of the elements [first, first + count) of an array of `whole` elements:
/// its own name where these are all, else "m.lm_head.weight@4096/65536".
std::string state_name(const std::string& array, std::int64_t first, std::int64_t count,
                       std::int64_t whole);

/// Leaves each tensor that several ranks hold, which then have the same values, to one of them, so
/// that all have about as much to write. Every rank names all that it holds. A collective call.
void share_out(CheckpointContents& contents, Communicator& ranks);

/// Writes `run_folder`/checkpoints/step-N and returns its path. A checkpoint of the same step is
/// replaced. Checks the free space first. Whatever fails throws Error, removes what was half
/// written and leaves every earlier checkpoint as it was.
std::filesystem::path save_checkpoint(const std::filesystem::path& run_folder,
                                      const CheckpointContents& contents,
                                      const SaveOptions& options = {});

struct SavedCheckpoint {
  std::filesystem::path path;
  std::uint64_t bytes = 0;  ///< of all its files; known to rank 0
};
/// The same by all ranks together, each with its own part after share_out(): a collective call.
/// What fails on one rank fails on all, and names that rank. `ranks` is null for one alone.
SavedCheckpoint save_checkpoint(const std::filesystem::path& run_folder,
                                const CheckpointContents& contents, const SaveOptions& options,
                                Communicator* ranks);

/// Bytes that save_checkpoint() would write, for plans and for messages.
std::uint64_t checkpoint_bytes(const CheckpointContents& contents, const SaveOptions& options = {});

enum class Verify {
  Sizes,   ///< every file of the manifest is there with its size
  Hashes,  ///< and holds the bytes that were written
};

struct CheckpointInfo {
  std::filesystem::path path;
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
  bool pinned = false;
  std::string damage;  ///< empty: whole, as far as it was verified; else what is wrong
};

/// All step-N folders, oldest first, damaged ones included. Empty when there are none.
std::vector<CheckpointInfo> list_checkpoints(const std::filesystem::path& run_folder,
                                             Verify verify = Verify::Sizes);

/// The whole one with the largest step; damaged ones are passed over with a warning in the log.
std::optional<CheckpointInfo> find_latest_checkpoint(const std::filesystem::path& run_folder,
                                                     Verify verify = Verify::Sizes);

/// Of the files of a checkpoint every `count`-th one from `index` on: what one of `count` ranks
/// reads where they verify it together.
struct FileShare {
  std::size_t index = 0, count = 1;
};

/// What is wrong with a checkpoint folder; empty when nothing. Hashes are compared for the files of
/// `share`, sizes for all.
/// Throws Stopped when `stop` is set while files are read.
std::string check_checkpoint(const std::filesystem::path& checkpoint, Verify verify,
                             const std::atomic<bool>* stop = nullptr, const FileShare& share = {});

/// Throws Error naming the damaged file, and the checkpoint to use instead.
void require_whole(const std::filesystem::path& checkpoint, Verify verify,
                   const std::atomic<bool>* stop = nullptr, const FileShare& share = {});

/// Deletes a checkpoint, pinned or not; never leaves half of one under its name. A trainer that
/// goes back to an older step removes those behind it, or they would be the latest.
void remove_checkpoint(const std::filesystem::path& checkpoint);

void pin_checkpoint(const std::filesystem::path& checkpoint, bool pinned);

/// A checkpoint opened for reading. The constructor verifies hashes unless told otherwise, and
/// throws Error naming the damaged file and the checkpoint to use instead. Whatever reads many
/// bytes throws Stopped when `stop` is set on the way.
class Checkpoint {
 public:
  explicit Checkpoint(std::filesystem::path path, Verify verify = Verify::Hashes,
                      const std::atomic<bool>* stop = nullptr);

  const std::filesystem::path& path() const { return path_; }
  std::int64_t step() const { return step_; }
  const HfConfig& config() const { return config_; }
  const nlohmann::json& state() const { return state_; }
  const SafetensorsFolder& weights() const { return weights_; }
  bool has_optimiser() const { return !optimiser_.empty(); }

  /// Fills every view with the tensor of its name: same dtype, same shape, bit for bit. Throws
  /// Error for a missing name, another dtype or shape, and names of the checkpoint left over, which
  /// are neither asked for nor among `others`: those that other ranks read.
  void read_weights(std::span<const NamedTensor> into, const std::atomic<bool>* stop = nullptr,
                    std::span<const std::string> others = {}) const;
  /// The same with names of state_name(), whatever runs of elements the arrays were written in;
  /// `others` are names of whole arrays.
  void read_optimiser(std::span<const NamedTensor> into, const std::atomic<bool>* stop = nullptr,
                      std::span<const std::string> others = {}) const;

 private:
  std::filesystem::path path_;
  std::int64_t step_ = 0;
  HfConfig config_;
  nlohmann::json state_;
  SafetensorsFolder weights_;
  std::vector<SafetensorsFile> optimiser_;  ///< one of each rank that wrote a part of it
};

struct ExportOptions {
  /// What floating-point weights become: F32 or BF16. The selection bias stays F32.
  DType dtype = DType::BF16;
  std::uint64_t shard_bytes = kShardBytes;
  std::vector<std::filesystem::path> files = {};  ///< tokenizer and others, copied in
};

/// Writes a new folder in the released format that transformers loads. An existing folder that is
/// not empty is an error. Written under a temporary name and renamed, as a checkpoint is.
void export_folder(const std::filesystem::path& folder, const HfConfig& config,
                   std::span<const NamedTensor> weights, const ExportOptions& options = {});

/// The same from a folder in the released format (F32, BF16, F16 or FP8 with block scales, which is
/// multiplied out) or from a checkpoint, as a stream: memory for one tensor's rows only.
/// config.json is read, checked and rewritten; other plain files of `from` (tokenizer) come along.
void convert_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                    const ExportOptions& options = {});

}  // namespace tessera
