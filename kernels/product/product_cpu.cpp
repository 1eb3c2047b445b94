// SPDX-License-Identifier: MIT
// Products on the CPU: F32 by oneDNN's sgemm, BF16 by its matmul where the processor multiplies
// bfloat16. The rest, BF16 elsewhere and F64, and what sgemm does slowly, is blocked_gemm.h. Where
// rows must not depend on each other, all of them are row_gemm.h.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/base/transfer.h"
#include "kernels/product/blocked_gemm.h"
#include "kernels/product/matrices.h"
#include "kernels/product/row_gemm.h"
#include "kernels/product/rows_alone.h"

namespace tessera::kernels {

namespace {

using dnnl::memory;

bool has_isa(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

/// c = beta c, for sums of length 0.
template <class T>
void scale_result(const cpu::GemmShape& s, T beta, cpu::Rows<T> c) {
  if (beta != T(0)) return;
  for (std::int64_t i = 0; i < s.m; ++i) std::fill_n(c.data + i * c.stride, s.n, T(0));
}

/// A matmul primitive of oneDNN with BF16 operands and an F32 result.
class Bf16Matmul {
 public:
  Bf16Matmul(Transpose transpose, const cpu::GemmShape& s, std::int64_t a_stride,
             std::int64_t b_stride, float beta, std::int64_t c_stride) {
    using Type = memory::data_type;
    const auto strides = [](std::int64_t stride, bool transposed) {
      return transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
    };
    a_ = {{s.m, s.k}, Type::bf16, strides(a_stride, transpose == Transpose::A)};
    b_ = {{s.k, s.n}, Type::bf16, strides(b_stride, transpose == Transpose::B)};
    c_ = {{s.m, s.n}, Type::f32, strides(c_stride, false)};
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (beta != 0) {
      dnnl::post_ops add;
      add.append_sum(beta);
      attributes.set_post_ops(add);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine(), a_, b_, c_, attributes);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a_, b_, c_), attributes,
                                                   engine());
#endif
    scratchpad_ = description.scratchpad_desc();
    matmul_ = dnnl::matmul(description);
  }

  void operator()(const bf16* a, const bf16* b, float* c) const {
    auto* scratchpad = cpu::thread_workspace<std::byte>(
        cpu::Workspace::Scratchpad, static_cast<std::int64_t>(scratchpad_.get_size()));
    const memory am(a_, engine(), const_cast<bf16*>(a)), bm(b_, engine(), const_cast<bf16*>(b));
    const memory cm(c_, engine(), c), sm(scratchpad_, engine(), scratchpad);
    dnnl::stream stream(engine());
    matmul_.execute(stream, {{DNNL_ARG_SRC, am},
                             {DNNL_ARG_WEIGHTS, bm},
                             {DNNL_ARG_DST, cm},
                             {DNNL_ARG_SCRATCHPAD, sm}});
  }

