// SPDX-License-Identifier: MIT
#include "core/base/error.h"
#include "core/base/random.h"
#include "core/train/rank_groups.h"
#include "core/train/step_source.h"

namespace tessera {

namespace {

class RandomSource : public StepSource {
 public:
  RandomSource(const RunSpec& spec, const Communicator& ranks, std::int64_t batches)
      : vocabulary_(spec.model.vocab_size) {
    const CurriculumStage& stage = spec.curriculum.front();
    const auto extra = static_cast<int>(spec.model.num_nextn_predict_layers);
    const Mesh mesh = mesh_of(spec, ranks);  // all stages of a pipeline read the same rows
    const std::int64_t place = place_of(mesh, ranks.rank()).data;
    const std::int64_t rows = stage.batch_sequences / mesh.data;
    for (std::int64_t i = 0; i < batches; ++i) {
      batches_.push_back(made(i * mesh.data + place, rows, stage.sequence_length, extra));
    }
  }

  StepRows next(const CurriculumStep&) override {
    return batches_[static_cast<std::size_t>(steps_++) % batches_.size()];
  }
  StepRows held_out(const std::string& source, std::int64_t, std::int64_t) const override {
    throw Error("data", fmt::format("random tokens have no held-out source \"{}\"", source));
  }
  nlohmann::json state() const override { return {{"steps", steps_}}; }
  void restore(const nlohmann::json& state, const CurriculumStep&) override {
    steps_ = state.at("steps");
  }
  std::int64_t vocab_size() const override { return vocabulary_; }
  std::vector<std::filesystem::path> files() const override { return {}; }

 private:
  StepRows made(std::int64_t number, std::int64_t rows, std::int64_t length, int extra) const {
    const Random random(static_cast<std::uint64_t>(number), 17);
    std::uint64_t at = 0;
    StepRows all;
    std::vector<std::int32_t> ids(static_cast<std::size_t>(length + 1 + extra));
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int32_t& id : ids) {
        id = static_cast<std::int32_t>(random.below(at++, static_cast<std::uint64_t>(vocabulary_)));
      }
      all.push_back(packed_row(ids, length, extra));
    }
    return all;
  }

  std::int64_t vocabulary_;
  std::vector<StepRows> batches_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<StepSource> random_source(const RunSpec& spec, const Communicator& ranks,
                                          std::int64_t batches) {
  return std::make_unique<RandomSource>(spec, ranks, batches);
}

}  // namespace tessera
