// SPDX-License-Identifier: MIT
#include "core/base/tensor.h"

#include "core/base/error.h"

namespace tessera {

Tensor::Tensor(void* data, DType dtype, std::initializer_list<std::int64_t> shape, Device device)
    : data_(data), rank_(static_cast<int>(shape.size())), dtype_(dtype), device_(device) {
  require(rank_ >= 1 && rank_ <= kMaxRank, "tensor", "rank {} is not in 1..{}", rank_, kMaxRank);
  std::size_t at = 0;
  for (std::int64_t extent : shape) {
    require(extent >= 0, "tensor", "negative extent {}", extent);
    shape_[at++] = extent;
  }
  std::int64_t step = 1;
  for (int dim = rank_ - 1; dim >= 0; --dim) {
    stride_[static_cast<std::size_t>(dim)] = step;
    step *= size(dim);
  }
}

std::int64_t Tensor::numel() const {
  if (rank_ == 0) return 0;
  std::int64_t count = 1;
  for (int dim = 0; dim < rank_; ++dim) count *= size(dim);
  return count;
}

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (int dim = rank_ - 1; dim >= 0; --dim) {
    if (size(dim) != 1 && stride(dim) != step) return false;
    step *= size(dim);
  }
  return true;
}

Tensor Tensor::slice(int dim, std::int64_t from, std::int64_t to) const {
  const auto d = static_cast<std::size_t>(wrap(dim));
  if (d >= static_cast<std::size_t>(rank_) || from < 0 || from > to || to > shape_[d]) {
    throw Error("tensor",
                fmt::format("slice [{}, {}) of dimension {} of {}", from, to, dim, describe()));
  }
  Tensor part = *this;
  part.shape_[d] = to - from;
  part.data_ = static_cast<std::byte*>(data_) +
               from * stride_[d] * static_cast<std::int64_t>(size_of(dtype_));
  return part;
}

Tensor Tensor::operator[](std::int64_t at) const {
  require(rank_ >= 2, "tensor", "cannot index a tensor of rank {}", rank_);
  Tensor part = slice(0, at, at + 1);
  for (std::size_t d = 0; d + 1 < kMaxRank; ++d) {
    part.shape_[d] = part.shape_[d + 1];
    part.stride_[d] = part.stride_[d + 1];
  }
  --part.rank_;
  return part;
}

Tensor Tensor::reshape(std::initializer_list<std::int64_t> shape) const {
  Tensor view(data_, dtype_, shape, device_);
  require(is_contiguous() && view.numel() == numel(), "tensor", "cannot view {} as {}", describe(),
          view.describe());
  return view;
}

Tensor Tensor::split_last(std::int64_t outer, std::int64_t inner) const {
  require(rank_ >= 1 && rank_ < kMaxRank && size(-1) == outer * inner && stride(-1) == 1, "tensor",
          "cannot split the last dimension of {} into ({}, {})", describe(), outer, inner);
  Tensor view = *this;
  const auto last = static_cast<std::size_t>(rank_ - 1);
  view.shape_[last] = outer;
  view.stride_[last] = inner;
  view.shape_[last + 1] = inner;
  view.stride_[last + 1] = 1;
  ++view.rank_;
  return view;
}

Tensor Tensor::transpose(int a, int b) const {
  Tensor view = *this;
  const auto i = static_cast<std::size_t>(wrap(a)), j = static_cast<std::size_t>(wrap(b));
  std::swap(view.shape_[i], view.shape_[j]);
  std::swap(view.stride_[i], view.stride_[j]);
  return view;
}

std::string Tensor::describe() const {
  if (rank_ == 0) return "absent";
  std::string text = fmt::format("{}(", name_of(dtype_));
  for (int dim = 0; dim < rank_; ++dim) text += fmt::format("{}{}", dim ? ", " : "", size(dim));
  return text + ")";
}

void Tensor::check_dtype(DType wanted) const {
  if (dtype_ == wanted) return;  // first, as describing the tensor costs a microsecond
  throw Error("tensor", fmt::format("expected {} elements, got {}", name_of(wanted), describe()));
}

}  // namespace tessera
