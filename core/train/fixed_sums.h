// SPDX-License-Identifier: MIT
// Sums of a step in an order that no layout changes (parallel.sums = "canonical"): gradients in one
// tree over micro-batches, losses and the gradients' norm by tables that every rank adds up alike.
// Data, expert and pipeline parallelism then give the losses, counts and weights of one rank to the
// last bit, where products on every rank run with as many threads.
#pragma once

#include <deque>

#include "core/model/model.h"
#include "core/train/rank_groups.h"
#include "core/train/sum_tree.h"

namespace tessera {

class FixedSums {
 public:
  /// Gives the model what it needs to tell micro-batches of ranks apart. Both must outlive this.
  FixedSums(Model& model, const RankGroups& groups);

  /// A step of `micro_batches` on this rank begins; gradients are cleared.
  void begin(Context& context, std::int64_t micro_batches);

  /// Where a micro-batch puts its losses, (2) F64: of the next token and of MTP; they are added to.
  /// Throws Error where the losses of another micro-batch are still on their way back: their
  /// gradients would be mixed.
  Tensor losses(std::int64_t micro_batch);
  /// The same for the balance loss of each layer with experts of the model.
  Tensor balance_losses(std::int64_t micro_batch) const;
  /// After a micro-batch went back through a part: takes the gradients that are made on the way.
  void add_made(Context& context, const ModelPart& part, std::int64_t micro_batch);
  /// After its products of weights: takes those that they make.
  void add_products(Context& context, const ModelPart& part, std::int64_t micro_batch);

  /// Gradients over all micro-batches of all ranks; `sums` (3) F64 becomes losses, MTP losses and
  /// balance losses. A collective call.
  void reduce(Context& context, const Tensor& sums);
  /// The sum of squares of all gradients of the model, after reduce(). A collective call.
  double sum_of_squares(Context& context);

  std::size_t bytes() const;

 private:
  /// What is summed together: parameters that the same ranks hold, and whose gradients are ready at
  /// the same time.
  struct Stream {
    const ModelPart* part;
    Sharing sharing;
    bool products;  ///< made by products, which may be put off, and write to old gradients
    std::int64_t run;
    std::vector<const Parameter*> parameters;
    LeafSums sums;
  };
  void add_streams(const ModelPart& part);
  void add_table(const ModelPart& first, const ModelPart& last);
  void add_stream(Stream stream);
  void add(Context& context, const ModelPart& part, std::int64_t micro_batch, bool products);
  void sum_tables(Context& context);
  void sum_stream(Context& context, Stream& stream);
  Tensor row_of(std::int64_t micro_batch) const;
  /// The place among all micro-batches of the step.
  std::int64_t leaf_of(std::int64_t micro_batch, std::int64_t run) const;
  std::int64_t leaves() const { return micro_batches_ * groups_.mesh().data; }
  void name_norms();

  Model& model_;
  const RankGroups& groups_;
  Parameter* tail_ = nullptr;
  std::deque<Stream> streams_;
  std::int64_t micro_batches_ = 0, open_ = -1;
  std::int64_t columns_ = 0;
  Buffer losses_memory_, norms_memory_;
  /// A held parameter, or one expert of it, and its place in the table of norms.
  struct Norm {
    Tensor gradient;
    std::int64_t place;
  };
  std::vector<Norm> norms_;
  std::int64_t norm_count_ = 0;
};

/// The weights of targets of a step's rows, of the next token and of MTP, added up over all ranks
/// of data in the order of rows. A collective call.
struct TargetWeights {
  double next = 0, mtp = 0;
};
TargetWeights fixed_target_weights(const RankGroups& groups,
                                   const std::vector<TargetWeights>& rows);

}  // namespace tessera