 private:
  static const dnnl::engine& engine() {
    static const dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
    return the_engine;
  }
  memory::desc a_, b_, c_, scratchpad_;
  dnnl::matmul matmul_;
};

/// The primitives of this thread. Per thread: no lock, and a primitive is made for the number of
/// threads it will run with.
const Bf16Matmul& cached_matmul(Transpose transpose, const cpu::GemmShape& s, std::int64_t a_stride,
                                std::int64_t b_stride, float beta, std::int64_t c_stride) {
  using Key = std::tuple<int, int, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                         std::int64_t, std::int64_t, float>;
  constexpr std::size_t kMost = 1024;  // lengths of prompts vary without end
  static thread_local std::map<Key, Bf16Matmul> cache;
  const int threads = omp_in_parallel() ? 1 : omp_get_max_threads();
  const Key key{
      static_cast<int>(transpose), threads, s.m, s.n, s.k, a_stride, b_stride, c_stride, beta};
  auto found = cache.find(key);
  if (found == cache.end()) {
    if (cache.size() >= kMost) cache.clear();
    found = cache.try_emplace(key, transpose, s, a_stride, b_stride, beta, c_stride).first;
  }
  return found->second;
}

/// How a product is shared out: c is cut into rows x cols regions, one per thread.
struct Regions {
  std::int64_t rows, cols;
};

/// The split whose largest region costs least: its sums, and packing its rows of a and columns of
/// b.
template <class T>
Regions choose_regions(const cpu::GemmShape& s) {
  constexpr double kWorthAThread = 1 << 20, kPackingCost = 16;
  const double sums = static_cast<double>(s.m * s.n) * static_cast<double>(s.k);
  const int available = omp_in_parallel() ? 1 : omp_get_max_threads();
  const auto threads =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(sums / kWorthAThread), 1, available);
  Regions best{1, 1};
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t rows = 1; rows <= threads; ++rows) {
    const std::int64_t cols = threads / rows;
    const auto m = static_cast<double>(cpu::round_up((s.m + rows - 1) / rows, cpu::Tile<T>::kRows));
    const auto n = static_cast<double>(cpu::round_up((s.n + cols - 1) / cols, cpu::Tile<T>::kCols));
    const double cost = m * n + kPackingCost * (m + n);
    if (cost < least) {
      least = cost;
      best = {rows, cols};
    }
  }
  return best;
}

/// Our own product on all threads, for what oneDNN does not have or does slowly. beta is 0 or 1.
template <class T, class In>
void own_gemm(Transpose transpose, const cpu::GemmShape& s, T alpha, cpu::Rows<const In> a,
              cpu::Rows<const In> b, bool add, cpu::Rows<T> c) {
  constexpr std::int64_t kFewRows = 4;
  const Regions regions = choose_regions<T>(s);
  parallel_for(regions.rows * regions.cols, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t row = s.m * (i / regions.cols) / regions.rows;
      const std::int64_t row_end = s.m * (i / regions.cols + 1) / regions.rows;
      const std::int64_t col = s.n * (i % regions.cols) / regions.cols;
      const std::int64_t col_end = s.n * (i % regions.cols + 1) / regions.cols;
      const cpu::GemmShape part{row_end - row, col_end - col, s.k};
      auto pa = a, pb = b;
      pa.data += row * (transpose == Transpose::A ? 1 : a.stride);
      pb.data += col * (transpose == Transpose::B ? b.stride : 1);
      const cpu::Rows<T> pc{c.data + row * c.stride + col, c.stride};
      if (transpose == Transpose::B && s.m <= kFewRows) {
        cpu::dot_gemm(part, alpha, pa, pb, add, pc);
      } else {
        cpu::blocked_gemm(transpose, part, alpha, pa, pb, add, pc);
      }
    }
  });
}

/// NOTE: oneDNN's AVX2 sgemm multiplies without packing when a side of c is short (its
/// nocopy_checker). It then reads operands across their rows, at a third of the rate where the rows
/// are a power of two apart and fall into the same sets of the cache. Weight gradients do both.
bool is_slow_in_onednn(Transpose transpose, const cpu::GemmShape& s, std::int64_t a_stride,
                       std::int64_t b_stride) {
  static const bool has_avx512 = has_isa(dnnl::cpu_isa::avx512_core);
  if (has_avx512 || transpose == Transpose::B || s.m < 48 || s.n < 16) return false;
  const bool unpacked = 1.0 / static_cast<double>(s.m) + 1.0 / static_cast<double>(s.n) >= 0.0038;
  const bool transposed = transpose == Transpose::A;
  const bool same_sets = b_stride % 512 == 0 || (transposed && a_stride % 512 == 0);
  return unpacked && (same_sets || (transposed && s.k >= 256 && std::min(s.m, s.n) >= 96));
}

}  // namespace

