// SPDX-License-Identifier: MIT
#include "core/model/head.h"

#include <algorithm>

namespace tessera {

namespace {
/// Rows of logits at a time. On the CPU about 16 MiB of them, which keeps a slice in the last-level
/// cache of common processors while products stay large. A GPU wants large products above all: the
/// gradient of the head's weights is read and written once per slice.
std::int64_t rows_per_slice(std::int64_t vocabulary, Device device) {
  const bool on_gpu = device == Device::Cuda;
  const std::int64_t elements = std::int64_t{1} << (on_gpu ? 28 : 22);
  return std::clamp<std::int64_t>(elements / vocabulary / 64 * 64, 64, on_gpu ? 8192 : 4096);
}
}  // namespace

void Head::normalise(Pass& pass, const Tensor& x, HeadStash& s) const {
  s.x = x;
  if (pass.recompute.norms) {
    s.rstd = pass.keep.take(pass.precision.activation, {x.size(0)});
    return;
  }
  s.normed = pass.keep.take(pass.precision.operand, {x.size(0), x.size(1)});
  s.rstd = norm.forward(pass, x, s.normed);
}

/// Kept, or made now in scratch: a row's norm depends on no other row.
Tensor Head::normed_rows(Pass& pass, const HeadStash& s, std::int64_t from, std::int64_t to) const {
  if (s.normed) return s.normed.slice(0, from, to);
  const Tensor y = pass.scratch().take(pass.precision.operand, {to - from, s.x.size(1)});
  norm.again(pass.context, s.x.slice(0, from, to), s.rstd.slice(0, from, to), y);
  return y;
}

void Head::logits(Pass& pass, const HeadStash& s, std::int64_t from, std::int64_t to,
                  const Tensor& out) const {
  Arena::Frame frame(pass.scratch());
  output.forward(pass.context, {normed_rows(pass, s, from, to), {}}, 0.f, out);
}

void Head::loss(Pass& pass, const LossTerm& term, HeadStash& s) const {
  Context& context = pass.context;
  const std::int64_t tokens = s.x.size(0), hidden = s.x.size(1);
  const std::int64_t vocabulary = output.out_features();
  const DType type = pass.precision.activation;
  const bool training = term.has_gradient();
  s.losses = pass.keep.take(type, {tokens});
  if (training) s.dx = pass.keep.take(pass.precision.inner(), {tokens, hidden});
  const std::int64_t step = rows_per_slice(vocabulary, context.device);
  for (std::int64_t from = 0; from < tokens; from += step) {
    const std::int64_t to = std::min(tokens, from + step);
    pass.look();
    Arena::Frame frame(pass.scratch());
    const Tensor slice = pass.scratch().take(type, {to - from, vocabulary});
    const Operand normed{normed_rows(pass, s, from, to), {}};
    output.forward(context, normed, 0.f, slice);
    Tensor gradient = slice;
    if (training && pass.precision.operand != type) {
      gradient = pass.scratch().take(pass.precision.operand, {to - from, vocabulary});
    }
    term.apply(context, slice, from, s.losses.slice(0, from, to), gradient);
    if (!training) continue;
    output.input_grad(context, {gradient, {}}, 0.f, s.dx.slice(0, from, to));
    output.weight_grad(pass, {gradient, {}}, normed);
  }
  if (training) norm.backward(context, s.dx, s.x, s.rstd, false, s.dx);
}

}  // namespace tessera
