// SPDX-License-Identifier: MIT
#include "core/infer/step_inputs.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "kernels/choose/choose.h"

namespace tessera {

namespace {
constexpr std::size_t kAligned = 256;

/// Hands out tensors one behind the other, from the start of some memory.
class Places {
 public:
  explicit Places(void* memory = nullptr, Device device = Device::Cpu)
      : memory_(static_cast<unsigned char*>(memory)), device_(device) {}

  Tensor take(DType dtype, std::initializer_list<std::int64_t> shape) {
    const Tensor made(memory_ + used_, dtype, shape, device_);
    used_ += (made.bytes() + kAligned - 1) / kAligned * kAligned;
    return made;
  }
  std::size_t used() const { return used_; }

 private:
  unsigned char* memory_;
  Device device_;
  std::size_t used_ = 0;
};

struct Laid {
  CachedTokens tokens;
  Tensor draws;
};

Laid lay_out(Places& places, std::int64_t rows, std::int64_t pages) {
  Laid laid;
  const auto column = [&] { return places.take(DType::I32, {rows}); };
  laid.tokens.sequences = {column(), column(), places.take(DType::I32, {rows + 1}), 1};
  laid.tokens.lengths = column();
  laid.tokens.slots = column();
  laid.draws = places.take(DType::F64, {rows, kernels::kDrawColumns});
  laid.tokens.pages = places.take(DType::I32, {rows, pages});
  return laid;
}
}  // namespace

bool StepInputs::begin(std::int64_t rows, std::int64_t pages) {
  // Sizes alone: nothing is read or written through this one.
  static unsigned char nowhere;
  Places measure(&nowhere);
  lay_out(measure, rows, pages);
  const bool moves = measure.used() > memory_.bytes();
  if (moves) {
    memory_ = {};  // before the larger one is taken
    memory_ = Buffer(std::max(2 * measure.used(), std::size_t{1} << 16), device_);
  }
  host_.assign(measure.used(), 0);
  Places places(memory_.data(), device_);
  const Laid laid = lay_out(places, rows, pages);
  tokens_ = laid.tokens;
  draws_ = laid.draws;
  rows_ = rows;
  filled_ = 0;
  return moves;
}

/// Where the elements of a tensor of this step are on the host until they are sent.
template <class T>
T* StepInputs::host(const Tensor& tensor) {
  const auto at =
      static_cast<unsigned char*>(tensor.raw()) - static_cast<unsigned char*>(memory_.data());
  return reinterpret_cast<T*>(host_.data() + at);
}

void StepInputs::add(std::int32_t token, std::int64_t position,
                     const std::vector<std::int32_t>& pages, const DeviceDraw& draw) {
  constexpr std::int64_t kPage = LatentCache::kPageTokens;
  require(filled_ < rows_ && std::ssize(pages) <= tokens_.pages.size(1), "engine",
          "a step of {} rows and {} pages is full", rows_, tokens_.pages.size(1));
  const auto at = static_cast<std::size_t>(filled_++);
  const std::int32_t page = pages[static_cast<std::size_t>(position / kPage)];
  host<std::int32_t>(tokens_.sequences.tokens)[at] = token;
  host<std::int32_t>(tokens_.sequences.positions)[at] = static_cast<std::int32_t>(position);
  host<std::int32_t>(tokens_.sequences.starts)[at + 1] = static_cast<std::int32_t>(at + 1);
  host<std::int32_t>(tokens_.lengths)[at] = static_cast<std::int32_t>(position + 1);
  host<std::int32_t>(tokens_.slots)[at] =
      static_cast<std::int32_t>(page * kPage + position % kPage);
  std::copy(
      pages.begin(), pages.end(),
      host<std::int32_t>(tokens_.pages) + static_cast<std::ptrdiff_t>(at) * tokens_.pages.size(1));
  double* values = host<double>(draws_) + static_cast<std::ptrdiff_t>(at) * draws_.size(1);
  values[kernels::kDrawScale] = draw.scale;
  values[kernels::kDrawTopK] = draw.top_k;
  values[kernels::kDrawTopP] = draw.top_p;
  values[kernels::kDrawMinP] = draw.min_p;
  values[kernels::kDrawUniform] = draw.uniform;
  values[kernels::kDrawVocabulary] = draw.vocabulary;
}

void StepInputs::pad(std::int32_t page) {
  constexpr std::int64_t kPage = LatentCache::kPageTokens;
  for (std::int64_t i = 0; filled_ < rows_; ++i) {
    add(0, 0, {page}, {});
    // Slots differ, as far as the page has some.
    host<std::int32_t>(tokens_.slots)[filled_ - 1] =
        static_cast<std::int32_t>(page * kPage + i % kPage);
  }
}

void StepInputs::send() {
  if (device_ == Device::Cuda) {
    cuda_memory().copy(memory_.data(), host_.data(), host_.size());
  } else {
    std::memcpy(memory_.data(), host_.data(), host_.size());
  }
}

std::int64_t step_rows(std::int64_t count, std::int64_t most) {
  std::int64_t rows = 1;
  while (rows < count) {
    const bool is_power = (rows & (rows - 1)) == 0;
    rows = rows == 1 ? 2 : is_power ? rows + rows / 2 : rows / 3 * 4;
  }
  return std::min(rows, most);
}

std::int64_t step_pages(std::int64_t pages, std::int64_t most) {
  std::int64_t columns = 4;
  while (columns < pages) columns *= 2;
  return std::min(columns, most);
}

}  // namespace tessera
