// SPDX-License-Identifier: MIT
#include "core/model/expert_exchange.h"

#include "kernels/product/rows_alone.h"

namespace tessera {

std::int64_t group_alignment(const Pass& pass) {
  if (pass.precision.fp8_forward()) return kernels::kScaleTile;
  const bool alone = kernels::RowsAlone::on() && pass.context.device == Device::Cpu;
  return alone ? 1 : kernels::kGroupAlignment;
}

kernels::Permutation take_permutation(Pass& pass, std::int64_t tokens, std::int64_t picks,
                                      std::int64_t groups, std::int64_t rows,
                                      std::int64_t alignment) {
  kernels::Permutation p;
  p.counts = pass.keep.take(DType::I64, {groups});
  p.offsets = pass.keep.take(DType::I32, {groups + 1});
  p.row_of_slot = pass.keep.take(DType::I32, {tokens, picks});
  p.slot_of_row = pass.keep.take(DType::I32, {rows});
  p.alignment = alignment;
  return p;
}

Tensor permuted_rows(Pass& pass, const Tensor& x, const kernels::Permutation& p) {
  const Tensor y =
      pass.weight_operands().take(pass.precision.operand, {p.slot_of_row.size(0), x.size(1)});
  kernels::permute_forward(pass.context, x, p, y);
  return y;
}

Operand permuted_operand(Pass& pass, const Tensor& x, const kernels::Permutation& p, bool by_rows) {
  Operand made;
  if (!pass.precision.fp8_backward()) {
    made.plain = permuted_rows(pass, x, p);
    return made;
  }
  const std::int64_t rows = p.slot_of_row.size(0), width = x.size(1);
  if (by_rows) take_rows(pass.scratch(), rows, width, made.tiles);
  take_transposed(pass.weight_operands(), rows, width, made.tiles);
  kernels::permute_quantise(pass.context, x, p, made.tiles);
  return made;
}

namespace {

class LocalExchange : public ExpertExchange {
 public:
  void plan(Pass& pass, std::int64_t experts, RoutedTokens& r) const override {
    const std::int64_t tokens = r.picks.size(0), k = r.picks.size(1);
    const std::int64_t alignment = group_alignment(pass);
    const std::int64_t rows = kernels::max_permuted_rows(tokens, k, experts, alignment);
    r.permutation = take_permutation(pass, tokens, k, experts, rows, alignment);
    r.loads = r.permutation.counts;
    kernels::permute_plan(pass.context, r.picks, r.permutation);
    r.row_weights = pass.keep.take(r.weights.dtype(), {rows});
    kernels::permute_weights(pass.context, r.weights, r.permutation, r.row_weights);
  }

  void send(Pass&, const Tensor&, RoutedTokens&) const override {}

  /// Nothing of this is kept: top-k copies of every token would be a quarter of all that is.
  /// Blockwise sends a token's tiles as they are (DeepSeek-V3 report, section 3.3.3).
  Operand dispatch(Pass& pass, const Operand& h, const RoutedTokens& r) const override {
    if (!pass.precision.fp8_backward()) {
      const std::int64_t experts = r.permutation.counts.size(0);
      return pass.input(permuted_rows(pass, h.plain, r.permutation),
                        r.permutation.offsets.slice(0, experts, experts + 1));
    }
    Operand sent;
    take_rows(pass.scratch(), r.permutation.slot_of_row.size(0), h.plain.size(1), sent.tiles);
    kernels::permute_tiles(pass.context, h.tiles, r.permutation, sent.tiles);
    return sent;
  }

  Operand dispatch_gradient(Pass& pass, const Tensor& dy, const RoutedTokens& r) const override {
    return permuted_operand(pass, dy, r.permutation, /*by_rows=*/true);
  }

  Operand dispatch_again(Pass& pass, const Tensor& h, const RoutedTokens& r) const override {
    return permuted_operand(pass, h, r.permutation, /*by_rows=*/false);
  }

  void combine(Pass& pass, const Tensor& rows, const RoutedTokens& r,
               const Tensor& y) const override {
    kernels::combine(pass.context, rows, r.permutation, y);
  }

  void weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& r,
                        const Tensor& d_weights) const override {
    kernels::permute_weights_backward(pass.context, d_row_weights, r.permutation, d_weights);
  }
};

}  // namespace

const ExpertExchange& local_exchange() {
  static const LocalExchange exchange;
  return exchange;
}

}  // namespace tessera
