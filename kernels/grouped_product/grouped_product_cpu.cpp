// SPDX-License-Identifier: MIT
// Grouped products on the CPU: the groups are cut into tasks of some rows of the result, and each
// thread takes the next task. A task is one single-threaded product, large enough for its full
// rate; so unequal groups keep all threads busy, and no barrier stands between experts.
#include "kernels/grouped_product/grouped_product.h"

#include <algorithm>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/grouped_product/grouped_product_contract.h"
#include "kernels/product/gemm.h"
#include "kernels/product/row_gemm.h"
#include "kernels/product/rows_alone.h"

namespace tessera::kernels::cpu {

namespace {

constexpr const char* kWhere = "grouped_product";

/// Rows [from, to) of the result of one expert.
struct Task {
  std::int64_t expert, from, to;
};

/// Rows per task: about four tasks per thread, so that the last ones are short.
std::int64_t rows_per_task(std::int64_t total_rows) {
  const std::int64_t wanted = total_rows / (4 * omp_get_max_threads());
  return std::clamp<std::int64_t>(wanted / 16 * 16, 64, 512);
}

/// Cuts [from, to) into near-equal multiples of 16 of at most `most` rows.
void append_tasks(std::vector<Task>& tasks, std::int64_t expert, std::int64_t from, std::int64_t to,
                  std::int64_t most) {
  const std::int64_t pieces = (to - from + most - 1) / most;
  if (pieces == 0) return;
  const std::int64_t step = ((to - from + pieces - 1) / pieces + 15) / 16 * 16;
  for (; from < to; from += step) tasks.push_back({expert, from, std::min(from + step, to)});
}

std::span<const std::int32_t> read_offsets(const Tensor& offsets, std::int64_t experts,
                                           std::int64_t rows) {
  const auto* at = offsets.data<std::int32_t>();
  for (std::int64_t e = 0; e < experts; ++e) {
    require(at[e] >= 0 && at[e] <= at[e + 1] && at[e + 1] <= rows, kWhere,
            "expert {} has rows {} to {} of {}", e, at[e], at[e + 1], rows);
  }
  return {at, static_cast<std::size_t>(experts + 1)};
}

/// x (rows, cols) as a matrix that starts at `row`.
template <class T>
Rows<T> rows_of(const Tensor& x, std::int64_t row) {
  return {x.data<std::remove_const_t<T>>() + row * x.stride(0), x.stride(0)};
}
/// x[expert] of x (experts, rows, cols), starting at `row`.
template <class T>
Rows<T> expert_rows(const Tensor& x, std::int64_t expert, std::int64_t row = 0) {
  return {x.data<std::remove_const_t<T>>() + expert * x.stride(0) + row * x.stride(1), x.stride(1)};
}

/// c = a b in pieces of its columns: where they are cut does not matter to what an element is.
template <class In, class Out>
void multiply_alone(Transpose transpose, const GemmShape& s, Rows<const In> a, Rows<const In> b,
                    Rows<Out> c) {
  constexpr std::int64_t kColumns = 64;
  for (std::int64_t col = 0; col < s.n; col += kColumns) {
    const Rows<const In> part{b.data + col * (transpose == Transpose::B ? b.stride : 1), b.stride};
    row_gemm_widened<Out, In>(transpose, {s.m, std::min(kColumns, s.n - col), s.k}, a, part, false,
                              {c.data + col, c.stride});
  }
}

/// y[rows of e] = x[rows of e] w[e], w read as `transpose` says (None or B).
template <class In, class Out>
void multiply_rows(Transpose transpose, const Tensor& x, const Tensor& w, const Tensor& offsets,
                   const Tensor& y) {
  const std::int64_t experts = w.size(0);
  const auto at = read_offsets(offsets, experts, x.size(0));
  const std::int64_t most = rows_per_task(experts > 0 ? at.back() - at.front() : 0);
  std::vector<Task> tasks;
  for (std::size_t e = 0; e + 1 < at.size(); ++e) {
    append_tasks(tasks, static_cast<std::int64_t>(e), at[e], at[e + 1], most);
  }
  const bool alone = RowsAlone::on();  // of this thread, and not of those that take the tasks
  parallel_tasks(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
    const Task& task = tasks[static_cast<std::size_t>(i)];
    const GemmShape shape{task.to - task.from, y.size(1), x.size(1)};
    const auto in = rows_of<const In>(x, task.from);
    const auto weights = expert_rows<const In>(w, task.expert);
    const auto out = rows_of<Out>(y, task.from);
    if (alone) {
      multiply_alone<In, Out>(transpose, shape, in, weights, out);
    } else {
      gemm(transpose, shape, Out(1), in, weights, Out(0), out);
    }
  });
}

/// db[e] = dc[rows of e]^T a[rows of e] + beta db[e], in tasks of some rows of db[e].
template <class In, class Out>
void weight_grad(const Tensor& dc, const Tensor& a, const Tensor& offsets, Out beta,
                 const Tensor& db) {
  const std::int64_t experts = db.size(0), n = db.size(1), k = db.size(2);
  const auto at = read_offsets(offsets, experts, a.size(0));
  const std::int64_t most = rows_per_task(experts * n);
  std::vector<Task> tasks;
  for (std::size_t e = 0; e + 1 < at.size(); ++e) {
    if (at[e] == at[e + 1] && beta != 0) continue;
    append_tasks(tasks, static_cast<std::int64_t>(e), 0, n, most);
  }
  parallel_tasks(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
    const Task& task = tasks[static_cast<std::size_t>(i)];
    const std::int64_t first = at[static_cast<std::size_t>(task.expert)];
    const std::int64_t count = at[static_cast<std::size_t>(task.expert) + 1] - first;
    const auto to = expert_rows<Out>(db, task.expert, task.from);
    if (count == 0) {
      for (std::int64_t row = 0; row < task.to - task.from; ++row) {
        std::fill_n(to.data + row * db.stride(1), k, Out(0));
      }
      return;
    }
    auto columns = rows_of<const In>(dc, first);
    columns.data += task.from;
    gemm(Transpose::A, {task.to - task.from, k, count}, Out(1), columns,
         rows_of<const In>(a, first), beta, to);
  });
}

