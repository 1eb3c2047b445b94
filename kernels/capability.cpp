// SPDX-License-Identifier: MIT
#include "kernels/capability.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace tessera::kernels {

namespace {
constexpr std::size_t kGenerations = 5;

/// A row of the table: the fast kernel, the plain one, and by generation why the plain one runs;
/// empty where the fast one does.
struct Row {
  Feature feature;
  std::string_view name, fast, plain;
  std::string_view why[kGenerations];  // as Generation
};

constexpr std::string_view kNoWgmma = "no wgmma and no TMA before Hopper";
constexpr std::string_view kNoWgmmaAfter = "wgmma is Hopper's alone; its tcgen05 is not on these";
constexpr std::string_view kNoFp8 = "no FP8 tensor cores before Ada";
constexpr std::string_view kNoFp8Kernel = "FP8 tensor cores, but no kernel here for their mma";
constexpr std::string_view kNoCluster = "no clusters of blocks before Hopper";
constexpr std::string_view kClusterNotRun = "clusters of at most 8 blocks; never run there";
constexpr std::string_view kUnknown = "a generation that this version does not know";

constexpr Row kTable[] = {
    {Feature::Attention,
     "attention, BF16",
     "wgmma and TMA, BF16 products, FP32 sums",
     "plain tiles, FP32 products",
     {kNoWgmma, kNoWgmma, {}, kNoWgmmaAfter, kUnknown}},
    {Feature::Decode,
     "decoding, BF16",
     "wgmma and TMA over the latent cache",
     "plain, split over the cache, FP32 products",
     {kNoWgmma, kNoWgmma, {}, kNoWgmmaAfter, kUnknown}},
    {Feature::Grouped,
     "expert products, BF16",
     "wgmma and TMA, clusters of 2",
     "plain tiles of 64 x 64, FP32 products",
     {kNoWgmma, kNoWgmma, {}, kNoWgmmaAfter, kUnknown}},
    {Feature::ProductFp8,
     "FP8 products",
     "wgmma and TMA, FP32 sums every 128",
     "plain tiles of 64 x 64, dequantised, FP32 products",
     {kNoFp8, kNoFp8Kernel, {}, kNoFp8Kernel, kUnknown}},
    {Feature::NormCluster,
     "RMSNorm to FP8",
     "one pass, a cluster per strip of rows",
     "two passes over x",
     {kNoCluster, kNoCluster, {}, kClusterNotRun, kUnknown}},
};

const Row& row_of(Feature feature) {
  for (const Row& row : kTable) {
    if (row.feature == feature) return row;
  }
  return kTable[0];  // not reached: the table has every feature, which a test counts
}

bool plain_is_asked_for() {
  const char* value = std::getenv("TESSERA_CUDA_PLAIN");
  return value && std::strcmp(value, "1") == 0;
}
}  // namespace

Generation generation_of(int major, int minor) {
  if (major == 8) return minor == 9 ? Generation::Ada : Generation::Ampere;
  if (major == 9) return Generation::Hopper;
  if (major == 12) return Generation::BlackwellConsumer;
  return Generation::Other;
}

std::string_view name_of(Generation generation) {
  constexpr std::string_view kNames[kGenerations] = {"Ampere", "Ada", "Hopper",
                                                     "Blackwell (consumer)", "unknown"};
  return kNames[static_cast<std::size_t>(generation)];
}

std::string_view name_of(Feature feature) {
  return row_of(feature).name;
}

Capability capability(Feature feature, Generation generation) {
  const Row& row = row_of(feature);
  const std::string_view why = row.why[static_cast<std::size_t>(generation)];
  if (!why.empty()) return {false, row.plain, why};
  if (plain_is_asked_for()) return {false, row.plain, "TESSERA_CUDA_PLAIN=1 asks for it"};
  return {true, row.fast, {}};
}

bool is_supported(int major, int) {
  return major >= 8;
}

bool was_run(Generation generation) {
  return generation == Generation::Hopper;
}

std::string recipe_advice(std::string_view recipe, Generation generation) {
  const auto slow = [&](Feature feature) { return !capability(feature, generation).fast; };
  const auto reason = [&](Feature feature) {
    const Capability c = capability(feature, generation);
    return fmt::format("{}: {} ({})", name_of(feature), c.uses, c.why);
  };
  if ((recipe == "tensorwise" || recipe == "blockwise") && slow(Feature::ProductFp8)) {
    return reason(Feature::ProductFp8) +
           "; correct but slow: choose bf16, whose dense products are cuBLASLt's on every GPU";
  }
  if (recipe != "fp32" && (slow(Feature::Attention) || slow(Feature::Grouped))) {
    return reason(Feature::Attention) +
           "; expert products likewise; dense products are cuBLASLt's and fast";
  }
  return {};
}

std::vector<std::string> describe_capabilities(Generation generation) {
  std::vector<std::string> lines;
  for (const Feature feature : kFeatures) {
    const Capability c = capability(feature, generation);
    lines.push_back(fmt::format("{:<22} {:<5} {}{}", name_of(feature), c.fast ? "fast" : "slow",
                                c.uses, c.fast ? "" : fmt::format(": {}", c.why)));
  }
  for (const std::string_view recipe : {"fp32", "bf16", "tensorwise", "blockwise"}) {
    const std::string advice = recipe_advice(recipe, generation);
    lines.push_back(
        fmt::format("recipe {:<15} {:<5} {}", recipe, advice.empty() ? "fast" : "slow", advice));
    while (lines.back().ends_with(' ')) lines.back().pop_back();
  }
  return lines;
}

}  // namespace tessera::kernels
