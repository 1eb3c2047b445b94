// SPDX-License-Identifier: MIT
// A model folder against recorded outputs of another implementation: logits, hidden states, picks
// of the router, loss, gradients, optimiser steps and greedy tokens.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/config/precision.h"

namespace tessera {

struct VerifyOptions {
  std::filesystem::path model;      ///< folder in the released format
  std::filesystem::path reference;  ///< reference.safetensors
  std::filesystem::path grads;      ///< grads.safetensors; empty: not compared
  std::filesystem::path train;      ///< folder with train.safetensors and train.json; empty: none
  Recipe recipe = Recipe::Fp32;
  Device device = Device::Cpu;
};

/// One comparison. Errors are relative as `measure` says.
struct VerifyRow {
  std::string what, measure;
  double error = 0, tolerance = 0;
  bool passed() const { return error <= tolerance; }  // false for NaN
};

/// Compares whatever of it the files hold:
///   logits, hidden.N, router logits and weights: largest difference / largest magnitude;
///   loss: relative; picks, greedy tokens: how many differ; gradients: norm of the difference /
///   norm; recorded training: losses relative, final norms relative.
/// Tolerances are those of FP32 in the reference's README, ten times as wide on the GPU, which adds
/// in other orders; in BF16 the same rows are measured, and only the caller knows what to make of
/// them.
std::vector<VerifyRow> verify(const VerifyOptions& options);

}  // namespace tessera
