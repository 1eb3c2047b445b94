// SPDX-License-Identifier: MIT
#include "core/plan/link_plan.h"

#include <algorithm>

#include "core/model/model.h"
#include "core/placement/token_reach.h"
#include "core/plan/memory_plan.h"
#include "core/schedule/program.h"
#include "core/spec/batch_unit.h"
#include "core/train/shards.h"

namespace tessera {

namespace {
/// The stage of the curriculum whose steps have most tokens.
const CurriculumStage& largest_stage(const RunSpec& spec) {
  return *std::max_element(spec.curriculum.begin(), spec.curriculum.end(),
                           [](const CurriculumStage& a, const CurriculumStage& b) {
                             return a.batch_sequences * a.sequence_length <
                                    b.batch_sequences * b.sequence_length;
                           });
}

double weight_bytes_of(const Model& model, const SharingRanks& sharing) {
  double bytes = 0;
  for (const Bucket& bucket : buckets_of(model.parameters(), sharing)) {
    bytes += 2.0 * static_cast<double>(bucket.share * (bucket.ranks - 1)) * sizeof(float);
  }
  return bytes;
}

/// Layers with experts that a place of the pipeline holds, the MTP module's among them.
std::int64_t moe_layers_of(const ModelConfig& config, const Layout& held) {
  std::int64_t layers = 0;
  for (const PipelineStage& stage : held.stages) {
    layers += moe_layers_before(config, stage.end) - moe_layers_before(config, stage.first);
    if (stage.is_last) {
      layers += moe_layers(config) - moe_layers_before(config, config.num_hidden_layers);
    }
  }
  return layers;
}
/// Messages that a rank of the pipeline sends in a step, the most of all, by their order of work.
double messages_of_rank(const RunSpec& spec, const CurriculumStage& stage) {
  const PipelineShape shape = pipeline_shape(spec.parallel);
  const std::int64_t micro_batches =
      stage.batch_sequences / (spec.parallel.data * spec.parallel.micro_batch_sequences);
  std::int64_t most = 0;
  if (shape.ranks == 1 || micro_batches < 1) return 0;
  const Schedule schedule = make_schedule(shape, shape.allowed(micro_batches));
  for (const Program& program : programs_of(schedule, Sends::DoNotWait)) {
    most = std::max<std::int64_t>(
        most, std::count_if(program.begin(), program.end(), [](const ProgramStep& step) {
          return step.kind == ProgramStep::Kind::Send;
        }));
  }
  return static_cast<double>(most);
}
}  // namespace

LinkPlan plan_links(const RunSpec& spec) {
  LinkPlan plan;
  plan.mesh = mesh_of(spec.parallel);
  const Mesh& mesh = plan.mesh;
  const ModelConfig config = run_model(spec);
  const Precision precision = planned_precision(spec);
  const CurriculumStage& stage = largest_stage(spec);
  const double tokens = static_cast<double>(stage.batch_sequences * stage.sequence_length) /
                        static_cast<double>(mesh.replicas());
  const double row =
      static_cast<double>(config.hidden_size) * static_cast<double>(size_of(precision.inner()));
  if (mesh.expert > 1) {
    plan.ranks_per_token =
        expected_reach({config.n_routed_experts, mesh.expert, config.num_experts_per_tok});
  }
  const double remote = plan.ranks_per_token * static_cast<double>(mesh.expert - 1) /
                        static_cast<double>(mesh.expert);
  std::int64_t most_layers = 0;
  for (std::int64_t place = 0; place < mesh.pipeline; ++place) {
    const Layout layout = layout_of(config, mesh, place * mesh.replicas());
    const Model model(config, precision, layout, /*for_training=*/true, spec.host.device,
                      /*measuring=*/true);
    const SharingRanks sharing = sharing_ranks(mesh, place_of(mesh, place * mesh.replicas()));
    plan.weight_bytes = std::max(plan.weight_bytes, weight_bytes_of(model, sharing));
    most_layers = std::max(most_layers, moe_layers_of(config, layout));
    plan.places.push_back(layout);
  }
  plan.expert_bytes = 4 * tokens * remote * row * static_cast<double>(most_layers);
  plan.pipeline_bytes = messages_of_rank(spec, stage) * row *
                        static_cast<double>(spec.parallel.micro_batch_sequences) *
                        static_cast<double>(stage.sequence_length) /
                        static_cast<double>(mesh.context);
  return plan;
}

}  // namespace tessera