namespace cpu {

void gemm(Transpose transpose, const GemmShape& s, float alpha, Rows<const float> a,
          Rows<const float> b, float beta, Rows<float> c) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) return scale_result(s, beta, c);
  if (is_slow_in_onednn(transpose, s, a.stride, b.stride)) {
    return own_gemm(transpose, s, alpha, a, b, beta != 0, c);
  }
  const auto status =
      dnnl_sgemm(transpose == Transpose::A ? 'T' : 'N', transpose == Transpose::B ? 'T' : 'N', s.m,
                 s.n, s.k, alpha, a.data, a.stride, b.data, b.stride, beta, c.data, c.stride);
  require(status == dnnl_success, "product", "oneDNN refuses a product of {} x {} x {}: status {}",
          s.m, s.n, s.k, static_cast<int>(status));
}

void gemm(Transpose transpose, const GemmShape& s, double alpha, Rows<const double> a,
          Rows<const double> b, double beta, Rows<double> c) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) return scale_result(s, beta, c);
  own_gemm(transpose, s, alpha, a, b, beta != 0, c);
}

void gemm(Transpose transpose, const GemmShape& s, float alpha, Rows<const bf16> a,
          Rows<const bf16> b, float beta, Rows<float> c) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) return scale_result(s, beta, c);
  if (alpha != 1 || !has_native_product(DType::BF16)) {
    return own_gemm(transpose, s, alpha, a, b, beta != 0, c);
  }
  try {
    cached_matmul(transpose, s, a.stride, b.stride, beta, c.stride)(a.data, b.data, c.data);
  } catch (const dnnl::error& e) {
    throw Error("product", fmt::format("oneDNN refuses a product of {} x {} x {} in BF16: {}", s.m,
                                       s.n, s.k, e.what()));
  }
}

bool one_product_per_thread(const GemmShape& shape, std::int64_t count) {
  const std::int64_t threads = omp_get_max_threads();
  if (threads == 1 || count < 2 || omp_in_parallel()) return false;
  // Threads within a product cost a barrier and a share of its packing; threads over products cost
  // those that have nothing to do in the last round.
  const double rounds = static_cast<double>(count) / static_cast<double>(threads);
  const double busy = rounds / std::ceil(rounds);
  const double flops = 2.0 * static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k);
  return busy > (flops < 3e7 ? 0.5 : 0.9);
}

namespace {

template <class T>
Rows<T> matrix_at(const Matrices& x, T* data, std::int64_t index) {
  return {data + index * x.batch_stride, x.row_stride};
}

/// Every product in pieces of its columns and rows, each on one thread: where they are cut does not
/// matter to what an element is.
template <class In, class Out>
void multiply_rows_alone(Transpose transpose, const GemmShape& s, const In* a, const Matrices& am,
                         const In* b, const Matrices& bm, bool add, Out* c, const Matrices& cm) {
  constexpr double kWorthAThread = 1 << 18;
  constexpr std::int64_t kColumns = 64, kRowsOfPiece = 48;
  const std::int64_t down = (s.m + kRowsOfPiece - 1) / kRowsOfPiece;
  const std::int64_t across = (s.n + kColumns - 1) / kColumns;
  const double piece = static_cast<double>(std::min(s.m, kRowsOfPiece) * std::min(s.n, kColumns)) *
                       static_cast<double>(s.k);
  const auto grain = static_cast<std::int64_t>(kWorthAThread / std::max(piece, 1.0)) + 1;
  parallel_for(cm.count * down * across, grain, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t index = i / (down * across);
      const std::int64_t row = i / across % down * kRowsOfPiece, col = i % across * kColumns;
      auto x = matrix_at(am, a, index), y = matrix_at(bm, b, index);
      auto z = matrix_at(cm, c, index);
      x.data += row * x.stride;
      y.data += col * (transpose == Transpose::B ? y.stride : 1);
      z.data += row * z.stride + col;
      const GemmShape piece_of_c{std::min(kRowsOfPiece, s.m - row), std::min(kColumns, s.n - col),
                                 s.k};
      row_gemm_widened<Out, In>(transpose, piece_of_c, x, y, add, z);
    }
  });
}

