// SPDX-License-Identifier: MIT
//
// Stand-alone check and benchmark of the Hopper attention kernels.
//   attention_gpu check [quick]      every case against an FP32 reference with FP64 sums
//   attention_gpu bench|backward|groups [SEQUENCES HEADS LENGTH]
//     groups: how many heads are best worked on at one time
// Check: outputs are poisoned with NaN before each run and lie in wider tensors whose gaps must
// stay as they were; a second run must give the same bits where the contract says so. Bench: CUDA
// events, median of many, inputs rotated, random data. Operations counted, causal: forward 2 (d_qk
// + d_v) S^2 / 2 per head and sequence, backward 2 (3 d_qk + 2 d_v) S^2 / 2.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/attention/attention_launch.h"
#include "tests/kernels/gpu_program.h"

using namespace tessera::kernels::cuda;
using bf16 = __nv_bfloat16;

#define CHECK(call)                                                               \
  do {                                                                            \
    const cudaError_t error_ = (call);                                            \
    if (error_ != cudaSuccess) {                                                  \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(error_)); \
      std::exit(1);                                                               \
    }                                                                             \
  } while (0)

namespace {

// ---- data --------------------------------------------------------------------------------------

__device__ uint32_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  return static_cast<uint32_t>(x ^ (x >> 33));
}
__global__ void fill_normal(bf16* to, int64_t count, uint64_t seed, float deviation) {
  for (int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * blockDim.x) {
    const float u = (mix(2 * i + seed * 0x9e3779b97f4a7c15ull) + 1.0f) * 2.3283064e-10f;
    const float w = mix(2 * i + 1 + seed * 0x9e3779b97f4a7c15ull) * 2.3283064e-10f;
    to[i] = __float2bfloat16(deviation * sqrtf(-2.0f * logf(fminf(u, 1.0f))) * cospif(2.0f * w));
  }
}

