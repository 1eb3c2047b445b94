// SPDX-License-Identifier: MIT
// Attention on the CPU: blocks of queries against blocks of keys, so that scores live in the cache
// only. Products of blocks are single-threaded; the threads share out blocks and heads.
//
// Names: S scores, P their softmax, D_i = sum of do_i * o_i, which turns dP into
// dS = P (dP - D) (FlashAttention-2, arXiv:2307.08691, algorithm 2).
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_ranges.h"

#include <algorithm>
#include <span>
#include <vector>

#include "core/base/threads.h"
#include "kernels/arguments.h"
#include "kernels/attention/attention_contract.h"
#include "kernels/attention/attention_ranges_contract.h"
#include "kernels/product/gemm.h"
#include "kernels/running_softmax.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {

using attention_contract::kWhere;
constexpr std::int64_t kForwardQueries = 128, kForwardKeys = 64;
constexpr std::int64_t kBackwardQueries = 128, kBackwardKeys = 64;

/// One head of a (tokens, heads, d) tensor: rows of d.
template <class T>
Rows<T> head_rows(const Tensor& x, std::int64_t head, std::int64_t token) {
  using Element = std::remove_const_t<T>;
  return {x.data<Element>() + token * x.stride(0) + head * x.stride(1),
          std::max(x.stride(0), x.size(2))};
}

/// A block of rows of a head: tokens [from, to) of the batch.
struct Block {
  std::int64_t from, to;
  std::int64_t size() const { return to - from; }
};

/// A contiguous copy (tokens, d) of a block of a head. Rows of a head lie far apart, often by a
/// power of two, and a product would read them many times.
template <class T>
Rows<const T> gather(const Tensor& x, std::int64_t head, Block tokens, std::vector<T>& to) {
  const std::int64_t d = x.size(2);
  const Rows<const T> from = head_rows<const T>(x, head, tokens.from);
  to.resize(std::max(to.size(), static_cast<std::size_t>(tokens.size() * d)));
  for (std::int64_t i = 0; i < tokens.size(); ++i) {
    std::copy_n(from.data + i * from.stride, d, to.data() + i * d);
  }
  return {to.data(), d};
}

/// The same of keys, whose parts are joined.
template <class T>
Rows<const T> gather(const Keys& k, std::int64_t head, Block tokens, std::vector<T>& to) {
  if (!k.tail) return gather(k.rows, head, tokens, to);
  const std::int64_t d = k.rows.size(2), r = k.tail.size(2);
  const Rows<const T> from = head_rows<const T>(k.rows, head, tokens.from);
  const Rows<const T> tail = head_rows<const T>(k.tail, k.is_shared() ? 0 : head, tokens.from);
  to.resize(std::max(to.size(), static_cast<std::size_t>(tokens.size() * (d + r))));
  for (std::int64_t i = 0; i < tokens.size(); ++i) {
    T* row = to.data() + i * (d + r);
    std::copy_n(from.data + i * from.stride, d, row);
    std::copy_n(tail.data + i * tail.stride, r, row + d);
  }
  return {to.data(), d + r};
}

/// Queries of a sequence; query t is at the key t + shift.
struct Run {
  Block queries{0, 0};
  std::int64_t shift = 0;
};

/// A sequence: its keys, and those of its queries that are here. Whole sequences have one run,
/// whose shift is 0.
struct SequenceRuns {
  Block keys;
  std::vector<Run> runs;

  /// Twice the pairs of a query and a key that it sees, but for the diagonal.
  double work() const {
    double sum = 0;
    for (const Run& run : runs) {
      const auto queries = static_cast<double>(run.queries.size());
      sum +=
          queries * (queries + 2 * static_cast<double>(run.queries.from + run.shift - keys.from));
    }
    return sum;
  }
};

std::vector<SequenceRuns> whole_sequences(const Tensor& starts) {
  const std::span at{starts.data<std::int32_t>(), static_cast<std::size_t>(starts.size(0))};
  std::vector<SequenceRuns> all;
  for (std::size_t s = 0; s + 1 < at.size(); ++s) {
    const Block tokens{at[s], at[s + 1]};
    if (tokens.size() > 0) all.push_back({tokens, {{tokens, 0}}});
  }
  return all;
}

