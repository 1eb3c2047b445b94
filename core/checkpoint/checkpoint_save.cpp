// SPDX-License-Identifier: MIT
// How a checkpoint is written: by one rank, or by all ranks of a run together.
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <set>
#include <unordered_map>

#include "core/base/agreement.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/random.h"
#include "core/checkpoint/checkpoint_files.h"
#include "core/checkpoint/staged_folder.h"

namespace tessera {

namespace fs = std::filesystem;
using namespace checkpoint_internal;
using nlohmann::json;

namespace {
bool is_first(const Communicator* ranks) {
  return !ranks || ranks->rank() == 0;
}

std::string manifest_text(std::int64_t step, const std::vector<FolderFile>& files) {
  json list = json::array();
  std::int64_t states = 0;
  for (const FolderFile& file : files) {
    states += is_optimiser_file(file.name) ? 1 : 0;
    list.push_back({{"name", file.name},
                    {"bytes", file.written.bytes},
                    {"xxh3", fmt::format("{:016x}", file.written.xxh3)}});
  }
  const int format = states > 1 ? kPartsFormat : kManifestFormat;
  return json{{"format", format}, {"step", step}, {"files", list}}.dump(1) + "\n";
}

/// Throws before anything is written when two files of a checkpoint would have one name.
void check_file_names(const CheckpointContents& contents) {
  std::set<std::string> names{kManifest, kState, kConfig, kOptimiser, kPinned};
  for (const fs::path& file : contents.files) {
    const std::string name = file.filename().string();
    if (!names.insert(name).second || name.ends_with(".safetensors")) {
      throw Error(file.string(), fmt::format("a checkpoint has its own file \"{}\"", name));
    }
    if (!fs::is_regular_file(file)) throw Error(file.string(), "there is no such file");
  }
}

/// What one rank writes, and under which names.
struct Part {
  ShardPlan weights;      ///< without shards where the rank writes none
  std::string optimiser;  ///< the file's name; empty: no state
  std::uint64_t bytes = 0;
};

/// The weights, the state and how much room they take, under the names of a rank that is alone.
Part plan_alone(const CheckpointContents& contents, const SaveOptions& options, bool alone) {
  Part part;
  if (alone || !contents.weights.empty()) {
    part.weights = plan_shards(plan_of(contents.weights), options.shard_bytes);
    part.bytes += part.weights.total_bytes + 4096 * part.weights.files.size();
  }
  if (!contents.optimiser.empty()) {
    part.optimiser = kOptimiser;
    part.bytes += SafetensorsWriter::file_bytes(plan_of(contents.optimiser));
  }
  return part;
}

/// Small files, names and the rounding up to whole blocks of the disk.
std::uint64_t bytes_of_rest(const CheckpointContents& contents, const std::string& state) {
  std::uint64_t bytes = 65536 + state.size();
  for (const fs::path& file : contents.files) bytes += fs::file_size(file) + 4096;
  return bytes;
}

/// The same where files are counted over all ranks; `bytes` becomes the sum over ranks.
Part plan_part(const CheckpointContents& contents, const SaveOptions& options,
               Communicator* ranks) {
  const bool alone = !ranks || ranks->size() == 1;
  Part part = plan_alone(contents, options, alone);
  if (alone) return part;
  using Counts = std::array<std::int64_t, 3>;  // shards, states, bytes
  Counts own{std::ssize(part.weights.files), part.optimiser.empty() ? 0 : 1,
             static_cast<std::int64_t>(part.bytes)};
  std::vector<std::int64_t> all(own.size() * static_cast<std::size_t>(ranks->size()));
  Context control;
  ranks->all_gather(control, Tensor(own.data(), DType::I64, {std::ssize(own)}),
                    Tensor(all.data(), DType::I64, {std::ssize(all)}));
  Counts before{}, sum{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t what = i % own.size();
    if (i / own.size() < static_cast<std::size_t>(ranks->rank())) before[what] += all[i];
    sum[what] += all[i];
  }
  for (std::int64_t i = 0; i < own[0]; ++i) {
    part.weights.files[static_cast<std::size_t>(i)] = shard_file(before[0] + i, sum[0]);
  }
  if (own[1] > 0) part.optimiser = optimiser_file(before[1], sum[1]);
  part.bytes = static_cast<std::uint64_t>(sum[2]);
  return part;
}

/// The files that a rank has written, and where its weights are.
struct Written {
  std::vector<FolderFile> weights, states;
  std::map<std::string, std::string> places;  ///< file of each tensor
  std::uint64_t weight_bytes = 0;
};

Written write_part(const fs::path& folder, const CheckpointContents& contents, const Part& part,
                   const SaveOptions& options) {
  Written written;
  written.weights =
      write_safetensors_shards(folder, contents.weights, part.weights, options.between);
  if (!part.optimiser.empty()) {
    written.states.push_back(
        {part.optimiser,
         write_safetensors(folder / part.optimiser, contents.optimiser, {}, options.between)});
  }
  for (std::size_t shard = 0; shard < part.weights.shards.size(); ++shard) {
    for (const TensorPlan& tensor : part.weights.shards[shard]) {
      written.places[tensor.name] = part.weights.files[shard];
      written.weight_bytes += tensor.bytes();
    }
  }
  return written;
}

json told(const std::vector<FolderFile>& files) {
  json list = json::array();
  for (const FolderFile& file : files) {
    list.push_back({file.name, file.written.bytes, file.written.xxh3});
  }
  return list;
}

std::vector<FolderFile> heard(const json& list) {
  std::vector<FolderFile> files;
  for (const json& file : list) {
    files.push_back({file.at(0).get<std::string>(),
                     {file.at(1).get<std::uint64_t>(), file.at(2).get<std::uint64_t>()}});
  }
  return files;
}

/// What all ranks have written, on every rank, in the order of ranks.
Written gather(Communicator* ranks, Written own) {
  if (!ranks || ranks->size() == 1) return own;
  const json mine{{"weights", told(own.weights)},
                  {"states", told(own.states)},
                  {"places", own.places},
                  {"bytes", own.weight_bytes}};
  Written all;
  for (const std::string& text : gather_texts(ranks, mine.dump())) {
    const json part = json::parse(text);
    for (FolderFile& file : heard(part.at("weights"))) all.weights.push_back(std::move(file));
    for (FolderFile& file : heard(part.at("states"))) all.states.push_back(std::move(file));
    for (const auto& [tensor, file] : part.at("places").items()) {
      all.places.emplace(tensor, file.get<std::string>());
    }
    all.weight_bytes += part.at("bytes").get<std::uint64_t>();
  }
  return all;
}

/// All that is not in the ranks' parts, the manifest last, and then the folder's own name.
std::uint64_t finish(StagedFolder& folder, const CheckpointContents& contents, const Written& all,
                     const std::string& state, bool pin) {
  folder.add(all.weights);
  if (all.weights.size() > 1) {
    folder.add_text(kShardIndex, shard_index(all.places, all.weight_bytes));
  }
  folder.add(all.states);
  folder.add_text(kConfig, hf_config_json(contents.config).dump(2) + "\n");
  folder.add_text(kState, state);
  for (const fs::path& file : contents.files) folder.add_copy(file);
  if (pin) FileWriter(folder.path() / kPinned).finish();
  // Last, so that it names what is there.
  folder.add_text(kManifest, manifest_text(contents.step, folder.files()));
  folder.publish();
  return std::accumulate(
      folder.files().begin(), folder.files().end(), std::uint64_t{0},
      [](std::uint64_t sum, const FolderFile& file) { return sum + file.written.bytes; });
}

/// Deletes the oldest but `keep` whole ones, counting `written`. A failure is no failure of the
/// save.
void delete_old(const fs::path& checkpoints, const fs::path& written, int keep) {
  std::vector<fs::path> old;
  for (const CheckpointInfo& info : scan_checkpoints(checkpoints)) {
    if (info.pinned || info.path == written) continue;
    if (check_checkpoint(info.path, Verify::Sizes).empty()) old.push_back(info.path);
  }
  for (std::size_t at = 0; at + static_cast<std::size_t>(keep) <= old.size(); ++at) {
    try {
      StagedFolder::remove(old[at]);
    } catch (const Error& error) {
      log::warning("{}", error.what());
    }
  }
}

/// The folder `run_folder`/checkpoints, which has room for `bytes` more.
fs::path folder_with_room(const fs::path& run_folder, std::uint64_t bytes) {
  if (!fs::is_directory(run_folder)) throw Error(run_folder.string(), "there is no such run");
  const fs::path checkpoints = run_folder / "checkpoints";
  std::error_code code;
  if (fs::create_directory(checkpoints, code)) sync_folder(run_folder);
  if (code) throw Error(checkpoints.string(), "cannot create the folder: " + code.message());
  StagedFolder::remove_leftovers(checkpoints);
  require_free_space(checkpoints, bytes);
  return checkpoints;
}
}  // namespace

std::uint64_t checkpoint_bytes(const CheckpointContents& contents, const SaveOptions& options) {
  check_file_names(contents);
  return plan_alone(contents, options, /*alone=*/true).bytes +
         bytes_of_rest(contents, contents.state.dump(1));
}

fs::path save_checkpoint(const fs::path& run_folder, const CheckpointContents& contents,
                         const SaveOptions& options) {
  return save_checkpoint(run_folder, contents, options, nullptr).path;
}

SavedCheckpoint save_checkpoint(const fs::path& run_folder, const CheckpointContents& contents,
                                const SaveOptions& options, Communicator* ranks) {
  require(contents.step >= 0 && options.keep_last >= 0, "checkpoint",
          "step {} and keep_last {} must not be negative", contents.step, options.keep_last);
  const bool first = is_first(ranks);
  const Part part = plan_part(contents, options, ranks);
  const std::string state = first ? contents.state.dump(1) + "\n" : std::string();
  SavedCheckpoint saved;
  std::unique_ptr<StagedFolder> staged;
  work_together(ranks, [&] {
    if (!first) return;
    check_file_names(contents);
    const fs::path checkpoints =
        folder_with_room(run_folder, part.bytes + bytes_of_rest(contents, state));
    saved.path = checkpoints / step_name(contents.step);
    staged = std::make_unique<StagedFolder>(saved.path);
  });
  const fs::path folder = text_of_rank(ranks, first ? staged->path().string() : "", 0);
  Written own;
  // When all have come back from this, every rank's files are on the disk.
  work_together(ranks, [&] { own = write_part(folder, contents, part, options); });
  const Written all = gather(ranks, std::move(own));
  work_together(ranks, [&] {
    if (!first) return;
    // A checkpoint that is replaced stays pinned.
    const bool pin = options.pin || fs::exists(saved.path / kPinned);
    saved.bytes = finish(*staged, contents, all, state, pin);
    staged.reset();
    if (options.keep_last > 0) delete_old(saved.path.parent_path(), saved.path, options.keep_last);
  });
  saved.path = text_of_rank(ranks, saved.path.string(), 0);
  return saved;
}

// ---- Who writes what ----------------------------------------------------------------------------

namespace {
/// A tensor that ranks offer to write, as they tell each other of it.
struct Offer {
  std::int64_t name = 0;  ///< a hash of it
  std::int64_t bytes = 0;
};

std::vector<Offer> offers_of(const CheckpointContents& contents) {
  std::vector<Offer> offers;
  std::set<std::int64_t> names;
  for (const auto* tensors : {&contents.weights, &contents.optimiser}) {
    const char* kind = tensors == &contents.weights ? "w:" : "o:";
    for (const NamedTensor& tensor : *tensors) {
      const auto name = static_cast<std::int64_t>(stream_of(kind + tensor.name));
      require(names.insert(name).second, "checkpoint",
              "two tensors are called \"{}\", or their names have one hash", tensor.name);
      offers.push_back({name, static_cast<std::int64_t>(tensor.data.bytes())});
    }
  }
  return offers;
}

/// The offers of all ranks.
std::vector<std::vector<Offer>> gather(Communicator& ranks, const std::vector<Offer>& own) {
  Context control;
  const auto count = static_cast<std::size_t>(ranks.size());
  std::int64_t offers = std::ssize(own);
  std::vector<std::int64_t> counts(count);
  ranks.all_gather(control, Tensor(&offers, DType::I64, {1}),
                   Tensor(counts.data(), DType::I64, {std::ssize(counts)}));
  const auto most = static_cast<std::size_t>(*std::max_element(counts.begin(), counts.end()));
  std::vector<std::vector<Offer>> all(count);
  if (most == 0) return all;
  constexpr std::int64_t kFields = sizeof(Offer) / sizeof(std::int64_t);
  std::vector<Offer> padded = own, joined(count * most);
  padded.resize(most);
  ranks.all_gather(control, Tensor(padded.data(), DType::I64, {std::ssize(padded) * kFields}),
                   Tensor(joined.data(), DType::I64, {std::ssize(joined) * kFields}));
  for (std::size_t rank = 0; rank < count; ++rank) {
    const auto from = joined.begin() + static_cast<std::ptrdiff_t>(rank * most);
    all[rank].assign(from, from + counts[rank]);
  }
  return all;
}

/// Which rank writes each tensor: the largest ones first, each by the rank among those that hold it
/// which has the least to write so far. The same on every rank.
std::unordered_map<std::int64_t, std::size_t> writers_of(
    const std::vector<std::vector<Offer>>& offers) {
  struct Held {
    Offer offer;
    std::vector<std::size_t> ranks;
  };
  std::vector<Held> tensors;
  std::unordered_map<std::int64_t, std::size_t> place;
  for (std::size_t rank = 0; rank < offers.size(); ++rank) {
    for (const Offer& offer : offers[rank]) {
      const auto [known, added] = place.emplace(offer.name, tensors.size());
      if (added) tensors.push_back({offer, {}});
      tensors[known->second].ranks.push_back(rank);
    }
  }
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const Held& a, const Held& b) { return a.offer.bytes > b.offer.bytes; });
  std::vector<std::int64_t> bytes(offers.size());
  std::unordered_map<std::int64_t, std::size_t> writers;
  for (const Held& tensor : tensors) {
    const std::size_t writer =
        *std::min_element(tensor.ranks.begin(), tensor.ranks.end(),
                          [&](std::size_t a, std::size_t b) { return bytes[a] < bytes[b]; });
    bytes[writer] += tensor.offer.bytes;
    writers.emplace(tensor.offer.name, writer);
  }
  return writers;
}
}  // namespace

void share_out(CheckpointContents& contents, Communicator& ranks) {
  if (ranks.size() == 1) return;
  const std::vector<Offer> own = offers_of(contents);
  const auto writers = writers_of(gather(ranks, own));
  const auto here = static_cast<std::size_t>(ranks.rank());
  std::size_t at = 0;
  for (auto* tensors : {&contents.weights, &contents.optimiser}) {
    std::erase_if(*tensors, [&](const NamedTensor&) { return writers.at(own[at++].name) != here; });
  }
}

}  // namespace tessera
