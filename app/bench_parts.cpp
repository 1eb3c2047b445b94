// SPDX-License-Identifier: MIT
#include "app/bench_parts.h"

#include <algorithm>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/spec/spec.h"

namespace tessera::app {

double seconds_since(BenchClock::time_point start) {
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::unique_ptr<Model> random_model(const std::string& shape, const Precision& precision,
                                    Device device, std::int64_t positions) {
  const bool named = shape == "small" || shape == "medium";
  ModelConfig config = load_spec((named ? "numbers-" : "") + shape, {}).model;
  config.num_nextn_predict_layers = 0;
  config.max_position_embeddings = std::max(config.max_position_embeddings, positions);
  auto model = std::make_unique<Model>(config, precision, /*for_training=*/false, device);
  model->initialise(1);
  Arena scratch(std::size_t{1} << 30, device);
  Context context{.device = device, .scratch = &scratch};
  model->parameters().refresh_operands(context);
  return model;
}

std::vector<std::int32_t> random_ids(const Model& model, std::int64_t count, std::uint64_t stream) {
  const Random random(1, stream);
  const auto vocabulary = static_cast<std::uint64_t>(model.config().vocab_size);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(i), vocabulary)));
  }
  return ids;
}

}  // namespace tessera::app
