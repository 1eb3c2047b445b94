// SPDX-License-Identifier: MIT
// Where in a log the expert loads and biases of each logged step are, and the ones read last. One
// event of a large model is 180 kB, so they are read when asked for. For one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/events/events.h"

namespace tessera {

class ExpertsIndex {
 public:
  using Experts = std::shared_ptr<const ExpertsEvent>;

  explicit ExpertsIndex(std::filesystem::path log);

  /// The head of an experts event, without its arrays. Throws Error for a payload that is none.
  static Event head_of(std::uint64_t sequence, std::string_view payload);

  void add(std::int64_t step, std::uint64_t offset);
  void truncate_after(std::int64_t step);
  void clear();
  std::size_t size() const { return places_.size(); }

  /// Of the nearest logged step at or before `step`, -1 for the newest. Null: none was logged so
  /// early, or its place is damaged.
  Experts at(std::int64_t step);

  /// The logged steps of [from, to], at most `most` and evenly spread, the last one among them.
  std::vector<std::int64_t> spread(std::int64_t from, std::int64_t to, int most) const;
  /// One layer of the event of a logged step, as an event of one layer.
  std::optional<ExpertsEvent> layer_at(std::int64_t step, int layer);

 private:
  struct Place {
    std::int64_t step;
    std::uint64_t offset;
  };
  struct Kept {
    std::uint64_t offset;
    Experts experts;
  };
  const Place* find(std::int64_t step) const;
  Experts kept(std::uint64_t offset);
  void keep(std::uint64_t offset, Experts experts);
  void forget(std::uint64_t offset);
  Experts read(const Place& place);

  std::vector<Place> places_;  ///< in order of steps
  EventReader reader_;
  std::list<Kept> cache_;  ///< the ones read last, the last one first
  std::size_t cache_bytes_ = 0;
};

}  // namespace tessera
