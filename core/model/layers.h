// SPDX-License-Identifier: MIT
// The layers that everything is made of, what their products read, and where their inputs are kept
// for backward. The recipes live here: above this file a layer is the same code for all of them.
#pragma once

#include <functional>
#include <vector>

#include "core/base/context.h"
#include "core/base/patience.h"
#include "core/config/recompute.h"
#include "core/model/parameters.h"

namespace tessera {

class RouterObserver;

/// An activation or a gradient (rows, c) as products read it.
struct Operand {
  Tensor plain;              ///< has operand type; absent where products read tiles only
  kernels::Quantised tiles;  ///< E4M3: by rows for products with weights, transposed for weights'
};

/// Products that make gradients of weights, put off: a pipeline fills what would be idle time with
/// them. What they read must live until they are done.
class WeightWork {
 public:
  using Product = std::function<void(Context&)>;
  void add(Product product) { products_.push_back(std::move(product)); }
  /// Does them in the order in which they were added, and forgets them.
  void run(Context& context);

 private:
  std::vector<Product> products_;
};

/// Where a pass runs and keeps what backward needs.
struct Pass {
  Context& context;
  Arena& keep;  ///< lives until backward has used it
  Precision precision;
  RouterObserver* observer = nullptr;  ///< is told what the routers of a forward pass decide
  const Patience* patience = nullptr;  ///< is asked between the halves of layers; absent: nobody
  WeightWork* later = nullptr;  ///< backward: takes the products of weights; absent: done at once
  Recompute recompute{};        ///< what is not kept, as backward makes it again
  /// Where backward makes blocks again, one at a time. Absent: it does not.
  Arena* again = nullptr;
  /// Cached passes: layers by the kernels for few rows (kernels/few_rows), in which no row depends
  /// on the rows beside it. For models whose Model::takes_few_rows() says so.
  bool few_rows = false;
  /// With few_rows: in attention rows do not depend on each other either.
  bool rows_alone = false;
  /// Where `keep` goes with a block: what lives as long as the micro-batch. Absent: it is `keep`.
  Arena* lasting = nullptr;

  Arena& scratch() const { return *context.scratch; }
  /// Throws Stopped where the pass is to be given up; see Patience.
  void look() const {
    if (patience) patience->look("model");
  }
  Arena& lasting_memory() const { return lasting ? *lasting : keep; }
  /// Where backward puts what weights' gradients are made of: scratch, or kept where they wait.
  Arena& weight_operands() const { return later ? lasting_memory() : scratch(); }
  /// Where forward puts what weights' gradients are made of.
  Arena& kept_operands() const { return later ? lasting_memory() : keep; }
  /// The same pass, but what goes with a block is kept in `other`.
  Pass keeping_in(Arena& other) const {
    Pass pass{context, other, precision, observer, patience, later, recompute, again};
    pass.lasting = &lasting_memory();
    return pass;
  }
  /// x in the type that plain products read: x itself, or a rounded copy taken from `arena`.
  Tensor plain(const Tensor& x, Arena& arena) const;

  /// x for forward products: plain parts are kept, where x is not one already; E4M3 is scratch.
  /// `live_rows` (1) I32 may be absent: rows from live_rows[0] on are left out.
  Operand input(const Tensor& x, const Tensor& live_rows = {}) const;
  /// The same input for the weight gradient: what input() kept, or E4M3 made again from x.
  Operand saved(const Operand& kept, const Tensor& x) const;
  /// A gradient for both products of backward; scratch, and in weight_operands() what the weights'
  /// one reads.
  Operand gradient(const Tensor& dy) const;
};

/// Room for the layouts of a matrix in E4M3.
void take_rows(Arena& arena, std::int64_t rows, std::int64_t cols, kernels::Quantised& to);
void take_transposed(Arena& arena, std::int64_t rows, std::int64_t cols, kernels::Quantised& to);

/// y = x W^T with W (out, in).
struct Linear {
  Parameter* weight = nullptr;

  std::int64_t out_features() const { return weight->shape[0]; }
  /// y (rows, out) activation or inner type; y = x W^T + beta y.
  void forward(Context& context, const Operand& x, float beta, const Tensor& y) const;
  /// dx = dy W + beta dx.
  void input_grad(Context& context, const Operand& dy, float beta, const Tensor& dx) const;
  /// Adds dy^T x to the weight's gradient, now or later.
  void weight_grad(Pass& pass, const Operand& dy, const Operand& x) const;
};

/// The same for one matrix per expert, W (experts, out, in); `offsets` as kernels/grouped_product.
/// Rows may be in several runs of groups, one behind the other: the gradient of the k-th run goes
/// to the k-th one of the weight.
struct ExpertLinear {
  Parameter* weight = nullptr;

  void forward(Context& context, const Operand& x, const Tensor& offsets, const Tensor& y) const;
  void input_grad(Context& context, const Operand& dy, const Tensor& offsets,
                  const Tensor& dx) const;
  void weight_grad(Pass& pass, const Operand& dy, const Operand& x, const Tensor& offsets) const;
};

/// RMSNorm with its weight; what it keeps is the reciprocal root of each row.
struct Norm {
  Parameter* weight = nullptr;
  float epsilon = 1e-6f;

  /// y is (rows, d) of activation or operand type; returns rstd, kept.
  Tensor forward(Pass& pass, const Tensor& x, const Tensor& y) const;
  /// The normed x as Pass::input() would make it; `rstd` is kept. With Recompute::norms its plain
  /// part is scratch. Blockwise: in one pass over x, and nothing but rstd is kept; with
  /// `with_plain` the plain part is there too, as scratch. Where `copy` is given it is x
  /// afterwards.
  Operand input(Pass& pass, const Tensor& x, Tensor& rstd, bool with_plain = false,
                const Tensor& copy = {}) const;
  /// y as forward() wrote it.
  void again(Context& context, const Tensor& x, const Tensor& rstd, const Tensor& y) const;
  /// As Pass::saved(): blockwise, and with Recompute::norms, it is computed again from x.
  /// `with_rows`: for a forward product that is made again too.
  Operand saved(Pass& pass, const Operand& kept, const Tensor& x, const Tensor& rstd,
                bool with_plain = false, bool with_rows = false) const;
  void backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                bool accumulate, const Tensor& dx) const;
};

}  // namespace tessera
