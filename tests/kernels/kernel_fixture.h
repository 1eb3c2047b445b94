// SPDX-License-Identifier: MIT
// Vectors as tensors, for small examples worked out by hand.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/base/context.h"
#include "core/base/error.h"

namespace tessera::kernels {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
Tensor view(std::vector<T>& values, std::initializer_list<std::int64_t> shape) {
  return Tensor(values.data(), dtype_of<T>(), shape);
}
template <class T>
Tensor view(std::vector<T>& values) {
  return view(values, {static_cast<std::int64_t>(values.size())});
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& wanted, double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(got[i]), wanted[i], tolerance) << "element " << i;
  }
}

/// Calls `call`, which must throw Error with `part` in its message.
template <class Call>
void expect_error(const Call& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "did not throw; expected an error about " << part;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

}  // namespace tessera::kernels
