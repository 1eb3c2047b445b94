// SPDX-License-Identifier: MIT
// What each GPU generation runs: one table, read by every operation that has more than one kernel,
// and shown by `tessera devices` and `tessera selftest --device cuda`.
//
// Nothing here needs a GPU. Only Hopper has been run; the rest follows from what the hardware has,
// and the plain kernels that other GPUs take can be tested on Hopper with TESSERA_CUDA_PLAIN=1 in
// the environment, which makes the table answer as for a GPU without fast kernels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::kernels {

/// Where there is a kernel for one generation and a plain one for all.
enum class Feature : std::uint8_t {
  Attention,    ///< kernels/attention in BF16
  Decode,       ///< kernels/attention_decode in BF16
  Grouped,      ///< kernels/grouped_product in BF16
  ProductFp8,   ///< kernels/product_fp8: the products of `tensorwise` and `blockwise`
  NormCluster,  ///< kernels/quantise: RMSNorm and quantisation in one pass over x
};
inline constexpr Feature kFeatures[] = {Feature::Attention, Feature::Decode, Feature::Grouped,
                                        Feature::ProductFp8, Feature::NormCluster};

enum class Generation : std::uint8_t { Ampere, Ada, Hopper, BlackwellConsumer, Other };

/// By compute capability: 8.0 to 8.7, 8.9, 9.0, 12.x, and everything else.
Generation generation_of(int major, int minor);
std::string_view name_of(Generation generation);
std::string_view name_of(Feature feature);

/// How a generation runs a feature.
struct Capability {
  bool fast = false;      ///< the kernel made for it; else the plain one
  std::string_view uses;  ///< "wgmma and TMA, FP32 sums"
  std::string_view why;   ///< why a plain kernel runs and not the fast one; empty where `fast`
};
Capability capability(Feature feature, Generation generation);

/// The oldest GPUs that any of the kernels run on have compute capability 8.0 (BF16).
bool is_supported(int major, int minor);
/// Whether this generation has been run, and not only compiled for.
bool was_run(Generation generation);

/// The precision recipes "fp32", "bf16", "tensorwise" and "blockwise": empty where the generation
/// runs them with fast kernels alone, else what is slow, why, and what to choose instead.
std::string recipe_advice(std::string_view recipe, Generation generation);

/// The table of one generation for people: a line per feature and recipe, without a line's end.
std::vector<std::string> describe_capabilities(Generation generation);

}  // namespace tessera::kernels
