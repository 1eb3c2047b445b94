// SPDX-License-Identifier: MIT
//
// The operations of attention.h on the GPU: BF16 on Hopper goes to the kernels of attention.cu,
// everything else to attention_plain.cuh.
#include "core/base/cuda/launch.h"
#include "kernels/arguments.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_contract.h"
#include "kernels/attention/attention_launch.h"
#include "kernels/attention/attention_plain.cuh"
#include "kernels/cuda/has.h"

namespace tessera::kernels::cuda {

namespace {
using attention_contract::kWhere;

void expect_inputs(const Tensor& q, const Keys& k, const Tensor& v, const Tensor& starts,
                   const Tensor& o, const Tensor& lse) {
  attention_contract::expect_inputs(q, k, v, starts, o, lse, DType::F32);
  expect_contiguous(kWhere, "lse", lse);
}

// ---- Hopper

AttentionShape shape_of(const Tensor& q, const Tensor& v, const Tensor& starts,
                        std::int64_t max_length, float scale) {
  AttentionShape s;
  s.tokens = static_cast<int>(q.size(0));
  s.heads = static_cast<int>(q.size(1));
  s.key_size = static_cast<int>(q.size(2));
  s.value_size = static_cast<int>(v.size(2));
  s.sequences = static_cast<int>(starts.size(0)) - 1;
  s.max_length = static_cast<int>(max_length);
  s.starts = starts.data<std::int32_t>();
  s.scale = scale;
  return s;
}

AttentionRows rows_of(const Tensor& x) {
  AttentionRows rows;
  rows.data = x.raw();
  rows.stride = {x.stride(0), x.stride(1)};
  return rows;
}

AttentionRows rows_of(const Keys& k) {
  AttentionRows rows = rows_of(k.rows);
  if (!k.tail) return rows;
  rows.tail = k.tail.raw();
  rows.tail_stride = {k.tail.stride(0), k.is_shared() ? 0 : k.tail.stride(1)};
  return rows;
}

bool hopper_takes(std::initializer_list<const Tensor*> all, const Keys& k, const Tensor& q,
                  const Tensor& v) {
  if (q.dtype() != DType::BF16 || !has(Feature::Attention)) return false;
  if (q.size(2) > 192 || v.size(2) > 128 || q.size(2) % 8 != 0 || v.size(2) % 8 != 0) return false;
  if (k.tail && k.rows.size(2) != kFirstKeyColumns) return false;
  for (const Tensor* x : all) {
    if (!*x) continue;
    if (reinterpret_cast<std::uintptr_t>(x->raw()) % 16 != 0) return false;
    if (x->stride(0) % 8 != 0 || x->stride(1) % 8 != 0) return false;
  }
  return true;
}

// ---- any GPU

using attention_plain::Backward;
using attention_plain::Forward;
using attention_plain::Rows;

template <class T>
Rows<device_t<T>> rows_in(const Tensor& x) {
  return {device_data<T>(x), x.stride(0), x.stride(1)};
}
template <class T>
Rows<device_t<T>> rows_in(const Keys& k) {
  Rows<device_t<T>> rows = rows_in<T>(k.rows);
  if (!k.tail) return rows;
  rows.tail = device_data<T>(k.tail);
  rows.tail_token = k.tail.stride(0);
  rows.tail_head = k.is_shared() ? 0 : k.tail.stride(1);
  rows.first = static_cast<int>(k.rows.size(2));
  return rows;
}
template <class T>
Rows<const device_t<T>> const_rows(const Keys& k) {
  const Rows<device_t<T>> rows = rows_in<T>(k);
  return {rows.data, rows.token, rows.head, rows.tail, rows.tail_token, rows.tail_head, rows.first};
}
template <class T>
Rows<const device_t<T>> const_rows(const Tensor& x) {
  return {device_data<T>(x), x.stride(0), x.stride(1)};
}

int shared_limit() {
  static const int bytes = [] {
    int device = 0, most = 0;
    check(cudaGetDevice(&device), kWhere);
    check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), kWhere);
    return most;
  }();
  return bytes;
}

template <class Kernel>
void allow(Kernel* kernel, std::size_t bytes) {
  if (static_cast<std::size_t>(shared_limit()) < bytes) {
    throw Error(kWhere, "heads are too large for this GPU's shared memory",
                "the sizes of the heads decide; 192 and 128 fit on every GPU since Volta");
  }
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        kWhere);
}

template <int TILE, class T>
void plain_forward(Context& context, const Forward<T>& f, int heads) {
  using namespace attention_plain;
  const std::size_t shared = forward_shared<TILE>(f.d_qk, f.d_v);
  allow(forward_kernel<TILE, T>, shared);
  const dim3 grid(static_cast<unsigned>(block_count(f.tokens, f.sequences, TILE)),
                  static_cast<unsigned>(heads));
  forward_kernel<TILE, T><<<grid, kThreads, shared, stream_of(context)>>>(f);
  check_launch(kWhere);
}