/// One head of one sequence.
struct Unit {
  std::int64_t head;
  const SequenceRuns* sequence;
};

/// All heads of all sequences, those with the most work first. `sequences` must outlive them.
std::vector<Unit> make_units(const std::vector<SequenceRuns>& sequences, std::int64_t heads) {
  std::vector<Unit> units;
  for (const SequenceRuns& sequence : sequences) {
    for (std::int64_t h = 0; h < heads; ++h) units.push_back({h, &sequence});
  }
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) {
    return a.sequence->work() > b.sequence->work();
  });
  return units;
}

/// A block of a unit: of the queries of a run, or of keys, and then without a run.
struct BlockTask {
  Unit unit;
  Run run;
  Block block;
};

void add_blocks(const Unit& unit, const Run& run, Block all, std::int64_t most,
                std::vector<BlockTask>& tasks) {
  for (std::int64_t at = all.from; at < all.to; at += most) {
    tasks.push_back({unit, run, {at, std::min(at + most, all.to)}});
  }
}

/// Blocks of at most `most` queries of each unit.
std::vector<BlockTask> query_blocks(const std::vector<Unit>& units, std::int64_t most) {
  std::vector<BlockTask> tasks;
  for (const Unit& unit : units) {
    for (const Run& run : unit.sequence->runs) add_blocks(unit, run, run.queries, most, tasks);
  }
  return tasks;
}

/// The same of keys.
std::vector<BlockTask> key_blocks(const std::vector<Unit>& units, std::int64_t most) {
  std::vector<BlockTask> tasks;
  for (const Unit& unit : units) add_blocks(unit, {}, unit.sequence->keys, most, tasks);
  return tasks;
}

/// How many keys of a block the query at a key sees.
std::int64_t visible(Block keys, std::int64_t own_key) {
  return std::clamp<std::int64_t>(own_key + 1 - keys.from, 0, keys.size());
}

/// The queries of a block of a run that see any of the keys.
Block that_see(Block queries, Block keys, std::int64_t shift) {
  return {std::clamp(keys.from - shift, queries.from, queries.to), queries.to};
}

// ---- forward

template <class T>
struct Forward {
  const Tensor& q;
  const Keys& k;
  const Tensor &v, &o, &lse;
  T scale;

  std::int64_t d_qk() const { return q.size(2); }
  std::int64_t d_v() const { return v.size(2); }
};

/// What a thread keeps while it works on a block of queries.
template <class T>
struct ForwardSpace {
  std::vector<T> scores = std::vector<T>(kForwardQueries * kForwardKeys);
  std::vector<T> sums;  // P v as far as it is summed, (queries, d_v)
  std::vector<T> q, k, v;
  RunningSoftmax<T> softmax[kForwardQueries];
};

/// Adds a block of keys to the sums of a task's queries, whose rows are `q`.
template <class T>
void add_keys(const Forward<T>& f, const BlockTask& task, Block keys, Rows<const T> q,
              ForwardSpace<T>& space) {
  const std::int64_t head = task.unit.head, shift = task.run.shift;
  const Block all_queries = task.block, queries = that_see(all_queries, keys, shift);
  const std::int64_t skipped = queries.from - all_queries.from;
  const std::int64_t n_k = keys.size(), d_v = f.d_v();
  const bool first = space.softmax[skipped].sum == T(0);  // only ever for the whole block
  T *scores = space.scores.data(), *sums = space.sums.data() + skipped * d_v;
  gemm(Transpose::B, {queries.size(), n_k, f.d_qk()}, f.scale,
       {q.data + skipped * q.stride, q.stride}, gather(f.k, head, keys, space.k), T(0),
       {scores, n_k});
  for (std::int64_t i = 0; i < queries.size(); ++i) {
    T* row = scores + i * n_k;
    const std::int64_t seen = visible(keys, queries.from + i + shift);
    const T factor = space.softmax[skipped + i].update(row, seen);
    std::fill(row + seen, row + n_k, T(0));
    if (!first && factor != T(1)) multiply_row(sums + i * d_v, d_v, factor);
  }
  gemm(Transpose::None, {queries.size(), d_v, n_k}, T(1), {scores, n_k},
       gather(f.v, head, keys, space.v), first ? T(0) : T(1), {sums, d_v});
}

