// SPDX-License-Identifier: MIT
// Optimiser states in runs of elements: what one rank wrote is read by another that keeps other
// elements of the same array.
#include <algorithm>
#include <charconv>
#include <map>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/checkpoint/checkpoint_files.h"
#include "core/checkpoint/internal.h"

namespace tessera {

namespace fs = std::filesystem;

std::string state_name(const std::string& array, std::int64_t first, std::int64_t count,
                       std::int64_t whole) {
  require(first >= 0 && count >= 0 && first <= whole - count, "checkpoint",
          "{} elements from {} on are not a part of {}, which has {}", count, first, array, whole);
  return count == whole ? array : fmt::format("{}@{}/{}", array, first, whole);
}

namespace {
/// What state_name() says.
struct StateName {
  std::string array;
  std::int64_t first = 0;
  std::int64_t whole = -1;  ///< -1: the tensor is all of the array
};

StateName parse(const fs::path& checkpoint, const std::string& name) {
  const std::size_t at = name.rfind('@');
  if (at == std::string::npos) return {name};
  StateName parsed{name.substr(0, at)};
  const char *from = name.data() + at + 1, *end = name.data() + name.size();
  const auto first = std::from_chars(from, end, parsed.first);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '/') {
    const auto whole = std::from_chars(first.ptr + 1, end, parsed.whole);
    if (whole.ec == std::errc{} && whole.ptr == end && parsed.first >= 0 && parsed.whole >= 0) {
      return parsed;
    }
  }
  throw Error(
      checkpoint.string(),
      fmt::format("holds a state \"{}\", whose name does not tell which elements it has", name),
      "the checkpoint is of a newer version");
}

/// A run of an array's elements in one of the files.
struct Run {
  std::int64_t first = 0, whole = 0;
  bool is_all = true;  ///< the tensor has the array's own shape
  const StoredTensor* stored = nullptr;
  std::int64_t end() const { return first + stored->numel(); }
};

using Arrays = std::map<std::string, std::vector<Run>, std::less<>>;

Arrays arrays_of(const fs::path& checkpoint, std::span<const SafetensorsFile> files) {
  Arrays arrays;
  for (const SafetensorsFile& file : files) {
    for (const StoredTensor& stored : file.tensors()) {
      const StateName name = parse(checkpoint, stored.name);
      const bool is_all = name.whole < 0;
      arrays[name.array].push_back(
          {name.first, is_all ? stored.numel() : name.whole, is_all, &stored});
    }
  }
  for (auto& [name, runs] : arrays) {
    std::stable_sort(runs.begin(), runs.end(),
                     [](const Run& a, const Run& b) { return a.first < b.first; });
  }
  return arrays;
}

/// Copies the elements [from, to) of the array, which the run has, to those of `data` from `at` on.
void copy_run(const Run& run, std::int64_t from, std::int64_t to, const Tensor& data,
              std::int64_t at) {
  const auto element = static_cast<std::int64_t>(size_of(run.stored->dtype));
  const StoredTensor piece{
      run.stored->name,
      run.stored->dtype,
      {to - from},
      run.stored->bytes.subspan(static_cast<std::size_t>((from - run.first) * element),
                                static_cast<std::size_t>((to - from) * element))};
  piece.copy_to(data.slice(0, at, at + to - from));
}

void read_runs(const fs::path& checkpoint, const std::vector<Run>& runs, const StateName& wanted,
               const NamedTensor& into) {
  const std::int64_t count = into.data.numel(), end = wanted.first + count;
  const std::int64_t whole = wanted.whole < 0 ? count : wanted.whole;
  const Run& any = runs.front();
  if (any.stored->dtype != into.data.dtype() || any.whole != whole) {
    throw Error(
        checkpoint.string(),
        fmt::format("tensor \"{}\" has {} elements of {}, expected {} of {}", wanted.array,
                    any.whole, name_of(any.stored->dtype), whole, name_of(into.data.dtype())),
        "the checkpoint is of another model or precision");
  }
  const Tensor flat = into.data.reshape({count});
  std::int64_t at = wanted.first;
  for (const Run& run : runs) {
    if (run.first > at || run.end() <= at || at >= end) continue;
    const std::int64_t to = std::min(run.end(), end);
    copy_run(run, at, to, flat, at - wanted.first);
    at = to;
  }
  if (at >= end) return;
  throw Error(checkpoint.string(),
              fmt::format("the elements from {} to {} of \"{}\" are in none of its files", at, end,
                          wanted.array),
              "use another checkpoint");
}
}  // namespace

void checkpoint_internal::require_alike(const fs::path& checkpoint, const StoredTensor& stored,
                                        const NamedTensor& into) {
  if (stored.dtype == into.data.dtype() && same_shape(stored.shape, into.data)) return;
  throw Error(checkpoint.string(),
              fmt::format("tensor \"{}\" is {}, expected {}", into.name, stored.describe(),
                          into.data.describe()),
              "the checkpoint is of another model or precision");
}

void checkpoint_internal::refuse_left_over(const fs::path& checkpoint,
                                           const std::set<std::string, std::less<>>& left) {
  if (left.empty()) return;
  throw Error(checkpoint.string(),
              fmt::format("holds {} tensors that nobody asked for, such as \"{}\"", left.size(),
                          *left.begin()),
              "the checkpoint is of another model");
}

void checkpoint_internal::read_states(const fs::path& checkpoint,
                                      std::span<const SafetensorsFile> files,
                                      std::span<const NamedTensor> into,
                                      const std::atomic<bool>* stop,
                                      std::span<const std::string> others) {
  const Arrays arrays = arrays_of(checkpoint, files);
  std::set<std::string, std::less<>> left;
  std::vector<std::string> names;
  for (const auto& [name, runs] : arrays) names.push_back(name);
  left.insert(names.begin(), names.end());
  for (const NamedTensor& tensor : into) {
    throw_if_stopped(stop, "checkpoint");
    const StateName wanted = parse(checkpoint, tensor.name);
    const auto found = arrays.find(wanted.array);
    if (found == arrays.end()) {
      throw Error(checkpoint.string(), fmt::format("holds no tensor \"{}\"", wanted.array),
                  nearest_hint(wanted.array, names));
    }
    if (wanted.whole < 0 && found->second.front().is_all) {
      require_alike(checkpoint, *found->second.front().stored, tensor);
      found->second.front().stored->copy_to(tensor.data);
    } else {
      read_runs(checkpoint, found->second, wanted, tensor);
    }
    left.erase(wanted.array);
  }
  for (const std::string& name : others) left.erase(name);
  refuse_left_over(checkpoint, left);
}

}  // namespace tessera