template <int TILE, class T>
void plain_backward(Context& context, const Backward<T>& b, int heads) {
  using namespace attention_plain;
  const std::size_t shared = backward_shared<TILE>(b.d_qk, b.d_v);
  allow(query_kernel<TILE, T>, shared);
  allow(key_kernel<TILE, T>, shared);
  const dim3 rows(blocks_for(b.tokens, kThreads / 32), static_cast<unsigned>(heads));
  d_sums_kernel<T><<<rows, kThreads, 0, stream_of(context)>>>(b);
  check_launch(kWhere);
  const dim3 grid(static_cast<unsigned>(block_count(b.tokens, b.sequences, TILE)),
                  static_cast<unsigned>(heads));
  query_kernel<TILE, T><<<grid, kThreads, shared, stream_of(context)>>>(b);
  check_launch(kWhere);
  key_kernel<TILE, T><<<grid, kThreads, shared, stream_of(context)>>>(b);
  check_launch(kWhere);
}

template <class Body>
void with_element(const Tensor& q, const Body& body) {
  if (q.dtype() == DType::BF16) return body(bf16{});
  expect_dtype(kWhere, "q", q, DType::F32);
  body(float{});
}
}  // namespace

void attention_forward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                       const Tensor& starts, std::int64_t max_length, float scale, const Tensor& o,
                       const Tensor& lse) {
  expect_inputs(q, k, v, starts, o, lse);
  if (q.size(0) == 0 || q.size(1) == 0 || starts.size(0) < 2) return;
  if (hopper_takes({&q, &k.rows, &k.tail, &v, &o}, k, q, v)) {
    const AttentionShape s = shape_of(q, v, starts, max_length, scale);
    attention_forward_bf16(stream_of(context), s, rows_of(q), rows_of(k), rows_of(v), rows_of(o),
                           lse.data<float>(), workspace(context, attention_forward_workspace(s)));
    return check_launch(kWhere);
  }
  with_element(q, [&]<class T>(T) {
    Forward<device_t<T>> f{const_rows<T>(q),
                           const_rows<T>(k),
                           const_rows<T>(v),
                           rows_in<T>(o),
                           lse.data<float>(),
                           starts.data<std::int32_t>(),
                           q.size(0),
                           static_cast<int>(starts.size(0)) - 1,
                           static_cast<int>(q.size(2)),
                           static_cast<int>(v.size(2)),
                           scale};
    const int heads = static_cast<int>(q.size(1));
    plain_forward<32>(context, f, heads);
  });
}
TESSERA_CUDA_OPERATION(attention_forward)

void attention_backward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                        const Tensor& starts, std::int64_t max_length, float scale, const Tensor& o,
                        const Tensor& lse, const Tensor& d_o, const Tensor& dq, const Keys& dk,
                        const Tensor& dv) {
  expect_inputs(q, k, v, starts, o, lse);
  attention_contract::expect_gradients(q, k, v, d_o, dq, dk, dv);
  if (q.size(0) == 0 || q.size(1) == 0 || starts.size(0) < 2) return;
  if (hopper_takes({&q, &k.rows, &k.tail, &v, &o, &d_o, &dq, &dk.rows, &dk.tail, &dv}, k, q, v)) {
    const AttentionShape s = shape_of(q, v, starts, max_length, scale);
    attention_backward_bf16(stream_of(context), s, rows_of(q), rows_of(k), rows_of(v), rows_of(o),
                            lse.data<float>(), rows_of(d_o), rows_of(dq), rows_of(dk), rows_of(dv),
                            workspace(context, attention_backward_workspace(s)),
                            context.deterministic);
    return check_launch(kWhere);
  }
  const int heads = static_cast<int>(q.size(1));
  auto* d_sums = static_cast<float*>(
      workspace(context, sizeof(float) * static_cast<std::size_t>(q.size(0) * q.size(1))));
  with_element(q, [&]<class T>(T) {
    Backward<device_t<T>> b{const_rows<T>(q),
                            const_rows<T>(k),
                            const_rows<T>(v),
                            const_rows<T>(o),
                            const_rows<T>(d_o),
                            rows_in<T>(dq),
                            rows_in<T>(dk),
                            rows_in<T>(dv),
                            lse.data<float>(),
                            d_sums,
                            starts.data<std::int32_t>(),
                            q.size(0),
                            static_cast<int>(starts.size(0)) - 1,
                            static_cast<int>(q.size(2)),
                            static_cast<int>(v.size(2)),
                            scale};
    // Where 32 rows of everything do not fit, 16 do.
    const bool fits = attention_plain::backward_shared<32>(b.d_qk, b.d_v) <=
                      static_cast<std::size_t>(shared_limit());
    if (fits) {
      plain_backward<32>(context, b, heads);
    } else {
      plain_backward<16>(context, b, heads);
    }
  });
}
TESSERA_CUDA_OPERATION(attention_backward)

}  // namespace tessera::kernels::cuda