template <class T>
void forward_block(const Forward<T>& f, const BlockTask& task) {
  static thread_local ForwardSpace<T> space;
  const std::int64_t head = task.unit.head, d_v = f.d_v();
  const Block queries = task.block;
  space.sums.resize(static_cast<std::size_t>(kForwardQueries * d_v));
  std::fill_n(space.softmax, queries.size(), RunningSoftmax<T>{});
  const Rows<const T> q = gather(f.q, head, queries, space.q);
  const std::int64_t end = queries.to + task.run.shift;
  for (std::int64_t at = task.unit.sequence->keys.from; at < end; at += kForwardKeys) {
    add_keys(f, task, {at, std::min(at + kForwardKeys, end)}, q, space);
  }
  const Rows<T> o = head_rows<T>(f.o, head, queries.from);
  T* lse = f.lse.template data<T>() + head * f.lse.stride(0) + queries.from;
  for (std::int64_t i = 0; i < queries.size(); ++i) {
    const auto& [max, sum] = space.softmax[i];
    const T* in = space.sums.data() + i * d_v;
    T* out = o.data + i * o.stride;
    const T factor = T(1) / sum;
#pragma omp simd
    for (std::int64_t j = 0; j < d_v; ++j) out[j] = factor * in[j];
    lse[i] = max + std::log(sum);
  }
}

// ---- backward

template <class T>
struct Backward {
  const Tensor& q;
  const Keys& k;
  const Tensor &v, &o, &lse, &d_o, &dq;
  const Keys& dk;
  const Tensor& dv;
  T scale;
  std::vector<T> d_sums;  // D (heads, tokens)

  std::int64_t d_qk() const { return q.size(2); }
  std::int64_t d_v() const { return v.size(2); }
  std::int64_t queries() const { return q.size(0); }
};

/// Which gradients a pass over blocks adds to.
struct Wanted {
  bool query, key_value;
};

template <class T>
void compute_d_sums(Backward<T>& b) {
  const std::int64_t heads = b.q.size(1), tokens = b.queries(), d_v = b.d_v();
  b.d_sums.resize(static_cast<std::size_t>(heads * tokens));
  parallel_for(tokens, rows_per_piece(heads * d_v), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const T* x = head_rows<const T>(b.o, h, t).data;
        const T* y = head_rows<const T>(b.d_o, h, t).data;
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t i = 0; i < d_v; ++i) sum += x[i] * y[i];
        b.d_sums[static_cast<std::size_t>(h * tokens + t)] = sum;
      }
    }
  });
}

template <class T>
struct BackwardSpace {
  std::vector<T> p = std::vector<T>(kBackwardQueries * kBackwardKeys);
  std::vector<T> ds = std::vector<T>(kBackwardQueries * kBackwardKeys);
  std::vector<T> q, k, v, d_o;
};

/// P from scores and dS from dP, in place.
template <class T>
void softmax_gradient(const Backward<T>& b, std::int64_t head, const Run& run, Block keys, T* p,
                      T* ds) {
  const Block queries = run.queries;
  const T* lse = b.lse.template data<T>() + head * b.lse.stride(0);
  const T* d_sums = b.d_sums.data() + head * b.queries();
  const std::int64_t stride = keys.size();
  for (std::int64_t t = queries.from; t < queries.to; ++t, p += stride, ds += stride) {
    const std::int64_t seen = visible(keys, t + run.shift);
    const T log_sum = lse[t], d = d_sums[t], scale = b.scale;
#pragma omp simd
    for (std::int64_t j = 0; j < seen; ++j) {
      p[j] = vector_exp(p[j] - log_sum);
      ds[j] = scale * p[j] * (ds[j] - d);
    }
    std::fill(p + seen, p + stride, T(0));
    std::fill(ds + seen, ds + stride, T(0));
  }
}

