// SPDX-License-Identifier: MIT
// Private to core/data: documents in batches, read ahead by one batch on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <vector>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/threads.h"
#include "core/data/source.h"

namespace tessera::data {

/// Bounds what is in memory at a time: two batches.
inline constexpr std::size_t kBatchBytes = 8 << 20, kBatchDocuments = 8192;

/// Throws Error when nothing of a source is there to be read.
inline void require_files(const SourceReader& reader, const Source& source) {
  if (!reader.files().empty()) return;
  throw Error("data.sources", fmt::format("source '{}' has no files", source.name),
              "check its paths; names starting with '.' are passed over");
}

class BatchReader {
 public:
  explicit BatchReader(SourceReader& reader) : reader_(reader) { start(); }
  ~BatchReader() {
    if (ahead_.valid()) ahead_.wait();
  }

  /// The next documents in order; none at the end. `bytes_read` is that of the source then.
  std::vector<Document> next() {
    auto batch = ahead_.get();
    bytes_read_ = reader_.bytes_read();
    start();
    return batch;
  }
  std::int64_t bytes_read() const { return bytes_read_; }

 private:
  void start() {
    ahead_ = std::async(std::launch::async, [this] {
      std::vector<Document> batch;
      std::size_t bytes = 0;
      Document document;
      while (bytes < kBatchBytes && batch.size() < kBatchDocuments && reader_.next(document)) {
        bytes += document.text.size();
        batch.push_back(std::move(document));
      }
      return batch;
    });
  }
  SourceReader& reader_;
  std::future<std::vector<Document>> ahead_;
  std::int64_t bytes_read_ = 0;
};

/// Calls work(i) for every i in [0, count) on `threads` threads (0: OpenMP's number), handing out
/// one index at a time: documents differ much in size. What is not begun when `stop` becomes true
/// is left out.
template <class Work>
void for_each_index(std::int64_t count, int threads, const std::atomic<bool>* stop, Work&& work) {
  std::atomic<std::int64_t> next{0};
  parallel_for(threads > 0 ? threads : omp_get_max_threads(), 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t i = next++; i < count && !is_set(stop); i = next++) work(i);
  });
}

}  // namespace tessera::data
