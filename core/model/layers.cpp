// SPDX-License-Identifier: MIT
#include "core/model/layers.h"

#include "kernels/convert/convert.h"
#include "kernels/product/product.h"
#include "kernels/rms_norm/rms_norm.h"

namespace tessera {

using kernels::Transpose;

Tensor Pass::operand(const Tensor& x, Arena& arena) const {
  if (x.dtype() == precision.operand && x.is_contiguous()) return x;
  Tensor copy = arena.take(precision.operand, {x.size(0), x.size(1)});
  kernels::convert(context, x, copy);
  return copy;
}

void Linear::forward(Context& context, const Tensor& x, float beta, const Tensor& y) const {
  kernels::product(context, x, weight->operand, Transpose::B, beta, y);
}

void Linear::input_grad(Context& context, const Tensor& dy, float beta, const Tensor& dx) const {
  kernels::product(context, dy, weight->operand, Transpose::None, beta, dx);
}

void Linear::weight_grad(Context& context, const Tensor& dy, const Tensor& x) const {
  kernels::product(context, dy, x, Transpose::A, 1.f, weight->grad);
}

Tensor Norm::forward(Pass& pass, const Tensor& x, const Tensor& y) const {
  Tensor rstd = pass.keep.take(x.dtype(), {x.size(0)});
  kernels::rms_norm_forward(pass.context, x, weight->value, epsilon, y, rstd);
  return rstd;
}

void Norm::backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                    bool accumulate, const Tensor& dx) const {
  kernels::rms_norm_backward(context, dy, x, weight->value, rstd, accumulate, dx, weight->grad);
}

}  // namespace tessera