/// Adds what queries, a block of a run, and a block of keys give to each other's gradients.
template <class T>
void add_gradients(const Backward<T>& b, std::int64_t head, const Run& some, Block keys,
                   Wanted wanted) {
  static thread_local BackwardSpace<T> space;
  const Block queries = that_see(some.queries, keys, some.shift);
  const auto q = gather(b.q, head, queries, space.q), d_o = gather(b.d_o, head, queries, space.d_o);
  const auto k = gather(b.k, head, keys, space.k), v = gather(b.v, head, keys, space.v);
  const std::int64_t n_q = queries.size(), n_k = keys.size(), d_qk = b.d_qk(), d_v = b.d_v();
  const Rows<T> p{space.p.data(), n_k}, ds{space.ds.data(), n_k};
  const Rows<const T> p_in{p.data, n_k}, ds_in{ds.data, n_k};

  gemm(Transpose::B, {n_q, n_k, d_qk}, b.scale, q, k, T(0), p);
  gemm(Transpose::B, {n_q, n_k, d_v}, T(1), d_o, v, T(0), ds);
  softmax_gradient(b, head, {queries, some.shift}, keys, p.data, ds.data);
  if (wanted.key_value) {
    gemm(Transpose::A, {n_k, d_v, n_q}, T(1), p_in, d_o, T(1), head_rows<T>(b.dv, head, keys.from));
    const std::int64_t first = b.dk.rows.size(2);
    gemm(Transpose::A, {n_k, first, n_q}, T(1), ds_in, q, T(1),
         head_rows<T>(b.dk.rows, head, keys.from));
    if (first < d_qk) {
      gemm(Transpose::A, {n_k, d_qk - first, n_q}, T(1), ds_in, {q.data + first, q.stride}, T(1),
           head_rows<T>(b.dk.tail, head, keys.from));
    }
  }
  if (wanted.query) {
    gemm(Transpose::None, {n_q, d_qk, n_k}, T(1), ds_in, k, T(1),
         head_rows<T>(b.dq, head, queries.from));
  }
}

/// Zeroes rows of the gradients, which the block products add to.
template <class T>
void clear_rows(const Tensor& x, std::int64_t head, Block tokens) {
  const Rows<T> rows = head_rows<T>(x, head, tokens.from);
  for (std::int64_t i = 0; i < tokens.size(); ++i) {
    std::fill_n(rows.data + i * rows.stride, x.size(2), T(0));
  }
}

/// Gradients of a block of keys and values from all queries that see it; with `wanted.query`, also
/// what it adds to those queries' gradients.
template <class T>
void backward_keys(const Backward<T>& b, const Unit& unit, Block keys, Wanted wanted) {
  clear_rows<T>(b.dk.rows, unit.head, keys);
  if (b.dk.tail) clear_rows<T>(b.dk.tail, unit.head, keys);
  clear_rows<T>(b.dv, unit.head, keys);
  for (const Run& run : unit.sequence->runs) {
    const Block seeing = that_see(run.queries, keys, run.shift);
    for (std::int64_t at = seeing.from; at < seeing.to; at += kBackwardQueries) {
      const Block queries{at, std::min(at + kBackwardQueries, seeing.to)};
      add_gradients(b, unit.head, {queries, run.shift}, keys, wanted);
    }
  }
}

/// Gradients of a block of queries from all keys it sees.
template <class T>
void backward_queries(const Backward<T>& b, const Unit& unit, const Run& queries) {
  clear_rows<T>(b.dq, unit.head, queries.queries);
  const std::int64_t end = queries.queries.to + queries.shift;
  for (std::int64_t at = unit.sequence->keys.from; at < end; at += kBackwardKeys) {
    const Block keys{at, std::min(at + kBackwardKeys, end)};
    add_gradients(b, unit.head, queries, keys, {.query = true, .key_value = false});
  }
}

