// SPDX-License-Identifier: MIT
// bench kernels: rates of single operations beside what the machine reaches at most: products
// beside the library's product of the same size, everything else beside a copy.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/bench.h"
#include "app/bench_results.h"
#include "app/gpu_meter.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "kernels/cases.h"
#include "kernels/convert/convert.h"
#include "kernels/product/product.h"
#include "kernels/product_fp8/product_fp8.h"

namespace tessera::app {

using kernels::Case;
using kernels::CaseList;
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

/// GFLOP/s; 0: none.
struct Rate {
  double sustained = 0, rested = 0;
};

const char* unit_of(Device device) {
  return device == Device::Cuda ? "TFLOP/s" : "GFLOP/s";
}
/// In the device's unit; empty for what has no such rate.
std::string rate_text(double gflops, Device device) {
  const double scale = device == Device::Cuda ? 1e-3 : 1;
  return gflops > 0 ? fmt::format("{:.1f}", scale * gflops) : std::string();
}

/// What the machine reaches, measured once and when first asked for.
class Ceilings {
 public:
  explicit Ceilings(Device device) : device_(device), copy_(copy_rate(device)) {
    fmt::print("copy: {:.1f} GB/s read and written\n", copy_ / 1e9);
    for (const DType type : {DType::F32, DType::BF16}) {
      products_[type] = kernels::measure_product_flops(type, device);
      print_product(kernels::short_name(type), products_[type]);
    }
    if (device != Device::Cuda) return;
    const CaseTiming fp8 =
        kernels::time_case(library_case({8192, 8192, 8192}, DType::BF16, true, device), device);
    if (!fp8.message.empty()) {
      fmt::print("large e4m3 product: {}\n", fp8.message);
      return;
    }
    fp8_ = fp8.gflops_per_s * 1e9;
    print_product("e4m3", fp8_);
  }

  /// The larger of two shares: of the product's rate and of the copy's.
  double share(const Case& one, const CaseTiming& t) const {
    // On the CPU FP8 operands are multiplied in F32.
    const double product = is_fp8(one) && fp8_ > 0 ? fp8_ : products_.at(operand_of(one));
    const double of_product = product > 0 ? t.gflops_per_s * 1e9 / product : 0;
    return std::max(of_product, t.gbytes_per_s * 1e9 / copy_);
  }

  /// The library's for the dense product of as much work, where there is such a product and the
  /// library has it.
  Rate library(const Case& one) {
    if (one.dense[0] * one.dense[1] * one.dense[2] == 0) return {};
    if (is_fp8(one) && device_ == Device::Cpu) return {};
    const Case dense = library_case(one.dense, one.dtype, is_fp8(one), device_);
    const auto key = dense.op + dense.label + kernels::short_name(dense.dtype);
    const auto known = library_.find(key);
    if (known != library_.end()) return known->second;
    const CaseTiming t = kernels::time_case(dense, device_);
    return library_[key] = {t.gflops_per_s, t.gflops_per_s_rested};
  }

 private:
  void print_product(const std::string& type, double flops) const {
    fmt::print("large {} product: {} {}\n", type, rate_text(1e-9 * flops, device_),
               unit_of(device_));
  }
  static DType operand_of(const Case& one) {
    return one.dtype == DType::BF16 ? DType::BF16 : DType::F32;
  }

  Device device_;
  double copy_, fp8_ = 0;
  std::map<DType, double> products_;
  std::map<std::string, Rate> library_;
};

void store(const CaseTiming& t, double share, const Rate& library,
           const std::optional<GpuReading>& gpu, Device device) {
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
  if (library.sustained > 0) {
    line["library_gflops_per_s"] = library.sustained;
    line["library_gflops_per_s_rested"] = library.rested;
  }
  if (gpu) {
    line["clock_mhz"] = gpu->clock_mhz;
    line["power_w"] = gpu->power_w;
  }
  store_result(line, device);
}

/// Times the case; `gpu` becomes what the GPU was at when it used most power.
CaseTiming time_with_meter(const Case& one, Device device, std::optional<GpuReading>& gpu) {
  if (device != Device::Cuda) return kernels::time_case(one, device);
  GpuMeter meter(first_gpu(std::getenv("CUDA_VISIBLE_DEVICES")));
  const CaseTiming timing = kernels::time_case(one, device);
  gpu = meter.busiest();
  return timing;
}

/// Rows of rates; on a GPU in TFLOP/s, and beside what it does before its power limit slows it
/// down.
class Table {
 public:
  Table(const CaseList& cases, Device device) : device_(device) {
    for (const Case& one : cases) {
      operation_ = std::max(operation_, one.op.size());
      label_ = std::max(label_, one.label.size());
    }
  }
  void heading() const {
    fmt::print("{:{}}  {:{}}  {:4} {:>10} {:>9} {:>8} {:>8} {:>9}", "operation", operation_, "case",
               label_, "type", "ms", unit_of(device_), "GB/s", "ceiling", "library");
    if (device_ == Device::Cuda) fmt::print(" | {:>9} {:>9}", "rested", "library");
    fmt::print("\n");
  }
  void row(const CaseTiming& t, double share, const Rate& library) const {
    fmt::print("{:{}}  {:{}}  {:4} ", t.op, operation_, t.label, label_,
               kernels::short_name(t.dtype));
    if (!t.message.empty()) {
      fmt::print("{}\n", t.message);
    } else {
      fmt::print("{:10.3f} {:>9} {:8.1f} {:6.1f} % {:>9}", 1e3 * t.seconds, rate(t.gflops_per_s),
                 t.gbytes_per_s, 100 * share, rate(library.sustained));
      if (device_ == Device::Cuda) {
        fmt::print(" | {:>9} {:>9}", rate(t.gflops_per_s_rested), rate(library.rested));
      }
      fmt::print("\n");
    }
    std::fflush(stdout);
  }

 private:
  std::string rate(double gflops) const { return rate_text(gflops, device_); }

  Device device_;
  std::size_t operation_ = 9, label_ = 4;
};

/// Cases with a rate to measure, all or of one operation; of what a device has not, none.
CaseList cases_of(const std::string& op, Device device) {
  CaseList cases = kernels::all_cases();
  std::erase_if(cases, [&](const Case& one) {
    if (!one.benchmark || (!op.empty() && one.op != op)) return true;
    return device == Device::Cpu ? !one.on_cpu || one.flops > kMostCpuFlops : !one.on_cuda;
  });
  require(!cases.empty(), "bench", "there is no case of \"{}\" to measure on this device", op);
  return cases;
}
}  // namespace

void bench_kernels(const std::string& op, Device device) {
  require_device(device);
  const CaseList cases = cases_of(op, device);
  Ceilings ceilings(device);
  const Table table(cases, device);
  table.heading();
  std::size_t timed = 0;
  double largest = 0;
  for (const Case& one : cases) {
    std::optional<GpuReading> gpu;
    const CaseTiming t = time_with_meter(one, device, gpu);
    const bool measured = t.message.empty();
    const double share = measured ? ceilings.share(one, t) : 0;
    const Rate library = measured ? ceilings.library(one) : Rate{};
    table.row(t, share, library);
    if (!measured) continue;
    store(t, share, library, gpu, device);
    largest = std::max(largest, share);
    ++timed;
  }
  require(timed > 0, "bench", "no case of \"{}\" could be measured on this device", op);
  if (largest > 1) fmt::print("above 100 %: operands stay in a cache, the copy's do not\n");
  fmt::print("{} results appended to bench/results.jsonl in the data folder\n", timed);
}

}  // namespace tessera::app
