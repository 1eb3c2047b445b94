// SPDX-License-Identifier: MIT
#include "distributed/store/store_pieces.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tessera {

namespace {
using CallKind = Communication::Kind;

char* bytes_at(const Tensor& x, std::int64_t element) {
  return static_cast<char*>(x.raw()) + static_cast<std::size_t>(element) * size_of(x.dtype());
}

Tensor elements_of(const Tensor& x, std::int64_t first, std::int64_t count) {
  return x ? Tensor(bytes_at(x, first), x.dtype(), {count}) : Tensor();
}

/// The tensor whose size is one rank's part of the call.
const Tensor& part_of(const Communication& call) {
  if (call.kind == CallKind::ReduceScatter) return call.receive;
  return call.send ? call.send : call.receive;
}

/// Elements [first, first + count) of each of `size` runs of x, one run behind the other.
void pack_runs(const Tensor& x, std::int64_t first, std::int64_t count, int size, char* to) {
  const std::int64_t run = x.numel() / size;
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(x.dtype());
  for (int i = 0; i < size; ++i, to += bytes) std::memcpy(to, bytes_at(x, run * i + first), bytes);
}

void unpack_runs(const char* from, const Tensor& x, std::int64_t first, std::int64_t count,
                 int size) {
  const std::int64_t run = x.numel() / size;
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(x.dtype());
  for (int i = 0; i < size; ++i, from += bytes) {
    std::memcpy(bytes_at(x, run * i + first), from, bytes);
  }
}
}  // namespace

void carry_out_in_pieces(const Communication& call, int size,
                         const std::function<void(const Communication&)>& one,
                         std::size_t most_bytes) {
  const bool splits = call.kind == CallKind::AllReduce || call.kind == CallKind::Broadcast ||
                      call.kind == CallKind::ReduceScatter || call.kind == CallKind::AllGather;
  if (!splits || !part_of(call) || part_of(call).bytes() <= most_bytes) return one(call);
  const std::int64_t all = part_of(call).numel();
  const DType type = part_of(call).dtype();
  const auto most = static_cast<std::int64_t>(std::max<std::size_t>(1, most_bytes / size_of(type)));
  std::vector<char> runs;
  for (std::int64_t first = 0; first < all; first += most) {
    const std::int64_t count = std::min(most, all - first);
    Communication piece = call;
    runs.resize(static_cast<std::size_t>(count * size) * size_of(type));
    const Tensor of_all(runs.data(), type, {count * size});
    if (call.kind == CallKind::ReduceScatter) {
      pack_runs(call.send, first, count, size, runs.data());
      piece.send = of_all;
    } else {
      piece.send = elements_of(call.send, first, count);
    }
    piece.receive =
        call.kind == CallKind::AllGather ? of_all : elements_of(call.receive, first, count);
    one(piece);
    if (call.kind == CallKind::AllGather) {
      unpack_runs(runs.data(), call.receive, first, count, size);
    }
  }
}

}  // namespace tessera
