// SPDX-License-Identifier: MIT
// bench kernels: rates of single operations beside what the machine reaches at most: products
// beside the library's product of the same size, everything else beside a copy.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/bench.h"
#include "app/bench_results.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "kernels/cases.h"
#include "kernels/convert/convert.h"
#include "kernels/product/product.h"
#include "kernels/product_fp8/product_fp8.h"

namespace tessera::app {

using kernels::Case;
using kernels::CaseRun;
using kernels::CaseTiming;
using kernels::TensorOptions;
using kernels::Transpose;

namespace {
constexpr double kMostCpuFlops = 3e11;  // a second or two

bool is_fp8(const Case& one) {
  return one.op.starts_with("product_fp8");
}

/// A copy that no cache holds: bytes per second, read and written.
double copy_rate(Device device) {
  const std::int64_t count = device == Device::Cuda ? std::int64_t{1} << 28 : std::int64_t{1} << 25;
  const Case copy{.op = "convert",
                  .label = "copy",
                  .bytes = 8.0 * static_cast<double>(count),
                  .body = [count](CaseRun& run) {
                    const Tensor x = run.zeros({count}), y = run.temporary({count});
                    run.execute([&](Context& c) { kernels::convert(c, x, y); });
                  }};
  return kernels::time_case(copy, device).gbytes_per_s * 1e9;
}

/// One dense product c = a b^T by the library of the device. Results are in F32 on the CPU; on the
/// GPU as operands are, in BF16 where those are E4M3.
Case library_case(const std::array<std::int64_t, 3>& shape, DType dtype, bool fp8, Device device) {
  const auto [m, n, k] = shape;
  Case one{.op = fp8 ? "library_product_fp8" : "product",
           .label = fmt::format("({}, {}, {})", m, n, k),
           .dtype = fp8 ? DType::BF16 : dtype,
           .flops = 2.0 * double(m) * double(n) * double(k)};
  one.body = [m = m, n = n, k = k, fp8, device](CaseRun& run) {
    // Quantised numbers fill E4M3: what a product costs in power depends on its bits.
    const TensorOptions e4m3{.dtype = DType::F8E4M3, .fixed = true, .scale = 100};
    const TensorOptions options = fp8 ? e4m3 : TensorOptions{};
    const Tensor a = run.normal({m, k}, options), b = run.normal({n, k}, options);
    const TensorOptions f32{.dtype = DType::F32};
    const Tensor c = run.temporary({m, n}, device == Device::Cpu ? f32 : TensorOptions{});
    run.execute([&](Context& x) {
      if (fp8) {
        kernels::library_product_fp8(x, a, b, c);
      } else {
        kernels::product(x, a, b, Transpose::B, 0, c);
      }
    });
  };
  return one;
}

struct Rate {
  double sustained, rested;  // GFLOP/s
};

/// What the machine reaches, measured once and when first asked for.
class Ceilings {
 public:
  explicit Ceilings(Device device) : device_(device), copy_(copy_rate(device)) {
    std::printf("copy: %.1f GB/s read and written\n", copy_ / 1e9);
    for (const DType type : {DType::F32, DType::BF16}) {
      products_[type] = kernels::measure_product_flops(type, device);
      std::printf("large %s product: %.1f GFLOP/s\n", kernels::short_name(type).c_str(),
                  products_[type] / 1e9);
    }
    if (device != Device::Cuda) return;
    const CaseTiming fp8 =
        kernels::time_case(library_case({8192, 8192, 8192}, DType::BF16, true, device), device);
    if (!fp8.message.empty()) {
      std::printf("large E4M3 product: %s\n", fp8.message.c_str());
      return;
    }
    fp8_ = fp8.gflops_per_s * 1e9;
    std::printf("large E4M3 product: %.1f GFLOP/s\n", fp8_ / 1e9);
  }

  /// The larger of two shares: of the product's rate and of the copy's.
  double share(const Case& one, const CaseTiming& t) const {
    const double product = is_fp8(one) ? fp8_ : products_.at(operand_of(one));
    const double of_product = product > 0 ? t.gflops_per_s * 1e9 / product : 0;
    return std::max(of_product, t.gbytes_per_s * 1e9 / copy_);
  }