/// One thread per unit: five products per pair of blocks.
template <class T>
void backward_by_units(const Backward<T>& b, const std::vector<Unit>& units) {
  parallel_tasks(static_cast<std::int64_t>(units.size()), [&](std::int64_t i) {
    const Unit& unit = units[static_cast<std::size_t>(i)];
    for (const Run& run : unit.sequence->runs) clear_rows<T>(b.dq, unit.head, run.queries);
    for (const BlockTask& task : key_blocks({unit}, kBackwardKeys)) {
      backward_keys(b, unit, task.block, {.query = true, .key_value = true});
    }
  });
}

/// Threads share out blocks of keys and then blocks of queries: seven products per pair of blocks,
/// for when there are too few units to keep all threads busy.
template <class T>
void backward_by_blocks(const Backward<T>& b, const std::vector<Unit>& units) {
  const auto by_keys = key_blocks(units, kBackwardKeys);
  const auto by_queries = query_blocks(units, kBackwardQueries);
  const auto count = static_cast<std::int64_t>(by_keys.size());
  parallel_tasks(count + static_cast<std::int64_t>(by_queries.size()), [&](std::int64_t i) {
    if (i < count) {
      const BlockTask& task = by_keys[static_cast<std::size_t>(i)];
      backward_keys(b, task.unit, task.block, {.query = false, .key_value = true});
    } else {
      const BlockTask& task = by_queries[static_cast<std::size_t>(i - count)];
      backward_queries(b, task.unit, {task.block, task.run.shift});
    }
  });
}

/// Whether threads would wait for the last units longer than two more products cost.
bool too_few_units(const std::vector<Unit>& units) {
  double total = 0, largest = 0;
  for (const Unit& unit : units) {
    const double work = unit.sequence->work();
    total += work;
    largest = std::max(largest, work);
  }
  const double threads = omp_get_max_threads();
  const double rounds = std::ceil(static_cast<double>(units.size()) / threads);
  const double share = total / static_cast<double>(std::max<std::size_t>(units.size(), 1));
  return 5 * std::max(largest, rounds * share) > 7 * total / threads;
}

// ---- contracts

void expect_inputs(const Tensor& q, const Keys& k, const Tensor& v, const Tensor& starts,
                   const Tensor& o, const Tensor& lse) {
  attention_contract::expect_inputs(q, k, v, starts, o, lse, q.dtype());
  const std::span at{starts.data<std::int32_t>(), static_cast<std::size_t>(starts.size(0))};
  require(at.front() == 0 && at.back() == q.size(0) && std::is_sorted(at.begin(), at.end()), kWhere,
          "starts of sequences must rise from 0 to {} tokens", q.size(0));
}

/// Throws Error unless the ranges are as attention_ranges.h says.
std::vector<SequenceRuns> cut_sequences(const Tensor& ranges, std::int64_t queries,
                                        std::int64_t keys) {
  const std::int32_t* at = ranges.data<std::int32_t>();
  std::vector<SequenceRuns> all;
  std::int64_t covered = 0;
  for (std::int64_t i = 0; i < ranges.size(0); ++i, at += 4) {
    const std::int64_t from = at[0], to = at[1], first = at[2], own = at[3];
    const bool goes_on = !all.empty() && all.back().keys.from == first;
    require(from == covered && to >= from && first >= 0 && own >= first &&
                own + to - from <= keys && (goes_on || all.empty() || first >= all.back().keys.to),
            kWhere, "range {} of queries [{}, {}) sees keys from {} to {} on, behind {} of {}", i,
            from, to, first, own, covered, keys);
    covered = to;
    if (!goes_on) all.push_back({{first, first}, {}});
    all.back().runs.push_back({{from, to}, own - from});
    all.back().keys.to = std::max(all.back().keys.to, own + to - from);
  }
  require(covered == queries, kWhere, "ranges end at query {} of {}", covered, queries);
  return all;
}