[[noreturn]] void no_such_type(DType dtype) {
  throw Error(kWhere, fmt::format("there are no products of {}", name_of(dtype)),
              "use F32, BF16 or F64");
}

void multiply_rows(Transpose transpose, const Tensor& x, const Tensor& w, const Tensor& offsets,
                   const Tensor& y) {
  switch (x.dtype()) {
    case DType::F32:
      return multiply_rows<float, float>(transpose, x, w, offsets, y);
    case DType::BF16:
      return multiply_rows<bf16, float>(transpose, x, w, offsets, y);
    case DType::F64:
      return multiply_rows<double, double>(transpose, x, w, offsets, y);
    default:
      no_such_type(x.dtype());
  }
}

}  // namespace

void grouped_product(Context&, const Tensor& a, const Tensor& b, const Tensor& offsets,
                     const Tensor& c) {
  contract::grouped_product(kWhere, a, b, offsets, c);
  multiply_rows(Transpose::B, a, b, offsets, c);
}

void grouped_product_input_grad(Context&, const Tensor& dc, const Tensor& b, const Tensor& offsets,
                                const Tensor& da) {
  contract::grouped_product_input_grad(kWhere, dc, b, offsets, da);
  multiply_rows(Transpose::None, dc, b, offsets, da);
}

void grouped_product_weight_grad(Context&, const Tensor& dc, const Tensor& a, const Tensor& offsets,
                                 float beta, const Tensor& db) {
  contract::grouped_product_weight_grad(kWhere, dc, a, offsets, beta, db);
  switch (a.dtype()) {
    case DType::F32:
      return weight_grad<float, float>(dc, a, offsets, beta, db);
    case DType::BF16:
      return weight_grad<bf16, float>(dc, a, offsets, beta, db);
    case DType::F64:
      return weight_grad<double, double>(dc, a, offsets, double(beta), db);
    default:
      no_such_type(a.dtype());
  }
}

}  // namespace tessera::kernels::cpu
