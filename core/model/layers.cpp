// SPDX-License-Identifier: MIT
#include "core/model/layers.h"

#include <utility>

#include "kernels/convert/convert.h"
#include "kernels/grouped_product/grouped_product.h"
#include "kernels/packed_product/packed_product.h"
#include "kernels/product/product.h"
#include "kernels/product_fp8/product_fp8.h"
#include "kernels/rms_norm/rms_norm.h"

namespace tessera {

using kernels::Transpose;

namespace {
std::int64_t rounded_up(std::int64_t x, std::int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}
}  // namespace

void take_rows(Arena& arena, std::int64_t rows, std::int64_t cols, kernels::Quantised& to) {
  to.values = arena.take(DType::F8E4M3, {rows, cols});
  to.scales = arena.take(DType::F32, {kernels::scale_tiles(cols), rounded_up(rows, 4)});
}

void take_transposed(Arena& arena, std::int64_t rows, std::int64_t cols, kernels::Quantised& to) {
  to.values_t = arena.take(DType::F8E4M3, {cols, rounded_up(rows, 16)});
  to.scales_t = arena.take(DType::F32, {kernels::scale_tiles(rows), rounded_up(cols, 4)});
}

void WeightWork::run(Context& context) {
  for (const Product& product : products_) product(context);
  products_.clear();
}

Tensor Pass::plain(const Tensor& x, Arena& arena) const {
  if (x.dtype() == precision.operand && x.is_contiguous()) return x;
  Tensor copy = arena.take(precision.operand, {x.size(0), x.size(1)});
  kernels::convert(context, x, copy);
  return copy;
}

Operand Pass::input(const Tensor& x, const Tensor& live_rows) const {
  Operand made;
  if (!precision.fp8_backward()) made.plain = plain(x, kept_operands());
  if (!precision.fp8_forward()) return made;
  take_rows(scratch(), x.size(0), x.size(1), made.tiles);
  if (precision.fp8_backward()) {
    kernels::quantise(context, x, live_rows, made.tiles);
  } else {
    kernels::quantise_tensor(context, made.plain, live_rows, made.tiles);
  }
  return made;
}

Operand Pass::saved(const Operand& kept, const Tensor& x) const {
  if (!precision.fp8_backward()) return kept;
  Operand made;
  take_transposed(weight_operands(), x.size(0), x.size(1), made.tiles);
  kernels::quantise(context, x, {}, made.tiles);
  return made;
}

Operand Pass::gradient(const Tensor& dy) const {
  Operand made;
  if (!precision.fp8_backward()) {
    if (later) {  // a copy: dy itself changes on the way back through the layers
      made.plain = weight_operands().take(precision.operand, {dy.size(0), dy.size(1)});
      kernels::convert(context, dy, made.plain);
    } else {
      made.plain = plain(dy, scratch());
    }
    return made;
  }
  take_rows(scratch(), dy.size(0), dy.size(1), made.tiles);
  take_transposed(weight_operands(), dy.size(0), dy.size(1), made.tiles);
  kernels::quantise(context, dy, {}, made.tiles);
  return made;
}

namespace {
/// Whether the first product of a step or a later one makes this gradient: beta of that product.
float beta_of_grad(const Context& context, const Parameter& p) {
  if (context.dry_run) return 1.f;
  return std::exchange(p.grad_is_old, false) ? 0.f : 1.f;
}
}  // namespace

void Linear::forward(Context& context, const Operand& x, float beta, const Tensor& y) const {
  if (weight->fp8.values) {
    kernels::product_fp8(context, x.tiles, weight->fp8, {}, beta, y);
  } else if (weight->packed) {
    kernels::packed_product(context, x.plain, weight->packed, {}, beta, y);
  } else {
    kernels::product(context, x.plain, weight->operand, Transpose::B, beta, y);
  }
}

void Linear::input_grad(Context& context, const Operand& dy, float beta, const Tensor& dx) const {
  if (weight->fp8.values_t) {
    kernels::product_fp8_input_grad(context, dy.tiles, weight->fp8, {}, beta, dx);
  } else {
    kernels::product(context, dy.plain, weight->operand, Transpose::None, beta, dx);
  }
}

namespace {
/// Does the product, or leaves it for later.
void do_or_put_off(Pass& pass, WeightWork::Product product) {
  if (pass.later) {
    pass.later->add(std::move(product));
  } else {
    product(pass.context);
  }
}
}  // namespace

void Linear::weight_grad(Pass& pass, const Operand& dy, const Operand& x) const {
  do_or_put_off(pass, [weight = weight, dy, x](Context& context) {
    const Tensor& grad = weight->grad;
    const float beta = beta_of_grad(context, *weight);
    if (weight->fp8.values_t) {
      kernels::product_fp8_weight_grad(context, dy.tiles, x.tiles, {}, beta,
                                       grad.reshape({1, grad.size(0), grad.size(1)}));
    } else {
      kernels::product(context, dy.plain, x.plain, Transpose::A, beta, grad);
    }
  });
}

namespace {
/// Groups of rows that one product takes: those of the experts [first, end) in a run.
struct Groups {
  Tensor offsets;
  std::int64_t first, end, run;
  Tensor of(const Tensor& weights) const { return weights.slice(0, first, end); }
};

/// Calls work(groups) for every run. NOTE: how the CPU cuts a product into tasks depends on all of
/// its groups, and how a task sums on its size: one by one they are the same on every layout.
template <class Work>
void for_runs(const Context& context, const Parameter& weight, const Tensor& offsets,
              const Work& work) {
  const std::int64_t experts = weight.shape[0];
  const bool apart = weight.apart && context.device == Device::Cpu && !weight.fp8.values;
  const std::int64_t each = apart ? 1 : experts;
  for (std::int64_t group = 0; group + 1 < offsets.size(0); group += each) {
    const std::int64_t first = group % experts;
    // A plan has no ranks to hand the other groups to.
    if (context.dry_run && group / experts > std::ssize(weight.more_grads)) break;
    work(Groups{offsets.slice(0, group, group + each + 1), first, first + each, group / experts});
  }
}
}  // namespace

void ExpertLinear::forward(Context& context, const Operand& x, const Tensor& offsets,
                           const Tensor& y) const {
  for_runs(context, *weight, offsets, [&](const Groups& groups) {
    if (weight->fp8.values) {
      kernels::product_fp8(context, x.tiles, weight->fp8, groups.offsets, 0.f, y);
    } else if (weight->packed) {
      kernels::packed_product(context, x.plain, weight->packed, groups.offsets, 0.f, y);
    } else {
      kernels::grouped_product(context, x.plain, groups.of(weight->operand), groups.offsets, y);
    }
  });
}

void ExpertLinear::input_grad(Context& context, const Operand& dy, const Tensor& offsets,
                              const Tensor& dx) const {
  for_runs(context, *weight, offsets, [&](const Groups& groups) {
    if (weight->fp8.values_t) {
      kernels::product_fp8_input_grad(context, dy.tiles, weight->fp8, groups.offsets, 0.f, dx);
    } else {
      kernels::grouped_product_input_grad(context, dy.plain, groups.of(weight->operand),
                                          groups.offsets, dx);
    }
  });
}

void ExpertLinear::weight_grad(Pass& pass, const Operand& dy, const Operand& x,
                               const Tensor& offsets) const {
  do_or_put_off(pass, [weight = weight, dy, x, offsets](Context& context) {
    const float beta = beta_of_grad(context, *weight);
    for_runs(context, *weight, offsets, [&](const Groups& groups) {
      const Tensor grad = groups.of(weight->grad_of_run(groups.run));
      if (weight->fp8.values_t) {
        kernels::product_fp8_weight_grad(context, dy.tiles, x.tiles, groups.offsets, beta, grad);
      } else {
        kernels::grouped_product_weight_grad(context, dy.plain, x.plain, groups.offsets, beta,
                                             grad);
      }
    });
  });
}

Tensor Norm::forward(Pass& pass, const Tensor& x, const Tensor& y) const {
  Tensor rstd = pass.keep.take(pass.precision.activation, {x.size(0)});
  kernels::rms_norm_forward(pass.context, x, weight->value, epsilon, y, rstd);
  return rstd;
}

namespace {
/// Scratch for the plain part of a normed matrix, where it is wanted.
Tensor plain_part(Pass& pass, const Tensor& x, bool wanted) {
  if (!wanted) return {};
  return pass.scratch().take(pass.precision.operand, {x.size(0), x.size(1)});
}
}  // namespace

Operand Norm::input(Pass& pass, const Tensor& x, Tensor& rstd, bool with_plain,
                    const Tensor& copy) const {
  Operand made;
  if (!pass.precision.fp8_backward()) {
    if (copy) kernels::convert(pass.context, x, copy);
    Arena& arena = pass.recompute.norms ? pass.scratch() : pass.kept_operands();
    const Tensor y = arena.take(pass.precision.operand, {x.size(0), x.size(1)});
    rstd = forward(pass, x, y);
    return pass.input(y);
  }
  rstd = pass.keep.take(pass.precision.activation, {x.size(0)});
  made.plain = plain_part(pass, x, with_plain);
  take_rows(pass.scratch(), x.size(0), x.size(1), made.tiles);
  kernels::rms_norm_quantise(pass.context, x, weight->value, epsilon, made.plain, copy, rstd,
                             made.tiles);
  return made;
}

Operand Norm::saved(Pass& pass, const Operand& kept, const Tensor& x, const Tensor& rstd,
                    bool with_plain, bool with_rows) const {
  Operand made;
  if (!pass.precision.fp8_backward()) {
    made = kept;
    if (pass.recompute.norms) {
      made.plain = pass.weight_operands().take(pass.precision.operand, {x.size(0), x.size(1)});
      again(pass.context, x, rstd, made.plain);
    }
    return with_rows ? pass.input(made.plain) : made;
  }
  made.plain = plain_part(pass, x, with_plain);
  if (with_rows) take_rows(pass.scratch(), x.size(0), x.size(1), made.tiles);
  take_transposed(pass.weight_operands(), x.size(0), x.size(1), made.tiles);
  kernels::rms_norm_requantise(pass.context, x, weight->value, rstd, made.plain, made.tiles);
  return made;
}

/// rstd is written once more, with the same bits.
void Norm::again(Context& context, const Tensor& x, const Tensor& rstd, const Tensor& y) const {
  kernels::rms_norm_forward(context, x, weight->value, epsilon, y, rstd);
}

void Norm::backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                    bool accumulate, const Tensor& dx) const {
  kernels::rms_norm_backward(context, dy, x, weight->value, rstd, accumulate, dx, weight->grad);
}

}  // namespace tessera