template <class In, class Out>
void multiply_all(Transpose transpose, const GemmShape& shape, const Tensor& a, const Matrices& am,
                  const Tensor& b, const Matrices& bm, float beta, const Tensor& c,
                  const Matrices& cm) {
  const In *a_data = a.data<In>(), *b_data = b.data<In>();
  Out* c_data = c.data<Out>();
  if (RowsAlone::on() && transpose != Transpose::A) {
    return multiply_rows_alone<In, Out>(transpose, shape, a_data, am, b_data, bm, beta != 0, c_data,
                                        cm);
  }
  const auto multiply = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      gemm(transpose, shape, Out(1), matrix_at(am, a_data, i), matrix_at(bm, b_data, i),
           static_cast<Out>(beta), matrix_at(cm, c_data, i));
    }
  };
  if (one_product_per_thread(shape, cm.count)) {
    parallel_for(cm.count, 1, multiply);
  } else {
    multiply(0, cm.count);
  }
}

}  // namespace

void product(Context&, const Tensor& a, const Tensor& b, Transpose transpose, float beta,
             const Tensor& c) {
  const Matrices am(a, "a"), bm(b, "b"), cm(c, "c");
  const ProductShape s = product_shape(a, am, b, bm, transpose, beta, c, cm);
  const GemmShape shape{s.m, s.n, s.k};
  switch (a.dtype()) {
    case DType::F32:
      return multiply_all<float, float>(transpose, shape, a, am, b, bm, beta, c, cm);
    case DType::BF16:
      return multiply_all<bf16, float>(transpose, shape, a, am, b, bm, beta, c, cm);
    case DType::F64:
      return multiply_all<double, double>(transpose, shape, a, am, b, bm, beta, c, cm);
    default:
      throw Error("product", fmt::format("there are no products of {}", name_of(a.dtype())),
                  "use F32, BF16 or F64");
  }
}

}  // namespace cpu

namespace {
/// NOTE: a GPU multiplies zeros faster than numbers, as its power allows a higher clock then.
void fill_random(const Tensor& a, const Tensor& b) {
  const Random random(1, 1);
  const std::int64_t count = a.numel();
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(count) * size_of(a.dtype()) / 2);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    // BF16 in +-[1, 2), or the upper half of such an F32.
    halves[i] =
        static_cast<std::uint16_t>(0x3f80u | (random.below(i, 2) << 15) | random.below(i + 1, 128));
  }
  copy_from_host(halves.data(), a);
  copy_from_host(halves.data(), b);
}
}  // namespace

double measure_product_flops(DType dtype, Device device) {
  using Clock = std::chrono::steady_clock;
  const std::int64_t n = device == Device::Cuda ? 8192 : 1024;
  const DType result = dtype == DType::F64 ? DType::F64 : DType::F32;
  const Buffer a(static_cast<std::size_t>(n * n) * size_of(dtype), device);
  const Buffer b(a.bytes(), device);
  const Buffer c(static_cast<std::size_t>(n * n) * size_of(result), device);
  Context context{.device = device};
  if (device == Device::Cuda) fill_random(a.view(dtype, {n, n}), b.view(dtype, {n, n}));
  double best = 0, total = 0;
  for (int i = 0; i < 3 || total < 0.3; ++i) {
    const auto start = Clock::now();
    product(context, a.view(dtype, {n, n}), b.view(dtype, {n, n}), Transpose::B, 0,
            c.view(result, {n, n}));
    synchronise(device);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(n * n) * static_cast<double>(n) / seconds);
    total += seconds;
  }
  return best;
}

bool has_native_product(DType dtype) {
  static const bool has_bf16 = has_isa(dnnl::cpu_isa::avx512_core_bf16);
  return dtype == DType::F32 || dtype == DType::F64 || (dtype == DType::BF16 && has_bf16);
}

}  // namespace tessera::kernels
