// SPDX-License-Identifier: MIT
#include "core/base/error.h"
#include "core/data/batch_stream.h"
#include "core/train/rank_groups.h"
#include "core/train/step_source.h"

namespace tessera {

namespace {

std::vector<data::MixturePart> mixture_parts(const Mixture& mixture) {
  std::vector<data::MixturePart> parts;
  for (const auto& [source, weight] : mixture) parts.push_back({source, weight});
  return parts;
}

data::BatchStreamOptions stream_options(const RunSpec& spec, const Communicator& ranks) {
  data::BatchStreamOptions options;
  options.mixture = mixture_parts(stage_mixture(spec, spec.curriculum.front()));
  options.seed = static_cast<std::uint64_t>(spec.run.seed);
  options.extra = static_cast<int>(spec.model.num_nextn_predict_layers);
  options.fim_rate = spec.data.fim_rate;
  options.packing = spec.data.packing;
  const Mesh mesh = mesh_of(spec, ranks);  // all stages of a pipeline read the same rows
  options.rank = static_cast<int>(place_of(mesh, ranks.rank()).data);
  options.ranks = static_cast<int>(mesh.data);
  // Micro-batches are then made of the same rows on any number of ranks.
  options.consecutive = spec.parallel.sums == SumOrder::Canonical;
  return options;
}

class PretrainingSource : public StepSource {
 public:
  PretrainingSource(const RunSpec& spec, std::shared_ptr<const data::Dataset> dataset,
                    const SpecialTokens& specials, const Communicator& ranks)
      : spec_(spec),
        dataset_(std::move(dataset)),
        stream_(dataset_, specials, stream_options(spec, ranks)),
        ranks_(mesh_of(spec, ranks).data) {}

  StepRows next(const CurriculumStep& at) override {
    follow_mixture(at);
    return rows_of(stream_.next(at.batch_sequences / ranks_, at.sequence_length));
  }

  StepRows held_out(const std::string& source, std::int64_t sequences,
                    std::int64_t length) const override {
    return rows_of(stream_.validation_batches(source, sequences, length));
  }

  nlohmann::json state() const override { return stream_.state(); }

  void restore(const nlohmann::json& state, const CurriculumStep& last) override {
    follow_mixture(last);
    stream_.restore(state);
  }

  std::int64_t vocab_size() const override { return dataset_->vocab_size(); }
  std::vector<std::filesystem::path> files() const override { return {dataset_->tokenizer_path()}; }

 private:
  /// The weights of the sources change where a stage begins.
  void follow_mixture(const CurriculumStep& at) {
    if (at.stage == mixture_stage_) return;
    const CurriculumStage& stage = spec_.curriculum[static_cast<std::size_t>(at.stage)];
    stream_.set_mixture(mixture_parts(stage_mixture(spec_, stage)));
    mixture_stage_ = at.stage;
  }

  StepRows rows_of(const data::Batch& batch) const {
    const auto extra = static_cast<int>(spec_.model.num_nextn_predict_layers);
    const auto width = static_cast<std::size_t>(batch.tokens.size(1));
    StepRows rows;
    for (std::int64_t row = 0; row < batch.tokens.size(0); ++row) {
      const std::span ids(batch.tokens.data<std::int32_t>() + row * batch.tokens.stride(0), width);
      const auto at = static_cast<std::size_t>(row);
      if (!spec_.data.packing) {
        rows.push_back(document_row(ids, batch.length, extra, batch.valid[at]));
      } else if (spec_.data.document_mask) {
        rows.push_back(packed_row(ids, batch.length, extra, batch.document_starts[at]));
      } else {
        rows.push_back(packed_row(ids, batch.length, extra));
      }
    }
    return rows;
  }

  RunSpec spec_;
  std::shared_ptr<const data::Dataset> dataset_;
  data::BatchStream stream_;
  std::int64_t ranks_;     ///< that share the rows of a step
  int mixture_stage_ = 0;  ///< the stage whose weights stream_ reads by
};

}  // namespace

std::unique_ptr<StepSource> pretraining_source(const RunSpec& spec,
                                               std::shared_ptr<const data::Dataset> dataset,
                                               const SpecialTokens& specials,
                                               const Communicator& ranks) {
  return std::make_unique<PretrainingSource>(spec, std::move(dataset), specials, ranks);
}

}  // namespace tessera