  /// The library's rate for the dense product of as much work; none where there is no such product
  /// or the library has none.
  std::optional<Rate> library(const Case& one) {
    if (one.dense[0] * one.dense[1] * one.dense[2] == 0) return {};
    if (is_fp8(one) && device_ == Device::Cpu) return {};
    const Case dense = library_case(one.dense, one.dtype, is_fp8(one), device_);
    const auto key = dense.op + dense.label + kernels::short_name(dense.dtype);
    const auto known = library_.find(key);
    if (known != library_.end()) return known->second;
    const CaseTiming t = kernels::time_case(dense, device_);
    if (!t.message.empty()) return library_[key] = std::nullopt;
    return library_[key] = Rate{t.gflops_per_s, t.gflops_per_s_rested};
  }

 private:
  static DType operand_of(const Case& one) {
    return one.dtype == DType::BF16 ? DType::BF16 : DType::F32;
  }

  Device device_;
  double copy_, fp8_ = 0;
  std::map<DType, double> products_;
  std::map<std::string, std::optional<Rate>> library_;
};

void store(const CaseTiming& t, double share, const std::optional<Rate>& library, Device device) {
  nlohmann::json line{{"bench", "kernels"},
                      {"op", t.op},
                      {"case", t.label},
                      {"type", kernels::short_name(t.dtype)},
                      {"seconds", t.seconds},
                      {"seconds_rested", t.seconds_rested},
                      {"gflops_per_s", t.gflops_per_s},
                      {"gflops_per_s_rested", t.gflops_per_s_rested},
                      {"gbytes_per_s", t.gbytes_per_s},
                      {"share_of_ceiling", share}};
  if (library) {
    line["library_gflops_per_s"] = library->sustained;
    line["library_gflops_per_s_rested"] = library->rested;
  }
  store_result(line, device);
}

void print_heading(Device device) {
  std::printf("%-28s %-52s %-5s %10s %9s %8s %7s %9s", "operation", "case", "type", "ms", "GFLOP/s",
              "GB/s", "ceiling", "library");
  // What a GPU does before its power limit slows it down.
  if (device == Device::Cuda) std::printf(" | %9s %9s", "rested", "library");
  std::printf("\n");
}

void print_rates(const CaseTiming& t, double share, const std::optional<Rate>& library,
                 Device device) {
  const auto text = [&](double Rate::*which) {
    return library ? fmt::format("{:.1f}", (*library).*which) : std::string();
  };
  std::printf(" %10.3f %9.1f %8.1f %5.1f %% %9s", 1e3 * t.seconds, t.gflops_per_s, t.gbytes_per_s,
              100 * share, text(&Rate::sustained).c_str());
  if (device == Device::Cuda && t.gflops_per_s > 0) {
    std::printf(" | %9.1f %9s", t.gflops_per_s_rested, text(&Rate::rested).c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}
}  // namespace

void bench_kernels(const std::string& op, Device device) {
  require_device(device);
  Ceilings ceilings(device);
  print_heading(device);
  std::size_t timed = 0;
  for (const Case& one : kernels::all_cases()) {
    if (!one.benchmark || (!op.empty() && one.op != op)) continue;
    if (device == Device::Cpu && one.flops > kMostCpuFlops) continue;  // made for GPUs
    const CaseTiming t = kernels::time_case(one, device);
    std::printf("%-28s %-52s %-5s", t.op.c_str(), t.label.c_str(),
                kernels::short_name(t.dtype).c_str());
    if (!t.message.empty()) {
      std::printf(" %s\n", t.message.c_str());
      continue;
    }
    const double share = ceilings.share(one, t);
    const std::optional<Rate> library = ceilings.library(one);
    print_rates(t, share, library, device);
    store(t, share, library, device);
    ++timed;
  }
  require(timed > 0, "bench", "there is no case of \"{}\" to measure on this device", op);
  std::printf("%zu results appended to bench/results.jsonl in the data folder\n", timed);
}

}  // namespace tessera::app
