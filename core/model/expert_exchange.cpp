// SPDX-License-Identifier: MIT
#include "core/model/expert_exchange.h"

namespace tessera {

namespace {

class LocalExchange : public ExpertExchange {
 public:
  void plan(Pass& pass, std::int64_t experts, RoutedTokens& r) const override {
    const std::int64_t tokens = r.picks.size(0), k = r.picks.size(1);
    r.permutation.counts = pass.keep.take(DType::I64, {experts});
    r.permutation.offsets = pass.keep.take(DType::I32, {experts + 1});
    r.permutation.row_of_slot = pass.keep.take(DType::I32, {tokens, k});
    // Products in E4M3 take groups in whole tiles.
    if (pass.precision.fp8_forward()) r.permutation.alignment = kernels::kScaleTile;
    r.permutation.slot_of_row = pass.keep.take(
        DType::I32, {kernels::max_permuted_rows(tokens, k, experts, r.permutation.alignment)});
    kernels::permute_plan(pass.context, r.picks, r.permutation);
    r.row_weights = pass.keep.take(r.weights.dtype(), {rows_of(r)});
    kernels::permute_weights(pass.context, r.weights, r.permutation, r.row_weights);
  }

  /// Nothing of this is kept: top-k copies of every token would be a quarter of all that is.
  /// Blockwise sends a token's tiles as they are (DeepSeek-V3 report, section 3.3.3).
  Operand dispatch(Pass& pass, const Operand& h, const RoutedTokens& r) const override {
    if (!pass.precision.fp8_backward()) {
      const std::int64_t experts = r.permutation.counts.size(0);
      return pass.input(permuted(pass, h.plain, r),
                        r.permutation.offsets.slice(0, experts, experts + 1));
    }
    Operand sent;
    take_rows(pass.scratch(), rows_of(r), h.plain.size(1), sent.tiles);
    kernels::permute_tiles(pass.context, h.tiles, r.permutation, sent.tiles);
    return sent;
  }

  Operand dispatch_again(Pass& pass, const Tensor& x, const RoutedTokens& r,
                         bool by_rows) const override {
    Operand made;
    if (!pass.precision.fp8_backward()) {
      made.plain = permuted(pass, x, r);
      return made;
    }
    const std::int64_t rows = rows_of(r), width = x.size(1);
    if (by_rows) take_rows(pass.scratch(), rows, width, made.tiles);
    take_transposed(pass.weight_operands(), rows, width, made.tiles);
    kernels::permute_quantise(pass.context, x, r.permutation, made.tiles);
    return made;
  }

  void combine(Pass& pass, const Tensor& rows, const RoutedTokens& r,
               const Tensor& y) const override {
    kernels::combine(pass.context, rows, r.permutation, y);
  }

  void weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& r,
                        const Tensor& d_weights) const override {
    kernels::permute_weights_backward(pass.context, d_row_weights, r.permutation, d_weights);
  }

 private:
  static std::int64_t rows_of(const RoutedTokens& r) { return r.permutation.slot_of_row.size(0); }

  /// Rows of x (T, H) in the order of experts, as plain products read them; scratch.
  static Tensor permuted(Pass& pass, const Tensor& x, const RoutedTokens& r) {
    const Tensor y = pass.weight_operands().take(pass.precision.operand, {rows_of(r), x.size(1)});
    kernels::permute_forward(pass.context, x, r.permutation, y);
    return y;
  }
};

}  // namespace

const ExpertExchange& local_exchange() {
  static const LocalExchange exchange;
  return exchange;
}

}  // namespace tessera