template <class T>
struct Device {
  T* data = nullptr;
  int64_t count = 0;
  Device() = default;
  explicit Device(int64_t n) : count(n) {
    CHECK(cudaMalloc(&data, std::max<int64_t>(n, 1) * sizeof(T)));
  }
  Device(Device&& other) noexcept : data(other.data), count(other.count) { other.data = nullptr; }
  Device& operator=(Device&& other) noexcept {
    std::swap(data, other.data);
    std::swap(count, other.count);
    return *this;
  }
  ~Device() { cudaFree(data); }
  void poison() { CHECK(cudaMemset(data, 0xFF, count * sizeof(T))); }  // NaN
  std::vector<T> host() const {
    std::vector<T> h(count);
    CHECK(cudaMemcpy(h.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return h;
  }
};

// (tokens, heads, columns) within rows of `heads` * (columns + gap) + gap.
struct Rows {
  Device<bf16> memory;
  int tokens, heads, columns, gap;
  Rows(int t, int h, int c, int g)
      : memory(int64_t{t} * (h * (c + g) + g)), tokens(t), heads(h), columns(c), gap(g) {}
  int64_t token() const { return int64_t{heads} * (columns + gap) + gap; }
  AttentionRows rows() const { return {memory.data, {token(), columns + gap}, nullptr, {}}; }
  void random(uint64_t seed, float deviation = 1.0f) {
    fill_normal<<<512, 256>>>(memory.data, memory.count, seed, deviation);
    CHECK(cudaGetLastError());
  }
};

// ---- reference: one warp per row ---------------------------------------------------------------

struct View {
  const bf16* data;
  int64_t token, head;
  __device__ float at(int64_t t, int h, int c) const {
    return __bfloat162float(data[t * token + h * head + c]);
  }
};
struct Reference {
  View q, k, tail, v, d_o;  // tail: k's columns from 128 on
  const int *first, *last;  // tokens of the sequence that each token is in
  int tokens, heads, dk, dv;
  float scale;
  float *o, *lse, *delta, *dq, *dk_out, *dv_out;  // (tokens, heads, columns); lse (heads, tokens)
};
__device__ float key(const Reference& r, int64_t t, int h, int c) {
  return c < 128 ? r.k.at(t, h, c) : r.tail.at(t, h, c - 128);
}
__device__ float warp_sum(float x) {
  for (int m = 16; m; m /= 2) x += __shfl_xor_sync(~0u, x, m);
  return x;
}
constexpr int kQ = 6, kV = 4;  // columns per lane

__global__ void reference_forward(Reference r) {
  const int lane = threadIdx.x % 32, h = blockIdx.y;
  const int i = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (i >= r.tokens) return;
  float q[kQ], d_o[kV];
  double o[kV] = {}, sum = 0.0;
  for (int c = 0; c < kQ; ++c) q[c] = lane + 32 * c < r.dk ? r.q.at(i, h, lane + 32 * c) : 0.0f;
  float maximum = -INFINITY;
  for (int pass = 0; pass < 2; ++pass) {
    for (int j = r.first[i]; j <= i; ++j) {
      float s = 0.0f;
      for (int c = 0; c < kQ; ++c)
        if (lane + 32 * c < r.dk) s += q[c] * key(r, j, h, lane + 32 * c);
      s = warp_sum(s) * r.scale;
      if (pass == 0) {
        maximum = fmaxf(maximum, s);
        continue;
      }
      const float p = expf(s - maximum);
      sum += p;
      for (int c = 0; c < kV; ++c)
        if (lane + 32 * c < r.dv) o[c] += double{p} * r.v.at(j, h, lane + 32 * c);
    }
  }
  double delta = 0.0;
  for (int c = 0; c < kV; ++c) {
    const int column = lane + 32 * c;
    if (column >= r.dv) continue;
    d_o[c] = r.d_o.at(i, h, column);
    r.o[(int64_t{i} * r.heads + h) * r.dv + column] = o[c] / sum;
    delta += d_o[c] * o[c] / sum;
  }
  const float total = warp_sum(static_cast<float>(delta));
  if (lane == 0) {
    r.lse[int64_t{h} * r.tokens + i] = maximum + static_cast<float>(log(sum));
    r.delta[int64_t{h} * r.tokens + i] = total;
  }
}

// dq of row i, then dk and dv of row i.
__global__ void reference_backward(Reference r) {
  const int lane = threadIdx.x % 32, h = blockIdx.y;
  const int i = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (i >= r.tokens) return;
  for (int pass = 0; pass < 2; ++pass) {  // 0: i is a query; 1: i is a key
    double gq[kQ] = {}, gv[kV] = {};
    const int from = pass ? i : r.first[i], to = pass ? r.last[i] : i;
    for (int other = from; other <= to; ++other) {
      const int a = pass ? other : i, b = pass ? i : other;  // query, key
      float s = 0.0f, dp = 0.0f;
      for (int c = lane; c < r.dk; c += 32) s += r.q.at(a, h, c) * key(r, b, h, c);
      for (int c = lane; c < r.dv; c += 32) dp += r.d_o.at(a, h, c) * r.v.at(b, h, c);
      s = warp_sum(s) * r.scale;
      dp = warp_sum(dp);
      const float p = expf(s - r.lse[int64_t{h} * r.tokens + a]);
      const float ds = p * (dp - r.delta[int64_t{h} * r.tokens + a]) * r.scale;
      for (int c = 0; c < kQ; ++c) {
        const int column = lane + 32 * c;
        if (column < r.dk)
          gq[c] += double{ds} * (pass ? r.q.at(a, h, column) : key(r, b, h, column));
      }
      if (pass)
        for (int c = 0; c < kV; ++c)
          if (lane + 32 * c < r.dv) gv[c] += double{p} * r.d_o.at(a, h, lane + 32 * c);
    }
    for (int c = 0; c < kQ; ++c) {
      if (lane + 32 * c < r.dk)
        (pass ? r.dk_out : r.dq)[(int64_t{i} * r.heads + h) * r.dk + lane + 32 * c] = gq[c];
    }
    for (int c = 0; c < kV; ++c) {
      if (pass && lane + 32 * c < r.dv)
        r.dv_out[(int64_t{i} * r.heads + h) * r.dv + lane + 32 * c] = gv[c];
    }
  }
}

// ---- checks ------------------------------------------------------------------------------------

struct Case {
  const char* name;
  std::vector<int> lengths;
  int heads, dk, dv;
  bool shared_tail = false;
  int gap = 0;
  float sharpness = 1.0f;  // deviation of q
};

float value(bf16 x) {
  return __bfloat162float(x);
}

struct Error {
  double relative = 0.0, worst = 0.0;  // error of the norm; worst element over the root mean square
};
template <class Get>
Error compare(int64_t count, const std::vector<float>& wanted, Get got) {
  double difference = 0.0, norm = 0.0, worst = 0.0;
  bool poisoned = false;
  for (int64_t i = 0; i < count; ++i) {
    const double d = double{got(i)} - wanted[i];
    poisoned |= !std::isfinite(d);
    difference += d * d;
    norm += double{wanted[i]} * wanted[i];
    worst = std::max(worst, std::fabs(d));
  }
  if (poisoned) return {INFINITY, INFINITY};
  return {norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference),
          norm > 0 ? worst / std::sqrt(norm / count) : worst};
}
Error compare(const Rows& rows, const std::vector<float>& wanted) {
  const std::vector<bf16> got = rows.memory.host();
  return compare(static_cast<int64_t>(wanted.size()), wanted, [&](int64_t i) {
    const int64_t t = i / (rows.heads * rows.columns), x = i % (rows.heads * rows.columns);
    return value(
        got[t * rows.token() + x / rows.columns * (rows.columns + rows.gap) + x % rows.columns]);
  });
}
bool gaps_whole(const Rows& rows) {
  const std::vector<bf16> got = rows.memory.host();
  for (int64_t i = 0; i < rows.memory.count; ++i) {
    const int64_t x = i % rows.token();
    if (x < int64_t{rows.heads} * (rows.columns + rows.gap) &&
        x % (rows.columns + rows.gap) < rows.columns)
      continue;
    uint16_t bits;
    std::memcpy(&bits, &got[i], 2);
    if (bits != 0xFFFF) return false;
  }
  return true;
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}
std::vector<float> columns_of(const std::vector<float>& x, int full, int from, int to) {
  std::vector<float> part;
  for (size_t i = 0; i < x.size(); i += full)
    part.insert(part.end(), x.begin() + i + from, x.begin() + i + to);
  return part;
}

bool check(const Case& c) {
  std::vector<int> starts{0}, first, last;
  for (int length : c.lengths) {
    for (int i = 0; i < length; ++i) {
      first.push_back(starts.back());
      last.push_back(starts.back() + length - 1);
    }
    starts.push_back(starts.back() + length);
  }
  const int T = starts.back(), H = c.heads;
  const int main = c.shared_tail ? 128 : c.dk, rest = c.dk - main;
  Device<int> d_starts(starts.size()), d_first(T), d_last(T);
  CHECK(cudaMemcpy(d_starts.data, starts.data(), starts.size() * 4, cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(d_first.data, first.data(), first.size() * 4, cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(d_last.data, last.data(), last.size() * 4, cudaMemcpyHostToDevice));

  Rows q(T, H, c.dk, c.gap), k(T, H, main, c.gap), tail(T, 1, std::max(rest, 8), c.gap);
  Rows v(T, H, c.dv, c.gap), d_o(T, H, c.dv, c.gap), o(T, H, c.dv, c.gap), dq(T, H, c.dk, c.gap);
  Rows dk(T, H, main, c.gap), dk_tail(T, H, std::max(rest, 8), c.gap), dv(T, H, c.dv, c.gap);
  q.random(1, c.sharpness);
  k.random(2);
  tail.random(3);
  v.random(4);
  d_o.random(5);
  Device<float> lse(int64_t{H} * T);

  AttentionShape shape;
  shape.tokens = T;
  shape.heads = H;
  shape.key_size = c.dk;
  shape.value_size = c.dv;
  shape.sequences = static_cast<int>(c.lengths.size());
  shape.max_length = *std::max_element(c.lengths.begin(), c.lengths.end());
  shape.starts = d_starts.data;
  shape.scale = 1.0f / std::sqrt(static_cast<float>(c.dk));
  Device<char> workspace(
      std::max(attention_forward_workspace(shape), attention_backward_workspace(shape)));
  AttentionRows k_rows = k.rows(), dk_rows = dk.rows();
  if (c.shared_tail) {
    k_rows.tail = tail.memory.data;
    k_rows.tail_stride = {tail.token(), 0};
    dk_rows.tail = dk_tail.memory.data;
    dk_rows.tail_stride = {dk_tail.token(), dk_tail.columns + c.gap};
  }

  Device<float> ro(int64_t{T} * H * c.dv), rlse(int64_t{H} * T), rdelta(int64_t{H} * T);
  Device<float> rdq(int64_t{T} * H * c.dk), rdk(int64_t{T} * H * c.dk), rdv(int64_t{T} * H * c.dv);
  auto view = [](const Rows& r) { return View{r.memory.data, r.token(), r.columns + r.gap}; };
  Reference r{view(q),     view(k),   view(tail),  view(v),  view(d_o), d_first.data,
              d_last.data, T,         H,           c.dk,     c.dv,      shape.scale,
              ro.data,     rlse.data, rdelta.data, rdq.data, rdk.data,  rdv.data};
  if (c.shared_tail) {
    r.tail.head = 0;
  } else {
    r.tail = r.k;
    r.tail.data += 128;
  }
  if (T > 0) {
    reference_forward<<<dim3((T + 7) / 8, H), 256>>>(r);
    reference_backward<<<dim3((T + 7) / 8, H), 256>>>(r);
  }
  CHECK(cudaDeviceSynchronize());
  const std::vector<float> wanted_dk = rdk.host();

  bool good = true;
  auto report = [&](const char* what, const Error& error, double bound) {
    const bool fine = error.relative <= bound;
    std::printf("  %s %.1e/%.1e%s", what, error.relative, error.worst, fine ? "" : " FAILED");
    good &= fine;
  };
  std::printf("%-28s", c.name);
  std::vector<bf16> first_o, first_dq, first_dk, first_dv;
  bool repeats = true;
  for (int run = 0; run < 4; ++run) {  // fast, fast, deterministic, deterministic
    workspace.poison();
    o.memory.poison();
    lse.poison();
    attention_forward_bf16(nullptr, shape, q.rows(), k_rows, v.rows(), o.rows(), lse.data,
                           workspace.data);
    CHECK(cudaDeviceSynchronize());
    workspace.poison();
    dq.memory.poison();
    dk.memory.poison();
    dk_tail.memory.poison();
    dv.memory.poison();
    attention_backward_bf16(nullptr, shape, q.rows(), k_rows, v.rows(), o.rows(), lse.data,
                            d_o.rows(), dq.rows(), dk_rows, dv.rows(), workspace.data, run > 1);
    CHECK(cudaDeviceSynchronize());
    if (run == 0) {
      report("o", compare(o, ro.host()), 6e-3);
      const std::vector<float> got = lse.host();
      report("lse", compare(lse.count, rlse.host(), [&](int64_t i) { return got[i]; }), 1e-4);
    }
    if (run % 2 == 0) {
      report("dq", compare(dq, rdq.host()), 1e-2);
      report("dk", compare(dk, columns_of(wanted_dk, c.dk, 0, main)), 1e-2);
      if (c.shared_tail)
        report("tail", compare(dk_tail, columns_of(wanted_dk, c.dk, 128, c.dk)), 1e-2);
      report("dv", compare(dv, rdv.host()), 1e-2);
    }
    if (run % 2 == 0) {
      first_o = o.memory.host();
      first_dq = dq.memory.host();
      first_dk = dk.memory.host();
      first_dv = dv.memory.host();
    } else {
      repeats = same(first_o, o.memory.host()) && same(first_dk, dk.memory.host()) &&
                same(first_dv, dv.memory.host()) && (run == 1 || same(first_dq, dq.memory.host()));
    }
    const bool whole = gaps_whole(o) && gaps_whole(dq) && gaps_whole(dk) && gaps_whole(dv);
    if (!repeats) std::printf(" DIFFERS IN RUN %d", run);
    if (!whole) std::printf(" WROTE INTO GAPS");
    good &= repeats && whole;
  }
  std::printf("  %s\n", good ? "ok" : "FAILED");
  std::fflush(stdout);
  return good;
}

bool check_all(bool quick) {
  std::vector<Case> cases = {
      {"one token", {1}, 1, 192, 128},
      {"64", {64}, 1, 192, 128},
      {"128", {128}, 2, 192, 128},
      {"129", {129}, 2, 192, 128},
      {"256, sharp", {256}, 3, 192, 128, false, 0, 6.0f},
      {"1000, shared tail, gaps", {1000}, 3, 192, 128, true, 8},
      {"packed", {0, 5, 0, 300, 64, 1, 127, 200, 0}, 2, 192, 128, true},
      {"small heads 48/32", {333, 70}, 3, 48, 32, false, 8},
      {"small heads 136/40", {150}, 2, 136, 40},
  };
  if (!quick) {
    cases.push_back({"2 x 2048 + 1000, 4 heads", {2048, 2048, 1000}, 4, 192, 128, true});
    cases.push_back({"4 x 4096, 16 heads", {4096, 4096, 4096, 4096}, 16, 192, 128});
    std::vector<int> many;
    for (int i = 0; i < 300; ++i) many.push_back((i * 37) % 211);
    cases.push_back({"300 short sequences", many, 3, 192, 128, true, 16});
  }
  bool good = true;
  std::printf("error over norm / worst element over root mean square\n");
  for (const Case& c : cases) good &= check(c);
  std::printf("%s\n", good ? "all cases agree" : "FAILED");
  return good;
}

// ---- bench -------------------------------------------------------------------------------------

template <class Run>
double median_ms(int repeats, Run run) {
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < repeats + 5; ++i) {
    CHECK(cudaEventRecord(begin));
    run(i);
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    float ms;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    if (i >= 5) times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void bench(int sequences, int heads, int length, int repeats, bool only_backward, bool groups) {
  const int T = sequences * length, sets = 3;
  std::vector<int> starts;
  for (int i = 0; i <= sequences; ++i) starts.push_back(i * length);
  Device<int> d_starts(starts.size());
  CHECK(cudaMemcpy(d_starts.data, starts.data(), starts.size() * 4, cudaMemcpyHostToDevice));
  AttentionShape shape;
  shape.tokens = T;
  shape.heads = heads;
  shape.key_size = 192;
  shape.value_size = 128;
  shape.sequences = sequences;
  shape.max_length = length;
  shape.starts = d_starts.data;
  shape.scale = 1.0f / std::sqrt(192.0f);
  std::vector<Rows> q, k, tail, v, o, d_o;
  std::vector<Device<float>> lse;
  for (int i = 0; i < sets; ++i) {
    q.emplace_back(T, heads, 192, 0).random(10 * i + 1);
    k.emplace_back(T, heads, 192, 0).random(10 * i + 2);
    tail.emplace_back(T, 1, 64, 0).random(10 * i + 3);
    v.emplace_back(T, heads, 128, 0).random(10 * i + 4);
    d_o.emplace_back(T, heads, 128, 0).random(10 * i + 5);
    o.emplace_back(T, heads, 128, 0);
    lse.emplace_back(int64_t{heads} * T);
  }
  Rows dq(T, heads, 192, 0), dk(T, heads, 192, 0), dv(T, heads, 128, 0);
  Device<char> workspace(
      std::max(attention_forward_workspace(shape), attention_backward_workspace(shape)));
  const double pairs = 0.5 * length * length * static_cast<double>(heads) * sequences;
  const double forward = 2.0 * (192 + 128) * pairs, backward = 2.0 * (3 * 192 + 2 * 128) * pairs;
  auto run_forward = [&](int i, bool split) {
    i %= sets;
    AttentionRows keys = k[i].rows();
    if (split) {
      keys.tail = tail[i].memory.data;
      keys.tail_stride = {64, 0};
    }
    attention_forward_bf16(nullptr, shape, q[i].rows(), keys, v[i].rows(), o[i].rows(), lse[i].data,
                           workspace.data);
  };
  auto run_backward = [&](int i, bool ordered) {
    i %= sets;
    attention_backward_bf16(nullptr, shape, q[i].rows(), k[i].rows(), v[i].rows(), o[i].rows(),
                            lse[i].data, d_o[i].rows(), dq.rows(), dk.rows(), dv.rows(),
                            workspace.data, ordered);
  };
  for (int i = 0; i < sets; ++i) run_forward(i, false);
  for (int group : {1, 2, 4, 8}) {
    if (!groups) break;
    shape.head_group = group;
    std::printf("heads at one time: %d  forward %.3f ms, backward %.3f ms, deterministic %.3f ms\n",
                group, median_ms(repeats, [&](int i) { run_forward(i, false); }),
                median_ms(repeats, [&](int i) { run_backward(i, false); }),
                median_ms(repeats, [&](int i) { run_backward(i, true); }));
  }
  if (groups) return;
  for (int again = 0; again < 2; ++again) {
    for (bool split : {false, true}) {
      if (only_backward) continue;
      const double ms = median_ms(repeats, [&](int i) { run_forward(i, split); });
      std::printf("forward  %d x %d x %d %s: %.3f ms  %.1f TFLOP/s\n", sequences, heads, length,
                  split ? "shared rotary key" : "whole key        ", ms, forward / ms * 1e-9);
    }
    for (int i = 0; i < sets; ++i) run_forward(i, false);
    for (bool ordered : {false, true}) {
      const double ms = median_ms(repeats, [&](int i) { run_backward(i, ordered); });
      std::printf("backward %d x %d x %d %s: %.3f ms  %.1f TFLOP/s\n", sequences, heads, length,
                  ordered ? "deterministic    " : "fast             ", ms, backward / ms * 1e-9);
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);
  if (!has_gpu()) return kSkipped;
  const std::string mode = argc > 1 ? argv[1] : "check";
  if (mode == "check") return check_all(argc > 2) ? 0 : 1;
  const bool only_backward = mode == "backward";
  if (argc > 4) {
    bench(std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), 50, only_backward,
          mode == "groups");
  } else {
    bench(4, 16, 4096, only_backward ? 20 : 50, only_backward, mode == "groups");
  }
  return 0;
}
