// SPDX-License-Identifier: MIT
// The largest k of a few hundred values, in falling order.
#pragma once

#include <cstdint>
#include <limits>

namespace tessera::kernels {

/// Collects the k largest values offered to it; of equal values the one offered first comes first.
/// Offered in the order of their index, ties therefore go to the lower index.
template <class T>
class TopK {
 public:
  /// `values` and `indices` hold k elements each and belong to the caller.
  TopK(int k, T* values, std::int32_t* indices) : k_(k), values_(values), indices_(indices) {
    clear();
  }
  void clear() {
    found_ = 0;
    for (int i = 0; i < k_; ++i) {
      values_[i] = -std::numeric_limits<T>::infinity();
      indices_[i] = -1;
    }
  }
  void offer(T value, std::int32_t index) {
    if (found_ == k_ && !(value > values_[k_ - 1])) return;
    int at = found_ < k_ ? found_++ : k_ - 1;
    for (; at > 0 && value > values_[at - 1]; --at) {
      values_[at] = values_[at - 1];
      indices_[at] = indices_[at - 1];
    }
    values_[at] = value;
    indices_[at] = index;
  }

 private:
  int k_, found_ = 0;
  T* values_;
  std::int32_t* indices_;
};

}  // namespace tessera::kernels
