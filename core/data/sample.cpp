// SPDX-License-Identifier: MIT
#include <xxhash.h>

#include <algorithm>
#include <queue>

#include "core/base/error.h"
#include "core/data/build.h"
#include "core/data/document_reader.h"
#include "core/data/pipeline.h"

namespace tessera::data {

namespace {

constexpr std::size_t kPartBytes = 16 << 10;

/// The parts with the smallest hashes that fill a budget, whatever the order they come in.
class Chosen {
 public:
  explicit Chosen(std::int64_t budget) : budget_(budget) {}

  void offer(std::string_view part) {
    const std::uint64_t hash = XXH3_64bits(part.data(), part.size());
    if (bytes_ >= budget_ && hash >= parts_.top().first) return;
    parts_.emplace(hash, part);
    bytes_ += static_cast<std::int64_t>(part.size());
    while (bytes_ - static_cast<std::int64_t>(parts_.top().second.size()) >= budget_) {
      bytes_ -= static_cast<std::int64_t>(parts_.top().second.size());
      parts_.pop();
    }
  }

  void move_to(std::vector<std::string>& out) {
    for (; !parts_.empty(); parts_.pop()) out.push_back(parts_.top().second);
  }

 private:
  std::int64_t budget_, bytes_ = 0;
  std::priority_queue<std::pair<std::uint64_t, std::string>> parts_;
};

void sample_source(const Source& source, std::int64_t budget, const FilterOptions& filter,
                   const ReaderOptions& options, std::vector<std::string>& out) {
  SourceReader reader(source, options);
  BatchReader batches(reader);
  Chosen chosen(budget);
  for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
    for_each_index(static_cast<std::int64_t>(batch.size()), 0, [&](std::int64_t at) {
      Document& document = batch[static_cast<std::size_t>(at)];
      document.dropped = document.dropped || check(document.text, filter).has_value();
    });
    for (const Document& document : batch) {
      if (document.dropped) continue;
      for (std::string_view text = document.text; !text.empty();) {
        const std::size_t end = part_end(text, kPartBytes);
        chosen.offer(text.substr(0, end));
        text.remove_prefix(end);
      }
    }
  }
  chosen.move_to(out);
}

}  // namespace

std::vector<std::string> sample_text(const std::vector<Source>& sources, std::int64_t bytes,
                                     const std::map<Domain, FilterOptions>& filters,
                                     const ReaderOptions& reader) {
  require(bytes > 0, "data sample", "{} bytes of text asked for", bytes);
  double weights = 0;
  for (const Source& source : sources) weights += source.weight;
  require(weights > 0, "data sample", "the weights of the sources add up to {}", weights);
  std::vector<std::string> texts;
  for (const Source& source : sources) {
    const auto share =
        static_cast<std::int64_t>(static_cast<double>(bytes) * source.weight / weights);
    const auto filter = filters.find(source.domain);
    if (share > 0)
      sample_source(
          source, share,
          filter == filters.end() ? FilterOptions::for_domain(source.domain) : filter->second,
          reader, texts);
  }
  return texts;
}

}  // namespace tessera::data
