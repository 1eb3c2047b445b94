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

class Sampler {
 public:
  Sampler(const ReaderOptions& options, const ReportPhase& report)
      : options_(options), report_(report) {}

  /// Lists the files of the sources that are read, for the total of the progress.
  void add(const Source& source, std::int64_t budget, const FilterOptions& filter) {
    parts_.push_back({SourceReader(source, options_), budget, filter, {}});
    Part& part = parts_.back();
    require_files(part.reader, source);  // told before a vocabulary is trained on the rest
    part.report.name = source.name;
    part.report.files = static_cast<std::int64_t>(part.reader.files().size());
    part.report.passed_over = part.reader.list().passed_over;
    part.report.hidden = part.reader.list().hidden;
    total_bytes_ += part.reader.total_bytes();
  }

  Sample sample() {
    Sample out;
    for (Part& part : parts_) {
      sample_source(part, out.texts);
      done_bytes_ += part.reader.total_bytes();
      part.report.remarks = part.reader.remarks();
      out.sources.push_back(std::move(part.report));
    }
    return out;
  }

 private:
  struct Part {
    SourceReader reader;
    std::int64_t budget;
    FilterOptions filter;
    SourceReport report;
  };

  void sample_source(Part& part, std::vector<std::string>& out) {
    BatchReader batches(part.reader);
    Chosen chosen(part.budget);
    for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
      if (report_ && pace_.due())
        report_({"reading", done_bytes_ + batches.bytes_read(), total_bytes_, "bytes"});
      for_each_index(static_cast<std::int64_t>(batch.size()), 0, options_.stop, [&](auto at) {
        Document& document = batch[static_cast<std::size_t>(at)];
        if (document.dropped) return;
        if (const auto reason = check(document.text, part.filter)) {
          document.dropped = true;
          document.reason = *reason;
        }
      });
      throw_if_stopped(options_.stop, "data sample");
      offer(batch, part, chosen);
    }
    throw_if_stopped(options_.stop, "data sample");
    chosen.move_to(out);
  }

  static void offer(const std::vector<Document>& batch, Part& part, Chosen& chosen) {
    for (const Document& document : batch) {
      ++part.report.documents_read;
      if (document.dropped) {
        part.report.drop(document, part.reader.files()[static_cast<std::size_t>(document.file)]);
        continue;
      }
      ++part.report.documents_kept;
      for (std::string_view text = document.text; !text.empty();) {
        const std::size_t end = part_end(text, kPartBytes);
        chosen.offer(text.substr(0, end));
        text.remove_prefix(end);
      }
    }
  }

  const ReaderOptions& options_;
  const ReportPhase& report_;
  Pace pace_;
  std::vector<Part> parts_;
  std::int64_t total_bytes_ = 0, done_bytes_ = 0;
};

}  // namespace

std::int64_t Sample::bytes() const {
  std::int64_t bytes = 0;
  for (const std::string& text : texts) bytes += static_cast<std::int64_t>(text.size());
  return bytes;
}

Sample sample_text(const std::vector<Source>& sources, std::int64_t bytes,
                   const std::map<Domain, FilterOptions>& filters, const ReaderOptions& reader,
                   const ReportPhase& progress) {
  require(bytes > 0, "data sample", "{} bytes of text asked for", bytes);
  double weights = 0;
  for (const Source& source : sources) weights += source.weight;
  require(weights > 0, "data sample", "the weights of the sources add up to {}", weights);
  Sampler sampler(reader, progress);
  for (const Source& source : sources) {
    const auto share =
        static_cast<std::int64_t>(static_cast<double>(bytes) * source.weight / weights);
    const auto filter = filters.find(source.domain);
    if (share > 0)
      sampler.add(
          source, share,
          filter == filters.end() ? FilterOptions::for_domain(source.domain) : filter->second);
  }
  return sampler.sample();
}

}  // namespace tessera::data
