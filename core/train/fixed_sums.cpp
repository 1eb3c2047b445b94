// SPDX-License-Identifier: MIT
#include "core/train/fixed_sums.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "kernels/adamw/adamw.h"
#include "kernels/convert/convert.h"

namespace tessera {

namespace {
Tensor flat(const Tensor& x) {
  return x.reshape({x.numel()});
}

bool made_by_products(const Parameter& p) {
  return p.linear != Parameter::Linear::No;
}
}  // namespace

FixedSums::FixedSums(Model& model, const RankGroups& groups) : model_(model), groups_(groups) {
  model.parameters().separate_runs(groups.mesh().expert);
  tail_ = model.separate_tail();
  add_table(model.parts().front(), model.parts().back());
  for (const ModelPart& part : model.parts()) add_streams(part);
  columns_ = 2 + moe_layers(model.config());
  name_norms();
}

/// The first part's sum of the token table, and then the last part's, as ranks apart have it.
void FixedSums::add_table(const ModelPart& first, const ModelPart& last) {
  for (const Parameter& p : model_.parameters().all()) {
    if (p.sharing != Sharing::Ends) continue;
    const ModelPart& reader = first.stage().is_first ? first : last;
    streams_.push_back({&reader, Sharing::Ends, false, 0, {&p}, LeafSums({flat(p.grad)})});
  }
  if (!tail_) return;
  streams_.push_back({&last, Sharing::Ends, false, 1, {tail_}, LeafSums({flat(tail_->grad)})});
}

void FixedSums::add_streams(const ModelPart& part) {
  for (const bool products : {false, true}) {
    add_stream({&part, Sharing::Stage, products, 0, {}, LeafSums({})});
    for (std::int64_t run = 0; run < groups_.mesh().expert; ++run) {
      add_stream({&part, Sharing::Experts, products, run, {}, LeafSums({})});
    }
  }
}

void FixedSums::add_stream(Stream stream) {
  std::vector<Tensor> gradients;
  std::size_t number = 0;
  for (const Parameter& p : model_.parameters().all()) {
    const bool of_part = stream.part->has(number++);
    if (!of_part || !p.trained || p.sharing != stream.sharing) continue;
    if (made_by_products(p) != stream.products) continue;
    stream.parameters.push_back(&p);
    gradients.push_back(flat(p.grad_of_run(stream.run)));
  }
  if (stream.parameters.empty()) return;
  stream.sums = LeafSums(std::move(gradients));
  streams_.push_back(std::move(stream));
}

/// Every parameter of the whole model, and every expert, has a place in the order of the model.
void FixedSums::name_norms() {
  const Model whole(model_.config(), model_.precision(), /*for_training=*/false, model_.device(),
                    /*measuring=*/true);
  const std::int64_t experts = model_.config().n_routed_experts;
  std::map<std::string, std::int64_t> places;
  for (const Parameter& p : whole.parameters().all()) {
    if (!p.trained) continue;
    places[p.name] = norm_count_;
    norm_count_ += p.sharing == Sharing::Experts ? experts : 1;
  }
  norms_memory_ = Buffer(static_cast<std::size_t>(norm_count_) * sizeof(double), model_.device());
  const MeshPlace& place = groups_.place();
  // The first ranks that share all experts count, of those that hold a stage.
  if (place.data >= groups_.mesh().expert || !groups_.counts()) return;
  for (const Parameter& p : model_.parameters().all()) {
    if (!p.trained) continue;
    const std::int64_t at = places.at(p.name);
    if (p.sharing == Sharing::Experts) {
      for (std::int64_t e = 0; e < p.shape[0]; ++e) {
        norms_.push_back({flat(p.grad[e]), at + model_.layout().experts.first + e});
      }
    } else if (place.data == 0 && (p.sharing == Sharing::Stage || groups_.counts_ends())) {
      norms_.push_back({flat(p.grad), at});
    }
  }
}

void FixedSums::begin(Context& context, std::int64_t micro_batches) {
  open_ = -1;
  for (Stream& stream : streams_) stream.sums.clear();
  const auto bytes =
      static_cast<std::size_t>(micro_batches * groups_.mesh().data * columns_) * sizeof(double);
  if (losses_memory_.bytes() != bytes) losses_memory_ = Buffer(bytes, model_.device());
  micro_batches_ = micro_batches;
  kernels::fill(context, 0.0, losses_memory_.view(DType::F64, {leaves(), columns_}));
  if (tail_) kernels::fill(context, 0.0, tail_->grad);
}

std::int64_t FixedSums::leaf_of(std::int64_t micro_batch, std::int64_t run) const {
  const std::int64_t expert = groups_.mesh().expert, data = groups_.place().data;
  return (data / expert * expert + run) * micro_batches_ + micro_batch;
}

Tensor FixedSums::losses(std::int64_t micro_batch) {
  require(open_ < 0 || open_ == micro_batch, "sums",
          "the schedule has the losses of micro-batches {} and {} under way at once, which "
          "parallel.sums = \"canonical\" cannot keep apart",
          open_, micro_batch);
  open_ = micro_batch;
  return row_of(micro_batch).slice(0, 0, 2);
}

Tensor FixedSums::balance_losses(std::int64_t micro_batch) const {
  return row_of(micro_batch).slice(0, 2, columns_);
}

Tensor FixedSums::row_of(std::int64_t micro_batch) const {
  return losses_memory_.view(DType::F64,
                             {leaves(), columns_})[leaf_of(micro_batch, groups_.place().expert)];
}

void FixedSums::add_made(Context& context, const ModelPart& part, std::int64_t micro_batch) {
  add(context, part, micro_batch, /*products=*/false);
  if (part.stage().is_last) open_ = -1;
}

void FixedSums::add_products(Context& context, const ModelPart& part, std::int64_t micro_batch) {
  add(context, part, micro_batch, /*products=*/true);
}

void FixedSums::add(Context& context, const ModelPart& part, std::int64_t micro_batch,
                    bool products) {
  for (Stream& stream : streams_) {
    if (stream.part != &part || stream.products != products) continue;
    const bool of_run = stream.sharing == Sharing::Experts;
    stream.sums.add(context, leaf_of(micro_batch, of_run ? stream.run : groups_.place().expert));
    if (products) {
      for (const Parameter* p : stream.parameters) p->grad_is_old = true;
    } else {
      for (const Tensor& run : stream.sums.runs()) kernels::fill(context, 0.0, run);
    }
  }
}

void FixedSums::sum_stream(Context& context, Stream& stream) {
  if (stream.sharing != Sharing::Experts) {
    return sum_leaves(context, groups_.sharing(stream.sharing), {&stream.sums}, leaves());
  }
  if (stream.run > 0) return;  // with the first one: the leaves of all ranks that share the experts
  std::vector<LeafSums*> sums;
  for (Stream& other : streams_) {
    const bool alike = other.part == stream.part && other.sharing == stream.sharing &&
                       other.products == stream.products;
    if (alike) sums.push_back(&other.sums);
  }
  sum_leaves(context, groups_.sharing(Sharing::Experts), sums, leaves());
}

/// What the first stage adds to the token table's gradient, and then what the last one does.
void FixedSums::sum_tables(Context& context) {
  const ModelConfig& c = model_.config();
  const bool both = c.num_nextn_predict_layers > 0 || c.tie_word_embeddings;
  for (const Stream& stream : streams_) {
    if (stream.sharing != Sharing::Ends || stream.run > 0) continue;
    const Tensor gradient = flat(stream.parameters.front()->grad);
    if (tail_) kernels::add(context, flat(tail_->grad), gradient);
    if (both && groups_.ends().size() > 1) groups_.ends().all_reduce(context, gradient);
  }
}

void FixedSums::reduce(Context& context, const Tensor& sums) {
  for (Stream& stream : streams_) sum_stream(context, stream);
  sum_tables(context);
  model_.parameters().mark_gradients(false);
  const Tensor table = losses_memory_.view(DType::F64, {leaves(), columns_});
  groups_.world().all_reduce(context, table);
  const std::vector<double> values = host_values<double>(table);
  double totals[3] = {};
  for (std::size_t i = 0; i < values.size(); ++i) {
    totals[std::min<std::size_t>(i % static_cast<std::size_t>(columns_), 2)] += values[i];
  }
  copy_from_host(totals, sums);
}

double FixedSums::sum_of_squares(Context& context) {
  const Tensor table = norms_memory_.view(DType::F64, {norm_count_});
  kernels::fill(context, 0.0, table);
  for (const Norm& norm : norms_) {
    kernels::sum_of_squares(context, norm.gradient, table.slice(0, norm.place, norm.place + 1));
  }
  groups_.world().all_reduce(context, table);
  const std::vector<double> values = host_values<double>(table);
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::size_t FixedSums::bytes() const {
  std::size_t bytes = losses_memory_.bytes() + norms_memory_.bytes();
  for (const Stream& stream : streams_) bytes += stream.sums.bytes();
  return bytes;
}

TargetWeights fixed_target_weights(const RankGroups& groups,
                                   const std::vector<TargetWeights>& rows) {
  const auto each = std::ssize(rows), ranks = groups.mesh().data;
  std::vector<double> all(static_cast<std::size_t>(2 * each * ranks), 0.0);
  std::size_t at = static_cast<std::size_t>(2 * each * groups.place().data);
  for (const TargetWeights& row : rows) {
    all[at++] = row.next;
    all[at++] = row.mtp;
  }
  Context control;
  groups.replicas().all_reduce(control, Tensor(all.data(), DType::F64, {std::ssize(all)}));
  TargetWeights sum;
  for (std::size_t i = 0; i < all.size(); i += 2) {
    sum.next += all[i];
    sum.mtp += all[i + 1];
  }
  return sum;
}

}  // namespace tessera
