// SPDX-License-Identifier: MIT
#include "distributed/threads/thread_ranks.h"

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "core/base/error.h"

namespace tessera {

/// Where ranks meet: all show their tensors, one works on them, all go on.
class ThreadRanks::Meeting {
 public:
  explicit Meeting(int size) : shown_(static_cast<std::size_t>(size)) {}

  /// The last rank to come calls work(tensors by rank) while the others wait.
  template <class Work>
  void meet(int rank, const Tensor& tensor, const Work& work) {
    std::unique_lock lock(mutex_);
    throw_if_aborted();
    shown_[static_cast<std::size_t>(rank)] = tensor;
    const std::uint64_t round = round_;
    if (++here_ == shown_.size()) {
      here_ = 0;
      check();
      if (aborted_.empty()) work(shown_);
      ++round_;
      changed_.notify_all();
    } else {
      changed_.wait(lock, [&] { return round_ != round || !aborted_.empty(); });
    }
    throw_if_aborted();
  }

  void abort(int rank, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (aborted_.empty()) aborted_ = fmt::format("rank {} ended with an error: {}", rank, reason);
    changed_.notify_all();
  }

 private:
  void check() {
    for (std::size_t rank = 1; rank < shown_.size(); ++rank) {
      if (shown_[rank].dtype() == shown_[0].dtype() && shown_[rank].numel() == shown_[0].numel()) {
        continue;
      }
      aborted_ = fmt::format("rank {} came with {} where rank 0 has {}", rank,
                             shown_[rank].describe(), shown_[0].describe());
      return;
    }
  }
  void throw_if_aborted() const {
    if (!aborted_.empty()) throw Error("ranks", aborted_);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Tensor> shown_;
  std::size_t here_ = 0;
  std::uint64_t round_ = 0;
  std::string aborted_;
};

namespace {

std::size_t bytes_of(const Tensor& x) {
  return static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
}

void require_plain(const Tensor& x) {
  require(x.device() == Device::Cpu && x.is_contiguous(), "ranks",
          "expected a contiguous tensor on the CPU, got {}", x.describe());
}

/// Every tensor becomes the sum, taken in the order of ranks.
template <class T>
void sum_of(const std::vector<Tensor>& tensors) {
  T* first = tensors[0].data<T>();
  const std::int64_t count = tensors[0].numel();
  for (std::size_t rank = 1; rank < tensors.size(); ++rank) {
    const T* more = tensors[rank].data<T>();
    for (std::int64_t i = 0; i < count; ++i) first[i] += more[i];
  }
  for (std::size_t rank = 1; rank < tensors.size(); ++rank) {
    std::memcpy(tensors[rank].data<T>(), first, bytes_of(tensors[0]));
  }
}

}  // namespace

class ThreadRanks::Rank : public Collective {
 public:
  Rank(Meeting& meeting, int rank, int size) : meeting_(meeting), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void all_reduce_sum(const Tensor& x) override {
    require_plain(x);
    meeting_.meet(rank_, x, [](const std::vector<Tensor>& tensors) {
      switch (tensors[0].dtype()) {
        case DType::F32:
          return sum_of<float>(tensors);
        case DType::F64:
          return sum_of<double>(tensors);
        case DType::I64:
          return sum_of<std::int64_t>(tensors);
        default:
          throw Error("ranks", fmt::format("cannot sum {}", tensors[0].describe()));
      }
    });
  }

  void broadcast(const Tensor& x, int from) override {
    require_plain(x);
    meeting_.meet(rank_, x, [from](const std::vector<Tensor>& tensors) {
      const void* source = tensors[static_cast<std::size_t>(from)].raw();
      for (const Tensor& to : tensors) {
        if (to.raw() != source) std::memcpy(to.raw(), source, bytes_of(to));
      }
    });
  }

  void barrier() override {
    meeting_.meet(rank_, Tensor(), [](const std::vector<Tensor>&) {});
  }

  void abort(const std::string& reason) noexcept override { meeting_.abort(rank_, reason); }

 private:
  Meeting& meeting_;
  int rank_, size_;
};

ThreadRanks::ThreadRanks(int size) {
  require(size >= 1, "ranks", "{} ranks cannot be", size);
  meeting_ = std::make_unique<Meeting>(size);
  for (int i = 0; i < size; ++i) ranks_.push_back(std::make_unique<Rank>(*meeting_, i, size));
}

ThreadRanks::~ThreadRanks() = default;

}  // namespace tessera