/// Zeroes the gradients of keys that no sequence has.
template <class T>
void clear_unseen(const Backward<T>& b, const std::vector<SequenceRuns>& sequences) {
  std::vector<Block> gaps;
  std::int64_t covered = 0;
  for (const SequenceRuns& sequence : sequences) {
    gaps.push_back({covered, sequence.keys.from});
    covered = sequence.keys.to;
  }
  gaps.push_back({covered, b.dv.size(0)});
  for (const Block& gap : gaps) {
    for (std::int64_t head = 0; head < b.q.size(1); ++head) {
      clear_rows<T>(b.dk.rows, head, gap);
      if (b.dk.tail) clear_rows<T>(b.dk.tail, head, gap);
      clear_rows<T>(b.dv, head, gap);
    }
  }
}

void forward_all(const Tensor& q, const Keys& k, const Tensor& v,
                 const std::vector<SequenceRuns>& sequences, float scale, const Tensor& o,
                 const Tensor& lse) {
  with_float(kWhere, "q", q, [&]<class T>(T) {
    const Forward<T> f{q, k, v, o, lse, scale};
    const auto tasks = query_blocks(make_units(sequences, q.size(1)), kForwardQueries);
    const auto count = static_cast<std::int64_t>(tasks.size());
    // From the end, as late queries see the most keys.
    parallel_tasks(count, [&](std::int64_t i) {
      forward_block(f, tasks[static_cast<std::size_t>(count - 1 - i)]);
    });
  });
}

template <class T>
void backward_all(Backward<T>& b, const std::vector<SequenceRuns>& sequences) {
  compute_d_sums(b);
  const auto units = make_units(sequences, b.q.size(1));
  if (too_few_units(units)) {
    backward_by_blocks(b, units);
  } else {
    backward_by_units(b, units);
  }
}

}  // namespace

void attention_forward(Context&, const Tensor& q, const Keys& k, const Tensor& v,
                       const Tensor& starts, std::int64_t, float scale, const Tensor& o,
                       const Tensor& lse) {
  expect_inputs(q, k, v, starts, o, lse);
  forward_all(q, k, v, whole_sequences(starts), scale, o, lse);
}

void attention_backward(Context&, const Tensor& q, const Keys& k, const Tensor& v,
                        const Tensor& starts, std::int64_t, float scale, const Tensor& o,
                        const Tensor& lse, const Tensor& d_o, const Tensor& dq, const Keys& dk,
                        const Tensor& dv) {
  expect_inputs(q, k, v, starts, o, lse);
  attention_contract::expect_gradients(q, k, v, d_o, dq, dk, dv);
  with_float(kWhere, "q", q, [&]<class T>(T) {
    Backward<T> b{q, k, v, o, lse, d_o, dq, dk, dv, scale, {}};
    backward_all(b, whole_sequences(starts));
  });
}

void attention_ranges_forward(Context&, const Tensor& q, const Keys& k, const Tensor& v,
                              const Tensor& ranges, float scale, const Tensor& o,
                              const Tensor& lse) {
  attention_contract::expect_range_inputs(q, k, v, ranges, o, lse);
  forward_all(q, k, v, cut_sequences(ranges, q.size(0), v.size(0)), scale, o, lse);
}

void attention_ranges_backward(Context&, const Tensor& q, const Keys& k, const Tensor& v,
                               const Tensor& ranges, float scale, const Tensor& o,
                               const Tensor& lse, const Tensor& d_o, const Tensor& dq,
                               const Keys& dk, const Tensor& dv) {
  attention_contract::expect_range_inputs(q, k, v, ranges, o, lse);
  attention_contract::expect_range_gradients(q, k, v, d_o, dq, dk, dv);
  const auto sequences = cut_sequences(ranges, q.size(0), v.size(0));
  with_float(kWhere, "q", q, [&]<class T>(T) {
    Backward<T> b{q, k, v, o, lse, d_o, dq, dk, dv, scale, {}};
    clear_unseen(b, sequences);
    backward_all(b, sequences);
  });
}

}  // namespace tessera::kernels::cpu
